"""What a store keeps open while a part of a step is done, for its next call there: sessions. Afterwards nothing is open, so no restart
between two parts, and no fork, spoils one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any


class Keeper:
    """What is kept, by what it is of. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, deque[tuple[Any, ExitStack]]] = defaultdict(deque)
        self._ended = False

    def take(self, of: Hashable) -> tuple[Any, ExitStack] | None:
        """What was kept last of this, if anything is, and what closes it; it is the caller's now."""
        try:
            return self._kept[of].pop()
        except IndexError:
            return None

    def give(self, of: Hashable, thing: Any, until: ExitStack) -> None:
        """Keep it for the next one who asks for one of this."""
        if self._ended:
            until.close()
        else:
            self._kept[of].append((thing, until))

    def end(self) -> None:
        """Close all."""
        self._ended = True
        for kept in self._kept.values():
            while kept:
                kept.pop()[1].close()


_present: ContextVar[Keeper | None] = ContextVar("keeper", default=None)


@contextmanager
def keeping() -> Iterator[None]:
    """While the block runs, stores keep what they open; in it, such a block has no effect."""
    if _present.get() is not None:
        yield
        return
    keeper = Keeper()
    before = _present.set(keeper)
    try:
        yield
    finally:
        _present.reset(before)
        keeper.end()


def keeper() -> Keeper | None:
    """The one of the block that runs; None outside of any, where each call opens what it needs, and closes it."""
    return _present.get()
