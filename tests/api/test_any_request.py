"""Whatever is asked of the API, its answer is one that is described, no error of ours, and a bad request writes nothing."""

from __future__ import annotations

import copy
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable

from include.embedded import postgres
from include.migrations.checkins import sample as checkins_sample
from include.migrations.checkins.migration import migration as checkins_migration
from include.migrations.knowledge_embeddings import sample as documents_sample
from include.migrations.kpi_linking import sample as kpis_sample
from include.migrations.scoring_results import sample as results_sample
from include.trueup.stores.postgres import PostgresStore
from tests.harness import few_rows, items, new_database, run_sql, store_at
from tests.samples import Samples

from .conftest import Connect, client_of
from .test_openapi import ROUTES
from .test_results import session

BASE = "/trueup/api"
FEW, MANY = 3, 15
"""Requests of each kind that are made of an operation: of what is there, of what need not be, and that do not fit."""


@dataclass(frozen=True)
class Stores:
    """`contents` says all that is in stores that a route writes; `known` are things that are there, by the name of the
    parameter."""

    contents: Callable[[], Any]
    known: Mapping[str, str]


@pytest.fixture
def everything(
    samples: Samples, connections: Any, connect_postgres: Connect, surveys: str, postgres_server: postgres.Server
) -> Iterator[Stores]:
    """Every store that a route reads or writes, with its sample, for this test alone."""
    from trueup_airflow.api import usage

    results = samples.database(results_sample)
    connect_postgres("scoring_postgres", results)
    documents = new_database(postgres_server)
    PostgresStore(documents).script(documents_sample._SCHEMA)
    connect_postgres("socrates_specs_postgres", documents)
    with samples.engine(kpis_sample, few_rows) as kpis, samples.engine(checkins_sample) as checkins:
        connections("kpi_dynamodb", kpis.endpoint)
        connections("checkins_dynamodb", checkins.endpoint)
        names = (
            "profiles",
            "scoring_results",
            "scoring_results_types",
            "scoring_results_functions",
            "scoring_results_state",
        )
        held = " UNION ALL ".join(
            f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {name} t" for name in names
        )
        store_at(checkins.endpoint).create(checkins_migration.target("responses").table)  # the index that its run adds
        store, kpi = store_at(checkins.endpoint), items(store_at(kpis.endpoint), "purposepath-kpis")[0]

        def contents() -> Any:
            return run_sql(results, held), *(items(store, name) for name in ("check-in-assignments", "form-responses"))

        known = {
            "session_id": session(),
            "client_id": "client-000-000",
            "tenant_id": kpi["tenant_id"]["S"],
            "kpi_id": kpi["id"]["S"],
            "migration_id": "checkins",
            "id": "scoring_results",
        }
        yield Stores(contents, known)
        usage.RECORDER.forget()


