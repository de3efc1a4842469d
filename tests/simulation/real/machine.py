"""The machine as a child's engine sees it: whoever waits, and which of its threads goes on, is the parent's schedule's to say.
Each thread has a connection to the parent, of which one at a time runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from multiprocessing.connection import Client
from typing import Any

from include.trueup.stores.effects import Effects

from ..scheduling import BEGINNING, Crew, FibreLock
from ..twins import Effect
from ..twins.hook import present_numbers


class Machine:
    """A child's. `address` is the parent's socket, `token` names the child there."""

    def __init__(self, address: str, token: int) -> None:
        self._address, self._token = address, token
        self._mine = threading.local()
        self._numbers = 0
        self._true: dict[int, Callable[[], bool]] = {}
        self.now = 0.0
        self.name = ""
        self.present = self.process = self
        self.in_process = True

    def connect(self, number: int) -> Any:
        """The thread's connection to the parent; it goes on once the parent says so: what the parent gave along."""
        self._mine.number, self._mine.channel = number, Client(self._address)
        self._mine.channel.send((self._token, number, os.getpid()))
        return self._answer()

    def _answer(self) -> Any:
        failed, self.now, given = self._mine.channel.recv()
        if failed:
            raise given
        return given

    def ask(self, *message: Any) -> Any:
        """Tell the parent, and wait until it has this thread go on; what it gives. Raises what the parent
        has the engine told in place of the truth."""
        self.say(*message)
        return self._answer()

    def say(self, *message: Any) -> None:
        """Tell the parent, and be no more."""
        self._mine.channel.send((message, [number for number, true in self._true.items() if true()]))

    def hook(self, effect: Effect) -> None:
        """Between two effects."""
        self.ask("effect", effect, getattr(self._mine, "idle", None), present_numbers())

    def tell_commit(self, effect: Effect) -> None:
        """What belongs to the effect is done, and is to be committed."""
        self.ask("commit", effect, getattr(self._mine, "idle", None), present_numbers())

    @contextmanager
    def open_for(self, seconds: float | None) -> Iterator[None]:
        """While the block runs a server has a transaction of this thread open, and ends it if it is idle for longer."""
        self._mine.idle = seconds
        try:
            yield
        finally:
            self._mine.idle = None

    # ── what the crew of the schedule asks for ───────────────────────────────────────────────────────────────────

    def begin(self, work: Callable[[], object], _: object, seconds: float = 0.0) -> int:
        """Begin a thread, which runs when the parent says so, after so many seconds at the earliest."""
        self._numbers += 1
        number = self._numbers

        def all_of_it() -> None:
            with suppress(EOFError, ConnectionError):  # the parent wants no more of it
                self.connect(number)
                work()
                self.say("over")

        threading.Thread(target=all_of_it, daemon=True).start()
        self.ask("begin", number, seconds)
        return number

    def until(self, true: Callable[[], bool]) -> None:
        """Let other threads go on until it is so."""
        if true():
            return
        self._true[self._mine.number] = true
        self.ask("until")
        del self._true[self._mine.number]

    @contextmanager
    def beside(self, seconds: float, work: Callable[[], bool], _: str) -> Iterator[None]:
        """Do the work every so many seconds while the block runs, or until it gives False."""
        stop, working = [False], [False]

        def go_on() -> None:
            while not stop[0]:
                working[0] = True
                try:
                    if not work():
                        return
                finally:
                    working[0] = False
                self.ask("sleep", seconds)

        number = self.begin(go_on, None, seconds)
        try:
            yield
        finally:
            stop[0] = True
            self.until(lambda: not working[0])
            self.ask("wake", number)

    def effects(self) -> Effects:
        """This machine as the engine's."""

        return Effects(
            monotonic=lambda: self.now,
            elapsing=lambda: self.now,
            wall=lambda: BEGINNING + self.now,
            now=lambda: datetime.fromtimestamp(BEGINNING + self.now, UTC),
            sleep=lambda seconds: self.ask("sleep", seconds),
            uniform=lambda low, high: (low + high) / 2,
            unique=lambda: self.ask("unique"),
            secret=lambda: self.ask("unique"),
            pid=lambda: 1,
            host=lambda: "simulated",
            process=lambda: self.name,
            ended=lambda _: False,
            workers=lambda most, _: Crew(self, most),  # type: ignore[arg-type]
            beside=self.beside,
            lock=lambda: FibreLock(self),  # type: ignore[arg-type]
        )
