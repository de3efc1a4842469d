"""PostgreSQL's types: floats, dates and times of no zone exactly; every other one as PostgreSQL's own text, whatever the
role's and the database's settings are."""

from __future__ import annotations

import math
import re
import struct

import psycopg
import pyarrow as pa
import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Table, Type
from include.trueup.stores.postgres import PostgresStore
from tests.contract.postgres_rows import read, rows, table
from tests.harness import new_database, run_sql

FLOATS = ["0.1", "0", "-0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "123456789012345.6"]
# Each would change the text of some value, or what a text is read as.
HOSTILE = {
    "DateStyle": "'German, DMY'",
    "IntervalStyle": "'sql_standard'",
    "TimeZone": "'Asia/Kolkata'",
    "extra_float_digits": "-5",
    "bytea_output": "'escape'",
    "xmloption": "'document'",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "standard_conforming_strings": "off",
    "lc_monetary": "'C.UTF-8'",
    "client_encoding": "'LATIN1'",
}


@pytest.fixture(scope="module")
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


@pytest.fixture
def store(uri: str) -> PostgresStore:
    run_sql(uri, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return PostgresStore(uri, lock_timeout=0.5, patience=2)


def copied(store: PostgresStore, declared: Table, to: str) -> None:
    """Every row of the table into another of the same columns, through the canonical form."""
    into = Table(name=to, connection="c", key=declared.key, columns=declared.columns)
    for batch in store.read(declared, 0, 1):
        outcome = store.add(into, pa.Table.from_batches([batch]))
        assert (outcome.conflicts, outcome.refused) == ([], [])


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


def test_floats_are_carried_to_the_bit(store: PostgresStore, uri: str) -> None:
    values = ", ".join(f"({n}, '{text}')" for n, text in enumerate(FLOATS))
    run_sql(
        uri,
        "CREATE TABLE t (id int PRIMARY KEY, f float8)",
        "CREATE TABLE u (id int PRIMARY KEY, f float8)",
        f"INSERT INTO t VALUES {values}, (99, NULL)",
    )
    declared = table("t", {"id": Type.INTEGER, "f": Type.FLOAT})
    found = read(store, declared)
    assert [row.get("f") is None for row in found] == [False] * len(FLOATS) + [True]
    assert all("_mistyped" not in row for row in found)
    for row, text in zip(found, FLOATS, strict=False):
        assert bits(row["f"]) == bits(float(text)), text
    copied(store, declared, "u")
    same = "SELECT count(*) FROM t JOIN u USING (id) WHERE float8send(t.f) IS NOT DISTINCT FROM float8send(u.f)"
    assert run_sql(uri, same) == [(len(FLOATS) + 1,)]


def test_minus_zero_is_another_value_than_zero_and_nan_equals_nan(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE t (id int PRIMARY KEY, f float8)", "INSERT INTO t VALUES (1, '-0'), (2, 'NaN'), (3, 0)")
    declared = table("t", {"id": Type.INTEGER, "f": Type.FLOAT})
    there = rows(declared, {"id": 1, "f": 0.0}, {"id": 2, "f": math.nan}, {"id": 3, "f": 0.0})
    assert [c.key for c in store.add(declared, there).conflicts] == ["1"]
    outcome = store.change(declared, rows(declared, {"id": 3, "f": -0.0}), rows(declared, {"id": 3, "f": 0.0}))
    assert (outcome.written, outcome.conflicts) == (1, [])
    assert run_sql(uri, "SELECT f::text FROM t WHERE id = 3") == [("-0",)]
    assert [c.key for c in store.remove(declared, rows(declared, {"id": 3, "f": 0.0})).conflicts] == ["3"]
    assert store.remove(declared, rows(declared, {"id": 2, "f": math.nan})).written == 1


def test_a_real_is_carried_as_the_double_it_is(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        "CREATE TABLE t (id int PRIMARY KEY, f float4)",
        "CREATE TABLE u (id int PRIMARY KEY, f float8)",
        "INSERT INTO t VALUES (1, 0.1), (2, '-0'), (3, 'NaN'), (4, '1e-45'), (5, '3.4028235e38'), (6, 'Infinity')",
    )
    declared = table("t", {"id": Type.INTEGER, "f": Type.FLOAT})
    copied(store, declared, "u")
    same = "SELECT count(*) FROM t JOIN u USING (id) WHERE float8send(t.f) = float8send(u.f)"
    assert run_sql(uri, same) == [(6,)]
    back = table("u", declared.columns)
    run_sql(uri, "DELETE FROM t")
    copied(store, back, "t")
    assert run_sql(uri, same) == [(6,)]


@pytest.mark.parametrize("given", [0.1, 1e300, 1e-300, -3.5e38])
def test_a_real_refuses_a_double_that_it_cannot_hold(store: PostgresStore, uri: str, given: float) -> None:
    run_sql(uri, "CREATE TABLE t (id int PRIMARY KEY, f float4)")
    declared = table("t", {"id": Type.INTEGER, "f": Type.FLOAT})
    outcome = store.add(declared, rows(declared, {"id": 1, "f": given}, {"id": 2, "f": 0.5}))
    (refused,) = outcome.refused
    assert (refused.key, outcome.written) == ("1", 1)
    assert re.search(r"'?f'? \(real\) would hold .* only as another value", refused.reason), refused.reason
    assert run_sql(uri, "SELECT id, f FROM t") == [(2, 0.5)]


DAYS = ["2024-02-29", "4713-11-24 BC", "0044-03-15 BC", "0001-01-01", "5874897-12-31", "9999-12-31"]
TIMES = ["2024-02-29 23:59:59.999999", "4713-11-24 00:00:00 BC", "0044-03-15 12:00:00.5 BC", "294246-12-31 23:59:59"]


def test_dates_and_times_of_any_year_are_carried_exactly(store: PostgresStore, uri: str) -> None:
    values = ", ".join(f"({n}, date '{DAYS[n % 6]}', timestamp '{TIMES[n % 4]}')" for n in range(12))
    run_sql(
        uri,
        "CREATE TABLE t (id int PRIMARY KEY, d date, t timestamp)",
        "CREATE TABLE u (id int PRIMARY KEY, d date, t timestamp)",
        f"INSERT INTO t VALUES {values}, (99, NULL, NULL)",
    )
    declared = table("t", {"id": Type.INTEGER, "d": Type.DATE, "t": Type.DATETIME})
    copied(store, declared, "u")
    assert run_sql(
        uri, "SELECT count(*) FROM t JOIN u USING (id) WHERE (t.d, t.t) IS NOT DISTINCT FROM (u.d, u.t)"
    ) == [(13,)]


def test_dates_and_times_are_keys_too(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        "CREATE TABLE t (d date, t timestamp, z timestamptz, PRIMARY KEY (d, t, z))",
        *(f"INSERT INTO t VALUES ('{d}', '{t}', '{t}')" for d in DAYS for t in TIMES),
    )
    declared = table("t", {"d": Type.DATE, "t": Type.DATETIME, "z": Type.TIMESTAMP}, key=("d", "t", "z"))
    (batch,) = store.read(declared, 0, 1)
    assert store.get(declared, pa.Table.from_batches([batch])).num_rows == len(DAYS) * len(TIMES)


def test_infinity_has_no_place_in_dates_and_times_but_in_their_text(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        "CREATE TABLE t (id int PRIMARY KEY, d date, t timestamp)",
        "CREATE TABLE u (id int PRIMARY KEY, d date, t timestamp)",
        "INSERT INTO t VALUES (1, 'infinity', 'infinity'), (2, '-infinity', '-infinity'), (3, NULL, '294276-12-31')",
    )
    columns = {"id": Type.INTEGER, "d": Type.DATE, "t": Type.DATETIME}
    assert read(store, table("t", columns)) == [
        {"id": 1, "d": None, "t": None, "_mistyped": '{"d":"infinity","t":"infinity"}'},
        {"id": 2, "d": None, "t": None, "_mistyped": '{"d":"-infinity","t":"-infinity"}'},
        {"id": 3, "d": None, "t": None, "_mistyped": '{"t":"294276-12-31T00:00:00"}'},
    ]
    copied(store, table("t", {"id": Type.INTEGER, "d": Type.TEXT, "t": Type.TEXT}), "u")
    same = "SELECT count(*) FROM t JOIN u USING (id) WHERE (t.d, t.t) IS NOT DISTINCT FROM (u.d, u.t)"
    assert run_sql(uri, same) == [(3,)]


AS_TEXT = {
    "varchar(9)": ["é", "", " a "],
    "char(5)": ["ab", ""],
    "name": ["pg_class"],
    "uuid": ["0be35faf-0c35-41a0-80ae-08de001a0641"],
    "mood": ["sad", "Very Happy"],
    "word": ["x"],
    "text[]": ['{a,NULL,"NULL","",\'x\',"\\"\\\\"}', "{}", "[2:3]={a,b}"],
    "float8[]": ["{0.1,-0,NaN,1.7976931348623157e308}"],
    "timestamptz[]": ['{"2024-03-01 12:00:00+00",infinity}'],
    "bytea[]": ['{"\\\\x00ff"}'],
    "pair": ['(1,"a b")', "(,)", '(7,"2024-03-01 12:00:00+00")'],
    "int4range": ["[1,5)", "empty", "(,)"],
    "tstzrange": ['["2024-03-01 12:00:00+00","2024-03-02 00:00:00+05:30")'],
    "datemultirange": ["{[2024-01-02,2024-03-04),[2025-01-01,)}"],
    "inet": ["10.0.0.1/8", "::1"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "tsvector": ["'a':1 'b':2,3A"],
    "tsquery": ["'a' & !'b'"],
    "point": ["(0.1,-0.2)"],
    "line": ["{1,-1,0}"],
    "lseg": ["[(0,0),(1,1)]"],
    "box": ["(1,1),(0,0)"],
    "path": ["((0,0),(1,1))", "[(0,0),(1,1)]"],
    "polygon": ["((0,0),(1,1),(1,0))"],
    "circle": ["<(0,0),0.1>"],
    "bit(3)": ["101"],
    "varbit": ["", "10110"],
    "time": ["23:59:59.999999", "24:00:00"],
    "timetz": ["23:59:59.999999+05:30", "00:00:00-15:59:59"],
    "interval": ["1 year 2 mons -3 days 04:05:06.7", "-00:00:01", "178000000 years"],
    "date": ["2024-02-29", "0044-03-15 BC", "infinity"],
    "timestamp": ["2024-02-29 12:00:00", "-infinity"],
    "pg_lsn": ["16/B374D848"],
    "jsonpath": ['$."a"[*]?(@ > 1)'],
}


def test_every_other_type_is_its_text_whatever_the_settings(store: PostgresStore, uri: str) -> None:
    columns = ", ".join(f"c{n} {type_}" for n, type_ in enumerate(AS_TEXT))
    run_sql(
        uri,
        "CREATE TYPE mood AS ENUM ('sad', 'Very Happy')",
        "CREATE DOMAIN word AS text CHECK (VALUE <> '')",
        "CREATE TYPE pair AS (a int, b text)",
        f"CREATE TABLE t (id text PRIMARY KEY, {columns})",
        f"CREATE TABLE u (id text PRIMARY KEY, {columns})",
    )
    expected = {}
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("SET IntervalStyle = postgres")
        connection.execute("SET TimeZone = UTC")
        for n, (type_, texts) in enumerate(AS_TEXT.items()):
            for number, text in enumerate(texts):
                put = f"INSERT INTO t (id, c{n}) VALUES (%s, %s::{type_}) RETURNING c{n}::text"
                row = connection.execute(put.encode(), [f"{type_} {number}", text]).fetchone()
                assert row is not None
                expected[f"{type_} {number}"] = (f"c{n}", row[0])
    declared = table("t", {"id": Type.TEXT, **{f"c{n}": Type.TEXT for n in range(len(AS_TEXT))}})
    (database,) = run_sql(uri, "SELECT current_database()")[0]
    try:
        run_sql(uri, *(f"ALTER DATABASE {database} SET {name} = {value}" for name, value in HOSTILE.items()))
        found = {
            row["id"]: {k: v for k, v in row.items() if v is not None and k != "id"} for row in read(store, declared)
        }
        assert found == {id: {column: text} for id, (column, text) in expected.items()}
        copied(store, declared, "u")
        copied(store, declared, "u")  # what is there already is what was to be written
    finally:
        run_sql(uri, f"ALTER DATABASE {database} RESET ALL")
    for n in range(len(AS_TEXT)):
        ours, theirs = (f"ARRAY(SELECT {name}.c{n}::text FROM {name} ORDER BY id)" for name in ("t", "u"))
        assert run_sql(uri, f"SELECT {ours} = {theirs}") == [(True,)], n
