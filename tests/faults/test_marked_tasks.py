"""What was gated is what was shown, approved and applied, whatever people clear or mark as done in Airflow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.errors import ApprovalError, ArtifactError, GateError, StatusError
from include.trueup.ledger import Ledger, Status
from include.trueup.plan.hashing import plan_hash
from include.trueup.report import report
from include.trueup.run import Mode, Run
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from include.trueup.write import approval
from tests.stepping import Stepped, broken_off, do


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, people=8)


def redeploy(small: Stepped) -> None:
    """Another transform."""
    script = small.folder / "rows.sql"
    script.write_text(script.read_text().replace("upper(name) AS name", "'BROKEN' AS name"))


def wrote_nothing(small: Stepped, run: Run) -> None:
    assert small.database.sql("SELECT to_regclass('persons')::text") == [(None,)]
    assert report(run.chosen()).status == "failed"


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize("gated", [True, False])
def test_a_plan_that_nobody_was_shown_is_not_approved(small: Stepped, says: bool, gated: bool) -> None:
    run = small.begin("a", approval=True)
    shown = approval.ask(run).sha256
    redeploy(small)
    do(run, "transform", "plan_gate" if gated else "plan")
    now = plan_hash(run)
    assert now != shown
    with pytest.raises(ApprovalError) as refused:
        approval.approve(run, "alice", shown_sha256=shown if says else None)
    assert now in str(refused.value)
    assert shown in str(refused.value)
    for step in ("create_tables", "apply"):
        with pytest.raises(ApprovalError, match="not approved"):
            do(run, step, step)
    wrote_nothing(small, run)


def test_an_answer_to_an_older_question_is_no_answer_to_the_newer_one(small: Stepped) -> None:
    run = small.begin("a", approval=True)
    shown = approval.ask(run).sha256
    redeploy(small)
    do(run, "transform", "plan_gate")
    approval.ask(run)
    with pytest.raises(ApprovalError, match=f"the plan that was shown is {shown}"):
        approval.approve(run, "alice", shown_sha256=shown)


def test_a_plan_made_again_as_it_was_needs_no_new_approval(small: Stepped) -> None:
    run = small.begin("a", approval=True)
    sha256 = approval.ask(run).sha256
    assert approval.approved_already(run) is None
    approval.approve(run, "alice", shown_sha256=sha256)
    run = small.begin("a", approval=True)
    assert approval.ask(run).sha256 == sha256
    assert (given := approval.approved_already(run)) is not None
    assert given.decided_by == "alice"
    do(run, "create_tables")
    assert report(run).status == "passed"


def test_a_script_that_was_changed_after_the_approval_is_not_run(small: Stepped) -> None:
    run = small.begin("a", to="approve")
    (small.folder / "create.sql").write_text("CREATE TABLE persons (id text PRIMARY KEY)")
    with pytest.raises(ApprovalError, match="and the one that passed its gate is"):
        do(run, "create_tables", "create_tables")
    wrote_nothing(small, run)


def test_a_gate_that_did_not_pass_is_not_marked_away(small: Stepped) -> None:
    small.database.sql("UPDATE people SET name = NULL WHERE id = 'p00'")
    with pytest.raises(GateError):
        small.begin("a", max_reject_share=0)
    run = small.run("a").chosen()
    for step in ("approve", "create_tables", "apply"):
        with pytest.raises(ApprovalError):
            do(run, step, step)
    with pytest.raises(ApprovalError, match="plan_gate"):
        approval.ask(run)
    wrote_nothing(small, run)


@pytest.mark.parametrize("marked", ["plan_gate", "approve", "create_tables", "read_back", "verify", "gate", "validate"])
def test_a_task_that_was_marked_as_done_was_not_done(small: Stepped, marked: str) -> None:
    run, ids = small.begin("a", to="plan"), [step for step in STEPS if step != marked]
    ended = False
    try:
        for step in ids:
            do(run, step, step)
        ended = True
    except (ApprovalError, ArtifactError, GateError):
        pass
    assert report(run).status == "failed", marked
    if marked in ("plan_gate", "approve", "create_tables"):
        assert not ended
        assert small.database.sql("SELECT to_regclass('persons')::text") == [(None,)]


STEPS = ("plan_gate", "approve", "create_tables", "apply", "read_back", "verify", "gate", "validate")


def test_what_a_run_never_applied_is_not_its_own(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its apply was marked as done, and its proof found the row of somebody else."""
    small.database.sql("CREATE TABLE persons (LIKE people INCLUDING ALL)")
    run = small.begin("a")
    do(run, "approve", "create_tables")
    broken_off(small, run, monkeypatch, batches=1)
    small.database.sql("INSERT INTO persons (id, name) VALUES ('p05', 'of somebody else')")
    do(run, "read_back", "verify")
    small.fail(run, "copy.gate")
    assert small.proven("b", max_left_alone=1)["verdict"]["status"] == "passed"
    assert small.database.sql("SELECT name FROM persons WHERE id = 'p05'") == [("of somebody else",)]


@pytest.mark.parametrize("step", ["snapshot", "plan_gate", "apply", "validate"])
def test_a_proven_run_is_as_it_was_whatever_is_cleared(small: Stepped, step: str) -> None:
    small.proven("a")
    folder = small.folder / "workspace" / "runs" / "a"
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run = small.run("a").chosen()
    small.database.sql("DELETE FROM people")
    with pytest.raises(StatusError, match="proven"):
        do(run, step, step)
    with pytest.raises(StatusError, match="proven"):
        walk(small.run("a"))
    assert report(run, ["copy.apply"]).status == "passed"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept


def test_a_report_that_was_lost_when_the_run_was_proven_is_written(small: Stepped) -> None:
    run = small.begin("a", to="validate")
    small.fail(run, "lost")
    do(run, "validate", "validate")
    small.ledger.move("a", Status.PROVEN, "the worker was lost behind this")
    assert report(run).status == "passed"
    assert run.folder.read_json("report.json")["run"]["status"] == "proven"


def test_another_run_of_airflow_touches_nothing(small: Stepped) -> None:
    first = replace(small.run("a"), airflow_run_id="audit:1")
    walk(first)
    other = replace(first, airflow_run_id="audit+1")
    for attempt in (lambda: walk(other), lambda: report(other), lambda: do(other, "snapshot", "snapshot")):
        with pytest.raises(StatusError, match="Airflow's run 'audit:1'"):
            attempt()
    assert small.status("a") == "proven"


def test_the_hash_is_of_what_would_be_written_and_of_nothing_else(small: Stepped) -> None:
    def planned(id: str, **options: Any) -> str:
        return str(small.begin(id, **options).folder.read_json("plan.json")["sha256"])

    first = planned("a")
    assert planned("b", mode=Mode.PLAN, partitions=3, segments=2, max_reject_share=0.5, write_rate=5.0) == first
    assert planned("c", mode=Mode.VERIFY) == first
    small.database.sql("UPDATE people SET amount = 99 WHERE id = 'p03'")
    assert planned("d", mode=Mode.PLAN) != first
    small.database.sql("UPDATE people SET amount = 3 WHERE id = 'p03'")
    assert planned("e", mode=Mode.PLAN) == first
    assert planned("f", mode=Mode.PLAN, overwrite_drift=True) != first
