"""A history from its beginning to its end: what happens, then calm, in which every run must end and a new one prove the
target; then the laws."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from include.trueup.ledger import Status
from include.trueup.ledger.tables import leases, transitions
from include.trueup.run.report_files import PROVEN, REPORT

from . import history as histories
from .answers import Database
from .databases import Row
from .declared import DAYS, day, should, window
from .history import Event, History
from .laws import Breach, judge
from .oracle import TARGET
from .scheduling import StuckError
from .second import label
from .world import World


@dataclass(kw_only=True)
class Played:
    """What came of a history: the events that were done, the breaches, a hash of all effects, and what was met; at its end the
    states of the runs, and the rows of the target."""

    history: History
    breaches: list[Breach]
    digest: str
    points: int
    met: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    target: dict[str, Row] = field(default_factory=dict)


_IN_CALM: dict[str, Any] = {
    "mode": "apply",
    "approval": False,
    "overwrite_drift": True,
    "allow_lost_baseline": True,
    "max_left_alone": 1_000,
    "max_remove_share": 1.0,
    "max_skip_share": 1.0,
}


def from_seed(seed: int) -> History:
    """The history of a seed, of which nothing has happened yet."""
    made = histories.more(histories.setup(Random(seed)), Random(f"more {seed}"))
    return History(seed=seed, setup=histories.about(made, Random(f"about {seed}")))


@contextmanager
def _quiet() -> Iterator[None]:
    """A history logs its warnings by the hundred."""
    logger = logging.getLogger("include.trueup")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def play(
    history: History,
    folder: Path,
    database: duckdb.DuckDBPyConnection | Database | None = None,
    worlds: Callable[[History, Path, Any], World] = World,
) -> Played:
    """Play it, in a world that `worlds` makes. `database`: of DuckDB, which all processes share (`remembered.py`); None: each
    opens its own."""
    if not isinstance(database, Database):
        return _play(history, folder, database, worlds)
    with database.playing():
        return _play(history, folder, database, worlds)


@_quiet()
def _play(history: History, folder: Path, database: Any, worlds: Callable[[History, Path, Any], World]) -> Played:
    shutil.rmtree(folder / "workspace", ignore_errors=True)
    world = worlds(history, folder, database)
    breaches: list[Breach] = []
    try:
        world.begin()
        breaches += _until_calm(world)
        for number in range(1, history.setup.late + 1):
            if not breaches:
                world.late(number)
                breaches += _until_calm(world)
        if not breaches:
            breaches += _calm(world)
        breaches += judge(world)
        happened = History(seed=-1, setup=history.setup, events=dict(world.happened))
        return Played(
            history=happened, breaches=breaches, digest=world.oracle.digest(), points=world.schedule.points,
            met=_met(world), log=world.oracle.log, states=_states(world), target=world.places.held(),
        )  # fmt: skip
    finally:
        world.schedule.end()
        world.places.close()


def _until_calm(world: World) -> list[Breach]:
    try:
        world.schedule.run()
    except StuckError as error:
        return [Breach(law=11, why=f"the history does not end: {error}")]
    return []


def _calm(world: World) -> list[Breach]:
    """Faults stop: every run ends, and a new one proves the target."""
    world.calm()
    breaches = _until_calm(world)
    for run in world.runs:
        if not run.over:
            left = [f"{task.name} {task.state}" for task in run.tasks if not task.over]
            breaches.append(Breach(law=11, why=f"{run.id} does not end: {left}"))
    world.mend()
    if breaches or (breaches := _reported(world)) or (breaches := _begun_again(world)):
        return breaches
    world.schedule.now += 25 * 3600  # no lease lasts longer than a plan may wait for a person
    with world.looking():
        unknown = world.setup.unfit and not world.places.there(TARGET)
    breaches += _days(world)
    for _ in range(1 + unknown):  # what a table does not take is known once it is there
        last = world.trigger(**_IN_CALM)
        breaches += _until_calm(world)
    with world.looking():
        row = world.places.ledger.run(last.id)
    if world.setup.unique:
        return breaches  # two people of one name are a reason not to be proven
    if row is None or row.status != Status.PROVEN:
        errors = [line for line in world.oracle.log if f"{last.id}/" in line and "Error" in line]
        breaches.append(Breach(law=11, why=f"a new run in calm is {row and row.status}: {errors[-1:]}"))
        return breaches
    return breaches + list(_as_it_should(world, f"in calm {last.id} is proven"))


def _reported(world: World) -> list[Breach]:
    """A run that is proven, and whose report could not be written as often as it was tried, has one when that is tried in calm."""
    for run in world.runs:
        with world.looking():
            row = world.places.ledger.run(run.id)
            missing = row is not None and row.status == Status.PROVEN and REPORT not in run.given.folder.names(PROVEN)
        if missing and run.tasks[-1].state == "failed":
            run.clear(len(run.tasks) - 1, downstream=True)
    return _until_calm(world)


def _as_it_should(world: World, what: str, *, of: Callable[[Row], bool] = lambda _: True) -> Iterator[Breach]:
    """What of the target is not as the source's rows of that kind say."""
    for source in world.oracle.source.values():
        person = should(source, world.version, world.setup)
        for wanted in (person, label(person)) if world.setup.second else (person,):
            if wanted is not None and of(source) and (held := world.oracle.target.get(str(wanted[0]))) != wanted:
                yield Breach(law=1, why=f"{what}, and {wanted[0]} is {held}, not {wanted}")


