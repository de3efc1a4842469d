"""Counts the calls of deprecated routes, and enters them in the ledger together, a few seconds later: a read costs no write.

What is counted and not entered yet is lost when the process is killed: the calls of `SECONDS`, or those since the ledger
last answered. A process that ends in order enters them first.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from include.trueup.ledger import CallsRow, Ledger

from .. import connections
from .entering import enter

SECONDS = 5.0
"""How long a call may be counted in this process only."""
LONGEST = 60.0
"""The same, where the ledger did not take them."""
MOST = 10_000
"""Pairs of a route and a client that are counted apart between two entries; further clients are one, `OTHERS`."""
OTHERS = "(others)"


class Recorder:
    """The calls of this process that the ledger does not have yet. Safe to use from several threads."""

    def __init__(self, ledger: Callable[[], Ledger], seconds: float = SECONDS, most: int = MOST) -> None:
        self._ledger, self._seconds, self._most = ledger, seconds, most
        self._counted: dict[tuple[str, str], CallsRow] = {}
        self._lock, self._entering = threading.Lock(), threading.Lock()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, route: str, client: str) -> None:
        """One more call."""
        now = datetime.now(UTC)
        with self._lock:
            self._add(CallsRow(route=route, client=client, calls=1, first_at=now, last_at=now))
            if self._thread is None:
                self._thread = threading.Thread(target=self._go_on, name="deprecated calls", daemon=True)
                self._thread.start()
                atexit.register(self.enter, leaving=True)
        self._some.set()

    def _add(self, new: CallsRow) -> None:
        key = (new.route, new.client)
        if key not in self._counted and len(self._counted) >= self._most:
            key = (new.route, OTHERS)
        old = self._counted.get(key)
        self._counted[key] = CallsRow(
            route=new.route,
            client=key[1],
            calls=new.calls + (old.calls if old else 0),
            first_at=min(new.first_at, old.first_at) if old else new.first_at,
            last_at=max(new.last_at, old.last_at) if old else new.last_at,
        )

    def _go_on(self) -> None:
        pause = self._seconds
        while self._some.wait():
            self._some.clear()
            time.sleep(pause)  # what comes meanwhile is entered with it
            pause = self._seconds
            if not self.enter():
                self._some.set()
                pause = LONGEST

    def counted(self) -> list[CallsRow]:
        """What was counted and is not entered yet."""
        with self._lock:
            return list(self._counted.values())

    def enter(self, *, leaving: bool = False) -> bool:
        """Enter what was counted; whether the ledger has all of it now. What it does not take stays counted. `leaving`: the
        process ends."""
        with self._entering:
            with self._lock:
                taken, self._counted = self._counted, {}

            def add(ledger: Ledger) -> bool:
                ledger.usage.add(taken.values())
                return True

            if not taken or enter("calls of deprecated routes", self._ledger, add, leaving=leaving):
                return True
            with self._lock:
                for row in taken.values():
                    self._add(row)
            return False

    def forget(self) -> None:
        """Begin again."""
        with self._lock:
            self._counted.clear()


RECORDER = Recorder(lambda: connections.ledger())
"""The one of this process."""
