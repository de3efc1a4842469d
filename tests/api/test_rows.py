"""What became of a row, over the API: by its source or its target, of the last run that accounted for it, and every refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from include.migrations.scoring_results import sample
from include.migrations.scoring_results.migration import migration
from include.trueup.run.workspace import Workspace
from tests.samples import Samples

from .conftest import Client, Connect

ROWS = "/trueup/api/v2/migrations/scoring_results/rows"
MEMBERS = {"run", "source", "key", "fate", "rule", "targets", "findings"}


@pytest.fixture
def lead(monkeypatch: pytest.MonkeyPatch, connect_postgres: Connect) -> Iterator[Any]:
    """Lead the API to a ledger and a workspace."""
    from trueup_airflow import connections

    def forget() -> None:
        connections.ledger.cache_clear()
        connections.workspace.cache_clear()

    def to(ledger_uri: str, workspace: Workspace) -> None:
        connect_postgres("trueup_ledger", ledger_uri)
        monkeypatch.setenv("TRUEUP_WORKSPACE", workspace.uri)
        forget()

    yield to
    forget()


def rejected() -> tuple[str, str]:
    """The session and the type of a row of the sample whose session has no profile."""
    profiles = {row["session_id"] for row in sample.rows()["profiles"]}
    row = next(row for row in sample.rows()["scoring_results_types"] if row["session_id"] not in profiles)
    return str(row["session_id"]), str(row["type_code"])


def test_what_became_of_rows(samples: Samples, lead: Any, viewer: Any, signed_in: Client) -> None:
    with samples.migrated(migration, sample) as made:
        lead(made.ledger._engine.url.render_as_string(hide_password=False), made.workspace)
        written = str(sample.rows()["assessment_sessions"][1]["id"])
        got = viewer.get(ROWS, params={"source": "profiles", "key": written}).json()
        assert got.keys() == MEMBERS
        assert (got["run"], got["source"], got["key"], got["fate"], got["rule"]) == (
            "first",
            "profiles",
            written,
            "written",
            None,
        )
        assert got["targets"] == [{"table": "scoring_results", "key": written, "verb": "add"}]

        # by its target, it comes from what several tables make together
        by_target = viewer.get(ROWS, params={"target": "scoring_results", "key": written}).json()
        assert by_target == {**got, "source": "assessment sessions with scoring rows"}
        assert viewer.get(ROWS, params={"target": "results", "key": written}).json() == by_target

        # a rejected row, by a key of two columns
        session, code = rejected()
        key = json.dumps([session, code])
        got = viewer.get(ROWS, params={"source": "types", "key": key}).json()
        assert (got["fate"], got["rule"], got["targets"], json.loads(got["key"])) == (
            "rejected",
            "no_profile",
            [],
            [session, code],
        )
        assert [(one["code"], one["severity"], one["key"]) for one in got["findings"]] == [
            ("no_profile", "reject", session)
        ]

        for parameters, status, said in (
            ({"source": "types", "key": session}, 422, "session_id, type_code"),
            ({"source": "types", "key": '["a"]'}, 422, "JSON array"),
            ({"key": session}, 422, "source, or target"),
            ({"source": "profiles", "target": "results", "key": session}, 422, "one of the two"),
            ({"source": "profiles"}, 422, "key"),
            ({"source": "profiles", "key": "x" * 2_001}, 422, "2000"),
            ({"source": "nothing", "key": session}, 404, "source 'nothing'"),
            ({"target": "<b>", "key": session}, 404, "target '<b>'"),
            ({"source": "profiles", "key": "<script>/\u202eü"}, 404, "1 of 1 runs were looked at"),
            ({"source": "assessment_sessions", "key": session}, 404, "phase of scoring_results"),
        ):
            answer = viewer.get(ROWS, params=parameters)
            assert (answer.status_code, said in answer.json()["detail"]) == (status, True), (parameters, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"

    asked = {"source": "profiles", "key": "x"}
    assert signed_in().get(ROWS, params=asked).status_code == 401
    assert signed_in("nobody").get(ROWS, params=asked).status_code == 403
    assert signed_in("nobody").get(ROWS.replace("scoring_results", "nothing"), params=asked).status_code == 403
    for id, said in (("nothing", "migration 'nothing'"), ("platform_schema", "changes schemas"), ("..", "")):
        answer = viewer.get(ROWS.replace("scoring_results", id), params=asked)
        assert (answer.status_code, said in answer.text) == (404, True)
