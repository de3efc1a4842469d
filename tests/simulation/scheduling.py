"""Who goes on, and when: processes and what they do beside, as fibres of one thread, of which one runs at a time. Hand-over is
at the points where an effect begins or ends, so every order of effects is one that the schedule can choose, and the same
choices give the same history again.

Time is counted here: it goes on by a little at each effect, and jumps to the next who waits when nobody else can go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from include.trueup.stores.effects import Effects, Until

T = TypeVar("T")
BEGINNING = datetime(2025, 6, 1, tzinfo=UTC).timestamp()
EFFECT_SECONDS = 0.02
"""What an effect takes."""


class KilledError(BaseException):
    """The process is killed here. Nothing may catch it, and whoever does can do nothing more."""


class StuckError(Exception):
    """Nobody can go on, or it takes longer than any history may."""


@dataclass(eq=False)
class Process:
    """A process: what runs in it as fibres is paused and killed together."""

    name: str
    run: str
    fibres: list[Fibre] = field(default_factory=list)
    paused_until: float = 0.0
    killed: bool = False

    @property
    def alive(self) -> bool:
        """Whether anything in it goes on."""
        return not self.killed and any(not fibre.dead for fibre in self.fibres)


@dataclass(eq=False)
class Fibre:
    """A thread of a process. `ready` says whether it can go on, beside its time having come."""

    number: int
    process: Process
    green: greenlet
    wakes_at: float = 0.0
    ready: Callable[[], bool] = lambda: True
    dead: bool = False


class FibreFuture(Future[T]):
    """The result of a fibre, for which other fibres wait without holding up the thread."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule

    def result(self, timeout: float | None = None) -> T:
        """Wait for it."""
        self._schedule.until(self.done)
        return super().result(timeout)


class Crew:
    """Workers that are fibres of the process that asks for them."""

    def __init__(self, schedule: Schedule, most: int) -> None:
        self._schedule, self._most = schedule, most
        self._waiting: list[Callable[[], None]] = []
        self._running = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._schedule.until(lambda: not self._running and not self._waiting)

    def submit(self, work: Callable[..., T], /, *given: Any) -> Future[T]:
        """Begin a piece of work, once there is room."""
        future: FibreFuture[T] = FibreFuture(self._schedule)
        context = copy_context()

        def done() -> None:
            if not future.set_running_or_notify_cancel():  # as a thread's: what runs is not called off
                self._ended()
                return
            try:
                result = context.run(work, *given)
            except Exception as error:
                self._ended()
                future.set_exception(error)
            else:
                self._ended()
                future.set_result(result)

        self._waiting.append(done)
        self._fill()
        return future

    def _ended(self) -> None:
        self._running -= 1
        self._fill()

    def _fill(self) -> None:
        while self._waiting and self._running < self._most:
            self._running += 1
            self._schedule.begin(self._waiting.pop(0), self._schedule.present.process)

    def map(self, work: Callable[..., T], /, *given: Iterable[Any]) -> Iterator[T]:
        """The work done on each; what it gives, in order."""
        futures = [self.submit(work, *each) for each in zip(*given, strict=False)]
        return iter([future.result() for future in futures])

    def wait(self, running: Sequence[Future[T]], until: Until) -> tuple[list[Future[T]], list[Future[T]]]:
        """Wait; those that have ended, and the others, in the order in which they were given."""

        def enough() -> bool:
            ended = [f for f in running if f.done()]
            if len(ended) == len(running):
                return True
            if until is Until.FAILED:
                return any(not f.cancelled() and Future.exception(f, 0) is not None for f in ended)
            return until is Until.FIRST and bool(ended)

        self._schedule.until(enough)
        return [f for f in running if f.done()], [f for f in running if not f.done()]


