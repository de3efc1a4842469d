"""The mutants take hold: what each puts in the place of something is there, and is reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .history import History
from .mutants import MUTANTS, NOT_HERE
from .mutants.differing import Probing
from .mutants.results import Result, table
from .playing import from_seed, play
from .remembered import remembering
from .world import folder

SEEDS = range(1, 60)
KNOWN = sorted((Path(__file__).parent / "known").glob("*.json"))
"""Histories by hand, in which a mutant that seeds seldom meet does harm."""


@pytest.mark.parametrize("name", MUTANTS)
def test_what_a_mutant_patches_is_there(name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name](patch)
    assert name not in NOT_HERE
    assert MUTANTS[name].__doc__


def test_the_table_says_what_was_played() -> None:
    known = {"own/a": Result(played=3, law=4, why="r0 wrote"), "own/b": Result(played=7)}
    made = table(known, {"own/a": "One", "own/b": "Two", "own/c": "Three"}, {"review/9": "windows"}, 11)
    assert "seeds 11 to 17" in made
    assert made.count("| `own/a` | One | 3 | 4 |") == 1
    assert "| `own/b` | Two | not found in 7 |  |" in made
    assert "| `own/c` | Three | not played |  |" in made
    assert "| `review/9` | cannot be met: windows | | |" in made


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_law_sees_what_a_mutant_does_where_it_does_harm() -> None:
    with folder() as place, remembering(place) as database:
        for file in KNOWN:
            known = json.loads(file.read_text(encoding="utf-8"))
            history = History.from_json(known)
            assert play(history, place, database).breaches == [], file.stem
            with pytest.MonkeyPatch.context() as patch:
                MUTANTS[known["mutant"]](patch)
                faulty = play(history, place, database)
            assert known["law"] in [breach.law for breach in faulty.breaches], file.stem


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_what_a_mutant_patches_is_reached() -> None:
    with pytest.MonkeyPatch.context() as patch, folder() as place, remembering(place) as database:
        probing = Probing(patch)
        probing.watch(MUTANTS)
        for seed in SEEDS:
            play(from_seed(seed), place, database)
            if not probing.never():
                break
        assert probing.never() == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_mutant_that_would_not_do_otherwise_plays_the_same_history() -> None:
    """And to ask changes nothing."""
    for seed in (1, 5):
        with folder() as place, remembering(place) as database:
            digest = play(from_seed(seed), place, database).digest
            with pytest.MonkeyPatch.context() as patch:
                probing = Probing(patch)
                probing.watch(MUTANTS)
                assert play(from_seed(seed), place, database).digest == digest
            same = [name for name in MUTANTS if name not in probing.differing]
            assert len(same) > 5
            for name in same:
                with pytest.MonkeyPatch.context() as patch:
                    MUTANTS[name](patch)
                    assert play(from_seed(seed), place, database).digest == digest, name


@pytest.mark.slow
def test_two_processes_play_the_same_histories() -> None:
    """A seed is one history wherever it is played: no order of a set, no name of an object is in it, whether what is computed
    is remembered or not, in one process or in several."""
    histories = ["--histories", "3", "--seed", "4"]
    command = [sys.executable, "-m", "tests.simulation", *histories]
    top = Path(__file__).parents[2]
    path = {**os.environ, "PYTHONPATH": f"{top}:{top / 'plugins'}"}
    said = [
        subprocess.run(
            [*command, *more],
            cwd=top, env={**path, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=False,
        ).stdout
        for seed, more in (("1", ["--processes", "2"]), ("2", ["--plain"]))
    ]  # fmt: skip
    digests = [line.rpartition("digest ")[2] for each in said for line in each.splitlines() if "digest " in line]
    assert len(digests) == 2
    assert digests[0] == digests[1]
