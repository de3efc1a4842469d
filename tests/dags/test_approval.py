"""Runs that ask a person, and what the person's answer does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from tests.dags.people import answering
from tests.dags.small import DAG, database, run, states, target
from tests.samples import Samples


@pytest.fixture
def uri(
    samples: Samples,
    postgres_server: postgres.Server,
    connections: Any,
    airflow_database: None,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    return database(samples, postgres_server, monkeypatch)


def report(folder: Path) -> dict[str, Any]:
    (found,) = folder.glob("workspace/runs/*/report.json")
    return json.loads(found.read_text())


def test_an_approved_plan_is_applied_and_the_report_says_who(uri: str, tmp_path: Path) -> None:
    with answering(DAG, "Approve", "looks right") as asked:
        dag_run = run(DAG, approval=True)
    assert dag_run.state == "success"
    (question,) = asked
    facts = report(tmp_path)
    assert f"{facts['plan']['phases'][0]['rows']['add']:,}" in question["body"]
    assert facts["plan"]["sha256"][:12] in question["body"]
    assert question["body"].startswith("**local** · ")  # where it is, before all else
    assert "`postgres://" in question["body"]
    approval = facts["approval"]
    assert (approval["decision"], approval["by"], approval["comment"]) == ("approved", "user", "looks right")
    assert approval["plan_sha256"] == facts["plan"]["sha256"]
    assert approval["at"]


def test_a_rejected_plan_fails_the_run_and_writes_nothing(uri: str, tmp_path: Path) -> None:
    before = target(uri)
    with answering(DAG, "Reject", "not on a Friday"):
        dag_run = run(DAG, approval=True)
    assert dag_run.state == "failed"
    assert states(dag_run)["approve"] == {"failed"}
    assert target(uri) == before
    facts = report(tmp_path)
    assert facts["verdict"]["status"] == "failed"
    assert facts["run"]["failed"]["step"] == "approve"
    assert "not on a Friday" in facts["run"]["failed"]["error"]
    assert facts["approval"]["decision"] == "rejected"


def test_a_plan_that_is_too_old_is_not_asked_about(uri: str, tmp_path: Path) -> None:
    dag_run = run(DAG, approval=True, plan_max_age=0.000001)
    assert dag_run.state == "failed"
    assert "new plan" in report(tmp_path)["run"]["failed"]["error"]


def test_an_answer_to_another_plan_than_was_asked_about_is_refused(uri: str, tmp_path: Path) -> None:
    another, before = "0" * 64, target(uri)
    with answering(DAG, "Approve", plan_sha256=another) as asked:
        dag_run = run(DAG, approval=True)
    assert dag_run.state == "failed"
    facts = report(tmp_path)
    shown = facts["plan"]["sha256"]
    assert asked[0]["params"]["plan_sha256"]["value"] == shown
    said = facts["run"]["failed"]["error"]
    assert shown in said
    assert another in said
    assert target(uri) == before
