"""Whatever store an operation asks: when it cannot be reached, the answer is a 503 that says so and names no place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from include.embedded.settings import dynamodb_connection
from include.trueup.ledger import Ledger
from include.trueup.rows.values import json_text
from tests.harness import fastest_engine

from .conftest import Client, Connect, exact
from .test_openapi import ROUTES
from .test_results import session

BASE = "/trueup/api"
NOBODY = "127.0.0.1"
# port 1 is nobody's: connecting to it is refused at once
DYNAMODB = {
    "conn_type": "aws",
    "login": "key",
    "password": "hush",
    "extra": {
        "endpoint_url": f"http://{NOBODY}:1",
        "region_name": "us-east-1",
        "config_kwargs": {"retries": {"total_max_attempts": 1}},
    },
}
POSTGRES = {"conn_type": "postgres", "host": NOBODY, "port": 1, "login": "who", "password": "hush"}
S3 = {**DYNAMODB, "extra": {"endpoint_url": f"http://{NOBODY}:1", "region_name": "us-east-1"}}
STORES = {
    "scoring_postgres": POSTGRES,
    "survey_postgres": POSTGRES,
    "socrates_specs_postgres": POSTGRES,
    "kpi_dynamodb": DYNAMODB,
    "checkins_dynamodb": DYNAMODB,
}
PARTS = {"{session_id}": session(), "{migration_id}": "checkins", "{id}": "x"}
QUERIES = {
    "/v2/migrations/{id}/rows": {"source": "profiles", "key": "x"},
    "/v2/documents/search": {"q": "a"},
    "/v2/scores/distribution": {"model": "1.1.0"},
}
BODIES = {
    "/v2/clients/{client_id}/assignments": {"formId": "f", "totalWeeks": 2, "dueDate": "2026-03-02"},
    "/v2/clients/{client_id}/assignments/{id}/responses": {"answers": {"mood": 4}},
}
ASKS_NO_STORE = {"/openapi.json"}


UNREACHABLE, REFUSED, NOT_MADE = "does not answer", "does not let this server in", "do not exist yet"


def _path(template: str) -> str:
    parts = {**PARTS, "{id}": "scoring_results"} if template.startswith("/v2/migrations") else PARTS
    return BASE + re.sub(r"\{\w+\}", lambda found: parts.get(found[0], "x"), template)


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch, viewer: Any) -> Iterator[Callable[..., None]]:
    """Lead connections to where nobody is: all stores, and whichever a test names besides."""
    from trueup_airflow import connections
    from trueup_airflow.api import stores

    def forget() -> None:
        stores.forget()
        for cached in (connections.ledger, connections.workspace):
            cached.cache_clear()

    def lead(name: str, to: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(to))
        forget()

    for name, to in STORES.items():
        lead(name, to)
    yield lead
    monkeypatch.undo()
    forget()


def _unavailable(answer: Any, why: str = UNREACHABLE) -> None:
    """It says that a store is not to be had and why, and when to ask again, and nothing of where it is."""
    asked = f"{answer.request.method} {answer.request.url.path}"
    assert answer.status_code == 503, (asked, answer.text)
    problem = answer.json()
    assert (problem["title"], answer.headers["retry-after"]) == ("A store is not available", "10"), asked
    assert why in problem["detail"], (asked, problem)
    assert not [word for word in ("hush", "who", NOBODY, "absent", "Traceback") if word in answer.text], asked


def _every(client: Any, payload: str) -> dict[str, Any]:
    """The answer of every operation that asks a store, by its method and path."""
    description = client.get(f"{BASE}/openapi.json").json()
    assert set(description["paths"]) == ROUTES
    found = {}
    for template in sorted(ROUTES - ASKS_NO_STORE):
        for method in description["paths"][template]:
            asked: dict[str, Any] = {"params": QUERIES.get(template)}
            asked |= {"content": payload} if method == "put" else {"json": BODIES.get(template)}
            found[f"{method} {template}"] = client.request(method, _path(template), **asked)
    return found


@pytest.fixture
def payload(viewer: Any, results: str) -> str:
    """What may be stored of the session, read while its store is there."""
    return str(json_text(exact(viewer.get(f"{BASE}/v2/results/{session()}"))))


def test_every_operation_says_that_a_store_does_not_answer(
    payload: str, signed_in: Client, down: Callable[..., None]
) -> None:
    down("trueup_ledger", POSTGRES)
    for answer in _every(signed_in("ada", "admin"), payload).values():
        _unavailable(answer)


def test_every_operation_says_that_a_store_lets_nobody_in_or_has_no_tables(
    payload: str, signed_in: Client, down: Callable[..., None], connect_postgres: Connect
) -> None:
    for name in (name for name, to in STORES.items() if to is POSTGRES):
        connect_postgres(name, "postgresql:///absent")
    with fastest_engine() as engine:
        for name in (name for name, to in STORES.items() if to is DYNAMODB):
            down(name, json.loads(dynamodb_connection(engine.endpoint)))
        for asked, answer in _every(signed_in("ada", "admin"), payload).items():
            if "/kpis/" in asked or "/clients/" in asked:
                _unavailable(answer, NOT_MADE)
            elif "/results/" in asked or "/scores" in asked or "/documents/" in asked:
                _unavailable(answer, REFUSED)
            else:  # the ledger is there
                assert answer.status_code in (200, 404), asked


def test_what_became_of_a_row_lies_in_a_workspace_that_does_not_answer(
    signed_in: Client, down: Callable[..., None], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.begin("first", migration_id="scoring_results", dag_id="scoring_results", triggered_by="ada", options={})
    ledger.planned("first", "a" * 64, "b" * 64)
    monkeypatch.setenv("TRUEUP_WORKSPACE", "s3://bucket/trueup")
    down("trueup_workspace", S3)
    template = "/v2/migrations/{id}/rows"
    _unavailable(signed_in("vera", "viewer").get(_path(template), params=QUERIES[template]))
