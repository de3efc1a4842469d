"""Whether a try may still leave something in its run's folder.

A file there is published by whoever does so last, and no store of files can refuse an older try that stood still and goes
on. So whoever is about to publish or remove something asks the ledger, unless it has said so within `RELIED_SECONDS`. What
was under way then is done, as one request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..ledger import Ledger
from ..ledger import Part as Try
from ..ledger.holding import Elapsed
from ..stores import RELIED_SECONDS

_present: ContextVar[tuple[str, Callable[[], None]] | None] = ContextVar("newest", default=None)


@contextmanager
def asking(
    ledger: Ledger, run_id: str, since: Elapsed, attempt: int | None = None, part: Try | None = None
) -> Iterator[None]:
    """While the block runs, what is published or removed in the run's folder, from this thread, asks first: whether the run
    has not ended, has begun so often (`attempt`), and is at this try of the part, as the ledger said `since`. Raises
    `StatusError` where not."""
    answered = [since]

    def confirm() -> None:
        if answered[0].seconds() > RELIED_SECONDS:
            asked = Elapsed(ledger.effects)
            ledger.require_newest(run_id, attempt, part)
            answered[:] = [asked]

    with confirming(run_id, confirm):
        yield


@contextmanager
def confirming(run_id: str, confirm: Callable[[], None]) -> Iterator[None]:
    """While the block runs, `confirm` is asked before each file that is published or removed in the run's folder, from this
    thread; what it raises is raised."""
    before = _present.set((run_id, confirm))
    try:
        yield
    finally:
        _present.reset(before)


def ask(run_id: str) -> None:
    """Ask, if something of that run is done here, before a file of it is published or removed; what it raises is raised."""
    if (present := _present.get()) is not None and present[0] == run_id:
        present[1]()
