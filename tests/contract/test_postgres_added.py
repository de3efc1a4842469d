"""What the PostgreSQL store does for tables that a migration changes in place, and for reading several tables at once."""

from __future__ import annotations

import duckdb
import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Type
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores.postgres import PostgresStore
from tests.contract.postgres_rows import read, rows, table
from tests.harness import new_database, run_sql

COLUMNS = {"id": Type.INTEGER, "label": Type.TEXT, "stamp": Type.TEXT}


@pytest.fixture
def uri(postgres_server: postgres.Server) -> str:
    """A database with a table that lacks the column `stamp`."""
    made = new_database(postgres_server)
    run_sql(made, "CREATE TABLE t (id bigint PRIMARY KEY, label text)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    return made


def test_a_column_that_is_to_be_added_reads_as_null_and_is_written_once_it_is_there(uri: str) -> None:
    store, declared = PostgresStore(uri), table("t", COLUMNS, adds=("stamp",))
    before = rows(declared, {"id": 1, "label": "a"}, {"id": 2, "label": "b"})
    after = rows(declared, {"id": 1, "label": "a", "stamp": "x"}, {"id": 2, "label": "b", "stamp": "y"})
    assert read(store, declared) == [
        {"id": 1, "label": "a", "stamp": None},
        {"id": 2, "label": "b", "stamp": None},
    ]
    assert store.create(declared) is False
    with pytest.raises(StoreRejectedError, match="no column 'stamp' yet"):
        store.change(declared, after, before)
    store.script("ALTER TABLE t ADD COLUMN stamp text")
    assert store.change(declared, after, before).written == 2
    assert [row["stamp"] for row in read(store, declared)] == ["x", "y"]


def test_a_column_that_is_missing_and_not_to_be_added_is_an_error(uri: str) -> None:
    with pytest.raises(StoreRejectedError, match="no column 'stamp'"):
        read(PostgresStore(uri), table("t", COLUMNS))


def test_required_columns_are_not_null_in_a_new_table_and_null_rows_are_named_before(uri: str) -> None:
    store, declared = PostgresStore(uri), table("new", COLUMNS, required=("label",))
    assert store.create(declared)
    (refused,) = store.add(declared, rows(declared, {"id": 1})).refused
    assert (refused.key, refused.constraint) == ("1", "column label")
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE planned AS SELECT * FROM (VALUES (1, 1, 'a', 's'), (2, 2, NULL, 's'), (3, 3, 'c', NULL)) "
            "v(__trueup_row_id, id, label, stamp)"
        )
        found = connection.execute(store.unwritable(declared, "planned")).fetchall()
    assert found == [(2, "column label is null, which it may not be")]


def test_undeclared_columns_are_described(uri: str) -> None:
    described = PostgresStore(uri).describe(table("t", {"id": Type.INTEGER}))
    assert described is not None
    assert described.undeclared == ("label",)


def test_all_tables_read_in_one_block_are_of_its_beginning(uri: str) -> None:
    run_sql(uri, "CREATE TABLE u (id bigint PRIMARY KEY, label text)", "INSERT INTO u VALUES (1, 'a')")
    one, other = (table(name, {"id": Type.INTEGER, "label": Type.TEXT}) for name in "tu")
    with PostgresStore(uri).reading() as reading:
        before = read(reading, one, segments=2)
        run_sql(uri, "UPDATE u SET label = 'later'", "INSERT INTO t VALUES (3, 'later')")
        assert read(reading, other) == [{"id": 1, "label": "a"}]
        with reading.reading() as same:
            assert read(same, one, segments=3) == before
    assert read(PostgresStore(uri), other) == [{"id": 1, "label": "later"}]


def test_a_connection_is_one_transaction_and_its_errors_are_ours(uri: str) -> None:
    store = PostgresStore(uri)
    with pytest.raises(StoreRejectedError), store.connect() as connection:
        connection.execute("INSERT INTO t VALUES (9, 'undone'); INSERT INTO t VALUES (1, 'there already')")
    with store.connect() as connection:
        connection.execute("INSERT INTO t VALUES (5, 'kept')")
    assert [row["id"] for row in read(store, table("t", {"id": Type.INTEGER, "label": Type.TEXT}))] == [1, 2, 5]
    with pytest.raises(StoreUnavailableError), PostgresStore("postgresql://127.0.0.1:1/nobody").connect():
        pass
