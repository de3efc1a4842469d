"""Runs that ask a person, and what the person's answer does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dags.people import answering
from tests.dags.small import run, small_engine, states
from tests.engines import store_at
from tests.samples import Samples

LINKS = "purposepath-kpi-links"


@pytest.fixture
def endpoint(samples: Samples, connections: Any, airflow_database: None) -> Iterator[str]:
    with small_engine(samples) as endpoint:
        connections("kpi_dynamodb", endpoint)
        yield endpoint


def report(folder: Path) -> dict[str, Any]:
    (found,) = folder.glob("workspace/runs/*/report.json")
    return json.loads(found.read_text())


def test_an_approved_plan_is_applied_and_the_report_says_who(endpoint: str, tmp_path: Path) -> None:
    with answering("kpi_linking", "Approve", "looks right") as asked:
        dag_run = run("kpi_linking", approval=True)
    assert dag_run.state == "success"
    (question,) = asked
    facts = report(tmp_path)
    assert f"{facts['plan']['phases'][0]['rows']['add']:,}" in question["body"]
    assert facts["plan"]["sha256"][:12] in question["body"]
    approval = facts["approval"]
    assert (approval["decision"], approval["by"], approval["comment"]) == ("approved", "user", "looks right")
    assert approval["plan_sha256"] == facts["plan"]["sha256"]
    assert approval["at"]


def test_a_rejected_plan_fails_the_run_and_writes_nothing(endpoint: str, tmp_path: Path) -> None:
    with answering("kpi_linking", "Reject", "not on a Friday"):
        dag_run = run("kpi_linking", approval=True)
    assert dag_run.state == "failed"
    assert states(dag_run)["approve"] == {"failed"}
    assert LINKS not in store_at(endpoint).client.list_tables()["TableNames"]
    facts = report(tmp_path)
    assert facts["verdict"]["status"] == "failed"
    assert facts["run"]["failed"]["step"] == "approve"
    assert "not on a Friday" in facts["run"]["failed"]["error"]
    assert facts["approval"]["decision"] == "rejected"


def test_a_plan_that_is_too_old_is_not_asked_about(endpoint: str, tmp_path: Path) -> None:
    dag_run = run("kpi_linking", approval=True, plan_max_age=0.000001)
    assert dag_run.state == "failed"
    assert "new plan" in report(tmp_path)["run"]["failed"]["error"]


def test_without_approval_the_report_says_that_it_was_waived(endpoint: str, tmp_path: Path) -> None:
    assert run("kpi_linking", approval=False).state == "success"
    assert report(tmp_path)["approval"]["decision"] == "waived"


def test_mode_plan_asks_nobody(endpoint: str, tmp_path: Path) -> None:
    dag_run = run("kpi_linking", mode="plan", approval=True)
    assert dag_run.state == "success"
    assert states(dag_run)["approve"] == {"skipped"}
    assert report(tmp_path)["approval"] is None


def test_an_answer_to_another_plan_than_was_asked_about_is_refused(endpoint: str, tmp_path: Path) -> None:
    another = "0" * 64
    with answering("kpi_linking", "Approve", plan_sha256=another) as asked:
        dag_run = run("kpi_linking", approval=True)
    assert dag_run.state == "failed"
    facts = report(tmp_path)
    shown = facts["plan"]["sha256"]
    assert asked[0]["params"]["plan_sha256"]["value"] == shown
    said = facts["run"]["failed"]["error"]
    assert shown in said
    assert another in said
    assert LINKS not in store_at(endpoint).client.list_tables()["TableNames"]
