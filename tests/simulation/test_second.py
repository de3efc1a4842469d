"""A migration of two phases: both are planned, approved, written in their order, proven, and taken back in the opposite one; and each
fault about it is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from .answers import Database
from .history import KINDS, Event, History, Setup
from .mutants import MUTANTS
from .playing import Played, from_seed, play
from .remembered import remembering
from .second import PHASE
from .world import folder

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
Bench = tuple[Path, Database]
TWO = Setup(rows=3, there=1, batch_rows=1, approval=False, retries=0, rate=0.0, answer_seconds=4.0, second=True)
Events = dict[int, Event]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A folder, and a database of DuckDB."""
    with folder() as place, remembering(place) as database:
        yield place, database


def plays(bench: Bench, setup: Setup, events: Events) -> Played:
    """What comes of a history that breaks no law."""
    played = play(History(seed=-1, setup=setup, events=events), *bench)
    assert played.breaches == []
    return played


def found(bench: Bench, mutant: str, setup: Setup, events: Events) -> set[int]:
    """The laws that are broken where a fault is put back."""
    plays(bench, setup, events)
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[mutant](patch)
        return {breach.law for breach in play(History(seed=-1, setup=setup, events=events), *bench).breaches}


def test_a_fifth_of_the_histories_have_a_second_phase_whatever_they_are_about() -> None:
    drawn = [setup for seed in range(1, 301) if (setup := from_seed(seed).setup).second]
    assert 40 < len(drawn) < 80
    assert len({setup.theme for setup in drawn}) > 15


@pytest.mark.parametrize("kind", KINDS)
def test_two_phases_are_written_proven_and_rolled_back(kind: str, bench: Bench) -> None:
    events = {
        -1: Event(what="write source", a=1, b=42),
        -2: Event(what="write target", a=10, b=1),  # a label that the next run overwrites
        -3: Event(what="trigger", b=3),
        -4: Event(what="roll back", a=1),
    }
    played = plays(bench, replace(TWO, kind=kind, nameless=1, late=len(events)), events)
    assert {played.states[f"r{n}"] for n in (0, 2)} == {"proven"}
    assert played.states["r1"] == "rolled_back"
    assert played.target["q01"] == ("q01", "of NAME 0", "6", None, None)
    wrote = [line.split()[2].partition("[")[0] for line in played.log if " -> " in line and " r" in line]
    first = [task for n, task in enumerate(wrote) if task not in wrote[:n]]
    assert first[:2] == ["r0/copy.apply", f"r0/{PHASE}.apply"]
    assert first[4:6] == [f"r2/{PHASE}.apply", "r2/copy.apply"]


def test_what_a_trigger_sets_off_in_one_target_is_told_from_what_it_does_in_the_other(bench: Bench) -> None:
    events = {
        -1: Event(what="write source", a=1, b=42),  # of an amount by which the trigger touches another row
        -2: Event(what="trigger", b=3),
        -3: Event(what="trigger", b=3),
    }
    played = plays(bench, replace(TWO, trigger="touches", late=len(events)), events)
    assert played.states["r2"] == "proven"


def test_windows_and_the_switch_with_two_phases(bench: Bench) -> None:
    events = {
        -1: Event(what="trigger", a=32, b=2, seconds=12.0),  # all days
        -2: Event(what="write source", a=0, b=2),
        -3: Event(what="trigger", a=10, b=3),  # whole
        -4: Event(what="cut through"),
    }
    played = plays(bench, replace(TWO, windows=True, there=0, rows=4, late=len(events)), events)
    assert played.met["event day"] == 3
    assert played.met["switch dual -> new"] == 1


def test_a_proof_of_one_phase_only_is_found(bench: Bench) -> None:
    calm = plays(bench, TWO, {})
    read = next(int(line.split()[0]) for line in calm.log if f"r0/{PHASE}.read_back" in line)
    assert 1 in found(bench, "own/the first proof is all", TWO, {read: Event(what="write target", a=11, b=3)})


def test_a_plan_whose_name_leaves_a_phase_out_is_found(bench: Bench) -> None:
    setup = replace(TWO, approval=True, theme="plans")
    events = {-1001: Event(what="write target", a=11, b=1), -1002: Event(what="plan again", b=0)}
    assert 3 in found(bench, "own/the first phase names the plan", setup, events)


def test_a_rollback_in_the_wrong_order_is_found(bench: Bench) -> None:
    setup = replace(TWO, there=0, late=1)
    assert 3 in found(bench, "own/rolled back in their order", setup, {-1: Event(what="roll back", a=1)})
