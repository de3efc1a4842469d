"""A switch is turned forward only on a shadow comparison that is younger than the proof and finds nothing unknown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.cutover import shadow, turning
from include.trueup.declare.migration import Migration, Shadow, WayBack
from include.trueup.errors import DeclarationError, ProofError, StatusError
from include.trueup.ledger import Ledger, SwitchState
from include.trueup.run.workspace import Workspace
from tests.migrations.test_proven import Runs
from tests.small import Database, declare

ASKED = Shadow(comparison="small_shadow", known="no_name")


@pytest.fixture
def runs(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Runs:
    database = Database(postgres_server, 8)
    database.sql("UPDATE people SET name = NULL WHERE id = 'p03'")  # it is rejected, and so reported
    return Runs(database, declare(tmp_path), ledger, workspace)


def compare(runs: Runs, id: str, *keys: str, whole: bool = True, comparison: str = ASKED.comparison) -> None:
    """A comparison of the eight that finds these to differ."""
    begun_at = runs.ledger.comparisons.begin(id, "small", comparison)
    content = json.dumps({"differences": [{"key": key, "path": "name"} for key in keys]})
    sha256 = runs.workspace.run(id).write("comparison.json", content).sha256
    runs.ledger.comparisons.end(id, begun_at, compared=8, differences=len(keys), whole=whole, sha256=sha256)


def turn(runs: Runs, to: SwitchState, asked: Shadow | None = ASKED) -> turning.Turning:
    return turning.preflight(runs.ledger, runs.workspace, "small", to, 24, asked)


def refused(runs: Runs, why: str, asked: Shadow = ASKED) -> None:
    with pytest.raises(
        ProofError, match=f"the switch of small is not turned: .*{why}.* Trigger small_shadow over everything"
    ):
        turn(runs, SwitchState.DUAL, asked)


def test_what_an_older_try_of_a_comparison_saw_is_no_newer_one(runs: Runs) -> None:
    """It was paused before there was anything to compare, and goes on when the newer one has begun."""
    comparisons = runs.ledger.comparisons
    paused = comparisons.begin("c", "small", ASKED.comparison)
    runs()
    comparisons.begin("c", "small", ASKED.comparison)
    with pytest.raises(StatusError, match="comparison c was begun again since"):
        comparisons.end("c", paused, compared=0, differences=0, whole=True, sha256="")
    with pytest.raises(ProofError, match="no shadow comparison of it has come to an end"):
        turn(runs, SwitchState.DUAL)


def test_a_turn_forward_needs_a_comparison_since_the_proof_that_finds_nothing_unknown(runs: Runs) -> None:
    compare(runs, "early")
    runs()
    assert turn(runs, SwitchState.DUAL, None).shadow_run_id is None, "one that declares none is asked for none"
    refused(runs, "early, was begun .*, before run run-1 was proven")
    compare(runs, "of-another", comparison="another_shadow")
    refused(runs, "early")
    runs.ledger.comparisons.begin("never-ended", "small", ASKED.comparison)
    refused(runs, "early")
    compare(runs, "share", whole=False)
    refused(runs, "looked at a share")
    compare(runs, "differs", "p03", "p05", "p05")
    refused(runs, "differs, found 1 of 8 to differ that run run-1 has not reported as no_name: p05")
    compare(runs, "known", "p03", "p03")
    refused(runs, "found 1 of 8 to differ: p03", Shadow(comparison="small_shadow"))
    refused(runs, "p03", Shadow(comparison="small_shadow", known="another_code"))

    turned = turn(runs, SwitchState.DUAL)
    assert (turned.shadow_run_id, turned.shadow_compared, turned.shadow_known) == ("known", 8, 1)
    assert turning.in_words(turned) == "legacy → dual, on the proof of run-1 and the comparison known"
    found = shadow.last(runs.ledger, runs.workspace, "small", ASKED, "run-1")
    assert found is not None
    assert (found.differences, found.known, found.unknown) == (2, ("p03",), ())
    turning.turn(runs.ledger, runs.workspace, "small", turned, by="ada", why="it agrees", run_id="t")

    compare(runs, "altered", "p05")
    runs.workspace.run("altered").write("comparison.json", '{"differences": []}')
    with pytest.raises(ProofError, match="is not what the ledger says of it"):
        turn(runs, SwitchState.NEW)
    assert turn(runs, SwitchState.LEGACY).proof_run_id is None, "the way back asks for nothing"


def test_a_comparison_is_made_again_after_the_next_proof(runs: Runs) -> None:
    with pytest.raises(ProofError, match="no run of it is proven"):
        turn(runs, SwitchState.DUAL)
    runs()
    refused(runs, "no shadow comparison of it has come to an end")
    compare(runs, "first")
    assert turn(runs, SwitchState.DUAL).shadow_run_id == "first"
    runs(mode="verify")
    refused(runs, "first, was begun .*, before run run-2 was proven")


def test_the_last_turn_back_after_new_needs_a_run_that_was_planned_since(runs: Runs) -> None:
    def back() -> turning.Turning:
        asked = WayBack(migration="small")
        return turning.preflight(runs.ledger, runs.workspace, "small", SwitchState.LEGACY, 0.0001, ASKED, asked)

    def turned(*states: SwitchState) -> None:
        for state in states:
            ways = len(runs.ledger.switches.turns("small"))
            runs.ledger.switches.turn("small", state, by=None, why="x", run_id=f"t{ways}", proof_run_id=None)

    turned(SwitchState.DUAL)
    assert back().proof_run_id is None, "it was never new"
    runs()
    turned(SwitchState.NEW, SwitchState.DUAL)
    with pytest.raises(
        ProofError, match=r"not turned back to legacy: it was new until .* run-1, was planned before that\. Trigger"
    ):
        back()
    runs(mode="plan")
    with pytest.raises(ProofError, match="run-1, was planned before that"):
        back()
    runs(mode="verify")
    found = back()
    assert (found.proof_run_id, found.back) == ("run-3", True)
    switched = replace(
        runs.migration,
        id="other",
        settings={state: {"read": state} for state in SwitchState},
        way_back=WayBack(migration="small"),
    )

    def look() -> None:
        turning.refuse_other_tables(
            runs.workspace, switched, found, lambda _: runs.database.store, {"small": runs.migration}.__getitem__
        )

    look()
    runs.database.sql("ALTER TABLE persons RENAME TO proved", "CREATE TABLE persons (LIKE proved INCLUDING ALL)")
    with pytest.raises(
        ProofError, match=r"the switch of other is not turned: run run-3 has proved table persons .*Trigger small"
    ):
        look()
    runs.database.sql("DROP TABLE persons", "ALTER TABLE proved RENAME TO persons")
    look()
    runs.database.sql("UPDATE persons SET amount = 99 WHERE id = 'p01'")
    runs.fails(mode="verify")
    with pytest.raises(ProofError, match="the last run, run-4, is failed, not proven"):
        back()


def test_a_shadow_is_for_a_switch(tmp_path: Path) -> None:
    made = vars(declare(tmp_path))
    with pytest.raises(DeclarationError, match="a shadow, guards and a way back are for its switch"):
        Migration(**{**made, "settings": {}, "shadow": ASKED})
