"""The DAGs that undo a run and that turn the switch, as a person uses them one after the other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.cutover import turning
from tests.dags.people import answering
from tests.dags.small import DAG, database, refusals, run, states, target
from tests.harness import run_sql
from tests.samples import Samples

NOT_PROVEN = (
    f"the switch of {DAG} is not turned: no run of it is proven. Trigger {DAG} over whole tables (mode verify, or apply), and"
    " cut over when it is proven"
)


@pytest.fixture
def uri(
    samples: Samples,
    postgres_server: postgres.Server,
    connections: Any,
    airflow_database: None,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    return database(samples, postgres_server, monkeypatch)


def facts(folder: Path, dag_id: str) -> list[dict[str, Any]]:
    found = [json.loads(file.read_text()) for file in folder.glob(f"workspace/runs/{dag_id}--*/report.json")]
    return sorted(found, key=lambda report: report["run"]["started_at"])


def cut_over(**conf: Any) -> Any:
    return run(f"{DAG}_cutover", **{"why": "for the test", **conf})


def test_undo_and_do_again_and_cut_over(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trueup_airflow import connections

    before = target(uri)
    assert cut_over(approval=False).state == "failed", "nothing is proven yet"
    assert refusals(tmp_path / "workspace")[-1][:2] == ("preflight", NOT_PROVEN)
    assert run(DAG, approval=False).state == "success"
    (first,) = facts(tmp_path, DAG)
    assert first["approval"]["decision"] == "waived"
    written = target(uri)
    assert len(written) > len(before)

    with answering(f"{DAG}_rollback", "Approve", "wrong month") as asked:
        undone = run(f"{DAG}_rollback")
    assert undone.state == "success"
    assert f"**{len(written) - len(before):,} rows will be deleted**" in asked[0]["body"]
    assert f"It undoes run `{DAG}--" in asked[0]["body"]
    assert target(uri) == before
    (report,) = facts(tmp_path, f"{DAG}_rollback")
    assert report["verdict"]["headline"].startswith("Rolled back")
    assert report["approval"]["comment"] == "wrong month"
    ledger = connections.ledger()
    assert {r.status for r in ledger.runs(DAG) if not r.undoes} == {"rolled_back"}
    assert cut_over(approval=False).state == "failed", "a rollback is no proof"
    assert run(f"{DAG}_rollback", approval=False).state == "failed", "there is nothing left to undo"

    assert run(DAG, approval=False).state == "success"
    assert target(uri) == written
    with answering(f"{DAG}_rollback", "Reject", "let it be"):
        assert run(f"{DAG}_rollback").state == "failed"
    assert target(uri) == written, "a rollback that nobody approved counts for nothing"
    assert cut_over(approval=False).state == "failed", "nobody has compared"
    assert (
        "no shadow comparison of it has come to an end. Trigger scoring_results_shadow"
        in refusals(tmp_path / "workspace")[-1][1]
    )
    assert run(f"{DAG}_shadow", share=0.1).state == "success", "what the run reported itself is known"
    assert cut_over(approval=False).state == "failed", "nobody has compared everything"
    assert run(f"{DAG}_shadow").state == "success"
    with answering(f"{DAG}_cutover", "Approve", "seen by two") as asked:
        assert cut_over(why="the report is clean").state == "success"
    assert "legacy → dual" in asked[0]["body"]
    assert re.search(r"Shadow comparison: 49\d compared, 1 differ, as that run reported, run", asked[0]["body"])
    (turn,) = ledger.switches.turns(DAG)
    assert (turn.from_state, turn.to_state, turn.turned_by) == ("legacy", "dual", "user")
    assert turn.why == "the report is clean. seen by two"
    assert str(turn.proof_run_id).startswith(f"{DAG}--")

    run_sql(
        uri, f"UPDATE {DAG} SET payload = payload || '{{\"version\": \"v0\"}}' WHERE session_id = '{written[0][0]}'"
    )
    assert run(f"{DAG}_shadow").state == "failed", "nobody has reported that"
    assert cut_over(to="new", approval=False).state == "failed"
    assert "found 1 of 4" in refusals(tmp_path / "workspace")[-1][1]
    assert str(written[0][0]) in refusals(tmp_path / "workspace")[-1][1]
    run_sql(
        uri,
        f"UPDATE {DAG} SET payload = payload || '{{\"version\": \"{written[0][3]}\"}}' WHERE session_id = '{written[0][0]}'",
    )
    assert run(f"{DAG}_shadow").state == "success"

    run_sql(uri, f"ALTER TABLE {DAG} RENAME TO proved", f"CREATE TABLE {DAG} (LIKE proved INCLUDING ALL)")
    assert cut_over(to="new", approval=False).state == "failed", "another table has its name, and no row"
    assert f"has proved table {DAG} as" in refusals(tmp_path / "workspace")[-1][1]
    run_sql(uri, f"DROP TABLE {DAG}", f"ALTER TABLE proved RENAME TO {DAG}")

    with answering(f"{DAG}_cutover", "Reject"):
        refused = cut_over(to="new")
    assert refused.state == "failed"
    assert states(refused)["turn"] == {"upstream_failed"}
    assert refusals(tmp_path / "workspace")[-1] == (
        "approve",
        "user rejected the cutover; the switch is unchanged",
        "user",
    )
    assert ledger.switches.state(DAG) == "dual"

    assert cut_over(to="new", approval=False).state == "success"
    assert run(f"{DAG}_rollback", approval=False).state == "failed", "the application relies on the new rows"
    assert cut_over(to="legacy", approval=False).state == "failed", "one step at a time"
    assert cut_over(to="dual", approval=False, proof_max_age=0.000001).state == "success", "the way back"
    assert cut_over(to="new", approval=False, proof_max_age=0.000001).state == "failed", "too old a proof"

    real = turning.turn
    begun: dict[str, Any] = {"migration_id": DAG, "dag_id": DAG, "triggered_by": None, "options": {"mode": "apply"}}
    monkeypatch.setattr(turning, "turn", lambda *a, **k: (ledger.begin("late", **begun), real(*a, **k))[1])
    assert cut_over(to="new", approval=False).state == "failed", "a run has begun since its proof was looked at"
    assert "has begun, gone on or ended since" in refusals(tmp_path / "workspace")[-1][1]
    assert cut_over(to="legacy", approval=False).state == "failed", (
        "the legacy tables have not what was scored meanwhile"
    )
    assert (
        "no run of it is proven. Trigger scoring_results_reverse over whole tables"
        in refusals(tmp_path / "workspace")[-1][1]
    )
