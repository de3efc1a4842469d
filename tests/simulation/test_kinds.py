"""What only some histories have is met, no law is broken by it, and each fault about it is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.trueup.run import Run, ranges

from .answers import Database
from .history import KINDS, TRIGGERS, Event, History, Setup
from .mutants import MUTANTS
from .playing import Played, play
from .remembered import remembering
from .world import folder

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
Bench = tuple[Path, Database]
AGAIN = Event(what="trigger", b=3)
"""A run that overwrites what others wrote."""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A folder, and a database of DuckDB."""
    with folder() as place, remembering(place) as database:
        yield place, database


def one(bench: Bench, setup: Setup, *events: Event) -> Played:
    """What comes of events that happen one after the other, each when all is quiet."""
    return play(History(seed=-1, setup=setup, events={-n: event for n, event in enumerate(events, 1)}), *bench)


def found(bench: Bench, mutant: str, setup: Setup, *events: Event) -> set[int]:
    """The laws that are broken where a fault is put back."""
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[mutant](patch)
        return {breach.law for breach in one(bench, setup, *events).breaches}


def plain(kind: str, events: int, **more: object) -> Setup:
    """Without anything that is drawn."""
    given: dict[str, object] = {"kind": kind, "rows": 3, "there": 1, "approval": False, "late": events, **more}
    return Setup(**given)  # type: ignore[arg-type]


UNFIT = (
    Event(what="write source", a=0, b=1),
    AGAIN,
    Event(what="write source", a=1, b=2),
    AGAIN,
    Event(what="write target", a=2, b=1),
    AGAIN,
)


@pytest.mark.parametrize("kind", KINDS)
def test_values_that_no_table_takes(kind: str, bench: Bench) -> None:
    played = one(bench, plain(kind, len(UNFIT), unfit=True), *UNFIT)
    assert played.breaches == []
    assert (played.met["event write unfit"], played.met["event write no number"]) == (2, 1)


@pytest.mark.parametrize(
    ("mutant", "law"), [("review/11", 7), ("own/cut to what fits", 1), ("own/rejects are not counted", 10)]
)
def test_a_fault_about_values_that_no_table_takes(mutant: str, law: int, bench: Bench) -> None:
    assert law in found(bench, mutant, plain("postgres", len(UNFIT), unfit=True), *UNFIT)


WINDOWS = (
    Event(what="trigger", a=32, b=2, seconds=12.0),  # all days, the second first
    Event(what="write source", a=0, b=2),  # a row moves to the third day
    Event(what="trigger", a=48, b=20, seconds=12.0),  # all days at once, from one snapshot
)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_and_backfills(kind: str, bench: Bench) -> None:
    played = one(bench, plain(kind, len(WINDOWS), windows=True, there=0, nameless=1, rows=4), *WINDOWS)
    assert played.breaches == []
    assert (played.met["event backfill"], played.met["event day"]) == (2, 6)
    assert {played.states[f"r{n}"] for n in range(1, 7)} == {"proven"}


RANGED = (
    Event(what="trigger", a=32, b=2, seconds=12.0),  # all days are planned, and asked about with the first
    Event(what="write source", a=0, b=2),
)


@pytest.mark.parametrize("kind", KINDS)
def test_days_that_are_approved_with_their_range(kind: str, bench: Bench) -> None:
    setup = plain(kind, len(RANGED), windows=True, ranged=True, there=1, rows=4, approval=True, answer_seconds=20.0)
    played = one(bench, setup, *RANGED)
    assert played.breaches == []
    assert (played.met["event backfill"], played.met["event day"]) == (1, 3)
    assert played.met["event with its range"] > 0


def test_a_day_that_goes_on_under_a_plan_that_nobody_has_seen_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whatever(run: Run, _: str) -> object:
        given = (run.ledger.approvals.of(row.run_id) for row in run.ledger.runs())
        return next((each for each in given if each is not None and each.decision == "approved"), None)

    monkeypatch.setattr(ranges, "given", whatever)
    setup = plain("postgres", len(RANGED), windows=True, ranged=True, rows=4, approval=True, answer_seconds=20.0)
    assert 3 in {breach.law for breach in one(bench, setup, *RANGED).breaches}


@pytest.mark.parametrize(
    ("mutant", "law"), [("own/outside is written", 11), ("own/the end is inside", 6), ("own/waits like any other", 4)]
)
def test_a_fault_about_windows(mutant: str, law: int, bench: Bench) -> None:
    setup = plain("postgres", len(WINDOWS), windows=True, there=0, rows=4, approval=law == 4, answer_seconds=90.0)
    assert law in found(bench, mutant, setup, *WINDOWS)


def test_a_run_that_is_refused_after_it_took_the_right_to_write_is_found(bench: Bench) -> None:
    events = {-1001: Event(what="reject"), -1: Event(what="force")}
    history = History(seed=-1, setup=plain("postgres", 1, approval=True), events=events)
    assert play(history, *bench).breaches == []
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS["review/9"](patch)
        assert 4 in {breach.law for breach in play(history, *bench).breaches}


NUMBERED = (
    Event(what="write target", a=4, b=1),  # of a number that the table gives
    Event(what="write source", a=1, b=46),
    Event(what="trigger"),
    Event(what="write target", a=3, b=1),
)


def test_an_identity_column_from_which_applications_take_numbers(bench: Bench) -> None:
    played = one(bench, plain("postgres", len(NUMBERED), numbered=True), *NUMBERED)
    assert played.breaches == []
    assert played.met["event insert"] == 2
    assert (played.states["r1"], played.target["p01"][2], played.target["p03"][2]) == ("proven", "46", "47")


def test_a_fault_about_sequences(bench: Bench) -> None:
    assert 10 in found(bench, "review/15", plain("postgres", len(NUMBERED), numbered=True), *NUMBERED)


TRIGGERED = (
    Event(what="trigger", b=3),
    Event(what="write source", a=3, b=2 + 4 * 15),  # of an amount by which the trigger does something, whichever it is
    Event(what="trigger", b=3),
)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_of_the_target(trigger: str, bench: Bench) -> None:
    played = one(bench, plain("postgres", len(TRIGGERED), trigger=trigger), *TRIGGERED)
    assert played.breaches == []
    assert played.met["error GateError"] > 0


def test_a_fault_about_triggers(bench: Bench) -> None:
    setup = plain("postgres", len(TRIGGERED), trigger="touches")
    assert 1 in found(bench, "own/set off is others'", setup, *TRIGGERED)


HELD_OPEN = (
    Event(what="write source", a=1, b=46),
    Event(what="write target", a=1, b=2, seconds=12.0),  # and committed after that
    Event(what="trigger"),
)


def test_a_transaction_of_an_application_that_stays_open_while_a_run_writes(bench: Bench) -> None:
    setup = plain("postgres", len(HELD_OPEN), rows=4, held_open=True)
    events = {-1: HELD_OPEN[0], -2: HELD_OPEN[2], 200: HELD_OPEN[1]}  # before the first run writes the row
    played = play(History(seed=-1, setup=setup, events=events), *bench)
    assert played.breaches == []
    assert played.met["event keep open"] == 1
    assert played.met["error GateError"] == 1  # it waits, and then the row is there
