"""What is PostgreSQL's own among the stores: its types, its identifiers, snapshots, segments, constraints."""

from __future__ import annotations

import datetime as dt
import re
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import conninfo

from include.embedded import postgres
from include.trueup.declare.migration import Type
from include.trueup.errors import StoreRejectedError
from include.trueup.rows import duck
from include.trueup.rows.values import canonical_json
from include.trueup.stores.postgres import PostgresStore
from tests.contract.postgres_rows import read, rows, table
from tests.harness import new_database, run_sql

NOON = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
UUID = "0be35faf-0c35-41a0-80ae-08de001a0641"


@pytest.fixture(scope="module")
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


@pytest.fixture
def store(uri: str) -> PostgresStore:
    run_sql(uri, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return PostgresStore(uri, lock_timeout=0.5, patience=2)


def test_every_type_is_read_in_canonical_form(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        "CREATE TYPE mood AS ENUM ('sad', 'Happy')",
        "CREATE DOMAIN price AS numeric(10, 2) CHECK (VALUE > 0)",
        "CREATE TABLE t (id uuid PRIMARY KEY, mood mood, code char(5), name varchar(9), day date, price price, n numeric,"
        " small smallint, big bigint, whole int, at timestamptz, doc jsonb, old json, raw bytea, ok boolean)",
        "SET TIME ZONE 'Asia/Tokyo'",
        f"""INSERT INTO t VALUES ('{UUID.upper()}', 'Happy', 'ab', 'é', '2024-02-29', 1.50,
            -12345678901234567890123456789012345678.100, -3, 9223372036854775807, 7, '2024-03-01 13:00:00+01',
            '{{"b": 1.50, "aa": [1e3, 5.00]}}', '{{"b" :1.50, "aa":[1e3]}}', '\\x00ff', true)""",
    )
    text, number = Type.TEXT, Type.NUMBER
    declared = table(
        "t",
        {"id": text, "mood": text, "code": text, "name": text, "day": text, "price": number, "n": number}
        | {"small": number, "big": Type.INTEGER, "whole": Type.INTEGER, "at": Type.TIMESTAMP, "doc": Type.JSON}
        | {"old": Type.JSON, "raw": Type.BINARY, "ok": Type.BOOLEAN},
    )
    expected: dict[str, Any] = {
        "id": UUID,
        "mood": "Happy",
        "code": "ab",
        "name": "é",
        "day": "2024-02-29",
        "price": "1.5",
    }
    expected |= {
        "n": "-12345678901234567890123456789012345678.1",
        "small": "-3",
        "big": 9223372036854775807,
        "whole": 7,
    }
    expected |= {
        "at": NOON,
        "doc": '{"aa":[1000,5],"b":1.5}',
        "old": '{"aa":[1000],"b":1.5}',
        "raw": b"\0\xff",
        "ok": True,
    }
    assert read(store, declared) == [expected]
    assert store.get(declared, rows(declared, {"id": UUID})).select(list(expected)).to_pylist() == [expected]
    assert store.describe(declared).differences == ()  # type: ignore[union-attr]
    planned = rows(declared, {**expected, "id": UUID.replace("0", "1"), "code": "abc", "n": "7"})
    assert store.add(declared, planned).written == 1
    assert store.get(declared, planned).equals(planned)


def test_values_without_canonical_form_stay_visible(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        "CREATE TABLE t (id int PRIMARY KEY, n numeric, at timestamptz, f float8)",
        "INSERT INTO t VALUES (1, 'NaN', 'infinity', 1.1), (2, '-Infinity', '-infinity', NULL), (3, 0, now(), NULL)",
        "INSERT INTO t VALUES (4, 1, '294276-12-31', NULL)",
    )
    declared = table("t", {"id": Type.INTEGER, "n": Type.NUMBER, "at": Type.TIMESTAMP, "f": Type.NUMBER})
    found = read(store, declared)
    assert [(row["n"], row["f"], row.get("_mistyped")) for row in found] == [
        (None, None, '{"at":"infinity","f":1.1,"n":"NaN"}'),
        (None, None, '{"at":"-infinity","n":"-Infinity"}'),
        ("0", None, None),
        ("1", None, '{"at":"294276-12-31T00:00:00+00:00"}'),
    ]
    assert [row["at"] is None for row in found] == [True, True, False, True]
    described = store.describe(declared)
    assert described is not None
    assert described.differences == described.misfits
    assert described.misfits == ("column 'f' is double precision, but is declared Type.NUMBER: declare Type.FLOAT",)
    with pytest.raises(StoreRejectedError, match="'f' is double precision"):
        store.add(declared, rows(declared, {"id": 9}))


def test_a_row_with_nan_can_be_changed_as_long_as_it_is_nan(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri, "CREATE TABLE t (id int PRIMARY KEY, n numeric)", "INSERT INTO t VALUES (1, 'NaN'), (2, NULL), (3, 'NaN')"
    )
    declared = table("t", {"id": Type.INTEGER, "n": Type.NUMBER})
    before = rows(declared, *({"id": i, "_mistyped": '{"n":"NaN"}'} for i in (1, 2, 3)))
    run_sql(uri, "UPDATE t SET n = 'Infinity' WHERE id = 3")
    outcome = store.change(declared, rows(declared, *({"id": i, "n": "0"} for i in (1, 2, 3))), before)
    assert (outcome.written, sorted(c.key for c in outcome.conflicts)) == (1, ["2", "3"])
    assert run_sql(uri, "SELECT id, n::text FROM t ORDER BY id") == [(1, "0"), (2, None), (3, "Infinity")]


def test_undeclared_columns_are_kept_beside(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        'CREATE TABLE t (id int PRIMARY KEY, "it\'s" numeric, tags text[], "half ""%" jsonb)',
        "INSERT INTO t VALUES (1, 1.50, '{a,b}', '{\"z\": 1, \"a\": null}'), (3, NULL, NULL, 'null')",
        "INSERT INTO t VALUES (2)",
    )
    declared = table("t", {"id": Type.INTEGER})
    assert read(store, declared) == [
        {"id": 1, "_extra": '{"half \\"%":{"a":null,"z":1},"it\'s":1.5,"tags":["a","b"]}'},
        {"id": 2},
        {"id": 3, "_extra": '{"half \\"%":null}'},
    ]


def test_undeclared_columns_when_writing(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE t (id int PRIMARY KEY, a text, made timestamptz DEFAULT now(), note text)")
    declared = table("t", {"id": Type.INTEGER, "a": Type.TEXT})
    planned = rows(declared, {"id": 1, "a": "x"}, {"id": 2, "a": "y"})
    assert store.add(declared, planned).written == 2
    assert store.add(declared, planned).written == 2  # what a default has filled in does not make it another row
    run_sql(uri, "UPDATE t SET note = 'mine', made = NULL WHERE id = 1", "UPDATE t SET made = NULL WHERE id = 2")
    with pytest.raises(StoreRejectedError, match="2 planned rows hold in _extra"):
        store.add(declared, rows(declared, *({"id": i, "_extra": '{"note":"n"}'} for i in (7, 8))))
    before = rows(declared, {"id": 1, "a": "x", "_extra": '{"note":"mine"}'})
    assert store.change(declared, rows(declared, {"id": 1, "a": "z", "_extra": '{"note":"mine"}'}), before).written == 1
    assert run_sql(uri, "SELECT a, note FROM t WHERE id = 1") == [("z", "mine")]
    outcome = store.remove(declared, rows(declared, {"id": 1, "a": "z"}, {"id": 2, "a": "y"}))
    assert (outcome.written, [c.key for c in outcome.conflicts]) == (1, ["1"])  # somebody's note would be lost


NASTY = [
    "0", "-0", "-0.0", "-0.5", "1.50", "5.00", "100", "1e-7", "0.00001", "12345678901234567890.123456789", "1E+3",
    "1700000000000000", "1234567890.123456", "123456789.123456", "99999999999999999999", "0.1", "true", "null", '""',
    '"1.0"', '"a \\"1.0, 2.50]\\" b"', '"v2.0, and"', '"\\\\"', '"\\\\\\"1.0}"', '"\\u0001\\u001f\\u007f\\n\\t"', '"é😀\\/"',
    "[]", "{}", "[1.0, [2.0], {}]", '{"b":1.0,"a":{"é":1,"z":0.0,"aa":[1.10]},"B":2}', '{"x.0,":1.0,"\\"":"{"}',
    '{"ｚ":1,"😀":2}', "[" * 300 + "5.00" + "]" * 300, '[0.00000000000000000001, 1e5]',
]  # fmt: skip


def test_json_of_any_notation_is_canonical(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE t (id int PRIMARY KEY, new jsonb, old json)")
    with psycopg.connect(uri) as connection:
        connection.cursor().executemany("INSERT INTO t VALUES (%s, %s, %s)", [(i, t, t) for i, t in enumerate(NASTY)])
    declared = table("t", {"id": Type.INTEGER, "new": Type.JSON, "old": Type.JSON})
    found = {row["id"]: row for row in read(store, declared)}
    for i, text in enumerate(NASTY):
        assert found[i]["new"] == canonical_json(text), text
        assert found[i]["old"] == canonical_json(text), text


def test_jsonb_and_numbers_compare_by_value_and_unchanged_columns_are_not_touched(
    store: PostgresStore, uri: str
) -> None:
    run_sql(
        uri,
        "CREATE TABLE t (id int PRIMARY KEY, doc jsonb, n numeric, a text)",
        "INSERT INTO t SELECT i, '{\"b\": 1.50, \"a\": [10.0]}', 7.500, 'x' FROM generate_series(1, 3) i",
    )
    declared = table("t", {"id": Type.INTEGER, "doc": Type.JSON, "n": Type.NUMBER, "a": Type.TEXT})
    same: dict[str, Any] = {"doc": '{"a":[10],"b":1.5}', "n": "7.5", "a": "x"}
    before = rows(declared, *({"id": i, **same} for i in (1, 2, 3)))
    assert store.add(declared, before).written == 3
    planned = rows(declared, {"id": 1, **same, "a": "y"}, {"id": 2, **same, "n": "8"}, {"id": 3, **same})
    assert store.change(declared, planned, before).written == 3
    assert run_sql(
        uri, "SELECT doc::text, n::text, a, xmin = (SELECT xmin FROM t WHERE id = 1) FROM t ORDER BY id"
    ) == [
        ('{"a": [10.0], "b": 1.50}', "7.500", "y", True),
        ('{"a": [10.0], "b": 1.50}', "8", "x", True),
        ('{"a": [10.0], "b": 1.50}', "7.500", "x", False),
    ]


def test_hostile_identifiers(store: PostgresStore, uri: str) -> None:
    run_sql(uri, 'CREATE SCHEMA "S %s; DROP"')
    columns = {'i"d': Type.TEXT, "Select": Type.INTEGER, "n %(x)s": Type.NUMBER, "j'": Type.JSON, "$1": Type.BINARY}
    declared = table('S %s; DROP."Tä""ble.with dot"', columns, key=['i"d', "Select"])
    assert store.create(declared) is True
    assert store.create(declared) is False
    planned = rows(declared, {'i"d': "'\"%s\\", "Select": 1, "n %(x)s": "1", "j'": "[1]", "$1": b"\0"})
    assert store.add(declared, planned).written == 1
    changed = rows(declared, {'i"d': "'\"%s\\", "Select": 1, "n %(x)s": "2", "j'": "[1]", "$1": b"\0"})
    assert store.change(declared, changed, planned).written == 1
    assert store.get(declared, planned).equals(changed)
    assert read(store, declared, segments=2) == [{k: v for k, v in changed.to_pylist()[0].items() if k[0] != "_"}]
    conflict = store.remove(declared, planned).conflicts[0]
    assert conflict.key == duckdb.execute("SELECT CAST(to_json([?, '1']) AS VARCHAR)", ["'\"%s\\"]).fetchone()[0]  # type: ignore[index]
    assert store.remove(declared, changed).written == 1


def test_text_is_compared_by_its_characters_whatever_the_type_takes_for_equal(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE t (id int PRIMARY KEY, a interval)", "INSERT INTO t VALUES (1, '24:00:00')")
    declared = table("t", {"id": Type.INTEGER, "a": Type.TEXT})
    assert store.add(declared, rows(declared, {"id": 1, "a": "1 day"})).conflicts[0].found == '{"id":1,"a":"24:00:00"}'
    assert store.add(declared, rows(declared, {"id": 1, "a": "24:00:00"})).written == 1


@pytest.mark.parametrize(
    ("type_", "declared", "value"),
    [
        ("numeric(10, 2)", Type.NUMBER, "1.555"),
        ("varchar(2)", Type.TEXT, "ab "),
        ("uuid", Type.TEXT, UUID.upper()),
        ("date", Type.TEXT, "2024-2-1"),
        ("timestamptz(0)", Type.TIMESTAMP, NOON + dt.timedelta(microseconds=600_000)),
        ("int", Type.NUMBER, "1.5"),
    ],
)
def test_a_value_that_would_be_stored_as_another_is_refused(
    store: PostgresStore, uri: str, type_: str, declared: Type, value: object
) -> None:
    run_sql(uri, f"CREATE TABLE t (id int PRIMARY KEY, a {type_})", "INSERT INTO t VALUES (1, NULL)")
    target = table("t", {"id": Type.INTEGER, "a": declared})
    added = store.add(target, rows(target, {"id": 7, "a": value}))
    changed = store.change(target, rows(target, {"id": 1, "a": value}), rows(target, {"id": 1}))
    for outcome, key in ((added, "7"), (changed, "1")):
        assert (outcome.written, outcome.conflicts, [r.key for r in outcome.refused]) == (0, [], [key])
        assert re.search(r"column 'a'.*only as another value|22P02", outcome.refused[0].reason)
    assert run_sql(uri, "SELECT * FROM t") == [(1, None)]


def test_what_postgres_cannot_hold_is_found_before_it_is_written(store: PostgresStore, tmp_path: Path) -> None:
    declared = table("t", {"id": Type.TEXT, "k": Type.TEXT, "doc": Type.JSON, "n": Type.NUMBER}, key=["id", "k"])
    small = f"0.{'0' * 16_382}1"
    store.create(declared)
    given: list[dict[str, Any]] = [
        {"id": "fine", "k": "", "doc": '{"a":"\\\\u0000"}'},
        {"id": "nul\0", "k": "x"},
        {"id": "json", "k": "x", "doc": '["\\u0000"]'},
        {"id": "json", "k": "y", "doc": '"\\\\\\u0000"'},
        {"id": "null", "k": None},
        {"id": "fine", "k": "long", "doc": f'[{small},"{small}9",{"9" * 131_072}]', "n": f"-{small}"},
        {"id": "long", "k": "1", "doc": f'{{"a":[{small}9]}}'},
        {"id": "long", "k": "2", "doc": "1" + "0" * 131_072},
        {"id": "long", "k": "3", "n": f"{small}9"},
    ]
    planned = rows(declared, *given).append_column("__trueup_row_id", [list(range(len(given)))])
    with duck.connect(tmp_path) as connection:
        connection.register("planned", planned)
        found = dict(connection.execute(store.unwritable(declared, "planned")).fetchall())
    long = "has a number of more than 131,072 digits before its point, or 16,383 behind it"
    assert found == {
        1: "id has the character NUL",
        2: "doc has the character NUL",
        3: "doc has the character NUL",
        4: "key column k is null",
        6: f"doc {long}",
        7: f"doc {long}",
        8: f"n {long}",
    }
    for i, row in enumerate(given):  # and PostgreSQL agrees, row by row
        if i in found:
            with suppress(StoreRejectedError):  # of the whole batch, where the row cannot even be sent
                assert len(store.add(declared, rows(declared, row)).refused) == 1
        else:
            assert store.add(declared, rows(declared, row)).written == 1


def test_a_row_in_the_way_of_a_unique_index_is_refused(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE)", "INSERT INTO t VALUES (1, 'a@b')")
    declared = table("t", {"id": Type.INTEGER, "mail": Type.TEXT})
    outcome = store.add(declared, rows(declared, {"id": 2, "mail": "a@b"}, {"id": 3, "mail": "c@d"}))
    assert (outcome.written, outcome.conflicts) == (1, [])
    assert [(r.key, r.constraint) for r in outcome.refused] == [("2", "t_mail_key")]
    assert "unique" in outcome.refused[0].reason


def test_a_broken_reference_names_row_constraint_and_remedy(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE p (id int PRIMARY KEY)", "CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES p)")
    declared = table("t", {"id": Type.INTEGER, "p": Type.INTEGER})
    (refused,) = store.add(declared, rows(declared, {"id": 1, "p": 5})).refused
    assert (refused.key, refused.constraint) == ("1", "t_p_fkey")
    assert re.search(r"Key \(p\)=\(5\).*SQLSTATE 23503.*earlier phase", refused.reason)


def test_settings_of_the_database_change_no_value(store: PostgresStore, uri: str) -> None:
    name = run_sql(uri, "SELECT current_database()")[0][0]
    settings = {"DateStyle": "German", "TimeZone": "Asia/Tokyo", "bytea_output": "escape", "IntervalStyle": "iso_8601"}
    for setting, text in (settings | {"statement_timeout": "300ms"}).items():
        run_sql(uri, f"ALTER DATABASE \"{name}\" SET {setting} = '{text}'")
    try:
        declared = table("t", {"id": Type.TEXT, "at": Type.TIMESTAMP, "raw": Type.BINARY}, key=["raw"])
        store.create(declared)
        run_sql(
            uri,
            "ALTER TABLE t ADD day date DEFAULT '2024-02-29', ADD long interval DEFAULT '1 day', ADD f float8 DEFAULT 0.1",
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN new; END'",
            "CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        planned = rows(declared, {"id": "x", "at": NOON, "raw": b"\0\\x"})
        assert store.add(declared, planned).written == 1
        assert store.get(declared, planned).drop(["_extra"]).equals(planned.drop(["_extra"]))
        loose = table("t", {"id": Type.TEXT, "day": Type.TEXT, "long": Type.TEXT})
        assert read(store, loose) == [
            {"id": "x", "day": "2024-02-29", "long": "1 day"}
            | {"_extra": '{"at":"2024-03-01T12:00:00+00:00","f":0.1,"raw":"\\\\x005c78"}'}
        ]
    finally:
        run_sql(uri, f'ALTER DATABASE "{name}" RESET ALL')


BROKEN = "postgresql//me:hush@h/db"


def test_nothing_shows_the_password(uri: str) -> None:
    declared = table("t", {"id": Type.INTEGER})
    one = PostgresStore("postgresql://me:hush@127.0.0.1:1/db?sslmode=disable", patience=0)
    for call in (lambda: one.describe(declared), lambda: one.identity(declared), lambda: PostgresStore(BROKEN)):
        with pytest.raises(Exception, match=r"PostgreSQL|127") as caught:
            call()
        assert "hush" not in "".join(traceback.format_exception(caught.value))
        assert "hush" not in repr(vars(one))


def test_reading_needs_no_right_to_write(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t SELECT generate_series(1, 50)")
    name = run_sql(uri, "SELECT current_database()")[0][0]
    run_sql(
        uri,
        f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC',
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        f'GRANT CONNECT ON DATABASE "{name}" TO reader',
        "GRANT USAGE ON SCHEMA public TO reader",
        "GRANT SELECT ON t TO reader",
    )
    declared = table("t", {"id": Type.INTEGER})
    with store.export_snapshot() as snapshot:
        reader = PostgresStore(uri.replace("postgres@", "reader@"), snapshot=snapshot, patience=1)
        assert len(read(reader, declared, segments=3)) == 50
        assert reader.get(declared, rows(declared, {"id": 3})).num_rows == 1
        assert reader.describe(declared) is not None
    with pytest.raises(StoreRejectedError, match=r"42501.*Grant"):
        reader.add(declared, rows(declared, {"id": 99}))
    run_sql(uri, "DROP OWNED BY reader", "DROP ROLE reader")


def test_reading_writes_nothing_not_even_through_a_view_that_does(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        "CREATE TABLE log (id int)",
        "CREATE FUNCTION noted(int) RETURNS int LANGUAGE sql AS 'INSERT INTO log VALUES ($1) RETURNING id'",
        "CREATE VIEW t AS SELECT noted(i) AS id FROM generate_series(1, 3) i",
    )
    declared = table("t", {"id": Type.INTEGER})
    with pytest.raises(StoreRejectedError, match="read-only transaction"):
        list(store.read(declared, 0, 1))
    assert run_sql(uri, "SELECT * FROM log") == []


def test_one_table_has_one_identity_however_its_address_is_spelled(uri: str, postgres_server: postgres.Server) -> None:
    declared = table("orders", {"id": Type.INTEGER})
    spelled = [
        uri,
        f"{uri}{'&' if '?' in uri else '?'}application_name=other",
        conninfo.make_conninfo(uri, sslmode="disable"),
    ]
    assert len({PostgresStore(each).identity(declared) for each in spelled}) == 1
    with psycopg.connect(uri) as connection:
        (cluster,) = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone() or ("",)
    assert cluster in PostgresStore(uri).identity(declared)
    assert PostgresStore(uri).server() == "timeline 00000001, this machine"
    assert PostgresStore(uri).identity(declared) != PostgresStore(postgres_server.uri()).identity(declared)
