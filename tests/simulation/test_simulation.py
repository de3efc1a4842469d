"""Histories of the simulation: those that once broke a law, and as many new ones as there is time for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import coverage
from .answers import Database
from .history import Event, History, Setup
from .lies import LIES
from .mutants import MUTANTS
from .playing import from_seed, play
from .remembered import remembering
from .world import folder

KEPT = sorted((Path(__file__).parent / "kept").glob("*.json"))
HISTORIES = 5
"""Of a second or two of computing each."""
Bench = tuple[Path, Database]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A folder, and a database of DuckDB."""
    with folder() as place, remembering(place) as database:
        yield place, database


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_what_broke_a_law_does_so_no_more_but_where_its_fault_is_put_back(file: Path, bench: Bench) -> None:
    kept = json.loads(file.read_text(encoding="utf-8"))
    played = play(History.from_json(kept), *bench)
    assert played.breaches == []
    if "mutant" not in kept:
        return  # what it found has no switch that puts it back
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[kept["mutant"]](patch)
        faulty = play(History.from_json(kept), *bench)
    assert kept["law"] in [breach.law for breach in faulty.breaches]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_no_history_breaks_a_law_and_a_seed_is_one_history(bench: Bench) -> None:
    broken, digests = {}, []
    for seed in [*range(1, HISTORIES + 1), 1]:
        played = play(from_seed(seed), *bench)
        digests.append(played.digest)
        if played.breaches:
            broken[seed] = played.breaches
    assert broken == {}
    assert digests[0] == digests[-1]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_what_a_store_says_falsely_breaks_no_law(bench: Bench) -> None:
    reads, writes = ((1, 3), (11, 3), (15, 3)), ((2, 1), (3, 1), (1, 1), (4, 1), (3, 1), (5, 1))
    events = {n: Event(what="lie", a=a, b=b, seconds=12.0) for n, (a, b) in enumerate((*reads, *writes), 1)}
    setup = Setup(kind="dynamodb", rows=7, batch_rows=5, approval=False, rate=0.0)
    played = play(History(seed=-1, setup=setup, events=events), *bench)
    assert played.breaches == []
    told = {name.removeprefix("lie ") for name, times in played.met.items() if name.startswith("lie ") and times}
    assert told == {*LIES} - {"refused", "stale"}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_whoever_cuts_over_goes_on_with_it_or_back(bench: Bench) -> None:
    met = set[str]()
    for a, b in ((0, 1), (1, 2)):
        event = Event(what="cut over", a=a, b=b, seconds=12.0)
        setup = Setup(rows=1, approval=False, rate=0.0, late=1)
        played = play(History(seed=-1, setup=setup, events={-1: event}), *bench)
        assert played.breaches == []
        met |= {name for name in played.met if name.startswith("switch ")}
    assert met == {name for name in coverage.WANTED if name.startswith("switch ")}
