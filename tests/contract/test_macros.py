"""Arrays of PostgreSQL in a transform: taken apart into lists, and written as the server writes them; and the digits of a real."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import psycopg

from include.embedded import postgres
from include.trueup.rows.duck import connect
from tests.harness import new_database

ODD: tuple[list[str | None], ...] = (
    [], [None], [""], ["a", None, "b"], ["NULL", "null", "Null"], ["a b", " a", "\t", "\n", "\r", "\x0b", "\x0c"],
    ['"', "\\", '\\"', "a\\", "'"], ["{", "}", ",", "{a,b}"], ["é", "🦆", "\u00a0", "\u2028"], ["[1:2]=", "=", "(1,2)"],
)  # fmt: skip


def test_lists_and_arrays_are_each_others(postgres_server: postgres.Server, tmp_path: Path) -> None:
    uri = new_database(postgres_server)
    with psycopg.connect(uri) as server, connect(tmp_path) as connection:
        for n, items in enumerate(ODD):
            ((written,),) = server.execute("SELECT (%s::text[])::text", [items]).fetchall()
            (read,) = connection.execute("SELECT list_from_array(?)", [written]).fetchall()[0]
            assert read == ODD[n], written
            (made,) = connection.execute("SELECT array_from_list(?::VARCHAR[])", [ODD[n]]).fetchall()[0]
            assert made == written


def test_numbers_and_what_is_no_list(tmp_path: Path) -> None:
    with connect(tmp_path) as connection:
        query = "SELECT array_from_list([1, NULL, 2]), array_from_list(NULL), list_from_array(NULL)"
        assert connection.execute(query).fetchall() == [("{1,NULL,2}", None, None)]
        for other in ("{{1,2},{3,4}}", "[2:3]={1,2}", "a", "{a", ""):
            assert connection.execute("SELECT list_from_array(?)", [other]).fetchall() == [(None,)], other


REALS = ("9.8", "-0.05", "14", "0", "1e-45", "3.4028235e38", "16777217", "0.1", "123456.79", "1e20")


def test_a_real_has_the_digits_that_the_server_writes(postgres_server: postgres.Server, tmp_path: Path) -> None:
    with psycopg.connect(new_database(postgres_server)) as server, connect(tmp_path) as connection:
        for written in REALS:
            ((read, shown),) = server.execute(
                "SELECT %s::real::float8, to_json(%s::real)::text", [written] * 2
            ).fetchall()
            query = "SELECT json_or_null(from_real(?)), from_real(NULL), isnan(from_real('NaN'::DOUBLE)), json_or_null({'a': from_real(?)})"
            ((value, none, nan, within),) = connection.execute(query, [read, read]).fetchall()
            assert (Decimal(value), none, nan) == (Decimal(shown), None, True), written
            assert json.loads(within, parse_float=Decimal, parse_int=Decimal) == {"a": Decimal(shown)}
