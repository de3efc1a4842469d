"""Scores under a version of the scoring model: whole lists by pages, each row naming its version."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.rows.values import json_value
from tests.harness import new_database, run_sql

from .conftest import Client, Connect, exact

SCORES = "/trueup/api/v2/scores"


def pages(client: Any, **asked: Any) -> list[list[Any]]:
    """Every page of a list."""
    found, cursor = [], None
    while True:
        answer = client.get(SCORES, params={**asked, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        said = exact(answer)
        found.append(said["scores"])
        cursor = said["next_cursor"]
        if cursor is None:
            return found


def as_json(uri: str, query: str) -> list[Any]:
    """The rows of a query, as JSON values."""
    return [
        json_value(row) for (row,) in run_sql(uri, f"SELECT to_jsonb(t)::text FROM ({query}) t ORDER BY t.response_id")
    ]


def test_each_response_has_its_score_under_the_version_that_was_asked_for(viewer: Any, surveys: str) -> None:
    found = pages(viewer, model="1.1.0", limit=100)
    assert [len(page) for page in found[:-1]] == [100] * (len(found) - 1)
    rows = [row for page in found for row in page]
    assert {row["scoring_model_version"] for row in rows} == {"1.1.0"}
    wanted = as_json(surveys, "SELECT * FROM response_scores_under('1.1.0')")
    own = ("response_id", "scoring_model_version", "index_score", "band", "dimension_scores")
    assert [{name: row[name] for name in own} for row in rows] == [{name: row[name] for name in own} for row in wanted]
    assert [(len(wanted),)] == run_sql(surveys, "SELECT count(*) FROM survey_responses")


def test_as_recorded_each_has_its_own_version(viewer: Any, surveys: str) -> None:
    rows = [row for page in pages(viewer, limit=100) for row in page]
    wanted = as_json(surveys, "SELECT * FROM response_scores_as_recorded")
    assert [{**row, "submitted_at": None} for row in rows] == [{**row, "submitted_at": None} for row in wanted]
    assert {row["scoring_model_version"] for row in rows} == {"1.0.0", "1.1.0", "2.0.0", None}
    assert rows == [row for page in pages(viewer, model="as_recorded", limit=99) for row in page]
    instants = run_sql(
        surveys, "SELECT id::text, extract(epoch FROM submitted_at)::text FROM survey_responses LIMIT 50"
    )
    by_id = {row["response_id"]: row["submitted_at"] for row in rows}
    for id, epoch in instants:
        assert run_sql(surveys, f"SELECT extract(epoch FROM '{by_id[id]}'::timestamptz)::text") == [(epoch,)]


def test_version_1_has_them_as_recorded_without_the_version(viewer: Any, surveys: str) -> None:
    first = exact(viewer.get(SCORES, params={"limit": 7}))
    old = viewer.get(SCORES.replace("v2", "v1"), params={"limit": 7})
    said = exact(old)
    assert old.headers["sunset"]
    assert said["next_cursor"] == first["next_cursor"]
    kept = ("survey_id", "submitted_at", "dimension_scores", "index_score", "band")
    assert said["scores"] == [{"id": row["response_id"], **{k: row[k] for k in kept}} for row in first["scores"]]


def test_a_survey_alone(viewer: Any, surveys: str) -> None:
    ((survey, count),) = run_sql(
        surveys, "SELECT survey_id::text, count(*) FROM survey_responses GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    )
    rows = [row for page in pages(viewer, survey_id=survey, limit=100) for row in page]
    assert len(rows) == count
    assert {row["survey_id"] for row in rows} == {survey}


@pytest.mark.parametrize("by", ["month", "survey"])
def test_the_distribution_counts_the_same_responses_recorded_and_under_a_version(
    viewer: Any, surveys: str, by: str
) -> None:
    found = viewer.get(f"{SCORES}/distribution", params={"model": "1.1.0", "by": by}).json()
    assert (found["model"], found["by"]) == ("1.1.0", by)
    recorded, under = found["as_recorded"], found["rows"]
    assert {row["version"] for row in under} == {"1.1.0"}
    assert {row["version"] for row in recorded} == {"1.0.0", "1.1.0", "2.0.0", None}
    ((all_of_them,),) = run_sql(surveys, "SELECT count(*) FROM survey_responses")
    assert sum(r["responses"] for r in recorded) == sum(r["responses"] for r in under) == all_of_them
    assert {r["period"] for r in recorded} == {r["period"] for r in under}
    thriving = {
        name: sum(r["responses"] for r in rows if r["band"] == "Thriving")
        for name, rows in found.items()
        if name in ("rows", "as_recorded")
    }
    assert thriving["rows"] > thriving["as_recorded"]  # 75 and not 80
    asked = {"month": "to_char(submitted_at AT TIME ZONE 'UTC', 'YYYY-MM')", "survey": "survey_id::text"}[by]
    oracle = run_sql(
        surveys, f"SELECT {asked}, band, scoring_model_version, count(*) FROM survey_responses GROUP BY 1, 2, 3"
    )
    assert {(r["period"], r["band"], r["version"], r["responses"]) for r in recorded} == set(oracle)
    plain = viewer.get(f"{SCORES}/distribution", params={"by": by}).json()
    assert plain == {"model": "as_recorded", "by": by, "rows": recorded, "as_recorded": recorded}


def test_what_is_no_distribution(viewer: Any, surveys: str, signed_in: Client) -> None:
    for wrong in ({"model": "9.9.9"}, {"by": "week"}, {"model": "x" * 101}):
        assert viewer.get(f"{SCORES}/distribution", params=wrong).status_code == 422
    assert signed_in().get(f"{SCORES}/distribution").status_code == 401


def test_what_is_no_such_list(viewer: Any, surveys: str, signed_in: Client) -> None:
    unknown = viewer.get(SCORES, params={"model": "9.9.9"})
    assert unknown.status_code == 422
    assert unknown.json()["known_versions"] == ["1.0.0", "1.1.0", "2.0.0"]
    assert unknown.json()["type"] == "urn:problem-type:trueup:unknown-model"
    cursor = viewer.get(SCORES, params={"limit": 1}).json()["next_cursor"]
    others = [urlsafe_b64encode(text).decode() for text in (b"[]", b"{}", b'"x"', b"[1, null, null]", b"\xff", b"[[[")]
    for wrong in ("x", "é", "=", "%", *others):
        assert viewer.get(SCORES, params={"cursor": wrong}).json()["type"].endswith(":cursor-of-another-list"), wrong
    assert viewer.get(SCORES, params={"cursor": cursor, "limit": 2}).status_code == 200
    assert viewer.get(SCORES, params={"cursor": cursor, "model": "1.1.0"}).status_code == 422
    for name, value in (("limit", "0"), ("limit", "1001"), ("limit", "many"), ("survey_id", "1")):
        assert viewer.get(SCORES, params={name: value}).status_code == 422
    assert signed_in().get(SCORES).status_code == 401
    assert signed_in("nobody", None).get(SCORES).status_code == 403


@pytest.mark.parametrize("model", ["as_recorded", "1.1.0"])
def test_before_the_migration_has_run(
    viewer: Any, postgres_server: postgres.Server, connect_postgres: Connect, model: str
) -> None:
    connect_postgres("survey_postgres", new_database(postgres_server))
    answer = viewer.get(SCORES, params={"model": model})
    assert answer.status_code == 503
    assert "Run it first" in answer.json()["detail"]
