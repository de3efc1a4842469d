"""What `make new` writes between a table of PostgreSQL and one of DynamoDB, and between two of DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.console.new import Place, files
from include.embedded import postgres
from include.trueup.errors import OptionsError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import fastest_engine, items, new_database, run_sql, store_at
from tests.migrations.generated import OLD, Databases, verbs

DYNAMO = "old_dynamodb"
ITEMS: list[dict[str, Any]] = [
    {
        "id": {"S": "a"}, "at": {"S": "2024-02-29T12:00:00+00:00"}, "n": {"N": "7"}, "doc": {"M": {"l": {"L": [{"N": "1"}]}}},
        "tags": {"SS": ["x", "y"]}, "list": {"L": [{"NULL": True}, {"S": ""}]}, "raw": {"B": b"\x00"}, "ok": {"BOOL": True},
    },
    {"id": {"S": "b"}, "at": {"S": "2024-03-01T00:00:00Z"}, "n": {"N": "8"}, "odd": {"N": "1"}},
    {"id": {"S": "c"}, "at": {"S": "2024-03-02T00:00:00Z"}, "odd": {"S": "one"}},
    {"id": {"S": "d"}, "at": {"S": "2024-03-02T00:00:00Z"}, "odd": {"S": "two"}},
]  # fmt: skip


@pytest.fixture
def both(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Iterator[Databases]:
    """A database of PostgreSQL (`old_postgres`) and an engine of DynamoDB (`old_dynamodb`)."""
    uri = new_database(postgres_server)
    with fastest_engine() as engine:
        here = Databases(uri, uri, ledger, workspace, tmp_path)
        stores: dict[str, Any] = here.stores
        stores[DYNAMO] = store_at(engine.endpoint)
        yield here


def dynamodb(here: Databases) -> DynamoDBStore:
    stores: dict[str, Any] = here.stores
    store: DynamoDBStore = stores[DYNAMO]
    return store


def filled(here: Databases) -> None:
    client = dynamodb(here).client
    client.create_table(
        TableName="people", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    for item in ITEMS:
        client.put_item(TableName="people", Item=item)


def test_an_item_is_copied_whole_lists_sets_and_mixed_types_too(both: Databases) -> None:
    filled(both)
    migration = both.generated("people", "persons", came_from=DYNAMO, goes_to=DYNAMO)
    assert verbs(both.run(migration)) == {"add": len(ITEMS)}
    store = dynamodb(both)

    def plain(item: dict[str, Any]) -> dict[str, Any]:
        return {n: {t: sorted(v) if t == "SS" else v for t, v in value.items()} for n, value in item.items()}

    old, new = ({i["id"]["S"]: plain(i) for i in items(store, table)} for table in ("people", "persons"))
    assert new == old
    both.back(migration)
    assert items(store, "persons") == []


@pytest.mark.slow
def test_from_dynamodb_into_a_table_that_is_there_and_one_that_is_not(both: Databases) -> None:
    filled(both)
    uri = both.uris[OLD]
    run_sql(
        uri,
        "CREATE TABLE people (id text PRIMARY KEY, at timestamptz NOT NULL, n bigint, doc jsonb, ok bool, raw bytea)",
    )
    into = both.generated("people", came_from=DYNAMO, goes_to=OLD, left=("list", "tags"))
    report = both.run(into)  # an attribute of another type than most is rejected, and stands in the report
    assert (verbs(report), report["plan"]["phases"][0]["rejected"]) == ({"add": 3}, 1)
    assert run_sql(uri, "SELECT id, at::text, n, ok, raw FROM people ORDER BY id")[0] == (
        "a", "2024-02-29 12:00:00+00", 7, True, b"\x00",
    )  # fmt: skip
    assert run_sql(uri, "SELECT doc FROM people WHERE id = 'a'") == [({"l": [1]},)]
    both.back(into)
    made = replace(both.generated("people", "made", came_from=DYNAMO, goes_to=OLD, left=("list", "tags")), id="another")
    assert made.sources[0].ignores == ("list", "tags")
    both.run(made, max_reject_share=0.5)
    assert run_sql(uri, "SELECT id, n::text, odd FROM made ORDER BY id") == [
        ("a", "7", None),
        ("c", None, "one"),
        ("d", None, "two"),
    ]


@pytest.mark.slow
def test_from_postgres_into_a_table_of_dynamodb(both: Databases) -> None:
    run_sql(
        both.uris[OLD],
        "CREATE TABLE people (id bigint PRIMARY KEY, born date, at timestamptz, f float8, n numeric, j jsonb, b bytea, u uuid, t text[])",
        "INSERT INTO people VALUES (1, '2024-02-29', '2024-02-29Z', 0.1, 1.50, '{\"l\": [1.50]}', '\\x00', gen_random_uuid(), '{a}')",
        "INSERT INTO people VALUES (2)",
        "CREATE TABLE long (a int, b int, c int, PRIMARY KEY (a, b, c))",
    )
    migration = both.generated("people", goes_to=DYNAMO)
    assert verbs(both.run(migration)) == {"add": 2}
    held = {item["id"]["N"]: item for item in items(dynamodb(both), "people")}
    assert held["2"] == {"id": {"N": "2"}}
    assert {n: held["1"][n] for n in ("born", "f", "n", "b", "j")} == {
        "born": {"S": "2024-02-29"}, "f": {"N": "0.1"}, "n": {"N": "1.5"}, "b": {"B": b"\x00"},
        "j": {"M": {"l": {"L": [{"N": "1.5"}]}}},
    }  # fmt: skip
    both.back(migration)
    assert items(dynamodb(both), "people") == []
    legacy = both.stores[OLD].catalogue("long")
    assert legacy is not None
    with pytest.raises(
        OptionsError, match="long has the key a, b, c, and a key of DynamoDB has two attributes at most"
    ):
        files("long", (Place(connection=OLD, table="long"), legacy), (Place(connection=DYNAMO, table="long"), None))


def test_the_test_that_it_writes_has_values_that_both_tables_take(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    old, new = new_database(postgres_server), new_database(postgres_server)
    run_sql(
        old,
        "CREATE TABLE t (id text PRIMARY KEY, at text NOT NULL, n numeric NOT NULL, f float8 NOT NULL, b text NOT NULL, j text NOT NULL)",
    )
    run_sql(
        new,
        "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, n bigint NOT NULL, f int NOT NULL, b bool NOT NULL, j jsonb NOT NULL)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER stamp BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
    )
    here = Databases(old, new, ledger, workspace, tmp_path)
    here.generated("t", tested=True)
    written = next(tmp_path.rglob("include/migrations/made/migration.py")).read_text()
    assert "# It has trigger stamp (BEFORE UPDATE)." in written


def test_its_values_are_of_their_columns_own_types(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path, there_and_back: Any
) -> None:
    """In the database of a test there is neither the schema nor the enum."""
    uri = new_database(postgres_server)
    run_sql(
        uri,
        "CREATE SCHEMA sales",
        "CREATE TYPE sales.mood AS ENUM ('so so', 'fine')",
        "CREATE TABLE sales.every (id uuid, mood sales.mood, at time, zoned timetz, flags bit(3), tags text[] NOT NULL, span daterange,"
        " spans int4multirange NOT NULL, address inet NOT NULL, took interval NOT NULL, place point NOT NULL, code char(1) NOT NULL,"
        " rate numeric(2,0) NOT NULL, PRIMARY KEY (id, mood, at, zoned, flags, span))",
    )
    here = Databases(uri, uri, ledger, workspace, tmp_path)
    here.generated("sales.every", "sales.also", goes_to=OLD, tested=True, there_and_back=there_and_back)
