"""PostgreSQL that goes away and comes back, keeps locks, runs out of connections; writers that are killed."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.feather as feather
import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Type
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores.postgres import PostgresStore
from tests.contract.postgres_rows import read, rows, table
from tests.harness import run_sql

SETTINGS = {"fsync": "off", "max_connections": "20", "superuser_reserved_connections": "3"}
ACCOUNTS = table("accounts", {"id": Type.INTEGER, "owner": Type.TEXT, "balance": Type.NUMBER})


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """A server of our own, since we stop it."""
    with tempfile.TemporaryDirectory() as folder:
        started = postgres.start(Path(folder) / "postgres", SETTINGS)
        started.create_database("faults")
        run_sql(started.uri("faults"), "CREATE ROLE app LOGIN", "GRANT ALL ON SCHEMA public TO app")
        yield started
        started.stop()


@pytest.fixture
def uri(server: postgres.Server) -> str:
    uri = server.uri("faults")
    run_sql(
        uri,
        "DROP TABLE IF EXISTS accounts",
        "CREATE TABLE accounts (id int PRIMARY KEY, owner text, balance numeric)",
        "ALTER TABLE accounts OWNER TO app",
    )
    return uri


def accounts(count: int, **values: str) -> pa.Table:
    return rows(ACCOUNTS, *({"id": i, "owner": f"o{i}", "balance": str(i), **values} for i in range(count)))


def later(seconds: float, act: Callable[[], object]) -> threading.Thread:
    def wait_and_act() -> None:
        time.sleep(seconds)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_a_server_that_is_restarted_meanwhile_is_waited_for(server: postgres.Server, uri: str) -> None:
    store = PostgresStore(uri, patience=60)
    server.stop()
    back = later(1, lambda: postgres.start(server.data_dir, SETTINGS))
    outcome = store.add(ACCOUNTS, accounts(100))
    back.join()
    assert outcome.written == 100
    assert outcome.retries > 0
    assert len(read(store, ACCOUNTS)) == 100


def test_a_restart_in_the_middle_of_writing_loses_and_doubles_nothing(server: postgres.Server, uri: str) -> None:
    """Four writers add batches that overlap while the server is stopped and started."""
    store = PostgresStore(uri, patience=60)
    whole = accounts(8_000)

    def stop_and_start() -> None:
        server.stop()
        postgres.start(server.data_dir, SETTINGS)

    restart = later(0.1, stop_and_start)
    written: list[int] = []

    def write(first: int) -> None:
        for start in range(first, whole.num_rows, 1_500):
            outcome = store.add(ACCOUNTS, whole.slice(start, 700))
            assert outcome.conflicts == []
            written.append(outcome.written)

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 300, 700, 1_000)]
    for writer in writers:
        writer.start()
    for thread in (*writers, restart):
        thread.join()
    assert sum(written) > 8_000
    assert [row["id"] for row in sorted(read(store, ACCOUNTS), key=lambda row: row["id"])] == list(range(8_000))


def test_a_server_that_stays_away_is_a_transient_error(server: postgres.Server, uri: str) -> None:
    server.stop()
    try:
        store = PostgresStore(uri, patience=0.5)
        calls: tuple[Callable[[], object], ...] = (
            lambda: store.add(ACCOUNTS, accounts(1)),
            lambda: list(store.read(ACCOUNTS, 0, 1)),
            lambda: store.get(ACCOUNTS, accounts(1)),
            lambda: store.create(ACCOUNTS),
            lambda: store.describe(ACCOUNTS),
        )
        for call in calls:
            with pytest.raises(StoreUnavailableError, match=r"Tried \d+ times in"):
                call()
    finally:
        postgres.start(server.data_dir, SETTINGS)


def test_a_connection_that_breaks_while_rows_stream_is_a_transient_error(uri: str) -> None:
    store = PostgresStore(uri, patience=5)
    run_sql(uri, "INSERT INTO accounts SELECT i, repeat('x', 300), i FROM generate_series(1, 100000) i")
    batches = store.read(ACCOUNTS, 0, 1)
    next(batches)
    run_sql(uri, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trueup'")
    with pytest.raises(StoreUnavailableError, match="could not read table accounts"):
        list(batches)
    assert len(read(store, ACCOUNTS)) == 100_000


def test_a_lock_held_by_somebody_else_is_waited_for_and_then_named(uri: str) -> None:
    store = PostgresStore(uri, lock_timeout=0.1, patience=0.6)
    with psycopg.connect(uri) as other:
        other.execute("LOCK TABLE accounts")
        with pytest.raises(StoreUnavailableError, match=r"lock timeout.*55P03"):
            store.add(ACCOUNTS, accounts(3))
        with pytest.raises(StoreUnavailableError, match=r"lock timeout.*55P03"):
            list(store.read(ACCOUNTS, 0, 1))
        patient = PostgresStore(uri, lock_timeout=0.1, patience=20)
        release = later(0.5, other.rollback)
        outcome = patient.add(ACCOUNTS, accounts(3))
        release.join()
    assert (outcome.written, outcome.retries > 0) == (3, True)


def take_all_connections(uri: str, others: ExitStack) -> None:
    while True:
        others.enter_context(psycopg.connect(uri))


def test_too_many_connections_are_waited_for(uri: str) -> None:
    as_app = uri.replace("postgres@", "app@")
    store = PostgresStore(as_app, patience=20)
    with ExitStack() as others:
        with pytest.raises(psycopg.OperationalError, match=r"slots|too many"):
            take_all_connections(as_app, others)
        with pytest.raises(StoreUnavailableError, match="connection"):
            PostgresStore(as_app, patience=0).add(ACCOUNTS, accounts(5))
        release = later(0.5, others.close)
        assert store.add(ACCOUNTS, accounts(5)).written == 5
        release.join()


def test_a_deadlock_is_tried_again(uri: str) -> None:
    store = PostgresStore(uri, lock_timeout=20)
    store.add(ACCOUNTS, accounts(2))
    with psycopg.connect(uri) as other:
        other.execute("SET deadlock_timeout = '30s'")  # so that ours, which looks after 1 s, is the one that ends
        other.execute("UPDATE accounts SET balance = balance WHERE id = 1")  # keys are locked in order: 0, then 1
        blocked = later(0.3, lambda: other.execute("UPDATE accounts SET balance = balance WHERE id = 0"))
        commit = later(1.6, other.commit)
        outcome = store.change(ACCOUNTS, accounts(2, owner="new"), accounts(2))
        blocked.join()
        commit.join()
    assert (outcome.written, outcome.retries) == (2, 1)


def test_what_is_wrong_is_not_tried_again(uri: str) -> None:
    begun = time.monotonic()
    for wrong, message in (
        (uri.replace("faults", "nowhere"), "does not exist"),
        (uri.replace("postgres@", "nobody@"), "does not exist"),
    ):
        with pytest.raises(StoreRejectedError, match=message):
            PostgresStore(wrong, patience=60).describe(ACCOUNTS)
    run_sql(uri, "ALTER TABLE accounts ADD CHECK (balance < 100)")
    outcome = PostgresStore(uri, patience=60).add(ACCOUNTS, accounts(101))
    assert (outcome.written, outcome.retries) == (100, 0)
    assert [(row.key, row.constraint) for row in outcome.refused] == [("100", "accounts_balance_check")]
    assert time.monotonic() - begun < 10
    assert len(read(PostgresStore(uri), ACCOUNTS)) == 100


def test_a_row_changed_since_the_plan_is_left_alone(uri: str) -> None:
    store = PostgresStore(uri)
    before, planned = accounts(2_000), accounts(2_000, owner="new")
    store.add(ACCOUNTS, before)
    run_sql(uri, "UPDATE accounts SET balance = -1 WHERE id = 7", "DELETE FROM accounts WHERE id = 8")
    with psycopg.connect(uri) as other:  # and one that is being changed at this very moment
        other.execute("UPDATE accounts SET owner = 'theirs' WHERE id = 9")
        commit = later(0.5, other.commit)
        outcome = store.change(ACCOUNTS, planned, before)
        commit.join()
    assert outcome.written == 1_997
    assert {c.key: c.found for c in outcome.conflicts} == {
        "7": '{"id":7,"owner":"o7","balance":-1}',
        "8": None,
        "9": '{"id":9,"owner":"theirs","balance":9}',
    }
    assert run_sql(uri, "SELECT count(*) FROM accounts WHERE owner = 'new'") == [(1_997,)]


WRITER = """
import sys
import pyarrow.feather as feather
from include.trueup.stores.postgres import PostgresStore
from tests.faults.test_postgres_retries import ACCOUNTS
store, rows = PostgresStore(sys.argv[1]), feather.read_table(sys.argv[2])
for start in range(0, rows.num_rows, 500):
    print("batch", flush=True)
    outcome = store.add(ACCOUNTS, rows.slice(start, 500))
    assert outcome.conflicts == [], outcome
"""


def test_a_writer_that_is_killed_at_any_moment_is_simply_run_again(uri: str, tmp_path: Path) -> None:
    planned = accounts(20_000)
    feather.write_feather(planned, str(tmp_path / "rows"))
    command = [sys.executable, "-c", WRITER, uri, str(tmp_path / "rows")]
    seen = []
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as writer:
            assert writer.stdout is not None
            for _ in range(random.randint(2, 20)):
                assert writer.stdout.readline() == "batch\n"
            time.sleep(random.uniform(0, 0.03))
            writer.kill()
        seen.append(run_sql(uri, "SELECT count(*) FROM accounts")[0][0])
    assert seen == sorted(seen)
    assert any(0 < count < planned.num_rows for count in seen), seen
    assert all(count % 500 == 0 for count in seen), "a batch is whole or not there"
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    assert len(read(PostgresStore(uri), ACCOUNTS)) == planned.num_rows
    assert sorted(row["id"] for row in read(PostgresStore(uri), ACCOUNTS)) == list(range(planned.num_rows))
