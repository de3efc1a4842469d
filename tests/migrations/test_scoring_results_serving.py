"""Dual write, reads with a fallback, counters and logs; and the shadow comparison, which must see what differs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from include.embedded import postgres
from include.migrations.scoring_results import sample
from include.migrations.scoring_results.payload import PayloadError
from include.migrations.scoring_results.serving import (
    COUNTERS,
    ResultsNotFound,
    get_results,
    legacy_payload,
    persist_results,
    unified_payload,
    unreadable,
)
from include.migrations.scoring_results.shadow import compare
from include.trueup.errors import SourceError
from include.trueup.stores.postgres import PostgresStore
from include.trueup.stores.postgres.pool import Pool
from tests.harness import new_database, run_sql
from tests.samples import Samples

from .scoring_results_oracle import expected, tables

Json = dict[str, Any]


class Opened(PostgresStore):
    """A store whose connection is the one that is open."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    @contextmanager
    def connect(self, pool: Pool | None = None) -> Iterator[psycopg.Connection]:
        yield self._connection


@pytest.fixture(scope="module")
def sample_uri(samples: Samples) -> str:
    """One database for the tests that undo what they do."""
    return samples.database(sample)


@pytest.fixture
def connection(sample_uri: str) -> Iterator[psycopg.Connection]:
    """A connection in a transaction that is rolled back, in a time zone that is not UTC."""
    COUNTERS.clear()
    with psycopg.connect(sample_uri) as made:
        made.execute("SET TIME ZONE 'Asia/Kolkata'")
        yield made
        made.rollback()


def scored(number: int) -> str:
    return str(sample.rows()["assessment_sessions"][number]["id"])


def payload_of(connection: psycopg.Connection, number: int = 1) -> Json:
    found = legacy_payload(connection, scored(number))
    assert found is not None
    return found


def test_the_legacy_tables_give_the_contract_s_payload_for_every_session(
    sample_uri: str, connection: psycopg.Connection
) -> None:
    found = tables(sample_uri)
    oracle = expected(found, {})
    assert len(oracle.rows) > 400
    for session in oracle.sessions:
        row = oracle.rows.get(session)
        assert legacy_payload(connection, session) == (row["payload"] if row else None)


def test_both_shapes_are_written_and_agree(connection: psycopg.Connection) -> None:
    payload = payload_of(connection)
    payload["types"][0]["fit"] = Decimal("0.12345678901234567890123456789")
    payload["profile"]["trace"] = {"kept": [1, Decimal("2.50")]}
    payload["functions"].pop()
    persist_results(connection, payload, write_exploded=True)
    assert unified_payload(connection, scored(1)) == legacy_payload(connection, scored(1)) == payload
    ((same,),) = connection.execute(
        "SELECT s.computed_at = p.updated_at AND p.created_at < p.updated_at FROM scoring_results s"
        " JOIN profiles p USING (session_id) WHERE session_id = %s",
        [scored(1)],
    ).fetchall()
    assert same
    assert COUNTERS.as_dict() == {"persist_results.unified_success": 1}
    payload["version"] = payload["results_version"] = payload["profile"]["results_version"] = "v3"
    payload["state"] = {}
    persist_results(connection, payload, write_exploded=True)
    assert unified_payload(connection, scored(1)) == legacy_payload(connection, scored(1)) == payload


def test_without_the_switch_the_legacy_tables_stay_as_they_are(connection: psycopg.Connection) -> None:
    before = payload_of(connection)
    payload = copy.deepcopy(before)
    payload["profile"]["confidence"] = Decimal("0.5")
    persist_results(connection, payload, write_exploded=False)
    assert unified_payload(connection, scored(1)) == payload
    assert legacy_payload(connection, scored(1)) == before


def test_a_failing_legacy_write_is_counted_logged_and_undone_and_nothing_more(
    connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    before = payload_of(connection)
    payload = copy.deepcopy(before)
    payload["profile"]["confidence"] = Decimal("0.5")
    connection.execute("ALTER TABLE scoring_results_functions ADD CHECK (strength IS NULL) NOT VALID")
    with caplog.at_level("INFO"):
        persist_results(connection, payload, write_exploded=True)
    assert unified_payload(connection, scored(1)) == payload
    assert legacy_payload(connection, scored(1)) == before
    assert COUNTERS.as_dict() == {
        "persist_results.unified_success": 1,
        "persist_results.legacy_failed_non_fatal": 1,
    }
    lines = [json.loads(record.getMessage()) for record in caplog.records if "serving" in record.name]
    assert [line["event"] for line in lines] == list(COUNTERS.as_dict())
    assert all(line["session_id"] == scored(1) for line in lines)
    assert "CheckViolation" in lines[1]["error"]


def test_a_failing_unified_write_is_counted_and_raised_and_nothing_is_written(connection: psycopg.Connection) -> None:
    before = payload_of(connection)
    payload = copy.deepcopy(before)
    payload["profile"]["confidence"] = Decimal("0.5")
    connection.execute("ALTER TABLE scoring_results ADD CONSTRAINT half CHECK (confidence <> 0.5) NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        persist_results(connection, payload, write_exploded=True)
    assert COUNTERS.as_dict() == {"persist_results.unified_failed": 1}
    assert legacy_payload(connection, scored(1)) == before
    assert unified_payload(connection, scored(1)) is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda p: p.pop("state"), ""),
        (lambda p: p.update(more=1), ""),
        (lambda p: p.update(version=None), "/version"),
        (lambda p: p.update(version="v9"), "/results_version"),
        (lambda p: p.update(types=[]), "/types"),
        (lambda p: p["types"][1].update(fit="0.5"), "/types/1/fit"),
        (lambda p: p["types"][1].update(rank=2**31), "/types/1/rank"),
        (lambda p: p["types"][1].update(rank=Decimal("1.5")), "/types/1/rank"),
        (lambda p: p["types"].append(p["types"][0]), "/types/16/type_code"),
        (lambda p: p["functions"][0].pop("strength"), "/functions/0"),
        (lambda p: p["profile"].update(created_at="2025-01-01T00:00:00Z"), "/profile/created_at"),
        (lambda p: p["profile"].update({"a/b~": {"c": "\0"}}), "/profile/a~1b~0/c"),
        (lambda p: p["profile"].update(session_id=str(uuid4())), "/profile/session_id"),
        (lambda p: p.update(state={"overlay_band": "calm"}), "/state"),
        (lambda p: p["session"].update(started_at="yesterday"), "/session/started_at"),
        (lambda p: p["session"].update(id="1"), "/session/id"),
    ],
)
def test_what_is_no_payload_is_not_written(connection: psycopg.Connection, change: Any, pointer: str) -> None:
    payload = payload_of(connection)
    change(payload)
    with pytest.raises(PayloadError) as refused:
        persist_results(connection, payload, write_exploded=True)
    assert pointer in [each.pointer for each in refused.value.complaints]
    assert COUNTERS.as_dict() == {"persist_results.unified_failed": 1}
    assert unified_payload(connection, scored(1)) is None


