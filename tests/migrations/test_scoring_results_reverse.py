"""The way back of scoring results: the legacy tables as the payloads say, against an oracle that knows the contract only."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from include.migrations.scoring_results import sample
from include.migrations.scoring_results.serving import get_results, persist_results, unified_payload
from include.migrations.scoring_results_reverse.migration import migration
from include.migrations.scoring_results_reverse.payload import exploded
from include.trueup.errors import SourceError
from include.trueup.ledger import Ledger
from include.trueup.run import LAST
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, run_sql
from tests.samples import Samples

from .scoring_results_oracle import Row, tables

LEGACY = ("profiles", "scoring_results_types", "scoring_results_functions", "scoring_results_state")


def reversed_(found: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """What the four tables must hold, from what there is: contract, section 2, the way back."""
    legacy: dict[str, dict[tuple[Any, ...], Row]] = {
        "profiles": {(r["session_id"],): r for r in found["profiles"]},
        "scoring_results_types": {(r["session_id"], r["type_code"]): r for r in found["scoring_results_types"]},
        "scoring_results_functions": {(r["session_id"], r["func_code"]): r for r in found["scoring_results_functions"]},
        "scoring_results_state": {(r["session_id"],): r for r in found["scoring_results_state"]},
    }
    for row in found["scoring_results"]:
        id, payload, at = row["session_id"], row["payload"], row["computed_at"]
        for table in LEGACY[1:]:
            for key in [key for key in legacy[table] if key[0] == id]:
                del legacy[table][key]
        was = legacy["profiles"].get((id,), {"created_at": at, "trace": None})
        named = {name: payload["profile"][name] for name in payload["profile"] if name != "trace"}
        legacy["profiles"][id,] = {**was, **named, "results_version": payload["results_version"], "updated_at": at}
        for each in payload["types"]:
            legacy["scoring_results_types"][id, each["type_code"]] = {"session_id": id, **each}
        for each in payload["functions"]:
            legacy["scoring_results_functions"][id, each["func_code"]] = {"session_id": id, **each}
        if payload["state"]:
            none = {"effective_confidence": None, "blocks": None}
            legacy["scoring_results_state"][id,] = {"session_id": id, **none, **payload["state"]}
    return {table: [rows[key] for key in sorted(rows)] for table, rows in legacy.items()}


def legacy_of(uri: str) -> dict[str, list[Row]]:
    found = tables(uri)
    return {table: found[table] for table in LEGACY}


def _sessions(connection: psycopg.Connection) -> list[Row]:
    named = "status, (to_jsonb(started_at) #>> '{}') AS started_at, (to_jsonb(completed_at) #>> '{}') AS completed_at"
    connection.execute("SET TimeZone = 'UTC'")
    query = f"SELECT to_jsonb(t) FROM (SELECT id, {named} FROM assessment_sessions) t"
    return [row for (row,) in connection.execute(query.encode())]


@pytest.fixture
def uri(samples: Samples) -> str:
    """The sample, in which eight sessions have been scored while only the unified table was written, one with other types than
    before, one that was never scored before; the others have no unified row."""
    uri = samples.database(sample)
    ids = [str(row["id"]) for row in sample.rows()["assessment_sessions"]]
    with psycopg.connect(uri) as connection:
        found = {n: get_results(connection, ids[n]) for n in (1, 2, 4, 5, sample.LONG_NUMBERS, sample.ODD_TEXT, 7)}
        found[1]["types"] = [{**row, "type_code": f"N{row['type_code']}"} for row in found[1]["types"][:2]]
        found[2]["functions"], found[4]["state"] = [], {}
        found[5]["state"]["blocks"] = {"deep": [Decimal("0.1234567890123456789012345678901234567"), 'é"\n', None]}
        never = sample.NEVER_SCORED
        found[never] = json.loads(json.dumps(found[7], default=float).replace(ids[7], ids[never]))
        found[never]["profile"]["confidence"] = Decimal("12345678901234567890.5")
        found[never]["session"] = next(r for r in _sessions(connection) if r["id"] == ids[never])
        for payload in found.values():
            payload["profile"].pop("trace", None)
            persist_results(connection, payload, write_exploded=False)
    return uri


def test_the_legacy_tables_become_what_the_payloads_say_and_can_be_put_back(
    uri: str, ledger: Ledger, workspace: Workspace
) -> None:
    before, should = legacy_of(uri), reversed_(tables(uri))
    store = PostgresStore(uri)
    run = run_of(migration, ledger, workspace, lambda _: store, "first", partitions=2, segments=2, max_remove_share=1)
    assert walk(run).status == "passed"
    assert legacy_of(uri) == should != before
    (phase,) = run.folder.read_json("report.json")["plan"]["phases"]
    assert (phase["source_rows"], phase["written"] + phase["kept"]) == (12, 12)
    assert phase["rows"]["remove"] == 16 + 8 + 1
    with psycopg.connect(uri) as connection:
        for row in tables(uri)["scoring_results"]:
            if (
                row["payload"]["state"] != {"overlay_band": "by hand"}
                and row["payload"]["profile"].get("trace") is None
            ):
                id = row["session_id"]
                legacy = get_results(connection, id, "legacy_first")
                legacy["profile"].pop("trace")
                unified = unified_payload(connection, id)
                assert unified is not None
                unified["profile"].pop("trace", None)
                assert legacy == unified
    back = run_of(migration, ledger, workspace, lambda _: store, "back", partitions=None)
    back = back.__class__(**{**vars(back), "dag_id": f"{migration.id}_rollback", "undoes": LAST})
    assert walk(back).status == "passed"
    assert legacy_of(uri) == before


def test_a_legacy_table_that_is_gone_is_refused_by_name_and_not_made(
    uri: str, ledger: Ledger, workspace: Workspace
) -> None:
    run_sql(uri, "DROP TABLE scoring_results_functions")
    with pytest.raises(SourceError, match="scoring_results_functions"):
        walk(run_of(migration, ledger, workspace, lambda _: PostgresStore(uri)))
    assert run_sql(uri, "SELECT to_regclass('scoring_results_functions')") == [(None,)]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (None, "the payload is no object"),
        ("{}", "profile is no object"),
        ('{"profile": {}, "session": {"id": "b"}}', "session.id is not that of its row"),
        ('{"profile": {}, "session": {"id": "a"}, "results_version": "1", "version": "2"}', "are not one text"),
        ('{"profile": {}, "session": {"id": "a"}, "results_version": "1", "version": "1", "types": []}', "no types"),
        (
            '{"profile": {}, "session": {"id": "a"}, "results_version": "1", "version": "1", "types": [{"type_code": "x", "rank": 1.5}]}',
            "rank is no whole number",
        ),
        (
            '{"profile": {}, "session": {"id": "a"}, "results_version": "1", "version": "1", "types": [{"type_code": "x", "fit": "1"}]}',
            "fit is no number",
        ),
    ],
)
def test_what_is_no_payload_says_why(payload: str | None, why: str) -> None:
    assert why in json.loads(exploded("a", payload) or "")["fault"]


def test_a_payload_that_is_none_is_a_reject_and_its_legacy_rows_stay(
    uri: str, ledger: Ledger, workspace: Workspace
) -> None:
    id = str(sample.rows()["assessment_sessions"][1]["id"])
    run_sql(uri, f"UPDATE scoring_results SET payload = payload - 'types' WHERE session_id = '{id}'")
    before = [row for row in legacy_of(uri)["scoring_results_types"] if row["session_id"] == id]
    walk(run_of(migration, ledger, workspace, lambda _: PostgresStore(uri), max_remove_share=1))
    lines = (workspace.read("runs/run/findings.csv") or b"").decode().splitlines()
    assert (id, "bad_payload") in {(row["key"], row["code"]) for row in csv.DictReader(lines)}
    assert [row for row in legacy_of(uri)["scoring_results_types"] if row["session_id"] == id] == before
