"""A connection that leads elsewhere while runs go on: they are refused, and begin again; and a law sees where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from .history import Event, History, Setup
from .mutants import MUTANTS
from .playing import Played, from_seed, play
from .remembered import remembering
from .themes import LATER
from .world import folder

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
SETUP = Setup(rows=2, approval=False, retries=0, rate=0.0)
ONCE_BEGUN = {30: Event(what="lead elsewhere")}


def played(place: Path, *patches: pytest.MonkeyPatch) -> Played:
    """The history in which it leads elsewhere before the source is read."""
    with remembering(place) as database:
        for patch in patches:
            MUTANTS["own/wherever it leads"](patch)
        return play(History(seed=-1, setup=SETUP, events=ONCE_BEGUN), place, database)


def test_a_run_whose_source_lies_elsewhere_since_it_began_is_refused_and_one_where_it_is_not_breaks_a_law() -> None:
    with folder() as place, pytest.MonkeyPatch.context() as patch:
        refused = played(place)
        assert (refused.breaches, refused.states) == ([], {"r0": "failed", "r1": "proven"})
        assert refused.met["refusal where.check_same"] == 1
        assert [breach.law for breach in played(place, patch).breaches] == [10]


def test_some_histories_are_about_it() -> None:
    drawn = [setup.theme for seed in range(1, 301) if (setup := from_seed(seed).setup).theme in LATER]
    assert 5 < len(drawn) < 25