def test_types_and_functions_are_put_in_their_order(connection: psycopg.Connection) -> None:
    payload = payload_of(connection)
    payload["types"][3]["rank"] = None
    persist_results(connection, {**payload, "types": payload["types"][::-1]}, write_exploded=True)
    written = unified_payload(connection, scored(1))
    assert written == legacy_payload(connection, scored(1))
    assert written is not None
    assert [row["rank"] for row in written["types"]][-2:] == [16, None]


def test_unified_only_does_not_touch_the_legacy_tables(connection: psycopg.Connection) -> None:
    there, legacy_only = scored(sample.EXISTS_DIFFERENT[0]), scored(1)
    store = Opened(connection)
    count, few = unreadable(store)
    found = tables(connection.info.dsn)
    assert count == len(expected(found, {}).rows.keys() - {r["session_id"] for r in found["scoring_results"]})
    assert len(few) == 5
    for table in ("profiles", "scoring_results_types", "scoring_results_functions", "scoring_results_state"):
        connection.execute(f"DROP TABLE {table}")
    assert get_results(connection, there, "unified_only")["session"]["id"] == there
    with pytest.raises(ResultsNotFound, match=f"{legacy_only} has no row in scoring_results; score it first"):
        get_results(connection, legacy_only, "unified_only")
    assert unreadable(store) == (0, ())


def test_reads_are_unified_first_then_legacy_then_not_found(
    connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    there, legacy_only = scored(sample.EXISTS_DIFFERENT[0]), scored(1)
    with caplog.at_level("INFO"):
        assert get_results(connection, there) == unified_payload(connection, there) != legacy_payload(connection, there)
        assert get_results(connection, legacy_only) == legacy_payload(connection, legacy_only)
        nobody = str(uuid4())
        with pytest.raises(ResultsNotFound, match=nobody):
            get_results(connection, nobody)
        with pytest.raises(ResultsNotFound):  # a profile without types
            get_results(connection, scored(sample.NOTHING_BUT_PROFILE))
    assert COUNTERS.as_dict() == {"results.unified_hit": 1, "results.legacy_fallback": 1, "results.not_found": 2}
    lines = [json.loads(r.getMessage()) for r in caplog.records if "serving" in r.name]
    assert [line["session_id"] for line in lines[:3]] == [there, legacy_only, nobody]
    assert get_results(connection, there, "legacy_first") == legacy_payload(connection, there)


def test_the_shadow_finds_what_differs_and_nothing_else(samples: Samples) -> None:
    uri = samples.database(sample)
    store = PostgresStore(uri)
    run_sql(uri, "DELETE FROM scoring_results")
    found = tables(uri)
    with psycopg.connect(uri) as connection:
        for session in expected(found, {}).rows:
            payload = legacy_payload(connection, session)
            assert payload is not None
            persist_results(connection, payload, write_exploded=False)
    everything = compare(store, {"share": 1.0})
    assert everything.differences == []
    assert everything.compared == len(expected(found, {}).rows)
    assert 0 < compare(store, {"share": 0.3}).compared < everything.compared * 0.5
    assert compare(store, {"share": 0.0}).compared == 0

    deep, gone, only = scored(1), scored(2), scored(4)
    run_sql(
        uri,
        "UPDATE scoring_results SET payload ="
        f" jsonb_set(payload, '{{state,blocks,hidden,1}}', '0.50000000000000000001') WHERE session_id = '{deep}'",
        f"DELETE FROM scoring_results WHERE session_id = '{gone}'",
        f"DELETE FROM profiles WHERE session_id = '{only}'",
    )
    differences = {d["key"]: d for d in compare(store, {"share": 1.0}).differences}
    assert set(differences) == {deep, gone, only}
    assert differences[deep]["path"] == "state.blocks.hidden[1]"
    assert (differences[deep]["unified"], differences[deep]["legacy"]) == ("0.50000000000000000001", "0.5")
    assert differences[gone]["unified"] is None
    assert differences[only]["legacy"] is None


def test_the_shadow_says_when_there_is_nothing_to_compare_with(postgres_server: postgres.Server) -> None:
    uri = new_database(postgres_server)
    with pytest.raises(SourceError, match="run the DAG scoring_results"):
        compare(PostgresStore(uri), {"share": 1.0})
