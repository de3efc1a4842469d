"""While a part of a step is done a store keeps its sessions for its next call; one that was lost meanwhile is no error."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreRejectedError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.effects import Effects
from include.trueup.stores.keeping import keeping
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import carry_out
from tests.harness import new_database, run_sql
from tests.stepping import Stepped

from .subject import arrow

TABLE = Table(name="t", connection="c", key=("id",), columns={"id": Type.TEXT})
THEIRS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trueup'"


@pytest.fixture
def uri(postgres_server: postgres.Server) -> str:
    made = new_database(postgres_server)
    run_sql(made, "CREATE TABLE t (id text PRIMARY KEY)")
    return made


def sessions(uri: str, want: int) -> list[int]:
    """The store's sessions, once there are so many: the server takes a moment to end one."""
    until = time.monotonic() + 10
    while len(there := [pid for (pid,) in run_sql(uri, f"SELECT pid {THEIRS}")]) != want:
        assert time.monotonic() < until, there
    return there


def add(store: PostgresStore, id: str) -> int:
    return store.add(TABLE, arrow(TABLE, [{"id": id}])).retries


def test_one_session_serves_one_call_after_the_other_and_none_outlives_the_block(uri: str) -> None:
    store = PostgresStore(uri, patience=0)
    assert store.describe(TABLE)
    sessions(uri, 0)
    with keeping():
        store.describe(TABLE)
        (kept,) = sessions(uri, 1)
        with keeping():
            assert add(store, "a") == 0
        assert store.describe(TABLE)
        assert sessions(uri, 1) == [kept]
        with ThreadPoolExecutor(2) as threads:
            for each in [threads.submit(copy_context().run, add, store, f"{n}") for n in range(20)]:
                each.result()
        assert kept in [pid for (pid,) in run_sql(uri, f"SELECT pid {THEIRS}")]
    sessions(uri, 0)


def test_a_session_that_was_ended_is_replaced_and_one_that_met_an_error_is_not_kept(uri: str) -> None:
    store = PostgresStore(uri, patience=0)
    with keeping():
        store.describe(TABLE)
        (kept,) = sessions(uri, 1)
        run_sql(uri, f"SELECT pg_terminate_backend(pid, 5000) {THEIRS}")
        assert add(store, "a") == 0
        (other,) = sessions(uri, 1)
        assert other != kept
        with pytest.raises(StoreRejectedError):
            add(store, "a\0")
        sessions(uri, 0)
        assert add(store, "b") == 0
    assert run_sql(uri, "SELECT id FROM t ORDER BY id") == [("a",), ("b",)]


def test_one_that_was_opened_more_than_30_seconds_ago_is_closed_and_another_opened(uri: str) -> None:
    clock = [1000.0]
    effects = Effects(monotonic=lambda: clock[0])
    store, other = (
        PostgresStore(uri, patience=0, effects=effects),
        PostgresStore(f"{uri}&connect_timeout=5", effects=effects),
    )
    with keeping():
        store.describe(TABLE)
        (kept,) = sessions(uri, 1)
        clock[0] += 30
        store.describe(TABLE)
        assert sessions(uri, 1) == [kept]
        clock[0] += 1  # though it was never idle for so long: its server may be one that another has taken over from
        assert add(store, "a") == 0
        (newer,) = sessions(uri, 1)
        assert newer != kept
        clock[0] += 31
        other.describe(TABLE)
        assert newer not in sessions(uri, 1)  # though nobody asks for this one any more


def test_nothing_that_a_trigger_left_in_a_session_is_there_in_the_next_transaction(uri: str) -> None:
    run_sql(
        uri,
        "CREATE FUNCTION leaves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF coalesce(current_setting('app.seen', true), '') <> '' OR to_regclass('pg_temp.left_over') IS NOT NULL THEN"
        " RAISE EXCEPTION 'left over'; END IF;"
        " PERFORM set_config('app.seen', NEW.id, false); CREATE TEMP TABLE left_over (); RETURN NEW; END $$",
        "CREATE TRIGGER leaves BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION leaves()",
    )
    store = PostgresStore(uri, patience=0)
    with keeping():
        assert add(store, "a") == 0
        (kept,) = sessions(uri, 1)
        assert add(store, "b") == 0
        assert sessions(uri, 1) == [kept]
    assert run_sql(uri, "SELECT id FROM t ORDER BY id") == [("a",), ("b",)]


def test_a_part_of_a_step_keeps_them(
    postgres_server: postgres.Server,
    ledger: Ledger,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = Stepped(postgres_server, ledger, workspace, tmp_path, people=6)
    run = small.begin("run", to="create_tables")
    small.database.store.writers = 1
    real, seen = type(small.database.store).add, set[int]()

    def add(store: PostgresStore, *given: object) -> object:
        outcome = real(store, *given)  # type: ignore[arg-type]
        seen.update(pid for (pid,) in small.database.sql(f"SELECT pid {THEIRS}"))
        return outcome

    monkeypatch.setattr(type(small.database.store), "add", add)
    (step,) = [each for each in run.steps if each.id == "apply"]
    carry_out(step, run, 0)
    assert (len(small.database.persons()), len(seen)) == (6, 1)
    sessions(small.database.uri, 0)
