"""Answers that a proxy has and does not pass on yet: what was asked for is done, and whoever asked does not know it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class Held:
    """One answer at a time. A proxy asks `passes` about each that it has; while somebody waits for one (`waited`), the proxy waits
    too, until it is told to pass it on or to lose it. `reader` becomes readable when one is held. How many were
    `held`, and how many of them `lost`, is counted."""

    def __init__(self) -> None:
        self.held = self.lost = 0
        self.reader, self._writer = os.pipe()
        self._place: str | None = None
        self._decided = threading.Event()
        self._lost = False

    def waited(self, place: str | None) -> None:
        """From now on the next answer of this place is held; None: none is."""
        self._place = place

    def passes(self, place: str) -> bool:
        """Whether an answer of this place is to be passed on: at once, or once that is decided."""
        if self._place != place:
            return True
        self._place = None
        self._decided.clear()
        os.write(self._writer, b".")
        self._decided.wait(600)
        return not self._lost

    def decide(self, does: Callable[[], bool]) -> None:
        """An answer is held: it is lost if `does` gives False, or is ended by an error."""
        os.read(self.reader, 1)
        self.held += 1
        self._lost = True
        try:
            self._lost = not does()
        finally:
            self.lost += self._lost
            self._decided.set()
