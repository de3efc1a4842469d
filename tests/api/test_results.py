"""Results in both versions: the same session as rows and as a payload, exact, as the switch says; and every error."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from jsonschema import Draft202012Validator

from include.embedded import postgres
from include.embedded.ports import is_free
from include.migrations.scoring_results import sample
from include.migrations.scoring_results.payload import validator
from include.migrations.scoring_results.serving import persist_results
from include.trueup.errors import OptionsError
from include.trueup.rows.values import json_text, json_value
from tests.harness import new_database, run_sql

from .conftest import Client, Connect, exact

V1, V2 = "/trueup/api/v1/results", "/trueup/api/v2/results"
SCORED, LONG = 1, sample.LONG_NUMBERS


def session(number: int = SCORED) -> str:
    """The id of a session of the sample."""
    return str(sample.rows()["assessment_sessions"][number]["id"])


@pytest.fixture
def database(results: str) -> Iterator[psycopg.Connection]:
    """A connection to the sample, in a time zone that is not UTC."""
    with psycopg.connect(results, autocommit=True) as made:
        made.execute("SET TIME ZONE 'Asia/Kolkata'")
        yield made


def rows(database: psycopg.Connection, table: str, id: str, order: str = "1", key: str = "session_id") -> list[Any]:
    """The rows of a legacy table, as JSON values."""
    query = f"SELECT to_jsonb(t)::text FROM {table} t WHERE {key} = %s ORDER BY {order}"
    return [json_value(row) for (row,) in database.execute(query.encode(), [id])]


def every(client: Any) -> list[str]:
    """The sessions of the sample that have results."""
    typed = {row["session_id"] for row in sample.rows()["scoring_results_types"]}
    return sorted(typed & {row["session_id"] for row in sample.rows()["profiles"]})


def test_version_1_gives_the_rows_that_the_tables_have(viewer: Any, database: psycopg.Connection) -> None:
    for id in [session(), session(LONG), *every(viewer)[::40]]:
        said = exact(viewer.get(f"{V1}/{id}"))
        (profile,) = rows(database, "profiles", id)
        assert said["profile"] == {k: v for k, v in profile.items() if k not in ("created_at", "updated_at")}
        assert said["types"] == rows(database, "scoring_results_types", id, 'rank NULLS LAST, type_code COLLATE "C"')
        assert said["functions"] == rows(database, "scoring_results_functions", id, 'func_code COLLATE "C"')
        assert [said["state"]] == (rows(database, "scoring_results_state", id) or [None])
        (there,) = rows(database, "assessment_sessions", id, key="id")
        assert {**said["session"], "id": id} == said["session"]
        assert said["session"]["status"] == there["status"]
        assert said["session"]["completed_at"].endswith("+00:00")


def test_version_2_gives_the_payload_with_every_digit(viewer: Any, results: str) -> None:
    answer = viewer.get(f"{V2}/{session(LONG)}")
    assert "0.12345678901234567890123456789012345678" in answer.text
    assert "-0.000000000000000000000000000000000001" in answer.text
    said = exact(answer)
    assert list(said) == sorted(said)
    old = exact(viewer.get(f"{V1}/{session(LONG)}"))
    assert said["profile"] == old["profile"]
    assert [{**row, "session_id": session(LONG)} for row in said["types"]] == old["types"]
    assert Decimal("98765432109876543210.5") in [row["fit"] for row in said["types"]]
    assert answer.headers["cache-control"] == "private, no-cache"
    again = viewer.get(f"{V2}/{session(LONG)}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    assert again.headers["cache-control"] == "private, no-cache"
    assert viewer.get(f"{V2}/{session()}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 200
    assert "deprecation" not in answer.headers


def test_a_session_without_state_has_null_in_version_1_and_an_empty_object_in_version_2(
    viewer: Any, results: str
) -> None:
    id = session(next(iter(sample.NO_STATE)))
    assert viewer.get(f"{V1}/{id}").json()["state"] is None
    assert viewer.get(f"{V2}/{id}").json()["state"] == {}


def test_the_switch_says_which_shape_is_read_first(
    viewer: Any, database: psycopg.Connection, turn: Callable[[str, str], None]
) -> None:
    id = session()
    payload = {**viewer.get(f"{V2}/{id}").json(), "version": "of the unified row"}
    put = "INSERT INTO scoring_results (session_id, scoring_version, payload) VALUES (%s, 'v', %s::jsonb)"
    database.execute(put.encode(), [id, json_text(payload)])
    try:
        assert viewer.get(f"{V2}/{id}").json()["version"] != "of the unified row"
        turn("scoring_results", "dual")
        assert viewer.get(f"{V2}/{id}").json()["version"] == "of the unified row"
        turn("scoring_results", "new")
        assert viewer.get(f"{V2}/{id}").json()["version"] == "of the unified row"
    finally:
        database.execute("DELETE FROM scoring_results WHERE session_id = %s", [id])
    assert viewer.get(f"{V2}/{id}").status_code == 404  # the legacy tables are not looked at any more


def test_settings_that_say_nothing_are_an_error() -> None:
    from include.migrations.scoring_results.serving import read_from, write_exploded

    assert write_exploded({"scoring_results.write_exploded": False}) is False
    with pytest.raises(OptionsError, match="write_exploded is 'no'"):
        write_exploded({"scoring_results.write_exploded": "no"})
    with pytest.raises(OptionsError, match="read_from is None"):
        read_from({})


def test_results_are_stored_where_the_switch_says(
    viewer: Any, signed_in: Client, database: psycopg.Connection, turn: Callable[[str, str], None]
) -> None:
    id, scorer = session(2), signed_in("olive", "op")
    before = exact(viewer.get(f"{V2}/{id}"))
    payload = copy.deepcopy(before)
    payload["profile"]["confidence"] = Decimal("0.1234567890123456789012345678901")
    payload["state"]["blocks"] = {"deep": [1, {"a": Decimal("2.50")}]}
    assert viewer.put(f"{V2}/{id}", content=json_text(payload)).status_code == 403
    assert signed_in().put(f"{V2}/{id}", content=json_text(payload)).status_code == 401
    stored = scorer.put(f"{V2}/{id}", content=json_text({**payload, "types": payload["types"][::-1]}))
    try:
        assert stored.status_code == 201, stored.text
        assert exact(stored) == exact(viewer.get(f"{V2}/{id}")) == payload
        assert rows(database, "profiles", id)[0]["confidence"] == payload["profile"]["confidence"]
        assert scorer.put(f"{V2}/{id}", content=json_text(payload)).status_code == 200
        turn("scoring_results", "dual")
        turn("scoring_results", "new")
        payload["profile"]["confidence"] = Decimal("0.5")
        assert scorer.put(f"{V2}/{id}", content=json_text(payload)).status_code == 200
        assert exact(viewer.get(f"{V2}/{id}")) == payload
        assert rows(database, "profiles", id)[0]["confidence"] != payload["profile"]["confidence"]
    finally:
        with database.transaction():
            persist_results(database, before, write_exploded=True)
        database.execute("DELETE FROM scoring_results WHERE session_id = %s", [id])


HOSTILE: list[tuple[bytes, int, str]] = [
    (b"", 422, ""),
    (b"{", 422, ""),
    (b"[]", 422, ""),
    (b"\xff\xfe", 422, ""),
    (b"[" * 50_000, 422, ""),
    (b'{"state": {"blocks": 1e999999}}', 422, ""),
    (b'{"state": {"blocks": NaN}}', 422, ""),
    (b'{"state": {"blocks": "\\ud800"}}', 422, ""),
    (b" " * 1_048_577, 413, ""),
]


@pytest.mark.parametrize(("body", "status", "pointer"), HOSTILE, ids=lambda each: str(each)[:12])
def test_what_is_no_payload_is_refused_and_nothing_is_written(
    signed_in: Client, database: psycopg.Connection, body: bytes, status: int, pointer: str
) -> None:
    id = session()
    answer = signed_in("olive", "op").put(f"{V2}/{id}", content=body)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert database.execute("SELECT 1 FROM scoring_results WHERE session_id = %s", [id]).fetchone() is None


def test_what_may_be_put_is_described_by_the_schema_that_judges_it(viewer: Any, results: str) -> None:
    put = viewer.get("/trueup/api/openapi.json").json()["paths"]["/v2/results/{session_id}"]["put"]
    described = Draft202012Validator(put["requestBody"]["content"]["application/json"]["schema"])
    payload = viewer.get(f"{V2}/{session()}").json()
    assert described.is_valid(payload)
    assert validator().is_valid(payload)
    for path, value in (
        (("types",), []),
        (("types", 0, "rank"), 2**31),
        (("types", 0, "more"), 1),
        (("functions", 0, "dimension"), "1"),
        (("profile", "created_at"), "2026-01-01T00:00:00Z"),
        (("state",), {"blocks": 1}),
        (("session", "id"), "x"),
        (("session", "started_at"), "yesterday"),
        (("session", "started_at"), "2026-13-01T00:00:00Z"),
        (("session", "completed_at"), "2026-01-01T25:00:00Z"),
        (("more",), 1),
    ):
        wrong = copy.deepcopy(payload)
        place = wrong
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert not validator().is_valid(wrong), path
        assert not described.is_valid(wrong), path
    assert "$ref" not in json_text(put["requestBody"])


def test_a_payload_is_of_the_session_of_its_address_which_is_there(
    viewer: Any, signed_in: Client, database: psycopg.Connection
) -> None:
    scorer, payload = signed_in("olive", "op"), exact(viewer.get(f"{V2}/{session()}"))
    other = scorer.put(f"{V2}/{session(2)}", content=json_text(payload))
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/session/id")
    for at in ("2026-02-30T00:00:00Z", "2025-02-29T00:00:00+00:00", "0001-02-30T00:00:00Z BC"):
        wrong = copy.deepcopy(payload)
        wrong["session"]["completed_at"] = at
        said = scorer.put(f"{V2}/{session()}", content=json_text(wrong))
        assert (said.status_code, said.json()["errors"][0]["pointer"]) == (422, "/session/completed_at"), at
    wrong = copy.deepcopy(payload)
    wrong["types"][2]["share"] = "half"
    del wrong["functions"][0]["dimension"]
    said = scorer.put(f"{V2}/{session()}", content=json_text(wrong))
    assert said.status_code == 422
    assert {each["pointer"] for each in said.json()["errors"]} == {"/types/2/share", "/functions/0"}
    wrong = copy.deepcopy(payload)
    wrong["profile"]["confidence"] = Decimal("1e-20000")  # PostgreSQL has no such digit
    assert scorer.put(f"{V2}/{session()}", content=json_text(wrong)).status_code == 422
    nobody = str(uuid4())
    payload["session"]["id"] = payload["profile"]["session_id"] = nobody
    absent = scorer.put(f"{V2}/{nobody}", content=json_text(payload))
    assert (absent.status_code, absent.json()["type"]) == (409, "urn:problem-type:trueup:no-session")
    assert database.execute("SELECT count(*) FROM scoring_results").fetchone() == (4,)
    assert scorer.delete(f"{V2}/{session()}").status_code == 405


def test_version_1_says_on_every_answer_that_it_is_deprecated(
    viewer: Any, signed_in: Client, results: str, caplog: pytest.LogCaptureFixture
) -> None:
    id, unknown = session(), str(uuid4())
    statuses = {}
    for client, asked, method in (
        (viewer, id, "GET"),
        (viewer, unknown, "GET"),
        (viewer, "no uuid", "GET"),
        (viewer, id, "POST"),
        (signed_in(), id, "GET"),
        (signed_in("nobody", None), id, "GET"),
    ):
        answer = client.request(method, f"{V1}/{asked}")
        statuses[answer.status_code] = answer
        assert answer.headers["deprecation"] == "@1795132800"
        assert answer.headers["sunset"] == "Tue, 30 Nov 2027 00:00:00 GMT"
        assert answer.headers["link"] == f'<{V2}/{asked.replace(" ", "%20")}>; rel="successor-version"'
    assert set(statuses) == {200, 404, 422, 405, 401, 403}

    with caplog.at_level(logging.WARNING, logger="trueup_airflow.api.deprecation"):
        viewer.get(f"{V1}/{id}")
        signed_in("ursula", "user").get(f"{V1}/{id}")
        signed_in("ursula", "user").get(f"{V1}/{id}")
        signed_in("ursula", "user").get(f"{V2}/{id}")
    warned = [json_value(r.message) for r in caplog.records if r.name == "trueup_airflow.api.deprecation"]
    assert [said["client"] for said in warned] == ["vera", "ursula"]


def test_the_errors_are_problems_that_say_what_to_do(viewer: Any, signed_in: Client, results: str) -> None:
    unknown = viewer.get(f"{V2}/{uuid4()}").json()
    assert unknown["type"] == "urn:problem-type:trueup:no-results"
    assert "score it first" in unknown["detail"]
    invalid = viewer.get(f"{V2}/12").json()
    assert [(e["in"], e["parameter"]) for e in invalid["errors"]] == [("path", "session_id")]
    assert signed_in().get(f"{V2}/12").status_code == 401  # before anything is said about the request
    assert signed_in("nobody", None).get(f"{V2}/{session()}").json()["title"] == "Forbidden"
    assert viewer.delete(f"{V2}/{session()}").headers["allow"] == "GET"
    broken = signed_in()
    broken.cookies.set("_token", "garbage")
    assert broken.get(f"{V2}/{session()}").status_code in (401, 403)


def test_a_database_that_is_down_is_503_and_says_nothing_of_where_it_is(
    viewer: Any, results: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = next(port for port in range(19_000, 19_100) if is_free(port))
    down = f'{{"conn_type": "postgres", "host": "127.0.0.1", "port": {port}, "login": "who", "password": "hush"}}'
    for connection in ("scoring_postgres", "trueup_ledger"):
        with monkeypatch.context() as patch:
            patch.setenv(f"AIRFLOW_CONN_{connection.upper()}", down)
            _forget()
            answer = viewer.get(f"{V1}/{session()}")
            assert answer.status_code == 503, connection
            assert answer.headers["retry-after"] == "10"
            assert not [word for word in ("hush", "who", str(port), "Traceback") if word in answer.text]
        _forget()
    assert viewer.get(f"{V1}/{session()}").status_code == 200


def test_what_nobody_foresaw_is_500_without_its_words(
    viewer: Any, results: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("include.migrations.scoring_results.routes.results_of", lambda *_: 1 / 0)
    answer = viewer.get(f"{V1}/{session()}")
    assert answer.status_code == 500
    assert "deprecation" in answer.headers
    assert "division" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_before_the_migration_has_run_the_legacy_tables_answer(
    viewer: Any, postgres_server: postgres.Server, connect_postgres: Connect, results: str
) -> None:
    empty = new_database(postgres_server)
    connect_postgres("scoring_postgres", empty)
    _forget()
    assert viewer.get(f"{V2}/{session()}").status_code == 503  # no tables at all
    run_sql(results, "ALTER TABLE scoring_results RENAME TO put_away")
    try:
        connect_postgres("scoring_postgres", results)
        _forget()
        assert viewer.get(f"{V2}/{session()}").status_code == 200
        assert viewer.get(f"{V2}/{uuid4()}").status_code == 404
    finally:
        run_sql(results, "ALTER TABLE put_away RENAME TO scoring_results")


def _forget() -> None:
    from trueup_airflow import connections
    from trueup_airflow.api import stores

    stores.forget()
    connections.ledger.cache_clear()
