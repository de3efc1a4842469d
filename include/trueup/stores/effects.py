"""What the engine asks of the machine that it runs on. Nothing else in the engine reads a clock, waits, draws at random, does
several things at once, or asks which process this is: whoever makes a run, a ledger or a store may give it another one."""

from __future__ import annotations

import hashlib
import os
import random
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import psutil

T = TypeVar("T")
Group = list[Future[T]]


class Until(StrEnum):
    """What `Workers.wait` waits for: the first that has ended, the first that has failed, or all."""

    FIRST = FIRST_COMPLETED
    FAILED = FIRST_EXCEPTION
    ALL = ALL_COMPLETED


class Workers(Protocol):
    """Several pieces of work at once, a limited number of them. Once the block ends all of them have."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *_: Any) -> bool | None:
        """Wait for all of them."""

    def submit(self, work: Callable[..., T], /, *given: Any) -> Future[T]:
        """Begin a piece of work, once there is room."""

    def map(self, work: Callable[..., T], /, *given: Iterable[Any]) -> Iterator[T]:
        """The work done on each; what it gives, in order."""

    def wait(self, running: Sequence[Future[T]], until: Until) -> tuple[Group[T], Group[T]]:
        """Wait; those that have ended, and the others, in the order in which they were given."""


class Threads(ThreadPoolExecutor):
    """Workers that are threads. What is asked before an effect where a piece of work is begun is asked in its thread, too."""

    def __init__(self, most: int, name: str = "") -> None:
        super().__init__(most, thread_name_prefix=name)

    def submit(self, work: Callable[..., T], /, *given: Any, **named: Any) -> Future[T]:
        """Begin a piece of work, once there is room, with the context variables of here."""
        return super().submit(copy_context().run, work, *given, **named)

    def wait(self, running: Sequence[Future[T]], until: Until) -> tuple[Group[T], Group[T]]:
        """Wait; those that have ended, and the others, in the order in which they were given."""
        ended, _ = wait(running, return_when=until)
        return [f for f in running if f in ended], [f for f in running if f not in ended]


@contextmanager
def _beside(seconds: float, work: Callable[[], bool], name: str) -> Iterator[None]:
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(seconds) and work():
            pass

    thread = threading.Thread(target=go_on, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _now() -> datetime:
    return datetime.now(UTC)


def _elapsing() -> float:
    # CLOCK_BOOTTIME is Linux's; elsewhere the monotonic clock is the next best
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _unique() -> str:
    return uuid.uuid4().hex


@cache
def machine() -> str:
    """A name of this machine since it was started, and of what may see the same processes: other containers of one host,
    and clones of one image, have others."""
    parts = [socket.gethostname()]
    for file in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        try:
            parts.append(Path(file).read_text(encoding="ascii").strip())
        except OSError:
            parts.append(f"{psutil.boot_time():.0f}")
    try:
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def this_process() -> str:
    """A name of this process that no other process on any machine has or will have."""
    me = psutil.Process(os.getpid())
    return f"{machine()}/{me.pid}/{me.create_time():.2f}"


def has_ended(process: str) -> bool:
    """Whether the process of that name (`this_process`) is known to have ended. One of another machine or container is not
    known to."""
    on, pid, created = process.rsplit("/", 2)
    if on != machine():
        return False
    try:
        running = psutil.Process(int(pid))
        return abs(running.create_time() - float(created)) > 1 or running.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Clocks, in seconds: `monotonic` never goes back, `elapsing` goes on while the machine sleeps or is suspended, `wall` is
    since 1970; `now` is the wall clock's, in UTC. `sleep` waits for seconds. `uniform` draws between two numbers, `unique`
    gives a name that nobody else has, `secret` one that nobody can guess (32 hexadecimal digits each). `pid` and `host` say
    which process this is, `process` gives it a name that no other has, and `ended` says of such a name whether it is known to
    have ended. `workers` makes so many, named so; `beside` does a piece of work every so many seconds while its block runs, or
    until it gives False; `lock` makes a lock."""

    monotonic: Callable[[], float] = time.monotonic
    elapsing: Callable[[], float] = _elapsing
    wall: Callable[[], float] = time.time
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    unique: Callable[[], str] = _unique
    secret: Callable[[], str] = lambda: secrets.token_hex(16)
    pid: Callable[[], int] = os.getpid
    host: Callable[[], str] = socket.gethostname
    process: Callable[[], str] = this_process
    ended: Callable[[str], bool] = has_ended
    workers: Callable[[int, str], Workers] = Threads
    beside: Callable[[float, Callable[[], bool], str], AbstractContextManager[None]] = _beside
    lock: Callable[[], AbstractContextManager[Any]] = threading.Lock


REAL = Effects()
"""The machine itself."""
