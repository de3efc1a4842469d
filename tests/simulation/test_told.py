"""The laws of names and numbers see what they are about."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from include.trueup.ledger import RunRow

from . import playing, told
from .history import History, Setup
from .laws import Breach
from .oracle import TARGET
from .remembered import remembering
from .world import World, folder

Rows = dict[str, RunRow]


def _of_one_name(world: World, _: Rows) -> None:
    first, second = (world.oracle.seen(id) for id in ("r0", "r1"))
    second.gated[-1] = replace(second.gated[-1], sha256=first.gated[-1].sha256)


def _of_another_run(world: World, _: Rows) -> None:
    world.oracle.changes[-1] = replace(world.oracle.changes[-1], process="r9/copy.apply[0]#1")


def _counts(world: World, _: Rows) -> None:
    seen = world.oracle.seen("r0")
    report = json.loads(seen.report or b"")
    report["plan"]["phases"][0]["rows"]["add"] -= 1
    report["proof"][0]["compared"] -= 1
    report["applied"][0]["written"] -= 1
    report["verdict"]["exceptions"] += 1
    seen.report = json.dumps(report).encode()


def _moves_on(world: World, _: Rows) -> None:
    seen = world.oracle.seen("r1")
    seen.proofs = [(TARGET, {}) for _ in seen.proofs]


def _forgotten(_: World, rows: Rows) -> None:
    del rows["r0"]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_each_law_sees_what_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, list[str]] = {}

    def judge(world: World) -> list[Breach]:
        with world.looking():
            rows = {row.run_id: row for row in world.places.ledger.runs()}
        ways: tuple[Callable[[World, Rows], None], ...] = (
            _of_another_run,
            _counts,
            _moves_on,
            _of_one_name,
            _forgotten,
        )
        for way in (lambda *_: None, *ways):
            before = dict(found)
            way(world, rows)
            said = [f"{law}: {why}" for law, each in told.LAWS for why in each(world, rows)]
            found[way.__name__] = [why for why in said if not any(why in each for each in before.values())]
        return []

    monkeypatch.setattr(playing, "judge", judge)
    with folder() as place, remembering(place) as database:
        playing.play(History(seed=-1, setup=Setup(rows=3, approval=False, rate=0.0)), place, database)
    assert found.pop("<lambda>") == []
    laws = {name: [why.partition(":")[0] for why in said] for name, said in found.items()}
    assert laws == {
        "_of_another_run": ["5"],
        "_counts": ["10"] * 4,
        "_moves_on": ["1"],
        "_of_one_name": ["3"],
        "_forgotten": ["5"],
    }