@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_every_answer_is_described_and_a_bad_request_writes_nothing(
    examples: int, everything: Stores, application: Any
) -> None:
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    asked = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
        checks.negative_data_rejection,
        checks.ignored_auth,
    ]
    person = client_of(application, "ursula", "user")
    headers = {"Authorization": person.headers["Authorization"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_asgi(f"{BASE}/openapi.json", application, headers=headers)
    operations = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]
    assert (
        {each.path for each in operations}
        == {*schema.raw_schema["paths"]} - {"/openapi.json"}
        == ROUTES - {"/openapi.json"}
    )
    answered: dict[str, set[int]] = {each.label: set() for each in operations}
    wrong: list[BaseException] = []
    for operation in operations:
        fits, not_fitting = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
        known = {each.name: everything.known.get(each.name, "x") for each in operation.path_parameters}
        for mode, of in ((fits, known), (fits, None), (not_fitting, None)):
            if of == {}:
                continue
            strategy = operation.as_strategy(mode, path_parameters=of)

            @settings(
                max_examples=examples,
                derandomize=True,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.explicit, Phase.generate],
            )
            @given(case=strategy)
            def ask(case: Any) -> None:
                # Starlette mounts no address with a line break: it is Airflow that answers such a one
                assume("\n" not in unquote("".join(map(str, case.path_parameters.values()))))
                fitting = case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE
                if fitting and case.operation.definition.raw["operationId"] == "put_results_v2":
                    agreeing(case.body, case.path_parameters["session_id"])
                before = None if case.method == "GET" else everything.contents()
                answer = case.call_and_validate(headers=headers, checks=asked)
                answered.setdefault(case.operation.label, set()).add(answer.status_code)
                if before is not None and answer.status_code >= 400:
                    assert everything.contents() == before

            try:
                ask()
            except Unsatisfiable:  # it asks for nothing that could be wrong
                assert mode is not_fitting
            except (Exception, BaseExceptionGroup) as error:
                wrong.append(error)
    if wrong:
        raise BaseExceptionGroup("of each operation, what was wrong first", wrong)
    assert answered["PUT /v2/results/{session_id}"] & {200, 201}, "none of the bodies that fit was taken"
    reads = {label: statuses for label, statuses in answered.items() if label.startswith("GET ")}
    assert {label for label, statuses in reads.items() if 200 not in statuses} == {"GET /v2/migrations/{id}/rows"}


def agreeing(payload: dict[str, Any], id: str) -> None:
    """Have a payload that fits its schema say the same of its session and version everywhere, and of each code once: what a
    schema cannot say."""
    payload["session"]["id"] = payload["profile"]["session_id"] = id
    payload["results_version"] = payload["profile"]["results_version"] = payload["version"]
    for rows, code in (("types", "type_code"), ("functions", "func_code")):
        payload[rows] = list({row[code]: row for row in payload[rows]}.values())


NOBODY = "00000000-0000-0000-0000-000000000000"
LONG = "x" * 2_049
FITS = {"answers": {}, "id": "r-new"}
BAD: dict[str, list[tuple[str, dict[str, Any] | None, int]]] = {
    "GET /v1/clients/{client_id}/assignments": [(f"/v1/clients/{LONG}/assignments", None, 422)],
    "GET /v1/results/{session_id}": [("/v1/results/one", None, 422), (f"/v1/results/{NOBODY}", None, 404)],
    "GET /v1/scores": [("/v1/scores?survey_id=one", None, 422), ("/v1/scores?limit=0", None, 422)],
    "GET /v1/tenants/{tenant_id}/kpis/{kpi_id}": [
        (f"/v1/tenants/{LONG}/kpis/k", None, 422),
        ("/v1/tenants/t/kpis/k", None, 404),
    ],
    "GET /v2/clients/{client_id}/assignments": [
        ("/v2/clients/c/assignments?limit=101", None, 422),
        ("/v2/clients/c/assignments?cursor=none", None, 422),
    ],
    "GET /v2/deprecations": [("/v2/deprecations?limit=many", None, 422)],
    "GET /v2/documents/search": [("/v2/documents/search?q=%20", None, 422)],
    "GET /v2/migrations/{id}/rows": [
        ("/v2/migrations/checkins/rows?key=1", None, 422),
        ("/v2/migrations/nothing/rows?key=1&source=x", None, 404),
    ],
    "GET /v2/results/{session_id}": [("/v2/results/one", None, 422), (f"/v2/results/{NOBODY}", None, 404)],
    "GET /v2/scores": [("/v2/scores?model=9.9.9", None, 422), ("/v2/scores?cursor=none", None, 422)],
    "GET /v2/scores/distribution": [("/v2/scores/distribution?by=week", None, 422)],
    "GET /v2/switches/{migration_id}": [("/v2/switches/nothing", None, 404)],
    "GET /v2/tenants/{tenant_id}/kpis/{kpi_id}": [
        (f"/v2/tenants/t/kpis/{LONG}", None, 422),
        ("/v2/tenants/t/kpis/k", None, 404),
    ],
    "POST /v2/clients/{client_id}/assignments": [
        ("/v2/clients/c/assignments", {}, 422),
        ("/v2/clients/c/assignments", {"formId": "f", "totalWeeks": 0, "dueDate": "soon"}, 422),
        ("/v2/clients/{client_id}/assignments", {"formId": "{form}", "totalWeeks": 2, "dueDate": "2026-02-02"}, 409),
    ],
    "POST /v2/clients/{client_id}/assignments/{id}/responses": [
        ("/v2/clients/c/assignments/a/responses", {}, 422),
        ("/v2/clients/c/assignments/a/responses", FITS, 404),
        ("/v2/clients/{client_id}/assignments/{assignment}/responses", {**FITS, "id": "{response}"}, 409),
    ],
    "PUT /v2/results/{session_id}": [
        (f"/v2/results/{NOBODY}", {}, 422),
        (f"/v2/results/{NOBODY}", {"payload of": NOBODY}, 409),
        (f"/v2/results/{NOBODY}", {"payload of": "the session"}, 422),
    ],
    "GET /docs/{name}": [("/docs/nothing.js", None, 404)],
}
"""Of each route with something that can be wrong: an address, what is brought along, and the status of the answer."""
NOTHING_WRONG = {"GET /openapi.json", "GET /docs"}
"""Routes that take nothing; they, and the files of the page, are for all who are signed in."""


