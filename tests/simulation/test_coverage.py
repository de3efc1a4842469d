"""What seldom happens is met by short histories, without a breach: what people do at the wrong moment is refused where it should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from . import coverage
from .answers import Database
from .history import Event, History, Setup
from .playing import Played, play
from .remembered import remembering
from .world import folder

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
Bench = tuple[Path, Database]
PLAIN = Setup(rows=3, batch_rows=1, approval=False, retries=0, rate=0.0, answer_seconds=4.0)
ASKS = replace(PLAIN, approval=True, there=1)
GOES_ON = Event(what="trigger", a=0)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A folder, and a database of DuckDB."""
    with folder() as place, remembering(place) as database:
        yield place, database


@pytest.fixture(scope="module")
def calm(bench: Bench) -> Played:
    """A history in which nothing happens, by which points are found."""
    return play(History(seed=-1, setup=PLAIN), *bench)


def meets(bench: Bench, setup: Setup, events: dict[int, Event], *names: str) -> None:
    """A history that breaks no law, and meets all of these."""
    played = play(History(seed=-1, setup=setup, events=events), *bench)
    assert played.breaches == []
    assert {*names} <= {*coverage.wanted()}
    assert {name for name in names if not played.met[name]} == set()


def late(setup: Setup, *events: Event) -> tuple[Setup, dict[int, Event]]:
    """With these events, each when all is quiet."""
    return replace(setup, late=len(events)), {-n: event for n, event in enumerate(events, 1)}


def at(played: Played, task: str) -> int:
    """The point of the first effect of a task."""
    return next(int(line.split()[0]) for line in played.log if f"r0/{task}" in line) + 1


def test_a_task_of_a_planned_run_is_cleared_and_then_marked(bench: Bench) -> None:
    events = Event(what="clear", a=0, b=5, seconds=7.0), Event(what="force")
    wanted = ("run planned -> failed", "run failed -> planned")
    meets(bench, *late(replace(PLAIN, theme="planned"), *events), *wanted)


def test_a_switch_is_turned_and_a_run_rolled_back_out_of_turn(bench: Bench) -> None:
    stale = Event(what="next day"), Event(what="cut over", b=1)
    built = Event(what="write source", a=0, b=42), GOES_ON, Event(what="look back")
    relied = Event(what="cut through"), Event(what="roll back", a=1)
    wanted = ("turning._check", "rollback_preflight._refuse_built_on", "rollback_preflight.refuse_relied_on")
    turns = ("switch legacy -> dual", "switch dual -> new")
    meets(bench, *late(PLAIN, *stale, *built, *relied), *turns, *(f"refusal {name}" for name in wanted))


def test_a_run_is_looked_at_as_it_writes_and_taken_back_as_it_stopped(bench: Bench, calm: Played) -> None:
    writes = at(calm, "copy.apply")
    events = {writes + 20: Event(what="look back"), writes + 21: Event(what="take back", seconds=7.0)}
    meets(bench, PLAIN, events, "run interrupted -> rolled_back", "refusal rollback_preflight._check_over")


def test_a_person_answers_while_the_plan_is_made_again(bench: Bench) -> None:
    setup, again = replace(ASKS, answer_seconds=3.0), {-1001: Event(what="plan again", b=41)}
    played = play(History(seed=-1, setup=setup, events=again), *bench)
    judged = at(played, "plan_gate[0]#2")
    meets(bench, setup, {**again, judged + 10: Event(what="switch")}, "refusal approval._same")


def test_a_person_answers_early_for_a_target_that_was_restored(bench: Bench) -> None:
    events = {-1001: Event(what="restore"), -1002: Event(what="approve")}
    names = ("event approve", "event restore", "refusal tables_there.check", "error SourceError")
    meets(bench, replace(ASKS, theme="restored"), events, *names)


def test_rows_that_would_be_taken_along_are_not_rolled_back(bench: Bench) -> None:
    setup = replace(PLAIN, referred="CASCADE")
    meets(bench, *late(setup, Event(what="roll back", a=1)), "refusal target_checks.refuse_irremovable")


@pytest.mark.parametrize(
    ("task", "both", "refusal"),
    [
        ("plan[", False, "approval._planned_at"),
        ("copy.read_back", False, "gates.phase_gate"),
        ("copy.read_back", True, "gates.validate"),
    ],
)
def test_tasks_are_marked_before_they_begin(task: str, both: bool, refusal: str, bench: Bench, calm: Played) -> None:
    meets(bench, PLAIN, {at(calm, task): Event(what="mark ahead", b=int(both))}, f"refusal {refusal}")


@pytest.mark.parametrize(("later", "refusal"), [(0, "order.enter"), (4, "rights.require_going_on")])
def test_a_run_begins_again_while_a_task_of_it_has_hardly_begun(
    later: int, refusal: str, bench: Bench, calm: Played
) -> None:
    setup = replace(PLAIN, theme="beginnings")
    events = {at(calm, "transform") + later: Event(what="hang", a=0, b=0, seconds=1.0)}
    meets(bench, setup, events, f"refusal {refusal}")


def test_dynamodb_reads_what_was(bench: Bench) -> None:
    setup = replace(PLAIN, kind="dynamodb", there=1)
    meets(bench, setup, {1: Event(what="lie", a=11, b=0)}, "lie stale")
