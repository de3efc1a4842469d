"""What only some histories have is met, no law is broken by it, and each fault about it is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .answers import Database
from .history import KINDS, Event, History, Setup
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
