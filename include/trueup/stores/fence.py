"""The right to write, as stores ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fence:
    """The right to write, of one part of a step, at one of its tries. `check` raises once it is lost, or may be, by what the
    ledger said last. `confirm` asks the ledger itself, unless it said so within that many seconds. `epochs`: by target
    (`Store.identity`), the number of the lease that it is by, higher at every taking; `part` names the part, and `tries` is
    higher at every try of it. `lasts`: seconds that the lease lasts once nobody renews it. `anew`: a lease was taken for it,
    under which nobody has worked before."""

    check: Callable[[], None]
    confirm: Callable[[float], None]
    epochs: Mapping[str, int]
    part: str
    tries: int
    lasts: float
    anew: bool = False

    @contextmanager
    def active(self) -> Iterator[None]:
        """While the block runs, every request that a store sends from this thread, or for it, asks this fence first."""
        before = _present.set(self)
        try:
            yield
        finally:
            _present.reset(before)


_present: ContextVar[Fence | None] = ContextVar("fence", default=None)


def present_fence() -> Fence | None:
    """The fence that is active where a store is called."""
    return _present.get()


RELIED_SECONDS = 1.0
"""How long a request that nobody can end relies on what the ledger said last; for so long whoever takes the right to write
waits for those who had it."""


def ask_fence() -> None:
    """Ask it, if there is one, before a request that nobody can end; what it raises is raised."""
    if (fence := _present.get()) is not None:
        fence.confirm(RELIED_SECONDS)
