"""The report of a run that is proven, left where the ledger has forgotten the run, or was restored from before: nobody goes by it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.errors import ArtifactError
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.report.ending import ended
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from tests.harness import new_database
from tests.stepping import Stepped, do

AN_HOUR_AGO = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, 4)


@pytest.fixture
def forgotten(small: Stepped, postgres_server: postgres.Server, ledger_template: str) -> Stepped:
    """A run is proven, and the ledger knows of none."""
    small.proven("a")
    small.ledger = Ledger(new_database(postgres_server, ledger_template))
    return small


@pytest.fixture
def restored(small: Stepped, postgres_server: postgres.Server) -> Stepped:
    """A run is proven, and the ledger is restored from before it wrote."""
    run = small.begin("a", to="plan_gate", max_left_alone=1)
    do(run, "approve", "approve")
    with small.ledger._begin() as connection:
        name = str(connection.exec_driver_sql("SELECT current_database()").scalar_one())
    small.ledger.close()
    before = Ledger(new_database(postgres_server, name))
    do(small.run("a"), "create_tables")
    assert report(small.run("a").chosen()).status == "passed"
    left = run.folder.read_json("proven/report.json")
    run.folder.write("proven/report.json", json.dumps({**left, "run": {**left["run"], "ended_at": AN_HOUR_AGO}}))
    small.ledger = before
    return small


def failed(run: Run) -> None:
    """Its report says that it failed, in every form and wherever it lies."""
    written = run.files.report
    assert written is not None
    assert written.run.status == "failed"
    assert run.folder.names("proven") == []
    assert b"Failed" in (run.files.reported("report.html") or b"")
    assert (verdict := ended(run)) is not None
    assert verdict.status == "failed"


def test_a_run_that_begins_anew_and_fails(forgotten: Stepped) -> None:
    run = forgotten.begin("a", to="plan_gate")
    assert run.folder.names("proven") == []
    forgotten.fail(run)
    failed(run)


def test_a_run_that_does_not_even_begin(forgotten: Stepped) -> None:
    run = forgotten.run("a")
    assert report(run, ["preflight"]).status == "failed"
    failed(run)


def test_a_run_that_goes_on_and_fails(restored: Stepped) -> None:
    run = restored.run("a").chosen()
    restored.fail(run, "create_tables")
    failed(run)


def test_a_run_that_goes_on_and_is_proven_has_a_report_of_that(restored: Stepped) -> None:
    restored.database.sql("UPDATE persons SET name = 'other' WHERE id = (SELECT min(id) FROM persons)")
    run = restored.run("a")
    before = run.files.reported("report.json")
    do(run, "create_tables")
    assert report(run.chosen()).proof == "proven_with_exceptions"
    written = run.files.report
    assert written is not None
    assert written.verdict.exceptions == 1
    assert run.files.reported("report.json") != before
    assert run.folder.read("report.json") == run.files.reported("report.json")
    assert report(run.chosen()).exceptions == 1


@pytest.mark.parametrize("left", ["forgotten", "restored"])
def test_no_run_ends_by_what_is_left(left: str, request: pytest.FixtureRequest) -> None:
    small: Stepped = request.getfixturevalue(left)
    with pytest.raises(ArtifactError, match="left from before the ledger"):
        ended(small.run("a"))
