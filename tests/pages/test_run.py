"""What the pages say of a real run, of one that has only begun, and of an installation where nothing ever ran."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.embedded import postgres
from include.trueup.run.workspace import Workspace
from tests.harness import new_database

from .conftest import EMPTY, HOSTILE, PAGES, RUN, Evidence

FIRST_RELEASE = Path(__file__).parent.parent / "fixtures" / "first_release"
DATA = f"{PAGES}/data"
AT = f"{DATA}/dags/kpi_linking/runs/{RUN.replace('+', '%2B')}"


def test_the_run_stands_as_the_ledger_says(viewer: Any) -> None:
    run = viewer.get(AT).json()
    assert (run["state"], run["ended"], run["triggered_by"]) == ("proven", True, "ada")
    assert run["report"]["verdict"]["status"] == "passed"
    assert run["approval"]["decision"] == "waived"
    assert run["made"]["reports"] == ["report.html", "report.json", "report.md"]
    assert run["made"]["docs"] is True
    assert {name.rsplit(".", 1)[1] for name in run["made"]["gates"]} == {"json"}
    names = [step["task_id"] for step in run["steps"]]
    assert names.index("plan_gate") < names.index("approve") < names.index("links.apply") < names.index("validate")
    assert [s["name"] for s in run["steps"] if s["group"] == "links"][:2] == ["apply", "read_back"]
    assert all(phase["rows"] == phase["total"] for phase in run["applied"])
    assert (run["title"], run["kind"], run["plan_sha256"]) == ("KPI linking", "run", run["approval"]["plan_sha256"])
    assert run["totals"]["add"] == sum(phase["total"] for phase in run["applied"])
    where = run["where"]
    assert (where["environment"], where["live"], len(where["code"]["sha256"])) == ("local", False, 64)
    (place,) = where["places"]
    assert (place["connection"], place["kind"]) == ("kpi_dynamodb", "dynamodb")
    assert place["place"].startswith("dynamodb://127.0.0.1:")
    assert (run["offers"], run["may_run"]) == ([], False)  # she may look


def test_the_plan_has_counts_and_example_rows(viewer: Any, evidence: Evidence) -> None:
    plan = viewer.get(f"{AT}/plan").json()["plan"]
    made = evidence.workspace.run(evidence.id).read_json("plan.json")
    assert plan["totals"]["add"] == sum(p["rows"]["add"] for p in made["phases"]) > 0
    assert plan["totals"]["rejected"] == sum(p["rejected"] for p in made["phases"]) > 0
    links = next(o for o in plan["outputs"] if o["output"] == "links")
    assert 0 < len(links["verbs"]["add"]) <= 5
    first = links["verbs"]["add"][0]
    assert first["row"]["id"] == first["key"]
    milestones = next(o for o in plan["outputs"] if o["output"] == "milestones")
    assert {"key", "code", "message", "row"} <= milestones["verbs"]["rejected"][0].keys()


def test_what_each_part_dealt_with_is_counted(viewer: Any, evidence: Evidence) -> None:
    from include.trueup.run.facts import handled

    folder = evidence.workspace.run(evidence.id)

    def rows(*steps: str) -> int:
        return sum(handled(manifest) for step in steps for manifest in folder.manifests(step))

    totals = viewer.get(f"{AT}/plan").json()["plan"]["totals"]
    assert rows("plan") == sum(n for verb, n in totals.items() if verb not in ("rejected", "skipped", "extra"))
    phases = [step.removeprefix("verify/") for step in folder.steps() if step.startswith("verify/")]
    proven = viewer.get(f"{AT}/proof").json()["proofs"]
    assert rows(*(f"verify/{phase}" for phase in phases)) == sum(one["compared"] for one in proven) > 0
    assert rows("snapshot") > rows("transform") > 0
    assert rows(*(f"read_back/{phase}" for phase in phases)) >= totals["add"]


def test_gates_and_proofs_in_the_order_of_the_run(viewer: Any) -> None:
    gates = viewer.get(f"{AT}/gates").json()["gates"]
    assert [g["file"] for g in gates] == [
        "plan", "phase-links", "phase-milestones", "phase-actuals", "phase-readings", "validate",
    ]  # fmt: skip
    assert all(e["description"] for g in gates for r in g["results"] for e in r["expectations"])
    proofs = viewer.get(f"{AT}/proof").json()["proofs"]
    assert [p["phase"] for p in proofs] == ["links", "milestones", "actuals", "readings"]
    assert all(p["passed"] and p["compared"] for p in proofs)


def test_findings_are_filtered_searched_and_paged(viewer: Any) -> None:
    everything = viewer.get(f"{AT}/findings", params={"size": 100}).json()
    assert everything["total"] == sum(c["count"] for c in everything["counts"]) > len(everything["rows"]) == 100
    pages = [viewer.get(f"{AT}/findings", params={"size": 4, "page": n}).json()["rows"] for n in (1, 2, 3)]
    assert [row for page in pages for row in page] == everything["rows"][:12]
    rejected = viewer.get(f"{AT}/findings", params={"severity": "reject", "size": 100}).json()
    assert 0 < rejected["total"] < everything["total"]
    assert {row["severity"] for row in rejected["rows"]} == {"reject"}
    one = everything["rows"][0]
    found = viewer.get(f"{AT}/findings", params={"search": one["key"].upper()}).json()
    assert one in found["rows"]
    assert viewer.get(f"{AT}/findings", params={"code": "' OR 1=1 --"}).json()["total"] == 0
    assert viewer.get(f"{AT}/findings", params={"search": "%"}).json()["total"] < everything["total"]


@pytest.mark.parametrize("wrong", [{"size": 101}, {"size": 0}, {"page": 0}, {"page": -1}, {"search": "x" * 501}])
def test_a_page_has_bounds(viewer: Any, wrong: dict[str, Any]) -> None:
    assert viewer.get(f"{AT}/findings", params=wrong).status_code == 422


def test_a_hostile_row_comes_as_it_is_and_as_json(viewer: Any) -> None:
    answer = viewer.get(f"{AT}/findings", params={"search": "<script>alert(1)</script>\"'&"})
    assert answer.headers["content-type"] == "application/json"
    (row,) = answer.json()["rows"]
    assert row["key"] == HOSTILE.replace("\0", "")


def test_long_texts_are_cut_and_can_be_seen_whole(scratch_run: Path, signed_in: Callable[..., Any]) -> None:
    message = "x" * 1_000_000 + "\u202e\"',\n<b>"
    with (scratch_run / "findings.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["phase", "table", "key", "severity", "code", "message"])
        writer.writerow(["links", "t", "k", "warning", "long", message])
        writer.writerow(["links", "t", "=cmd|' /C calc'!A0", "warning", "formula", "-1.5"])
        writer.writerow(["links", "t", "\uff1dcmd|' /C calc'!A0", "warning", "formula", "\n=1+1"])
    client = signed_in("viewer")
    answer = client.get(f"{AT}/findings")
    assert len(answer.content) < 20_000
    long = answer.json()["rows"][0]
    assert long["cut"]
    assert len(long["message"]) == 2_000
    assert client.get(f"{AT}/findings/{long['number']}").json()["message"] == message
    assert client.get(f"{AT}/findings/99").status_code == 404
    csv.field_size_limit(2_000_000)
    rows = list(csv.DictReader(io.StringIO(client.get(f"{AT}/files/findings.csv").text, newline="")))
    assert rows[0]["message"] == message
    assert (rows[1]["key"], rows[1]["message"]) == ("'=cmd|' /C calc'!A0", "-1.5")
    assert (rows[2]["key"], rows[2]["message"]) == ("'\uff1dcmd|' /C calc'!A0", "'\n=1+1")


def test_rejected_rows_can_be_taken_home(viewer: Any, evidence: Evidence) -> None:
    answer = viewer.get(f"{AT}/files/rejects.jsonl")
    assert "attachment" in answer.headers["content-disposition"]
    rows = [json.loads(line) for line in answer.text.split("\n")[:-1]]
    table = list(csv.DictReader(io.StringIO(viewer.get(f"{AT}/files/rejects.csv").text, newline="")))
    assert [r["code"] for r in table] == [r["code"] for r in rows]
    assert any("<script>" in r["key"] for r in table)
    assert json.loads(next(r for r in table if "<script>" in r["key"])["row"])["label"] == "x" * 5000


def test_a_run_that_has_only_begun(viewer: Any) -> None:
    at = f"{DATA}/dags/kpi_linking/runs/{EMPTY.replace('+', '%2B')}"
    run = viewer.get(at).json()
    assert (run["state"], run["report"], run["made"]["plan"]) == ("starting", None, None)
    assert run["waits"][0]["kind"] == "queue"
    assert viewer.get(f"{at}/plan").json() == {"plan": None, "schema": None}
    assert viewer.get(f"{at}/gates").json() == {"gates": []}
    assert viewer.get(f"{at}/findings").json()["there"] is False
    assert viewer.get(f"{at}/files/report.html").status_code == 404


def test_migrations_and_history(viewer: Any) -> None:
    found = {m["dag_id"]: m for m in viewer.get(f"{DATA}/migrations").json()["migrations"]}
    assert {"kpi_linking", "checkins", "platform_schema"} <= found.keys()
    assert not [id for id in found if id.endswith(("_rollback", "_cutover"))]
    kpi = found["kpi_linking"]
    assert kpi["plan"]["totals"]["add"] > 0
    assert kpi["proof"]["rows"]["compared"] > 0
    assert kpi["findings"]["reject"] > 0
    assert (kpi["state"], kpi["run"]["run_id"], kpi["writes"]) == ("starting", EMPTY, False)
    assert (kpi["plan"]["open"], kpi["proof"]["stands"], kpi["findings"]["window"]) == (False, True, None)
    assert kpi["about"]["purpose"].startswith("Brings four legacy DynamoDB tables")
    assert kpi["about"]["source"]["connections"] == kpi["about"]["target"]["connections"] == ["kpi_dynamodb"]
    assert (kpi["may_run"], kpi["offers"]) == (False, [])
    assert found["checkins"]["state"] == "never run"
    past = viewer.get(f"{DATA}/dags/kpi_linking/history").json()
    assert past["ours"]
    assert viewer.get(f"{DATA}/dags/scoring_results_shadow/history").json()["ours"] is False
    assert (past["total"], past["runs"][0]["state"], past["runs"][0]["run_id"]) == (1, "proven", RUN)
    assert past["runs"][0]["written"] > 0


def test_a_ledger_that_was_never_made_is_an_empty_state(
    signed_in: Callable[..., Any],
    behind: Callable[[str, Workspace], None],
    postgres_server: postgres.Server,
    tmp_path: Path,
) -> None:
    behind(new_database(postgres_server), Workspace(str(tmp_path / "empty")))
    client = signed_in("viewer")
    found = client.get(f"{DATA}/migrations").json()
    assert found["ledger"] is False
    assert client.get(f"{DATA}/dags/kpi_linking/history").json()["runs"] == []
    assert client.get(AT).json()["made"]["findings"] is False
    assert client.get(f"{AT}/findings").json()["there"] is False


def test_a_ledger_of_an_earlier_release_is_not_taken_for_none(
    viewer: Any, behind: Callable[[str, Workspace], None], postgres_server: postgres.Server, tmp_path: Path
) -> None:
    uri = new_database(postgres_server)
    with psycopg.connect(uri) as connection:
        connection.execute((FIRST_RELEASE / "ledger.sql").read_bytes())
    behind(uri, Workspace(str(tmp_path / "empty")))
    assert viewer.get(f"{DATA}/migrations").json()["ledger"] is True


def test_a_ledger_that_does_not_answer_says_so(
    signed_in: Callable[..., Any], behind: Callable[[str, Workspace], None], ledger_uri: str, tmp_path: Path
) -> None:
    behind(ledger_uri.replace("/store_", "/absent_"), Workspace(str(tmp_path / "empty")))
    answer = signed_in("viewer").get(f"{DATA}/migrations")
    assert answer.status_code == 503
    assert "trueup_ledger" in answer.json()["detail"]


def test_a_connection_in_airflows_database_is_found(
    viewer: Any, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    from trueup_airflow import connections

    given = json.loads(os.environ["AIRFLOW_CONN_TRUEUP_LEDGER"])
    monkeypatch.delenv("AIRFLOW_CONN_TRUEUP_LEDGER")
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")  # as the API server sets it
    connections.ledger.cache_clear()
    assert viewer.get(AT).status_code == 503
    with create_session() as session:
        session.add(Connection(conn_id="trueup_ledger", **given))
    try:
        assert viewer.get(AT).json()["state"] == "proven"
    finally:
        with create_session() as session:
            session.query(Connection).filter(Connection.conn_id == "trueup_ledger").delete()
