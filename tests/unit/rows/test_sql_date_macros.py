"""Macros that move dates in their own notation, order instants to the last digit, and take members out of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from include.migrations.checkins import dates
from include.trueup.rows import duck


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    scratch: Path = tmp_path_factory.mktemp("duck")
    with duck.connect(scratch) as made:
        yield made


def later(connection: duckdb.DuckDBPyConnection, text: str | None, days: int) -> str | None:
    ((found,),) = connection.execute("SELECT iso_plus_days(?, ?)", [text, days]).fetchall()
    return None if found is None else str(found)


MOVED = [
    ("2024-02-26T09:30:00.1234567+02:00", 7, "2024-03-04T09:30:00.1234567+02:00"),
    ("2024-12-30", 7, "2025-01-06"),
    ("20241230T0930Z", 7, "20250106T0930Z"),
    ("2024-366", 7, "2025-007"),
    ("2024366", 7, "2025007"),
    ("2024-W52-7T10:00:00,5-05:30", 7, "2025-W01-7T10:00:00,5-05:30"),
    ("2025W011", 357, "2025W521"),
    ("0999-12-31T00:00:00Z", 7, "1000-01-07T00:00:00Z"),
    ("2024-03-01T24:00:00", -1, "2024-02-29T24:00:00"),
    ("9999-12-30", 7, None),
    ("2024-01-01", 10**12, None),
    ("2024-02-30", 7, None),
    ("soon", 7, None),
    ("", 7, None),
    (None, 7, None),
]


@pytest.mark.parametrize(("text", "days", "wanted"), MOVED)
def test_a_date_is_moved_in_its_own_notation(
    connection: duckdb.DuckDBPyConnection, text: str | None, days: int, wanted: str | None
) -> None:
    assert later(connection, text, days) == wanted
    if days < 10**12:
        assert dates.days_later(text, days) == wanted


def test_both_languages_take_the_same_texts_for_dates(connection: duckdb.DuckDBPyConnection) -> None:
    days = ("2026-02-26", "20260226", "2026-057", "2026057", "2026-W09-4", "2026W094", "2026-02-30", "٢٠٢٦-02-26")
    times = (
        *("T25:00", "T2500", "T24:00:00", "T24:00:00.0", "T240000", "T24:01", "T23:59:59", "T09:60", "T09:30:60"),
        *("T0930", "T09", "T09:3", "T09:30:00,5", "T093000.5", "T٠٩:30", " 09:30", "", "T"),
    )
    offsets = ("", "Z", "+24:00", "+02:60", "-23:59", "+0230", "+02")
    texts = [f"{day}{time}{offset}" for day in days for time in times for offset in (offsets if time else [""])]
    query = "SELECT t, iso_instant(t) IS NULL FROM (SELECT unnest(?::VARCHAR[]) AS t)"
    refused = dict(connection.execute(query, [texts]).fetchall())
    assert {text for text in texts if (dates.instant(text) is None) != refused[text]} == set()
    assert {text for text in texts if (dates.days_later(text, 7) is None) != refused[text]} == set()
    midnight = dates.instant("2026-02-26T24:00:00Z")
    assert midnight == dates.instant("2026-02-27")


def test_every_day_of_a_leap_cycle_is_moved_as_python_does(connection: duckdb.DuckDBPyConnection) -> None:
    for form in ("%Y-%m-%d", "%Y%m%d", "%Y-%j", "%Y%j", "%G-W%V-%u", "%GW%V%u"):
        days = [date(2020, 1, 1) + timedelta(days=n) for n in range(0, 1500, 3)]
        texts = [day.strftime(form) for day in days]
        found = connection.execute(
            "SELECT iso_plus_days(t, 7) FROM (SELECT unnest(?::VARCHAR[]) AS t)", [texts]
        ).fetchall()
        assert [text for (text,) in found] == [(day + timedelta(days=7)).strftime(form) for day in days]


def test_instants_are_ordered_to_the_last_digit(connection: duckdb.DuckDBPyConnection) -> None:
    ordered = [
        None,
        "1999-01-01",
        "2024-01-01T01:59:59.9999999+02:00",
        "2024-01-01T00:00:00.1234567Z",
        "2024-01-01T02:00:00.12345671+02:00",
        "2024-01-01T00:00:00,2Z",
    ]
    query = "SELECT t FROM (SELECT unnest(?::VARCHAR[]) AS t) ORDER BY instant_order(t) NULLS FIRST"
    assert [t for (t,) in connection.execute(query, [ordered[::-1]]).fetchall()] == ordered
    instants = [found for text in ordered if (found := dates.instant(text)) is not None]
    assert instants == sorted(instants)
    same = "SELECT instant_order('2024-01-01T00:00:00.10Z') = instant_order('2024-01-01T01:00:00.1+01:00')"
    assert connection.execute(same).fetchall() == [(True,)]


def test_members_are_taken_out_of_an_object(connection: duckdb.DuckDBPyConnection) -> None:
    whole = {"a": {"S": "1"}, 'b/~."$': {"L": [{"N": "1.50"}]}, "c": None}
    ((left, nothing, null),) = connection.execute(
        "SELECT json_without(?, ['a', 'z', NULL]), json_without('{\"a\":1}', ['a']), json_without(NULL, ['a'])",
        [json.dumps(whole)],
    ).fetchall()
    assert json.loads(left) == {name: value for name, value in whole.items() if name != "a"}
    assert (nothing, null) == (None, None)


def test_no_digit_is_lost_where_a_member_is_taken_out(connection: duckdb.DuckDBPyConnection) -> None:
    number = "0.1234567890123456789012345678"
    ((left,),) = connection.execute("SELECT json_without(?, ['b'])", [f'{{"a":{number},"b":1}}']).fetchall()
    assert left == f'{{"a":{number}}}'


def test_between_dynamodbs_notation_and_plain_json(connection: duckdb.DuckDBPyConnection) -> None:
    document = '{"a":{"NS":["-0.10","1E2"]},"b":{"M":{"é":{"NULL":true}}},"c":{"B":"AP8="}}'
    plain = '{"a":[-0.1,100],"b":{"é":null},"c":"AP8="}'
    query = "SELECT json_from_dynamodb(?), json_of_attribute($1, 'a'), json_of_attribute($1, 'z')"
    assert connection.execute(query.replace("?", "$1"), [document]).fetchall() == [(plain, "[-0.1,100]", None)]
    back = '{"a":{"L":[{"N":"-0.1"},{"N":"100"}]},"b":{"M":{"é":{"NULL":true}}},"c":{"S":"AP8="}}'
    assert connection.execute("SELECT json_to_dynamodb(?)", [plain]).fetchall() == [(back,)]
    odd = [("[1]", "[1]"), ("1", "1"), (None, None), ('{"a":', '{"a":')]
    for text, same in odd:
        for function in ("json_from_dynamodb", "json_to_dynamodb"):
            assert connection.execute(f"SELECT {function}(?)", [text]).fetchall() == [(same,)]
