"""Holding a run's targets while it writes, so that two runs never write to one target."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .errors import StoreUnavailableError, TargetHeldError, TransientError
from .ledger import HOLD_SECONDS, Ledger

log = logging.getLogger(__name__)


@contextmanager
def holding(ledger: Ledger, run_id: str, targets: Sequence[str], holder: str | None) -> Iterator[Callable[[], None]]:
    """Hold every target while the block runs, renewing all the time. Gives a function to call before each write:
    it raises `TargetHeldError` once the hold is lost, so that two runs never write to one target."""
    ledger.hold(run_id, targets, holder=holder)
    stop = threading.Event()
    renewed, lost = [time.monotonic()], list[TargetHeldError]()

    def renew() -> None:
        while not stop.wait(HOLD_SECONDS / 6):
            try:
                ledger.hold(run_id, targets, holder=holder)
                renewed[0] = time.monotonic()
            except TargetHeldError as error:
                lost.append(error)
                return
            except TransientError as error:
                log.warning("the hold of run %s could not be renewed and is tried again: %s", run_id, error)

    thread = threading.Thread(target=renew, name="trueup-hold", daemon=True)
    thread.start()

    def check() -> None:
        if lost:
            raise lost[0]
        if time.monotonic() - renewed[0] > HOLD_SECONDS:
            raise StoreUnavailableError(
                f"run {run_id} could not renew its hold for {HOLD_SECONDS} s, so it stopped writing; what is written is kept"
            )

    try:
        yield check
    finally:
        stop.set()
        thread.join()
