"""Which run was the last one, where runs begin again, wait or are late: what a cutover rests on, a rollback undoes, and answers for
a row are of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import pytest

from include.embedded import postgres
from include.trueup.cutover import turning
from include.trueup.errors import ArtifactError, ProofError, SourceError
from include.trueup.ledger import GoneOnError, Ledger, SwitchState
from include.trueup.report import report
from include.trueup.report.lens import answer
from include.trueup.report.lens.shelf import Shelf
from include.trueup.run import LAST, Mode
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.walk import walk
from include.trueup.walk.preflight import preflight
from tests.stepping import Stepped, broken_off, do

from .test_proven import Runs, turned
from .test_proven import runs as runs


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, people=8)


@pytest.mark.parametrize("again", ["rejected", "proven"])
def test_a_run_that_begins_again_and_writes_nothing_is_undone_after_those_that_wrote_since(
    small: Stepped, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    first = small.begin("a", to="create_tables")
    broken_off(small, first, monkeypatch, 2)
    small.database.sql("UPDATE people SET amount = amount + 90")
    small.proven("b")
    if again == "rejected":
        small.fail(small.begin("a"), "approve")
    else:
        small.proven("a")
    assert [small.proven(f"r{n}", undoes=LAST)["run"]["undoes"] for n in (1, 2)] == ["b", "a"]
    assert small.database.persons() == {}


def test_a_run_of_which_an_earlier_plan_is_lost_is_not_undone_in_part(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_off(small, small.begin("a", to="create_tables"), monkeypatch, 2)
    small.proven("a")
    rmtree(Path(small.workspace.location("runs/a/earlier")))
    with pytest.raises(ArtifactError, match=r"nothing is left below .*/runs/a/earlier: .* Bring these files back"):
        small.proven("r", undoes="a")
    assert small.database.persons()


def test_a_plan_with_rows_since_the_last_write_is_in_the_way_of_a_cutover_though_the_proof_comes_later(
    runs: Runs,
) -> None:
    first = runs.run()
    preflight(first)
    do(first, last="apply")
    runs.database.sql("UPDATE people SET amount = amount + 90 WHERE id = 'p01'")
    runs(mode=Mode.PLAN)
    do(first, "read_back")
    assert report(first.chosen()).proof == "proven"
    with pytest.raises(ProofError, match="run-2 has planned 1 rows since the last proof"):
        turning.preflight(runs.ledger, runs.workspace, "small", SwitchState.DUAL, 24)


def test_the_answer_for_a_row_is_of_the_run_that_planned_last(runs: Runs) -> None:
    runs.fails("UPDATE persons SET amount = 99 WHERE id = 'p01'")
    runs(overwrite_drift=True)
    runs.database.sql(
        "UPDATE people SET amount = amount + 90 WHERE id = 'p01'", "UPDATE people SET name = NULL WHERE id = 'p02'"
    )
    walk(replace(runs.run(overwrite_drift=True), id="run-1"))
    asked = answer.of_source(runs.migration, "people", "p02")
    assert answer.last(runs.migration, runs.ledger, Shelf(runs.workspace), asked).run == turned(runs) == "run-1"


def test_a_walk_raises_what_its_step_did_though_the_run_has_begun_again(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(step: Step) -> None:
        if step.id == "plan":
            raise SourceError("the reason")

    def gone(_: object) -> None:
        raise GoneOnError("the run has begun again")

    monkeypatch.setattr("include.trueup.report.report", gone)
    with pytest.raises(SourceError, match="the reason"):
        walk(small.run("a"), seen=fails)
