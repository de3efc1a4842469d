"""The locks of whoever writes to PostgreSQL by a fence: taken before the ledger is asked, found and ended by whoever is newer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import psycopg
import pyarrow as pa
import pytest
from psycopg.conninfo import make_conninfo

from include.embedded import postgres
from include.trueup.declare.migration import Index, Table, Type
from include.trueup.errors import TargetHeldError
from include.trueup.stores import Fence, arrow_schema
from include.trueup.stores.postgres import PostgresStore
from tests.harness import new_database, run_sql

TABLE = Table(
    name="t",
    connection="c",
    key=("id",),
    columns={"id": Type.TEXT, "name": Type.TEXT},
    indexes=(Index(name="t_name", key=("name",)),),
)
BARRIER = 78
LOCKS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def fence(epoch: int, confirm: Callable[[float], None] = lambda _: None, *, tries: int = 1) -> Fence:
    return Fence(check=lambda: None, confirm=confirm, epochs={"t": epoch}, part="apply 0", tries=tries, lasts=60)


@pytest.fixture
def uri(postgres_server: postgres.Server) -> str:
    made = new_database(postgres_server)
    run_sql(made, "CREATE TABLE t (id text PRIMARY KEY, name text)")
    return made


def add(store: PostgresStore) -> None:
    store.add(TABLE, pa.Table.from_pylist([{"id": "a", "name": "new"}], schema=arrow_schema(TABLE)))


def script(store: PostgresStore) -> None:
    store.script("INSERT INTO t VALUES ('a', 'new')")


def alone(store: PostgresStore) -> None:
    store.script("-- trueup: no transaction\nINSERT INTO t VALUES ('a', 'new')")


def index(store: PostgresStore) -> None:
    store.create(TABLE)


EVERY = pytest.mark.parametrize("write", [add, script, alone, index])


@EVERY
def test_the_ledger_is_asked_when_the_locks_are_there_and_nothing_is_done_yet(
    uri: str, write: Callable[[PostgresStore], None]
) -> None:
    seen: list[tuple[int, int, int]] = []

    def asked(_: float) -> None:
        ((locks,),) = run_sql(uri, LOCKS)
        ((rows,),) = run_sql(uri, "SELECT count(*) FROM t")
        ((indexes,),) = run_sql(uri, "SELECT count(*) FROM pg_indexes WHERE tablename = 't'")
        seen.append((locks, rows, indexes))

    with fence(1, asked).active():
        write(PostgresStore(uri))
    assert seen[0] == (2, 0, 1)


@EVERY
def test_who_is_told_then_that_it_is_too_late_writes_nothing(uri: str, write: Callable[[PostgresStore], None]) -> None:
    def late(_: float) -> None:
        raise TargetHeldError("another run has it")

    with fence(1, late).active(), pytest.raises(TargetHeldError):
        write(PostgresStore(uri))
    assert run_sql(uri, "SELECT count(*) FROM t") == [(0,)]
    assert run_sql(uri, "SELECT count(*) FROM pg_indexes WHERE tablename = 't'") == [(1,)]


@contextmanager
def standing(uri: str, write: Callable[[PostgresStore], None]) -> Iterator[list[Exception]]:
    """A writer by lease 1 that stands still in its statement; what it met, once it goes on. Its later tries are refused."""
    run_sql(
        uri,
        "CREATE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_advisory_xact_lock({BARRIER}); RETURN new; END $$",
        "CREATE TRIGGER stand BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION stand()",
    )
    met, asked = list[Exception](), list[float]()

    def once(within: float) -> None:
        asked.append(within)
        if len(asked) > 1:
            raise TargetHeldError("another run has it")

    def work() -> None:
        try:
            with fence(1, once).active():
                write(PostgresStore(uri))
        except Exception as error:
            met.append(error)

    waiting = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {BARRIER} AND NOT granted"
    with closing(psycopg.connect(uri, autocommit=True)) as held:
        held.execute("SELECT pg_advisory_lock(%s)", [BARRIER])
        thread = threading.Thread(target=work)
        thread.start()
        while run_sql(uri, waiting) == [(0,)]:
            assert thread.is_alive()
        try:
            yield met
        finally:
            held.close()
            thread.join()


@pytest.mark.parametrize("write", [add, script, alone])
@pytest.mark.parametrize("newer", [fence(2), fence(1, tries=2)], ids=["lease", "try"])
def test_who_is_newer_ends_it(uri: str, write: Callable[[PostgresStore], None], newer: Fence) -> None:
    with standing(uri, write) as met:
        assert PostgresStore(uri).end_older(newer)
        assert run_sql(uri, LOCKS) == [(0,)]
    assert [type(error) for error in met] == [TargetHeldError]
    assert run_sql(uri, "SELECT count(*) FROM t") == [(0,)]


def test_who_is_of_the_same_lease_is_left_alone(uri: str) -> None:
    with standing(uri, add) as met:
        PostgresStore(uri).end_older(fence(1))
        sibling = Fence(check=lambda: None, confirm=lambda _: None, epochs={"t": 1}, part="apply 1", tries=5, lasts=60)
        PostgresStore(uri).end_older(sibling)
    assert met == []
    assert run_sql(uri, "SELECT count(*) FROM t") == [(1,)]


def test_a_role_that_may_not_end_it_is_told_which_session_it_is(uri: str) -> None:
    run_sql(uri, "CREATE ROLE weak_writer LOGIN")
    try:
        with (
            standing(uri, add),
            pytest.raises(TargetHeldError, match=r"process id \d+ .* may not be ended by this role"),
        ):
            PostgresStore(make_conninfo(uri, user="weak_writer")).end_older(fence(2))
    finally:
        with suppress(psycopg.Error):
            run_sql(uri, "DROP ROLE weak_writer")
