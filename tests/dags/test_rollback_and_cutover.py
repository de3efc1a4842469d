"""The DAGs that undo a run and that turn the switch, as a person uses them one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dags.people import answering
from tests.dags.small import run, small_engine, states
from tests.engines import items, store_at
from tests.samples import Samples

TARGETS = ("purposepath-kpi-links", "purposepath-kpi-data")


@pytest.fixture
def endpoint(samples: Samples, connections: Any, airflow_database: None) -> Iterator[str]:
    with small_engine(samples) as endpoint:
        connections("kpi_dynamodb", endpoint)
        yield endpoint


def facts(folder: Path, dag_id: str) -> list[dict[str, Any]]:
    found = [json.loads(file.read_text()) for file in folder.glob(f"workspace/runs/{dag_id}--*/report.json")]
    return sorted(found, key=lambda report: report["run"]["started_at"])


def test_undo_and_do_again_and_cut_over(endpoint: str, tmp_path: Path) -> None:
    from trueup_airflow import connections

    assert run("kpi_linking_cutover", approval=False).state == "failed", "nothing is proven yet"
    assert run("kpi_linking", approval=False).state == "success"
    store = store_at(endpoint)
    written = {table: len(items(store, table)) for table in TARGETS}
    assert all(written.values())

    with answering("kpi_linking_rollback", "Approve", "wrong month") as asked:
        undone = run("kpi_linking_rollback")
    assert undone.state == "success"
    assert f"{written[TARGETS[0]]:,}" in asked[0]["body"]
    assert "It undoes run `kpi_linking--" in asked[0]["body"]
    assert [items(store, table) for table in TARGETS] == [[], []]
    (report,) = facts(tmp_path, "kpi_linking_rollback")
    assert report["verdict"]["headline"].startswith("Rolled back")
    assert report["approval"]["comment"] == "wrong month"
    ledger = connections.ledger()
    assert {r["status"] for r in ledger.runs("kpi_linking") if not r["undoes"]} == {"rolled_back"}
    assert run("kpi_linking_cutover", approval=False).state == "failed", "a rollback is no proof"
    assert run("kpi_linking_rollback", approval=False).state == "failed", "there is nothing left to undo"

    assert run("kpi_linking", approval=False).state == "success"
    assert {table: len(items(store, table)) for table in TARGETS} == written
    with answering("kpi_linking_cutover", "Approve", "seen by two") as asked:
        assert run("kpi_linking_cutover", why="the report is clean").state == "success"
    assert "legacy → dual" in asked[0]["body"]
    (turn,) = ledger.switches.turns("kpi_linking")
    assert (turn["from_state"], turn["to_state"], turn["turned_by"]) == ("legacy", "dual", "user")
    assert turn["why"] == "the report is clean. seen by two"
    assert turn["proof_run_id"].startswith("kpi_linking--")

    with answering("kpi_linking_cutover", "Reject"):
        refused = run("kpi_linking_cutover", to="new")
    assert refused.state == "failed"
    assert states(refused)["turn"] == {"upstream_failed"}
    assert ledger.switches.state("kpi_linking") == "dual"

    assert run("kpi_linking_cutover", to="new", approval=False).state == "success"
    assert run("kpi_linking_rollback", approval=False).state == "failed", "the application relies on the new rows"
    assert run("kpi_linking_cutover", to="legacy", approval=False).state == "failed", "one step at a time"
    assert run("kpi_linking_cutover", to="dual", approval=False, proof_max_age=0.000001).state == "success", (
        "the way back"
    )
    assert run("kpi_linking_cutover", to="new", approval=False, proof_max_age=0.000001).state == "failed", (
        "too old a proof"
    )