class FibreLock:
    """A lock that one fibre has, and others wait for. Who looks at all of them takes none."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._held = False

    def __enter__(self) -> None:
        if self._schedule.in_process:
            self._schedule.until(lambda: not self._held)
            self._held = True

    def __exit__(self, *_: Any) -> None:
        self._held = False


class Schedule:
    """The fibres, the time, and the choice at each point. `choose` is asked at each point; it may pause, kill, begin other
    processes, or name the one that goes on (`hand_over`)."""

    def __init__(self, choose: Callable[[Schedule], None], longest: float = 2_000_000.0, most: int = 40_000) -> None:
        self.now = 0.0
        self.points = 0
        self.calm = False
        self._choose = choose
        self._until, self._most = longest, most
        self._fibres: list[Fibre] = []
        self._numbers = self._names = 0
        self._hub = getcurrent()
        self._present: Fibre | None = None
        self._next: Fibre | None = None

    # ── fibres ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def present(self) -> Fibre:
        """The fibre that runs."""
        assert self._present is not None
        return self._present

    @property
    def present_number(self) -> int:
        """The number of the fibre that runs; 0 where none does."""
        return 0 if self._present is None else self._present.number

    @property
    def in_process(self) -> bool:
        """Whether a process runs, and not whoever looks at all of them."""
        return self._present is not None

    def process(self, name: str, run: str, work: Callable[[], None]) -> Process:
        """Begin a process."""
        made = Process(name=name, run=run)
        self.begin(work, made)
        return made

    def begin(self, work: Callable[[], None], process: Process) -> Fibre:
        """Begin a fibre of a process."""
        self._numbers += 1

        def all_of_it() -> None:
            try:
                if not process.killed:
                    work()
            except KilledError:
                pass
            finally:
                fibre.dead = True

        fibre = Fibre(number=self._numbers, process=process, green=greenlet(all_of_it, parent=self._hub))
        process.fibres.append(fibre)
        self._fibres.append(fibre)
        return fibre

    def run(self) -> None:
        """Until no fibre can or will go on."""
        self._hub = getcurrent()
        while (fibre := self._pick()) is not None:
            fibre.green.parent = self._hub
            self._present = fibre
            try:
                fibre.green.switch()
            finally:
                self._present = None
            if fibre.green.dead:
                fibre.dead = True
                self._fibres.remove(fibre)

    def end(self) -> None:
        """Every process is killed."""
        for fibre in self._fibres:
            fibre.process.killed = True
        self.run()

    def _pick(self) -> Fibre | None:
        named, self._next = self._next, None
        self._fibres = [f for f in self._fibres if not f.dead]
        if named is not None and self._can(named):
            return named
        while True:
            able = [f for f in self._fibres if f.process.killed or f.ready()]
            if not able:
                return None
            at, _, found = min((self._due(f), f.number, f) for f in able)
            if at > self._until:
                raise StuckError(f"{found.process.name} waits for longer than a history lasts")
            self.now = max(self.now, at)
            return found

    def _due(self, fibre: Fibre) -> float:
        if fibre.process.killed:
            return self.now
        return max(fibre.wakes_at, fibre.process.paused_until, self.now)

    def _can(self, fibre: Fibre) -> bool:
        return not fibre.dead and fibre.ready() and self._due(fibre) <= self.now

    def _hand_back(self) -> None:
        me = self.present
        self._hub.switch()
        if me.process.killed:
            raise KilledError

    # ── what fibres do ───────────────────────────────────────────────────────────────────────────────────────────

    def point(self) -> None:
        """Between two effects: time goes on, and whatever the schedule chooses happens."""
        me = self.present
        if me.process.killed:
            raise KilledError
        self.points += 1
        if self.points > self._most:
            raise StuckError("more effects than any history has")
        self.now += EFFECT_SECONDS
        if not self.calm:
            self._choose(self)
        if me.process.killed:
            raise KilledError
        due = [f for f in self._fibres if f is not me and f.wakes_at and self._can(f)]
        if self._next is not None or me.process.paused_until > self.now or due:
            if self._next is None and due and me.process.paused_until <= self.now:
                self._next = due[0]
            me.wakes_at = 0.0
            self._hand_back()

    def hand_over(self, process: Process) -> None:
        """At this point another process goes on, if it can."""
        self._next = next((f for f in process.fibres if self._can(f)), None)

    def others(self) -> list[Process]:
        """The processes that could go on now instead of the present one."""
        mine = self.present.process
        return list(dict.fromkeys(f.process for f in self._fibres if f.process is not mine and self._can(f)))

    def sleep(self, seconds: float) -> None:
        """Wait."""
        if self._present is None:
            self.now += seconds
            return
        me = self.present
        me.wakes_at = self.now + max(seconds, 0.0)
        self._hand_back()
        me.wakes_at = 0.0

    def until(self, true: Callable[[], bool]) -> None:
        """Let others go on until it is so."""
        if true():
            return
        me = self.present
        me.ready, me.wakes_at = true, 0.0
        self._hand_back()
        me.ready = lambda: True

    @contextmanager
    def beside(self, seconds: float, work: Callable[[], bool], name: str) -> Iterator[None]:
        """Do the work every so many seconds while the block runs, or until it gives False."""
        stop, working = [False], [False]

        def go_on() -> None:
            while not stop[0]:
                me.wakes_at = 0.0
                working[0] = True
                try:
                    if not work():
                        return
                finally:
                    working[0] = False
                me.wakes_at = self.now + seconds
                self._hand_back()

        me = self.begin(go_on, self.present.process)
        me.wakes_at = self.now + seconds
        try:
            yield
        finally:
            stop[0] = True
            if not self.present.process.killed:
                self.until(lambda: not working[0])
            me.wakes_at = 0.0

    # ── the machine, as the engine sees it ───────────────────────────────────────────────────────────────────────

    def effects(self) -> Effects:
        """This schedule as the engine's machine."""
        start = BEGINNING

        def unique() -> str:
            self._names += 1
            return hashlib.md5(str(self._names).encode(), usedforsecurity=False).hexdigest()

        def process() -> str:
            return self.present.process.name if self.in_process else "nobody"

        def beside(seconds: float, work: Callable[[], bool], name: str) -> AbstractContextManager[None]:
            return self.beside(seconds, work, name) if self.in_process else nullcontext()

        return Effects(
            monotonic=lambda: self.now,
            elapsing=lambda: self.now,
            wall=lambda: start + self.now,
            now=lambda: datetime.fromtimestamp(start + self.now, UTC),
            sleep=self.sleep,
            uniform=lambda low, high: (low + high) / 2,
            unique=unique,
            secret=unique,
            pid=lambda: 1,
            host=lambda: "simulated",
            process=process,
            ended=lambda _: False,
            workers=lambda most, _: Crew(self, most),
            beside=beside,
            lock=lambda: FibreLock(self),
        )
