"""The world of a history: databases, a ledger, a workspace, Airflow's runs, and all that people, applications and machines do
between two effects of the engine."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from include.trueup.declare.migration import Migration
from include.trueup.errors import StoreUnavailableError
from include.trueup.run import Extra, Options, Run

from . import coverage, declared
from . import history as histories
from .airflow import DagRun
from .history import Event, History, Setup
from .lies import Lie, is_about, lie
from .oracle import Oracle
from .people import People
from .places import Places
from .scheduling import Process, Schedule
from .second import TABLE, label_of, table_of
from .themes import ANY, THEMES
from .twins import Effect, Hook

MOST_EVENTS = 300
"""After so many nothing more is drawn: where runs are cleared again and again, a history would not end."""
NO_NUMBER = '{"amount":"NaN"}'
UNFIT = (("name 3 of many", "3"), ("name 4", "1" * 40), ("name 5", None), ("name 6", "1" * 40))
"""Rows of the source that no target holds, or not each."""


class World(People):
    """Everything there is. `happened` are the events that were done, by point: the history as it came out."""

    def __init__(
        self,
        history: History,
        folder: Path,
        database: duckdb.DuckDBPyConnection | None = None,
        places: Callable[[Setup, Schedule, Hook, Path], Places] = Places,
    ) -> None:
        self.setup, self.folder, self.database = history.setup, folder, database
        self.theme = THEMES.get(self.setup.theme, ANY)
        self._events = history.events
        self._random = Random(history.seed * 7 + 1) if history.seed >= 0 else None
        self.schedule = Schedule(self._choose)
        self.happened: dict[int, Event] = {}
        self.met_errors: Counter[str] = Counter()
        self.did: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.runs: list[DagRun] = []
        self.version = 0
        self.versions: list[tuple[float, int]] = [(0.0, 0)]
        self._quiet = self._visits = self._drawn = 0
        self._effect = ""
        self._out_until: dict[str, float] = {}
        self._lies: dict[int, Lie] = {}
        self._untold: list[Event] = []
        self.places = places(self.setup, self.schedule, self.hook, folder)
        self.oracle = Oracle(self)
        self._migrations = {n: declared.declare(folder, self.setup, n) for n in (0, 1)}

    def migration(self) -> Migration:
        """The migration as it is deployed now."""
        return self._migrations[self.version]

    def begin(self) -> None:
        """The tables, and the first run."""
        for name in ("people", *self.places.targets):
            if name == "people" or self.setup.there:
                self.places.make(name)
        for n in range(self.setup.rows):
            nameless = n < self.setup.nameless
            self.oracle.application("people", f"p{n:02}", (None if nameless else declared.name(self.setup, n), str(n)))
        for n in range(self.setup.there):
            name = declared.name(self.setup, n).upper()
            self.oracle.application("persons", f"p{n:02}", (name if n % 2 else f"APP {n}", str(n)))
        for n in range(self.setup.there if self.setup.second else 0):
            self.oracle.application(TABLE, f"q{n:02}", (f"APP {n}", str(n)))
        self.trigger(mode=self.theme.first)

    def versions_used(self) -> set[int]:
        """The versions of the migration that were ever deployed."""
        return {version for _, version in self.versions}

    # ── between two effects ──────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def looking(self) -> Iterator[None]:
        """What is looked at in the block is no effect."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def hook(self, effect: Effect) -> None:
        """Between two effects of the engine."""
        if self._quiet or not self.schedule.in_process:
            return
        self.oracle.saw(effect)
        self._effect = effect.kind
        self.schedule.point()
        place = str(effect.place)
        lie = self._lies.pop(self.schedule.present_number, None) or self._lie_about(effect)
        if self._out_until.get(place, 0.0) > self.schedule.now:
            raise StoreUnavailableError(f"{place} does not answer ({effect.kind}, {effect.when})")
        if lie is not None:
            self._tell(lie, effect)

    def _tell(self, lie: Lie, effect: Effect) -> None:
        """Answer an effect falsely."""
        self.oracle.told(lie, effect)
        if lie.seconds:
            self.schedule.sleep(lie.seconds)
        if lie.raised is not None:
            raise lie.raised

    def _choose(self, schedule: Schedule) -> None:
        point = schedule.points
        event = self._events.get(point)
        where = self._keen()
        rate = min(self.setup.rate * (self.setup.keenness if where else 1), 0.25)
        more = self._random is not None and len(self.happened) < MOST_EVENTS and self._drawn < self.theme.most
        if event is None and more and self._random is not None and self._random.random() < rate:
            event = histories.event(self._random, self.theme.at.get(where, self.setup.only))
            self._drawn += 1
        if event is None:
            return
        with self.looking():
            if self._do(event):
                self.happened[point] = event
                self.did[event.what] += 1

    def _keen(self) -> str:
        """Where it is that most happens, if it is there."""
        here = f"{self.schedule.present.process.name} {self._effect}"
        return next((part for part in self.setup.keen.split("|") if part and part in here), "")

    def late(self, number: int) -> None:
        """All is quiet, and something more happens."""
        self._do_at(-number, self.theme.late or histories.LATE)

    def visit(self) -> None:
        """A run waits for a person, and somebody does something before the answer comes."""
        self._visits += 1
        often = 1.0 if self.theme.visits else 0.7
        if not self.schedule.calm and (self._random is None or self._random.random() < often):
            self._do_at(-1_000 - self._visits, self.theme.visits or histories.VISITS)

    def _do_at(self, number: int, among: tuple[str, ...]) -> None:
        event = self._events.get(number)
        if event is None and self._random is not None:
            event = histories.event(self._random, among=among)
        if event is None:
            return
        with self.looking():
            if self._do(event):
                self.happened[number] = event
                self.did[event.what] += 1

    def _do(self, event: Event) -> bool:
        done: bool | None = getattr(self, "_" + event.what.replace(" ", "_"))(event)
        return done is not False

    def happens(self, event: Event) -> bool:
        """Have it happen now, unless it is calm; whether there was anything to do."""
        if self.schedule.calm:
            return False
        with self.looking():
            done = self._do(event)
        self.did[event.what] += done
        return done

    def calm(self) -> None:
        """No fault happens any more."""
        self.schedule.calm = True
        self._out_until.clear()
        for run in self.runs:
            run.tick()

    def after(self, seconds: float, work: Callable[[], object]) -> None:
        """Airflow, or a person, does something later."""

        fibre = self.schedule.begin(lambda: (work(), None)[1], Process(name="later", run=""))
        fibre.wakes_at = self.schedule.now + seconds

    # machines

    def _switch(self, event: Event) -> bool:
        others = [p for p in self.schedule.others() if p.run]
        if not others:
            return False
        self.schedule.hand_over(others[event.a % len(others)])
        return True

    def _pause(self, event: Event) -> None:
        process = self.schedule.present.process
        process.paused_until = self.schedule.now + event.seconds
        if event.seconds > 30 and (run := self._run_of(process)):
            run.lost(process)

    def _kill(self, _: Event) -> None:
        process = self.schedule.present.process
        process.killed = True
        if run := self._run_of(process):
            run.lost(process)

    def _error(self, _: Event) -> None:
        self._lies[self.schedule.present_number] = Lie(name="error", raised=StoreUnavailableError("no answer"))

    def _lie(self, event: Event) -> bool:
        """The next that is asked of a store, of what the event is about, is answered falsely."""
        self._untold.append(event)
        return True

    def _lie_about(self, effect: Effect) -> Lie | None:
        event = next((each for each in self._untold if is_about(each, effect)), None)
        if event is None or self.schedule.calm:
            return None
        self._untold.remove(event)
        told = lie(effect, event, partial(self._later, event.seconds))
        self.did[f"lie {told.name}"] += 1
        return told

    def _later(self, seconds: float, work: Callable[[], object]) -> None:
        """A request that is under way is done later, whatever has become of who sent it."""
        sent = self.oracle.sent()
        self.after(seconds, lambda: self.oracle.arrives(sent, work))

    def _outage(self, event: Event) -> None:
        place = ("ledger", "store")[event.a % 2]
        self._out_until[place] = self.schedule.now + min(event.seconds, 75.0)

    def _wait(self, event: Event) -> None:
        self.schedule.now += event.seconds

    # applications

    def _write_source(self, event: Event) -> None:
        key, what = f"p{event.a % (self.setup.rows + 2):02}", event.b % 4
        if what == 0:
            self.oracle.application("people", key, None)
            return
        if self.setup.unfit and event.a // 16 % 2 == 0:
            self.did["write unfit"] += 1
            row = UNFIT[event.b % len(UNFIT)]
            self.oracle.application("people", key, row)
            return
        name = None if what == 1 and self.setup.nameless else declared.name(self.setup, event.b % 7)
        wrong = event.b % 5 == 0
        number = event.b % 50 - event.b % 50 % self.theme.amounts
        amount, mistyped = (None, '{"amount":"NaN"}') if wrong else (str(number), None)
        self.oracle.application("people", key, (name, amount), mistyped)

    def _write_target(self, event: Event) -> bool:
        if not self.places.there("persons"):
            return False
        key = f"p{event.a % (self.setup.rows + 2):02}"
        if self.setup.second and event.a // 8 % 2 and self.places.there(TABLE):
            label = None if event.b % 3 == 0 else (f"APP {event.b % 7}", str(event.b % 50))
            self.oracle.application(TABLE, label_of(key), label)
            return True
        if self.setup.referred and event.b % 2:
            self.oracle.ordered(key, None if event.b % 7 == 0 else (key, key, None, None))
            return True
        if self.setup.numbered and event.a // 16 % 2 == 0:
            self.did["insert"] += 1
            self.oracle.inserted(key, f"APP {event.b % 7}")
            return True
        row = None if event.b % 3 == 0 else (f"APP {event.b % 7}", str(event.b % 50))
        if self.setup.held_open and event.a // 32 % 2 == 0:
            return self._keep_open(key, row, event)
        if row is not None and self._no_number(event):
            self.oracle.application("persons", key, (row[0], None), NO_NUMBER)
        else:
            self.oracle.application("persons", key, row)
        return True

    def _order(self, event: Event) -> bool:
        """An application makes an order refer to a row that the target has."""
        keys = sorted(self.places.rows("persons")) if self.setup.referred else []
        if keys:
            key = keys[event.a % len(keys)]
            self.oracle.ordered(key, (key, key, None, None))
        return bool(keys)

    def _keep_open(self, key: str, row: tuple[str, str] | None, event: Event) -> bool:
        """An application writes a row, and commits it, or takes it back, later."""
        end = self.places.keep_open("persons", key, None if row is None else (key, *row, None, None))
        if end is None:
            return False
        self.did["keep open"] += 1
        self.after(event.seconds, lambda: self.oracle.does(partial(end, event.b % 5 > 0)))
        return True

    def _no_number(self, event: Event) -> bool:
        """Whether an application writes into the target what a rollback could not put back."""
        odd = self.setup.unfit and event.a // 16 % 2 == 0
        self.did["write no number"] += odd
        return odd

    def mend(self) -> None:
        """In calm somebody drops the target's trigger, as the proof that failed asks for; and gives the rows of the target a
        number that have none, as the refused plan does."""
        self.places.drop_triggers("persons")
        for key, row in sorted(self.oracle.target.items()):
            if row[-1] is not None:
                with self.looking():
                    self.oracle.application("persons", key, (row[1], "0"))

    def _write_planned(self, event: Event) -> bool:
        """An application writes to a row that a plan is about: it deletes it, changes a part of it, or all of it."""
        plans = [seen.gated[-1] for seen in self.oracle.runs.values() if seen.gated]
        if not plans or not self.places.there("persons"):
            return False
        plan = plans[-1]
        keys = sorted(key for key, (verb, _, _) in plan.rows.items() if verb in ("add", "change", "remove"))
        if not keys:
            return False
        key = keys[event.a % len(keys)]
        row, table = self.oracle.target.get(key), table_of(key)
        if row is not None and event.b % 4 == 0:
            self.oracle.application(table, key, None)
        elif table == "persons" and self._no_number(event):
            self.oracle.application("persons", key, (f"APP {event.b % 7}", None), NO_NUMBER)
        else:
            name = row[1] if row is not None and event.b % 4 < 3 else f"APP {event.b % 7}"
            self.oracle.application(table, key, (name, str(100 + event.b % 50)))
        return True

    def trigger(self, *, undoes: str | None = None, **more: Any) -> DagRun:
        """A person triggers the DAG, or that of rollbacks."""
        setup = self.setup
        asked: dict[str, Any] = {
            "partitions": setup.partitions,
            "segments": 1,
            "approval": setup.approval,
            "max_reject_share": 1.0,
            "max_remove_share": 0.5,
            "extra": Extra(setup.extra),
            **more,
        }
        id = f"r{len(self.runs)}"
        run = Run(
            id=id,
            dag_id="small" if undoes is None else "small_rollback",
            airflow_run_id=id,
            migration=self.migration(),
            options=Options.from_json(
                {**Options(**{**asked, "mode": "apply"}).to_json(), "mode": asked.get("mode", "apply")}
            ),
            ledger=self.places.ledger,
            workspace=self.places.workspace,
            store=self.places.store,
            effects=self.schedule.effects(),
            undoes=undoes,
            database=self.database,
        )
        if undoes is not None:
            run = replace(run, options=replace(run.options, partitions=None))
        made = DagRun(world=self, given=run)
        self.runs.append(made)
        made.tick()
        return made

    def waits(self, run: DagRun) -> bool:
        """Whether a run whose target another one has waits for it, as those of a backfill do."""
        return int(run.id[1:]) % 2 == 1 or run.given.options.window is not None

    def met(self, error: Exception, run: str, where: str) -> None:
        """An error came out of the engine."""
        self.met_errors.update(coverage.classes(error))
        self.refusals[coverage.refused_by(error)] += 1
        self.oracle.met(error, run, where)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for scripts and workspaces, in memory where there is room."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="trueup-simulation-", dir=memory if memory.is_dir() else None))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
