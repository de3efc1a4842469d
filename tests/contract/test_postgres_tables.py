"""Making PostgreSQL tables: from a declaration, by a script, where something is there already; and running scripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Index, Type
from include.trueup.errors import DeclarationError, StoreRejectedError, StoreUnavailableError
from include.trueup.stores.postgres import PostgresStore
from include.trueup.stores.postgres.catalog import full_name, schema_and_name
from tests.contract.postgres_rows import rows, table
from tests.harness import new_database, run_sql

RESULTS = table(
    "results",
    {"id": Type.TEXT, "code": Type.TEXT, "payload": Type.JSON},
    indexes=[Index(name="by_code", key=("code",))],
)


@pytest.fixture(scope="module")
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


@pytest.fixture
def store(uri: str) -> PostgresStore:
    run_sql(uri, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "DROP SCHEMA IF EXISTS app CASCADE")
    return PostgresStore(uri, lock_timeout=0.2, patience=0.5)


def script(folder: Path, text: str) -> Path:
    file = folder / "make.sql"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_declaration_gets_the_types_of_the_canonical_form(store: PostgresStore, uri: str) -> None:
    declared = table("t", {type_.value: type_ for type_ in Type}, key=["text"])
    assert store.create(declared)
    types = run_sql(
        uri,
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0",
    )
    assert dict(types) == {
        "text": "text",
        "number": "numeric",
        "integer": "bigint",
        "float": "double precision",
        "date": "date",
        "datetime": "timestamp without time zone",
        "boolean": "boolean",
        "timestamp": "timestamp with time zone",
        "json": "jsonb",
        "binary": "bytea",
    }


def test_a_script_makes_the_table_in_its_schema(store: PostgresStore, uri: str, tmp_path: Path) -> None:
    run_sql(uri, "CREATE SCHEMA app", "CREATE TABLE public.sessions (id uuid PRIMARY KEY)")
    text = """
        -- 100 % of the statements run
        CREATE TABLE results (
            id uuid PRIMARY KEY REFERENCES sessions (id), code text, payload jsonb NOT NULL DEFAULT '{"%s": ";"}'
        );
        CREATE INDEX results_code_idx ON results (code, id);
        COMMENT ON TABLE results IS 'made by script';
    """
    declared = replace(RESULTS, name="app.results", create=script(tmp_path, text))
    assert store.create(declared) is True
    assert store.create(declared) is False
    assert run_sql(uri, "SELECT obj_description('app.results'::regclass)") == [("made by script",)]
    found = store.describe(declared)
    assert found is not None
    # the index is named otherwise than declared, and begins with the declared columns
    assert (found.key, found.indexes, found.differences) == (("id",), ("results_code_idx",), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE TABLE other (id text PRIMARY KEY)", "does not make table public.results"),
        ("CREATE TABLE results (id text PRIMARY KEY, code text, payload jsonb)", "no index on 'code'"),
        ("CREATE TABLE results (id text, code text PRIMARY KEY, payload jsonb)", "primary key is 'code'"),
        ("CREATE TABLE results (id text, code text, payload jsonb)", "primary key is missing"),
        ("CREATE TABLE results (id text PRIMARY KEY, code text, payload text)", "column 'payload' is text"),
        ("CREATE TABLE results (id text PRIMARY KEY, payload jsonb)", "no column 'code'"),
        ("CREATE TABLE results (id text PRIMARY KEY); nonsense", "SQLSTATE 42601"),
    ],
)
def test_a_script_that_makes_something_else_leaves_nothing(
    store: PostgresStore, uri: str, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(StoreRejectedError, match=message):
        store.create(replace(RESULTS, create=script(tmp_path, text)))
    assert run_sql(uri, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("CREATE INDEX by_code ON results (id)", "index 'by_code' is on 'id', declared is 'code'"),
        ("CREATE INDEX by_code ON results (code) WHERE code > 'a'", "partial or not valid"),
    ],
)
def test_an_index_that_is_another_than_declared_is_a_difference(
    store: PostgresStore, uri: str, index: str, message: str
) -> None:
    run_sql(uri, "CREATE TABLE results (id text PRIMARY KEY, code text, payload jsonb)", index)
    with pytest.raises(StoreRejectedError, match=message):
        store.create(RESULTS)


@pytest.mark.parametrize(
    "index",
    [
        "CREATE INDEX x ON results (code) WHERE code > 'a'",
        "CREATE INDEX x ON results (id, code)",
        "CREATE INDEX x ON results (lower(code))",
        "CREATE INDEX x ON results (id) INCLUDE (code)",
    ],
)
def test_where_no_index_serves_the_declared_one_is_made(store: PostgresStore, uri: str, index: str) -> None:
    run_sql(uri, "CREATE TABLE results (id text PRIMARY KEY, code text, payload jsonb)", index)
    assert store.create(RESULTS) is False
    assert run_sql(uri, "SELECT pg_get_indexdef('by_code'::regclass)")[0][0].endswith("(code)")


def test_columns_that_an_index_only_includes_are_not_its_key(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        "CREATE TABLE results (id text, code text, payload jsonb, PRIMARY KEY (id) INCLUDE (code))",
        "CREATE INDEX by_code ON results (code) INCLUDE (payload)",
    )
    assert store.create(RESULTS) is False


def test_a_table_is_not_written_where_its_key_is_another(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE results (id text, code text PRIMARY KEY, payload jsonb)")
    narrow = table("results", {"id": Type.TEXT})
    with pytest.raises(StoreRejectedError, match="is not as declared"):
        store.add(narrow, rows(narrow, {"id": "x"}))
    assert len(list(store.read(narrow, 0, 1))) == 0  # it may be read


def test_a_script_is_one_transaction(store: PostgresStore, uri: str) -> None:
    store.script("CREATE TABLE a (i int); INSERT INTO a VALUES (1), (2); UPDATE a SET i = i * 10")
    with pytest.raises(StoreRejectedError, match="SQLSTATE 22012"):
        store.script("DELETE FROM a; SELECT 1 / 0")
    assert run_sql(uri, "SELECT sum(i) FROM a") == [(30,)]


def test_a_script_gives_up_on_a_lock_that_is_kept(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE a (i int)")
    with psycopg.connect(uri) as other:
        other.execute("SELECT * FROM a")
        with pytest.raises(StoreUnavailableError, match=r"SQLSTATE 55P03.*Tried \d+ times"):
            store.script("ALTER TABLE a ADD COLUMN b int")
    store.script("ALTER TABLE a ADD COLUMN b int")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("t", ("public", "t")),
        ("App.T", ("App", "T")),
        ('sales."order.items"', ("sales", "order.items")),
        ('"a.b"."c ""d"""', ("a.b", 'c "d"')),
        ('it"s', ("public", 'it"s')),
    ],
)
def test_a_name_is_parts_between_dots_and_in_quotes_a_part_with_one(name: str, parts: tuple[str, str]) -> None:
    assert schema_and_name(table(name, {"id": Type.TEXT})) == parts
    assert schema_and_name(table(full_name(table(name, {"id": Type.TEXT})), {"id": Type.TEXT})) == parts


@pytest.mark.parametrize("name", ["a.b.c", "a.", ".a", "", '"a', 'a."b', '"a"b', 'a."b"."c"', '""', '"a"."b"x'])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=r"write table or schema\.table"):
        schema_and_name(table(name, {"id": Type.TEXT}))
