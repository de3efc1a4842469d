"""What a store keeps open while a part of a step is done, for its next call there: sessions. Afterwards nothing is open, so no restart
between two parts, and no fork, spoils one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Kept:
    """A thing that is open, since when by the clock of who opened it, and what closes it."""

    thing: Any
    since: float
    until: ExitStack


class Keeper:
    """What is kept, by what it is of. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, deque[Kept]] = defaultdict(deque)
        self._ended = False

    def take(self, of: Hashable, since: float) -> Kept | None:
        """What was kept last of this, if anything is; it is the caller's now. Whatever was opened before `since` is closed, of
        whichever kind it is."""
        for kept in list(self._kept.values()):
            for each in list(kept):
                if each.since < since:
                    try:
                        kept.remove(each)
                    except ValueError:  # another thread has taken it
                        continue
                    each.until.close()
        try:
            return self._kept[of].pop()
        except IndexError:
            return None

    def give(self, of: Hashable, kept: Kept) -> None:
        """Keep it for the next one who asks for one of this."""
        if self._ended:
            kept.until.close()
        else:
            self._kept[of].append(kept)

    def end(self) -> None:
        """Close all."""
        self._ended = True
        for kept in self._kept.values():
            while kept:
                kept.pop().until.close()


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
