"""Histories that are about something: what they are drawn from is there, and what only they have does harm where a fault is put
back, and none where not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import chain
from pathlib import Path

import pytest

from . import coverage, refusals
from .answers import Database
from .history import OF_THEMES, WEIGHTS, Event, History, Setup
from .mutants import MUTANTS
from .playing import Played, from_seed, play
from .remembered import remembering
from .scheduling import Schedule
from .themes import OFTEN, THEMES
from .world import World, folder

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
Bench = tuple[Path, Database]
PLAIN = Setup(rows=3, batch_rows=1, approval=False, retries=0, rate=0.0, answer_seconds=5.0)
AT_WORK = 218
"""In such a history, a point at which the run writes."""
VALIDATED = 323
"""The last effect of its last step."""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A folder, and a database of DuckDB."""
    with folder() as place, remembering(place) as database:
        yield place, database


def found(bench: Bench, mutant: str, setup: Setup, events: dict[int, Event]) -> set[int]:
    """The laws that are broken where a fault is put back; without it none is."""
    history = History(seed=-1, setup=setup, events=events)
    assert play(history, *bench).breaches == []
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[mutant](patch)
        return {breach.law for breach in play(history, *bench).breaches}


def test_what_themes_name_is_there() -> None:
    for name, theme in THEMES.items():
        only = chain(*theme.setup.get("only", ()), *theme.at.values())
        kinds = {*theme.late, *theme.visits, *theme.hanging, *only}
        assert kinds <= {*WEIGHTS, *OF_THEMES}, name
        assert all(hasattr(World, f"_{kind.replace(' ', '_')}") for kind in kinds), name
        assert theme.setup.keys() <= {each.name for each in fields(Setup)}, name
        assert {*theme.at} <= {part for keen in theme.setup.get("keen", ()) for part in keen.split("|")}, name
    assert {*OFTEN} <= {*THEMES}


def test_each_theme_is_drawn_and_some_histories_have_none() -> None:
    drawn = [from_seed(seed).setup for seed in range(1, 201)]
    assert {setup.theme for setup in drawn} == {"", *THEMES}
    assert all(setup.kind == "postgres" for setup in drawn if setup.theme in ("numbers", "references", "triggers"))
    assert not any(setup.referred == "CASCADE" and setup.extra == "remove" for setup in drawn)


def test_a_history_may_last_until_all_its_runs_are_answered() -> None:
    for name, theme in THEMES.items():
        latest = max(theme.setup.get("answer_seconds", (0.0,)))
        assert latest * (1 + max(theme.setup.get("late", (6,)))) < Schedule(lambda _: None)._until, name


def test_in_a_theme_things_happen_where_it_says_and_not_more_often_than_it_says(bench: Bench) -> None:
    setup = replace(PLAIN, theme="reports", keen="apply|report", rate=0.002, keenness=120.0)
    played = play(History(seed=3, setup=setup), *bench)
    assert played.breaches == []
    at = {point: event.what for point, event in played.history.events.items() if point > 0}
    assert 0 < len(at) <= THEMES["reports"].most
    assert {what for point, what in at.items() if "/copy.apply" in _where(played, point)} == {"kill"}
    assert {what for point, what in at.items() if "/report" in _where(played, point)} <= {"hang"}


def _where(played: Played, point: int) -> str:
    return next(line for line in played.log if line.split(maxsplit=1)[0] == str(point - 1))


STOPPED = {AT_WORK: Event(what="stop", a=1), -1: Event(what="clear", b=2, seconds=7.0)}


def test_a_run_that_is_stopped_whole_is_interrupted_by_the_next_and_goes_on_no_more(bench: Bench) -> None:
    played = play(History(seed=-1, setup=replace(PLAIN, late=1), events=STOPPED), *bench)
    assert played.breaches == []
    assert played.met["run running -> interrupted"] == 1
    assert 4 in found(bench, "own/taken over unsaid", replace(PLAIN, late=1), STOPPED)


def test_an_order_refers_to_a_row_that_is_rolled_back(bench: Bench) -> None:
    events = {-1: Event(what="order"), -2: Event(what="roll back", b=1)}
    assert 7 in found(bench, "review/6", replace(PLAIN, referred="CASCADE", late=2), events)


def test_a_run_that_failed_is_proven_where_its_last_try_ended_well_all_the_same(bench: Bench) -> None:
    events = {VALIDATED: Event(what="pause", seconds=75.0), -1: Event(what="force")}
    played = play(History(seed=-1, setup=replace(PLAIN, late=1), events=events), *bench)
    assert played.breaches == []
    assert played.met["run failed -> proven"] == 1


def test_what_was_kept_of_all_runs_is_pruned(bench: Bench) -> None:
    events = {-1: Event(what="prune all"), -2: Event(what="trigger", b=1)}
    assert 10 in found(bench, "review/8", replace(PLAIN, late=2), events)


def test_a_run_that_is_proven_begins_again(bench: Bench) -> None:
    assert 5 in found(bench, "own/proven again", replace(PLAIN, late=1), {-1: Event(what="begin again")})


def test_only_the_first_run_waits_for_a_person_where_others_are_hasty(bench: Bench) -> None:
    setup = replace(PLAIN, approval=True, hasty=True, late=1)
    played = play(History(seed=-1, setup=setup, events={-1: Event(what="trigger", b=1)}), *bench)
    assert played.breaches == []
    assert (played.states["r1"], played.met["lease waits"]) == ("proven", 1)


def test_a_run_is_visited_twice_while_it_waits(bench: Bench) -> None:
    setup = replace(PLAIN, approval=True, answer_seconds=200.0, theme="waits", hasty=True)
    assert 4 in found(bench, "own/waits like any other", setup, {-1002: Event(what="trigger", b=1)})


def test_what_refuses_is_read_from_the_engine() -> None:
    every = refusals.refusals()
    known = (
        "leases.enter",
        "leases.renew",
        "rights.require_newest",
        "turning._check",
        "gates.validate",
        "order.require",
    )
    assert {*known} <= {*every}
    assert {*refusals.NOT_HERE} <= {*every}
    assert "refusal leases.enter" in coverage.table({}).partition("not met")[2]
    assert {f"refusal {name}" for name in refusals.NOT_HERE}.isdisjoint(coverage.wanted())
