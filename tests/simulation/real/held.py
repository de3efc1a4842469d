"""Answers that a proxy has and does not pass on yet: what was asked for is done, and whoever asked does not know it."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class _One:
    """An answer that is held, and what becomes of it."""

    lost: bool = True
    decided: threading.Event = field(default_factory=threading.Event)


class Held:
    """A proxy asks `passes` about each answer that it has; while somebody waits for one (`waited`), the proxy waits, too, until it
    is told to pass it on or to lose it. `reader` becomes readable when one is held. How many were `held`, and how many of them
    `lost`, is counted."""

    def __init__(self) -> None:
        self.held = self.lost = 0
        self.reader, self._writer = os.pipe()
        self._place: str | None = None
        self._new: deque[_One] = deque()

    def waited(self, place: str | None) -> None:
        """From now on the next answer of this place is held; None: none is."""
        self._place = place

    def passes(self, place: str) -> bool:
        """Whether an answer of this place is to be passed on: at once, or once that is decided."""
        if self._place != place:
            return True
        self._place, one = None, _One()
        self._new.append(one)
        os.write(self._writer, b".")
        one.decided.wait()
        return not one.lost

    def decide(self, does: Callable[[], bool]) -> None:
        """An answer is held: it is lost if `does` gives False, or is ended by an error. Others may be held meanwhile."""
        os.read(self.reader, 1)
        one = self._new.popleft()
        self.held += 1
        try:
            one.lost = not does()
        finally:
            self._place = None  # others may have waited meanwhile, in vain
            self.lost += one.lost
            one.decided.set()