def _days(world: World) -> list[Breach]:
    """All days of a backfill together bring every row that lies in one, though some have moved between them before."""
    breaches: list[Breach] = []
    for each in DAYS if world.setup.windows else ():
        run = world.trigger(**_IN_CALM, window=window(each))
        breaches += _until_calm(world)
        with world.looking():
            row = world.places.ledger.run(run.id)
        if not world.setup.unique and (row is None or row.status != Status.PROVEN):
            errors = [line for line in world.oracle.log if f"{run.id}/" in line and "Error" in line]
            breaches.append(Breach(law=11, why=f"a day's run in calm is {row and row.status}: {errors[-1:]}"))
    if world.setup.windows and not world.setup.unique and not breaches:
        breaches += _as_it_should(world, "all days are proven", of=lambda row: day(row) is not None)
    return breaches


def _begun_again(world: World) -> list[Breach]:
    """A run that failed after it had written begins again in calm: what is approved then is proven."""
    wrote = {change.run for change in world.oracle.changes}
    with world.looking():
        failed = [r for r in world.runs if (row := world.places.ledger.run(r.id)) and row.status == Status.FAILED]
    again = next((run for run in failed if run.id in wrote and run.given.undoes is None), None)
    if again is None or world.setup.unique:
        return []
    approved = len(world.oracle.seen(again.id).approved)
    again.clear(0, downstream=True)
    breaches = _until_calm(world)
    with world.looking():
        row = world.places.ledger.run(again.id)
    if (
        not breaches
        and len(world.oracle.seen(again.id).approved) > approved
        and (row is None or row.status != Status.PROVEN)
    ):
        errors = [line for line in world.oracle.log if f"{again.id}/" in line and "Error" in line]
        why = f"{again.id} begins again in calm, is approved, and is {row and row.status}: {errors[-1:]}"
        breaches.append(Breach(law=11, why=why))
    return breaches


def _states(world: World) -> dict[str, str]:
    with world.looking():
        return {row.run_id: str(row.status) for row in world.places.ledger.runs()}


def _met(world: World) -> Counter[str]:
    met = Counter({f"error {name}": n for name, n in world.met_errors.items()})
    met.update({f"refusal {name}": n for name, n in world.refusals.items()})
    met.update({name if name.startswith("lie ") else f"event {name}": n for name, n in world.did.items()})
    met["lease waits"] = sum(seen.shown is not None for seen in world.oracle.runs.values())
    met.update({f"verb {name}": n for name, n in world.oracle.verbs.items()})
    with world.looking(), world.places.ledger._begin() as connection:
        for row in connection.execute(transitions.select()).mappings():
            met[f"run {row['from_status'] or 'none'} -> {row['to_status']}"] += 1
        for row in connection.execute(leases.select()).mappings():
            met["lease taken"] += 1
            if row["right_at"] is not None:
                met["lease writes"] += 1
            if row["ended_by"] not in (None, row["run_id"]):
                met["lease taken over"] += 1
    met.update(f"switch {was} -> {to}" for was, to, _, _ in world.oracle.turns)
    return met


def shrink(history: History, fails: Callable[[History], bool]) -> History:
    """The history with as few events and rows as still fail: parts are left out as long as that fails, too."""
    present = history
    size = max(len(present.events) // 2, 1)
    while present.events:
        for part in _parts(present.events, size):
            if fails(fewer := replace(present, events=part)):
                present = fewer
                break
        else:
            if size == 1:
                break
            size = max(size // 2, 1)
    for smaller in (
        {"nameless": 0},
        {"there": 0},
        {"partitions": 1},
        {"unique": False},
        {"unfit": False},
        {"ranged": False},
        {"windows": False},
        {"numbered": False},
        {"trigger": ""},
        {"held_open": False},
        {"second": False},
        {"theme": ""},
        {"hasty": False},
        {"approval": False},
        {"rows": 2},
        {"rows": 1},
    ):
        if fails(fewer := replace(present, setup=replace(present.setup, **smaller))):
            present = fewer
    return present


def _parts(events: dict[int, Event], size: int) -> Iterator[dict[int, Event]]:
    every = sorted(events.items())
    for start in range(0, len(every), size):
        yield dict(every[:start] + every[start + size :])