def test_every_route_refuses_what_is_wrong_with_a_reason_and_writes_nothing(
    everything: Stores, application: Any
) -> None:
    from trueup_airflow.api.app import app

    routes = {
        f"{method} {route.path}" for route in app.routes if isinstance(route, APIRoute) for method in route.methods
    }
    assert BAD.keys() | NOTHING_WRONG == routes, "a new route says here what is wrong with a request"
    person = client_of(application, "ursula", "user")
    client, payload = everything.known["client_id"], person.get(f"{BASE}/v2/results/{session()}").json()
    stored = person.get(f"{BASE}/v2/clients/{client}/assignments").json()["assignments"]
    done = next(each for each in stored if each["status"] == "completed")
    other = next(each["id"]["S"] for each in everything.contents()[2] if each["id"]["S"] != done["responseId"])
    there = {
        "{client_id}": client,
        "{form}": done["formId"],
        "{assignment}": quote(done["id"], safe=""),
        "{response}": other,
    }

    before = everything.contents()
    for route, address, body, status in wrong(payload, there):
        answer = person.request(route.split()[0], f"{BASE}{address}", json=body)
        assert answer.status_code == status, (route, body, answer.text)
        problem = answer.json()
        assert problem["detail"] != problem["title"], route
        assert len(problem["detail"]) > 10, route
    for route in routes:
        method, _, path = route.partition(" ")
        url = f"{BASE}{re.sub(r'{[^}]*}', 'x', path)}"
        assert client_of(application).request(method, url).status_code == 401, route
        open_to_all = path == "/openapi.json" or path.startswith("/docs")
        if not open_to_all:
            answer = client_of(application, "nobody", None).request(method, url)
            assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden"), route
        if method != "GET":
            assert client_of(application, "vera", "viewer").request(method, url).status_code == 403, route
    assert everything.contents() == before


def wrong(payload: dict[str, Any], there: Mapping[str, str]) -> Iterator[tuple[str, str, Any, int]]:
    """Of each request of `BAD` the route, address, body and status, with what is there filled in."""
    for route, requests in BAD.items():
        for address, asked, status in requests:
            body: Any = copy.deepcopy(payload) if asked and "payload of" in asked else asked
            if asked and asked.get("payload of") == NOBODY:
                agreeing(body, NOBODY)
            text = json.dumps([address, body])
            for name, value in there.items():
                text = text.replace(name, value)
            yield route, *json.loads(text), status
