"""What the engine asks of the machine that it runs on. Nothing else in the engine reads a clock, waits, draws at random or
asks which process this is: whoever makes a run, a ledger or a store may give it another one."""

from __future__ import annotations

import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


def _elapsing() -> float:
    # CLOCK_BOOTTIME is Linux's; elsewhere the monotonic clock is the next best
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _unique() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Clocks, in seconds: `monotonic` never goes back, `elapsing` goes on while the machine sleeps or is suspended, `wall` is
    since 1970; `now` is the wall clock's, in UTC. `sleep` waits for seconds. `uniform` draws between two numbers, `unique`
    gives a name that nobody else has (32 hexadecimal digits). `pid` and `host` say which process this is."""

    monotonic: Callable[[], float] = time.monotonic
    elapsing: Callable[[], float] = _elapsing
    wall: Callable[[], float] = time.time
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    unique: Callable[[], str] = _unique
    pid: Callable[[], int] = os.getpid
    host: Callable[[], str] = socket.gethostname


REAL = Effects()
"""The machine itself."""
