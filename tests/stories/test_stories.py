"""Five use cases of the documents: what people do in Airflow, and what services get meanwhile and afterwards."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.migrations.checkins import sample as checkins_sample
from include.migrations.checkins.migration import migration as checkins
from include.migrations.kpi_linking import sample as kpis_sample
from include.migrations.platform_schema import sample as schema_sample
from include.migrations.platform_schema.migration import migration as platform_schema
from include.migrations.scoring_models import sample as models_sample
from include.trueup.rows.values import json_text
from tests.api.conftest import Client, Connect, exact
from tests.api.test_kpis import owners
from tests.api.test_results import session
from tests.dags import small
from tests.dags.people import answering, waiting
from tests.dags.small import run
from tests.harness import few_rows, items, run_sql, store_at
from tests.samples import Samples

from .conftest import Approved

API = "/trueup/api/v2"
pytestmark = pytest.mark.slow  # each is several runs


def test_a_kpi_of_two_tenants(
    samples: Samples, connections: Any, viewer: Any, approved: Approved, cut_over: Approved
) -> None:
    with samples.engine(kpis_sample, few_rows) as engine:
        connections("kpi_dynamodb", engine.endpoint)
        links = items(store_at(engine.endpoint), "purposepath-goal-kpi-links")
        tenants = sorted({link["tenant_id"]["S"] for link in links if link.get("kpi_id") == {"S": "kpi-collides~0"}})
        assert len(tenants) == 2

        def told() -> dict[str, str]:
            answers = {tenant: viewer.get(f"{API}/tenants/{tenant}/kpis/kpi-collides~0") for tenant in tenants}
            assert {answer.status_code for answer in answers.values()} == {200}
            return {tenant: answer.text for tenant, answer in answers.items()}

        before = told()
        assert approved("kpi_linking") == "success"
        assert told() == before, "nothing is turned yet"
        assert run("kpi_linking_shadow").state == "success"
        for state in ("dual", "new"):
            assert cut_over("kpi_linking", state) == "success"
        assert viewer.get(f"{API}/switches/kpi_linking").json()["state"] == "new"
        assert told() == before, "the new tables say the same of each tenant"
        for tenant in tenants:
            assert owners(exact(viewer.get(f"{API}/tenants/{tenant}/kpis/kpi-collides~0"))) == {tenant}


def test_a_session_that_is_scored_while_new_is_on_and_the_way_back(
    samples: Samples,
    postgres_server: postgres.Server,
    connections: Any,
    viewer: Any,
    signed_in: Client,
    approved: Approved,
    cut_over: Approved,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri, url = small.database(samples, postgres_server, monkeypatch), f"{API}/results/{session(2)}"
    recorded = f"SELECT confidence FROM profiles WHERE session_id = '{session(2)}'"
    before = exact(viewer.get(url))
    assert approved("scoring_results") == "success"
    assert run("scoring_results_shadow").state == "success"
    for state in ("dual", "new"):
        assert cut_over("scoring_results", state) == "success"

    payload = copy.deepcopy(before)
    payload["profile"]["confidence"] = Decimal("0.1234567890123456789")
    stored = signed_in("olive", "op").put(url, content=json_text(payload))
    assert (stored.status_code, exact(stored)) == (200, payload)
    assert run_sql(uri, recorded) == [(before["profile"]["confidence"],)], "the legacy tables are not written any more"

    assert cut_over("scoring_results", "dual") == "success"
    with pytest.raises(AssertionError, match="asked nobody"):
        cut_over("scoring_results", "legacy")  # the legacy tables have not what was scored meanwhile
    assert approved("scoring_results_reverse") == "success"
    assert run_sql(uri, recorded) == [(payload["profile"]["confidence"],)]
    assert cut_over("scoring_results", "legacy") == "success"
    assert exact(viewer.get(url)) == payload
    assert exact(viewer.get(url.replace("v2", "v1")))["profile"] == payload["profile"]


def test_a_client_who_submits_while_the_migration_runs(
    samples: Samples, connections: Any, viewer: Any, signed_in: Client, approved: Approved, cut_over: Approved
) -> None:
    with samples.engine(checkins_sample, few_rows) as engine:
        connections("checkins_dynamodb", engine.endpoint)
        store = store_at(engine.endpoint)
        store.create(checkins.target("responses").table)  # with the index that the run would add
        url, person = f"{API}/clients/client-000-000/assignments", signed_in("ada", "user")
        sent: list[Any] = []

        def pending() -> list[dict[str, Any]]:
            listed = exact(viewer.get(url, params={"limit": 100}))["assignments"]
            # an id with a slash is none of an address
            return [each for each in listed if each["status"] == "pending" and "/" not in each["id"]]

        def submit() -> None:
            """The client answers the first week that is open, once, while somebody reads the plan."""
            if not sent:
                week = pending()[0]
                sent.append(person.post(f"{url}/{week['id']}/responses", json={"answers": {"mood": 4}}))

        waiting.append(submit)
        try:
            approved("checkins")  # what came between is a conflict, or left alone: it says so itself
        finally:
            waiting.remove(submit)
        (answer,) = sent
        assert answer.status_code == 201, answer.text
        response = exact(answer)["response"]
        assert approved("checkins") == "success", "the next run takes it in, and is proven"
        assert run("checkins_shadow").state == "success"
        assert cut_over("checkins", "dual") == "success"
        assert cut_over("checkins", "new", max_bad_links=99) == "success"
        (done,) = [
            each
            for each in exact(viewer.get(url, params={"limit": 100}))["assignments"]
            if each.get("responseId") == response["id"]
        ]
        assert (done["status"], done["id"]) == ("completed", response["assignmentId"])
        week = pending()[0]
        later = person.post(f"{url}/{week['id']}/responses", json={"answers": {"mood": 5}})
        assert later.status_code == 201, "and clients go on"


def test_the_threshold_of_thriving_goes_from_80_to_75(
    samples: Samples, connections: Any, viewer: Any, connect_postgres: Connect, approved: Approved
) -> None:
    uri = samples.database(models_sample)
    connect_postgres("survey_postgres", uri)
    report = f"{API}/scores/distribution"
    assert viewer.get(report).status_code == 503, "the migration has not made its tables yet"
    assert approved("scoring_models") == "success"
    before = viewer.get(report, params={"model": "as_recorded"}).json()["as_recorded"]

    assert approved("scoring_models", rescore_to="1.1.0") == "success"
    after = viewer.get(report, params={"model": "1.1.0"}).json()
    assert after["as_recorded"] == before, "what was recorded stays"

    def thriving(rows: list[dict[str, Any]]) -> int:
        return sum(row["responses"] for row in rows if row["band"] == "Thriving")

    old = [row for row in before if row["version"] == "1.0.0"]
    ((moved,),) = run_sql(
        uri,
        "SELECT count(*) FROM survey_responses WHERE scoring_model_version = '1.0.0' AND index_score >= 75 AND index_score < 80",
    )
    scores = exact(viewer.get(f"{API}/scores", params={"model": "1.1.0", "limit": 100}))["scores"]
    assert moved > 0
    assert thriving(after["rows"]) >= thriving(old) + moved
    between = [s["band"] for s in scores if s["index_score"] and 75 <= s["index_score"] < 80]
    assert {band.lower() for band in between} == {"thriving"}


def test_phase_5_up_search_and_down(
    samples: Samples,
    connections: Any,
    viewer: Any,
    connect_postgres: Connect,
    approved: Approved,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from trueup_airflow.api import stores

    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "home"))
    uris = samples.databases(schema_sample, platform_schema.connections)
    for conn_id, uri in uris.items():
        connect_postgres(conn_id, uri)
    search = {"q": "young cats", "limit": 2}
    assert viewer.get(f"{API}/documents/search", params=search).json()["type"].endswith("phase-missing")
    stores.forget()  # as it does by itself a minute later: a database in use is not copied by its files for the rehearsal
    assert approved("platform_schema", target_phase=5) == "success"
    texts = ("The cat sleeps on the sofa.", "Invoices are due within thirty days.", "A kitten plays with wool.")
    values = ", ".join(f"(gen_random_uuid(), '{n}.txt', '{text}')" for n, text in enumerate(texts))
    run_sql(
        uris["socrates_specs_postgres"],
        f"INSERT INTO knowledge_base_documents (user_id, filename, content) VALUES {values}",
    )
    with ExitStack() as people:
        asked = [people.enter_context(answering("knowledge_embeddings", "Approve")) for _ in range(2)]
        assert run("knowledge_embeddings").state == "success"
    assert [question["task_instance"]["task_id"] for (question,) in asked] == ["approve_cost", "approve"]
    found = viewer.get(f"{API}/documents/search", params=search).json()["documents"]
    assert {each["filename"] for each in found} == {"0.txt", "2.txt"}
    stores.forget()
    with answering("platform_schema", "Approve", "they are backed up") as down:
        assert run("platform_schema", target_phase=4).state == "success"
    assert "knowledge_base_documents (3 rows)" in down[0]["body"]
    assert viewer.get(f"{API}/documents/search", params=search).status_code == 503
