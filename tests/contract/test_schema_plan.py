"""A schema run's plan: its hash, what a person approves by it, and what is refused where something changed in between."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.errors import ApprovalError, ArtifactError, OptionsError, StatusError, StoreUnavailableError
from include.trueup.ledger import Ledger, Status
from include.trueup.run import Mode, SchemaOptions, StepName, part
from include.trueup.run.schema_records import SchemaPlan
from include.trueup.run.workspace import Workspace
from include.trueup.schema import describe
from include.trueup.schema.preflight import heads_of, preflight
from include.trueup.schema.report import report
from include.trueup.schema.run import SchemaRun
from include.trueup.walk import walk
from include.trueup.write.approval import approve, ask
from tests.harness import run_sql
from tests.schemas import Databases, answered, do, history, migration_of, plan_of, planned, ready, revision
from trueup_airflow import connections
from trueup_airflow.dags.schema_approval import question
from trueup_airflow.pages import evidence

BASE = revision("CREATE TABLE thing (id int PRIMARY KEY); INSERT INTO thing VALUES (1), (2)", "DROP TABLE thing")
MORE = revision(
    "CREATE TABLE other (id int); ALTER TABLE thing ADD note text", "ALTER TABLE thing DROP note; DROP TABLE other"
)
SHA256 = re.compile("[0-9a-f]{64}")


@pytest.fixture
def one(tmp_path: Path, postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace) -> Databases:
    """One database at phase 0, with a phase 1."""
    made = Databases(postgres_server, migration_of(history(tmp_path, BASE, MORE), phases=2), ledger, workspace)
    run = made.run(0)
    app = run.histories["app"]
    with describe.connected(made.uri("app"), "begin") as connection:
        for step in app.steps((), 0):
            app.run(connection, step)
    return made


def anew(run: SchemaRun) -> SchemaRun:
    """The same run in another process: the histories are read again."""
    return replace(run)


def tables(databases: Databases) -> set[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    return {name for (name,) in run_sql(databases.uri("app"), query)}


def test_up_is_asked_about_with_its_sql_and_what_was_approved_runs(
    one: Databases, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "workspace", lambda: workspace)
    run = one.run(1, approval=True)
    plan = planned(run)
    assert plan_of(run).sha256 == plan.sha256 == planned(one.run(1, mode=Mode.PLAN)).sha256
    asked = ask(run)
    assert isinstance(asked, SchemaPlan)
    assert evidence.schema_plan(run.id) == asked  # as the run's page shows it while somebody is asked
    text = question(run, asked, "/page")
    for said in (
        plan.sha256,
        "ALTER TABLE thing ADD note text",
        "require-table",
        "thing (AccessExclusiveLock)",
        "Rehearsed in",
    ):
        assert said in text or said == "require-table", said
    with pytest.raises(ApprovalError, match="is not approved"):
        do(run, "backup")
    approve(run, "ada", "go", shown_sha256=plan.sha256)
    do(run, "backup")
    do(anew(run), "apply")
    do(run, "gate")
    assert report(run).status == "passed"
    told = run.folder.read_json("report.json")
    assert told["approval"]["plan_sha256"] == told["schema"]["sha256"] == plan.sha256
    assert (told["approval"]["decision"], told["approval"]["by"]) == ("approved", "ada")
    assert report(run).status == "passed"  # cleared again: as it was written
    for step in (
        lambda: preflight(run),
        lambda: do(run, "lint"),
        lambda: plan_of(run),
        lambda: do(run, "apply"),
        lambda: do(run, "gate"),
    ):
        with pytest.raises(StatusError):
            step()


def test_up_is_waived_where_nobody_is_asked(one: Databases) -> None:
    run = one.run(1)
    assert walk(run).status == "passed"
    assert run.folder.read_json("report.json")["approval"]["decision"] == "waived"


def test_down_where_nobody_is_asked_wants_the_hash_that_names_these_rows(one: Databases) -> None:
    answered(one.run(1))
    run_sql(one.uri("app"), "INSERT INTO other VALUES (1), (2), (3)")
    with pytest.raises(ApprovalError, match=r"table other \(3 rows\)") as refused:
        walk(one.run(0))
    (named,) = SHA256.findall(str(refused.value))
    assert tables(one) == {"thing", "other"}
    run_sql(one.uri("app"), "INSERT INTO other VALUES (4)")
    with pytest.raises(ApprovalError, match=rf"names another plan, {named}: .*table other \(4 rows\)") as refused:
        walk(one.run(0, approve_down=named))
    run = one.run(0, approve_down=SHA256.findall(str(refused.value))[-1])
    assert walk(run, triggered_by="ada").status == "passed"
    assert run.folder.read_json("report.json")["approval"]["decision"] == "approved"


@pytest.mark.parametrize("given", [True, "true", "abc"])
def test_approve_down_is_a_hash_and_nothing_else(given: Any) -> None:
    with pytest.raises(OptionsError, match="must be the hash of the plan"):
        SchemaOptions(target_phase=0, approve_down=given)
    before = {"target_phase": 0, "mode": "apply", "approve_down": True, "realign": False}
    assert SchemaOptions.from_json(before).approve_down is None


def _edit(databases: Databases, folder: Path) -> None:
    file = folder / "app" / "versions" / "r1.py"
    file.write_text(file.read_text().replace("other (id int)", "other (id bigint)"))


def _elsewhere(databases: Databases, folder: Path) -> None:
    """Another database comes to lie where the one was, with the same in it."""
    uri = databases.uri("app")
    name = uri.split("?")[0].rsplit("/", 1)[1]
    server = uri.replace(f"/{name}", "/template1", 1)
    run_sql(
        server, f'ALTER DATABASE "{name}" RENAME TO "{name}_was"', f'CREATE DATABASE "{name}" TEMPLATE "{name}_was"'
    )


def _moved(databases: Databases, folder: Path) -> None:
    run = databases.run(0)
    run_sql(databases.uri("app"), "CREATE TABLE other (id int)", "ALTER TABLE thing ADD note text")
    run_sql(databases.uri("app"), "UPDATE alembic_version SET version_num = 'r1'")
    assert heads_of(run, "app") == ("r1",)


@pytest.mark.parametrize(
    ("when", "change", "said"),
    [
        ("asked", _edit, "the SQL of the revisions r1"),
        ("approved", _edit, "the SQL of the revisions r1"),
        ("approved", _elsewhere, "it is another database"),
        ("approved", _moved, "its revision"),
    ],
)
def test_what_changed_since_it_was_shown_is_refused_with_both_hashes(
    one: Databases, tmp_path: Path, when: str, change: Any, said: str
) -> None:
    run = one.run(1, approval=True)
    if when == "asked":
        shown = planned(run).sha256
        ask(run)
    else:
        ready(run)
        shown = str(run.ledger.entered(run.id).plan_sha256)
    change(one, tmp_path)
    goes_on = partial(approve, by="ada", shown_sha256=shown) if when == "asked" else partial(do, step="apply")
    with pytest.raises(ApprovalError, match=said) as refused:
        goes_on(anew(run))
    assert shown in str(refused.value)
    assert len(set(SHA256.findall(str(refused.value)))) == 2
    if change is not _moved:
        assert tables(one) == {"thing"}


def test_a_plan_that_was_made_again_since_it_was_shown_is_not_approved(one: Databases, tmp_path: Path) -> None:
    run = one.run(1, approval=True)
    shown = planned(run).sha256
    ask(run)
    _edit(one, tmp_path)
    run = anew(run)
    with pytest.raises(ApprovalError, match="changed since the step 'lint'"):
        plan_of(run)
    do(run, "lint")
    do(run, "rehearse")
    made = plan_of(run).sha256
    with pytest.raises(ApprovalError, match=rf"{made}, and the plan that was shown is {shown}"):
        approve(run, "ada", shown_sha256=shown)
    with pytest.raises(ApprovalError, match="is not approved"):
        do(run, "apply")


@pytest.mark.parametrize("marked", ["preflight", "lint", "rehearse", "approve", "backup", "apply", "gate"])
def test_a_task_that_is_marked_as_done_was_not_done(one: Databases, marked: str) -> None:
    run = one.run(1, approval=True)
    steps: dict[str, Any] = {
        "preflight": lambda: preflight(run),
        "lint": lambda: do(run, "lint"),
        "rehearse": lambda: do(run, "rehearse"),
        "approve": lambda: (plan_of(run), approve(run, shown_sha256=ask(run).sha256)),
        "backup": lambda: do(run, "backup"),
        "apply": lambda: do(run, "apply"),
        "gate": lambda: do(run, "gate"),
    }
    del steps[marked]
    refused = nullcontext() if marked == "gate" else pytest.raises((ApprovalError, ArtifactError))
    with refused:
        for step in steps.values():
            step()
    assert tables(one) == ({"thing", "other"} if marked == "gate" else {"thing"})
    if marked != "preflight":
        assert report(run).status == "failed"
        assert run.ledger.entered(run.id).status == Status.FAILED


def test_a_further_try_of_approve_that_fails_after_the_approval_fails_no_report(one: Databases) -> None:
    run = one.run(1, approval=True)
    ready(run)
    with pytest.raises(StoreUnavailableError), part(run, StepName.APPROVE):
        raise StoreUnavailableError("gone")
    do(run, "apply")
    do(run, "gate")
    assert report(run, ["approve"]).status == "passed"


def test_a_run_that_another_one_interrupted_before_its_report_is_not_proven(one: Databases) -> None:
    run = one.run(1)
    ready(run)
    do(run, "apply")
    do(run, "gate")
    run.ledger.leases.give_up(run.id, "another run needs its databases")
    assert report(run).status == "failed"
    assert run.ledger.entered(run.id).status is Status.FAILED
