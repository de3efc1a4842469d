"""Scoring results, from the dirty sample to the proven target, against an oracle that knows the contract only."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from include.migrations.scoring_results import sample
from include.migrations.scoring_results.migration import migration
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.run import Mode, Window
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, run_sql
from tests.samples import Samples

from .scoring_results_oracle import Expected, Row, expected, tables


@pytest.fixture
def uri(samples: Samples) -> str:
    """A database with the sample."""
    return samples.database(sample)


@pytest.fixture
def store(uri: str) -> PostgresStore:
    return PostgresStore(uri)


def unified(uri: str) -> dict[str, Row]:
    return {row["session_id"]: row for row in tables(uri).get("scoring_results", [])}


def findings(workspace: Workspace, run: str) -> set[tuple[str, str]]:
    lines = (workspace.read(f"runs/{run}/findings.csv") or b"").decode().splitlines()
    return {(row["key"], row["code"]) for row in csv.DictReader(lines)}


def oracle_of(uri: str) -> tuple[dict[str, list[Row]], dict[str, Row], Expected]:
    found = tables(uri)
    there = unified(uri)
    return found, there, expected(found, there)


def test_the_whole_migration_and_a_second_run_that_finds_nothing(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    before, there, oracle = oracle_of(uri)
    assert {code for _, code in oracle.findings} == {
        "no_profile", "incomplete_session", "no_state", "differs_from_legacy"
    }  # fmt: skip
    first = run_of(migration, ledger, workspace, lambda _: store, "first", partitions=3, segments=2)
    assert walk(first).status == "passed"
    assert unified(uri) == {**oracle.rows, **there}
    after = tables(uri)
    assert {t: r for t, r in after.items() if t != "scoring_results"} == {
        t: r for t, r in before.items() if t != "scoring_results"
    }
    assert findings(workspace, "first") == oracle.findings
    (phase,) = first.folder.read_json("report.json")["plan"]["phases"]
    assert phase["unaccounted"] == 0
    counts = {n: phase[n] for n in ("source_rows", "written", "kept", "rejected")}
    assert counts == {
        "source_rows": len(oracle.sessions),
        "written": len(oracle.rows),
        "kept": len(there),
        "rejected": len(oracle.rejected),
    }

    second = run_of(migration, ledger, workspace, lambda _: store, "second")
    assert walk(second).headline.startswith("Nothing to add")
    (phase,) = second.folder.read_json("report.json")["plan"]["phases"]
    assert {verb: n for verb, n in phase["rows"].items() if n} == {"keep": len(oracle.rows) + len(there)}
    # what the first run wrote is, by value and digit for digit, what the legacy tables give
    assert findings(workspace, "second") == oracle.findings
    assert unified(uri) == {**oracle.rows, **there}


def test_the_table_is_made_as_the_contract_says(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    run_sql(uri, "DROP TABLE scoring_results")
    walk(run_of(migration, ledger, workspace, lambda _: store))
    constraints = run_sql(
        uri, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'scoring_results'::regclass"
    )
    assert {"PRIMARY KEY (session_id)", "FOREIGN KEY (session_id) REFERENCES assessment_sessions(id)"} <= {
        d for (d,) in constraints
    }
    columns = run_sql(
        uri,
        "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
        " WHERE attrelid = 'scoring_results'::regclass AND attnum > 0 ORDER BY attnum",
    )
    assert columns == [
        ("session_id", "uuid", True),
        ("type_code", "text", False),
        ("confidence", "numeric", False),
        ("scoring_version", "text", True),
        ("payload", "jsonb", True),
        ("computed_at", "timestamp with time zone", False),
    ]
    indexed = run_sql(uri, "SELECT indexdef FROM pg_indexes WHERE tablename = 'scoring_results'")
    for column in ("type_code", "scoring_version"):
        assert any(f"({column})" in definition for (definition,) in indexed)
    _, there, oracle = oracle_of(uri)
    assert len(there) == len(oracle.sessions) - len(oracle.rejected)


def test_rejected_sessions_are_kept_whole(uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace) -> None:
    found, _, oracle = oracle_of(uri)
    walk(run_of(migration, ledger, workspace, lambda _: store, mode=Mode.PLAN))
    lines = (workspace.read("runs/run/rejects.jsonl") or b"").decode().splitlines()
    rejects = {r["key"]: r for r in map(json.loads, lines)}
    assert {key: r["code"] for key, r in rejects.items()} == oracle.rejected
    parts = {"types": "scoring_results_types", "functions": "scoring_results_functions"}
    for key, reject in rejects.items():
        row = json.loads(reject["row"]) if isinstance(reject["row"], str) else reject["row"]
        for name, table in parts.items():
            kept = json.loads(row[name] or "[]")
            mine = [r for r in found[table] if r["session_id"] == key]
            assert len(kept) == len(mine)
            for one, other in zip(kept, mine, strict=True):
                for column, value in other.items():
                    assert value is None or str(one[column]) in (
                        str(value),
                        str(value.normalize()) if hasattr(value, "normalize") else "",
                    )
        for name, table in {"profile": "profiles", "state": "scoring_results_state"}.items():
            mine = [r for r in found[table] if r["session_id"] == key]
            assert bool(row[name]) == bool(mine)


def test_numbers_and_times_are_exact_at_any_depth(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    id = sample.rows()["assessment_sessions"][1]["id"]
    blocks = '{"deep": [[{"n": 0.1234567890123456789012345678901234567}]], "big": 123456789012345678901234567890}'
    run_sql(uri, f"UPDATE scoring_results_state SET blocks = '{blocks}' WHERE session_id = '{id}'")
    run_sql(uri, f"UPDATE profiles SET trace = '[1.10, 12345678901234567.25]' WHERE session_id = '{id}'")
    run_sql(uri, f"UPDATE assessment_sessions SET started_at = '0044-03-15 12:00:00+00 BC' WHERE id = '{id}'")
    walk(run_of(migration, ledger, workspace, lambda _: store))
    ((text, started),) = run_sql(
        uri,
        f"SELECT payload::text, payload #>> '{{session,started_at}}' FROM scoring_results WHERE session_id = '{id}'",
    )
    assert "0.1234567890123456789012345678901234567" in text
    assert "123456789012345678901234567890" in text
    assert "12345678901234567.25" in text
    assert started == "0044-03-15T12:00:00+00:00 BC"


def test_a_planned_payload_that_the_schema_does_not_know_stops_the_plan(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    """Of 500 sessions, one whose first type has lost its rank."""
    (phase,) = migration.phases
    assert isinstance(phase.transform, Path)
    id = sample.rows()["assessment_sessions"][1]["id"]
    text = phase.transform.read_text(encoding="utf-8")
    wrong = text.replace(
        "    ) AS payload,",
        f"    ).regexp_replace(CASE p.session_id WHEN '{id}' THEN '\"rank\"' ELSE '^$' END, '\"rang\"') AS payload,",
    )
    assert wrong != text
    (tmp_path / "results.sql").write_text(wrong, encoding="utf-8")
    broken = replace(migration, phases=(replace(phase, transform=tmp_path / "results.sql"),))
    run = run_of(broken, ledger, workspace, lambda _: store, mode=Mode.PLAN)
    with pytest.raises(GateError, match=r"payload\.schema\.json describes it"):
        walk(run)
    told = [e for gate in run.folder.read_json("gates/plan.json") for e in gate["expectations"] if not e["passed"]]
    assert {(e["rule"], e["unexpected"]) for e in told} == {("R payload", 1), ("R payload kept", 1)}, (
        "and what was put by hand"
    )


def test_nan_is_rejected_and_not_dropped(uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace) -> None:
    id = sample.rows()["assessment_sessions"][1]["id"]
    run_sql(uri, f"UPDATE scoring_results_types SET fit = 'NaN' WHERE session_id = '{id}' AND rank = 2")
    walk(run_of(migration, ledger, workspace, lambda _: store))
    assert (id, "bad_type") in findings(workspace, "run")
    assert id not in unified(uri)


def test_a_profile_without_a_version_is_rejected_by_the_store_s_own_rule(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    id = sample.rows()["assessment_sessions"][1]["id"]
    run_sql(uri, f"UPDATE profiles SET results_version = NULL WHERE session_id = '{id}'")
    walk(run_of(migration, ledger, workspace, lambda _: store))
    assert (id, "unwritable") in findings(workspace, "run")
    assert id not in unified(uri)


def test_windows_by_created_at_give_what_one_run_gives(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    _, there, oracle = oracle_of(uri)
    bounds = ["2000-01-01T00:00:00+00:00", "2024-08-01T00:00:00+00:00", "2030-01-01T00:00:00+00:00"]
    created = {p["session_id"]: p["created_at"].isoformat() for p in tables(uri)["profiles"]}
    for n, (start, end) in enumerate(pairwise(bounds)):
        window = Window.parse(start, end)
        run = run_of(migration, ledger, workspace, lambda _: store, f"w{n}", window=window)
        assert walk(run).status == "passed"
        assert set(unified(uri)) == set(there) | {id for id in oracle.rows if created[id] < end}
        (phase,) = run.folder.read_json("report.json")["plan"]["phases"]
        assert phase["skipped"]["outside_window"] > 0
        # a session without a profile has no date, so it is in no window
        assert not any(code == "no_profile" for _, code in findings(workspace, f"w{n}"))
    assert unified(uri) == {**oracle.rows, **there}


def test_what_is_read_is_of_one_moment_though_somebody_writes(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is scored again in the middle of the reading is seen whole, as it was at its beginning."""
    id = sample.rows()["assessment_sessions"][1]["id"]
    _, _, oracle = oracle_of(uri)
    real = PostgresStore.read
    touched: list[bool] = []

    def read(self: PostgresStore, table: Any, segment: int, segments: int) -> Any:
        if not touched:
            touched.append(True)
            run_sql(
                uri,
                f"UPDATE profiles SET results_version = 'v9' WHERE session_id = '{id}'",
                f"UPDATE scoring_results_types SET fit = 0 WHERE session_id = '{id}'",
                f"DELETE FROM scoring_results_state WHERE session_id = '{id}'",
            )
        return real(self, table, segment, segments)

    monkeypatch.setattr(PostgresStore, "read", read)
    walk(run_of(migration, ledger, workspace, lambda _: store))
    assert unified(uri)[id] == oracle.rows[id]


def test_mode_verify_names_a_payload_that_was_changed_deep_inside(samples: Samples) -> None:
    with samples.migrated(migration, sample) as there:
        names_a_changed_payload(there.uri, there.store, there.ledger, there.workspace)


def names_a_changed_payload(uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace) -> None:
    id = sample.rows()["assessment_sessions"][1]["id"]
    run_sql(
        uri,
        "UPDATE scoring_results SET payload = jsonb_set(payload, '{types,3,fit}', '1.0000000000000000000000001')"
        f" WHERE session_id = '{id}'",
    )
    verify = run_of(migration, ledger, workspace, lambda _: store, "verify", mode=Mode.VERIFY)
    walk(verify)
    assert (id, "differs_from_legacy") in findings(workspace, "verify")


def test_too_many_rejects_fail_the_gate_with_nothing_written(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    before = unified(uri)
    with pytest.raises(GateError, match="raise max_rejects"):
        walk(run_of(migration, ledger, workspace, lambda _: store, max_rejects=3))
    assert unified(uri) == before
