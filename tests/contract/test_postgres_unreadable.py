"""Values that have no canonical form stop no table: each is null, and named in its row's `_mistyped`."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg import sql

from include.embedded import postgres
from include.trueup.declare.migration import Type
from include.trueup.rows.json_column import UNREADABLE
from include.trueup.stores.postgres import PostgresStore
from tests.contract.postgres_rows import read, table
from tests.harness import new_database, run_sql


@pytest.fixture(scope="module")
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


def test_json_of_any_kind_goes_through_or_is_named(uri: str) -> None:
    deep = '{"a":' * 1_500 + "1" + "}" * 1_500
    texts = ['{"a":1.0}', '"\\ud800"', "1e400000000", '{"\\u0000":"\\u0000"}', deep, "1e99999999999999999999"]
    run_sql(uri, "CREATE TABLE odd (id int PRIMARY KEY, old json, new jsonb, other json)")
    with psycopg.connect(uri) as connection:
        connection.cursor().executemany("INSERT INTO odd VALUES (%s, %s)", list(enumerate(texts)))
        connection.execute("INSERT INTO odd VALUES (9, '0.00', %s, '[1e400000000]')", [deep])
    declared = table("odd", {"id": Type.INTEGER, "old": Type.JSON, "new": Type.JSON})
    found = {row["id"]: row for row in read(PostgresStore(uri), declared)}
    assert {id: row["old"] for id, row in found.items()} == {
        0: '{"a":1}',
        1: None,
        2: None,
        3: '{"\\u0000":"\\u0000"}',
        4: deep,
        5: None,
        9: "0",
    }
    assert found[9]["new"] == deep
    why = {
        id: {name: one[UNREADABLE]["why"] for name, one in json.loads(row["_mistyped"]).items()}
        for id, row in found.items()
        if row.get("_mistyped")
    }
    assert [*why] == [1, 2, 5, 9]
    assert "half of a surrogate pair" in why[1]["old"]
    assert "'1e400000000' has an exponent beyond ±131,072" in why[2]["old"]
    assert [*why[9]] == ["_extra"]
    assert "_extra" not in found[9]


def test_bytes_that_are_not_unicode_are_named_with_their_row(postgres_server: postgres.Server) -> None:
    """A database of encoding SQL_ASCII holds whatever it was given."""
    uri = new_database(postgres_server)
    name = f"{psycopg.conninfo.conninfo_to_dict(uri)['dbname']}_ascii"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0").format(sql.Identifier(name))
        )
    ascii_uri = psycopg.conninfo.make_conninfo(uri, dbname=name)
    run_sql(
        ascii_uri,
        "CREATE TABLE raw (id text PRIMARY KEY, name text)",
        r"INSERT INTO raw VALUES ('a', 'plain'), ('b', convert_from('\xff62', 'SQL_ASCII')), (convert_from('\xfe', 'SQL_ASCII'), 'c')",
    )
    found = {
        row["id"]: row for row in read(PostgresStore(ascii_uri), table("raw", {"id": Type.TEXT, "name": Type.TEXT}))
    }
    assert {id: row["name"] for id, row in found.items()} == {"a": "plain", "b": None, "\\xfe": "c"}
    assert "not Unicode" in json.loads(found["b"]["_mistyped"])["name"][UNREADABLE]["why"]
    assert "id" in json.loads(found["\\xfe"]["_mistyped"])
