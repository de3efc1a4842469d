"""The macros that every transform may call, each against Python's own notion of the same thing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.trueup.rows import duck
from include.trueup.rows.values import canonical_number

quiet = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    scratch: Path = tmp_path_factory.mktemp("duck")
    with duck.connect(scratch) as made:
        yield made


def each(connection: duckdb.DuckDBPyConnection, macro: str, values: list[Any]) -> list[Any]:
    """The macro's value of each of these texts."""
    query = f"SELECT {macro}(value) FROM (SELECT unnest($1::VARCHAR[]) AS value, generate_subscripts($1, 1) AS n) ORDER BY n"
    return [row[0] for row in connection.execute(query, [values]).fetchall()]


utc = partial(datetime, tzinfo=UTC)

LEGAL = {
    "2025-01-02": utc(2025, 1, 2),
    "2024-02-29": utc(2024, 2, 29),
    "2025-01-02T03:04": utc(2025, 1, 2, 3, 4),
    "2025-01-02T03:04:05Z": utc(2025, 1, 2, 3, 4, 5),
    "2025-01-02T03:04:05.1234567+02:00": utc(2025, 1, 2, 1, 4, 5, 123456),
    "2025-01-02T03:04:05.9999999999999999999999999999Z": utc(2025, 1, 2, 3, 4, 5, 999999),
    "2025-01-02T03:04:05,5-0230": utc(2025, 1, 2, 5, 34, 5, 500000),
    "2025-01-02T03:04:05+02": utc(2025, 1, 2, 1, 4, 5),
    "2025-01-02T03:04+23:59": utc(2025, 1, 1, 3, 5),
    "2025-01-02T24:00:00.000": utc(2025, 1, 3),
    "2025-01-02T03": utc(2025, 1, 2, 3),
    "20250102": utc(2025, 1, 2),
    "20250102T030405,5Z": utc(2025, 1, 2, 3, 4, 5, 500000),
    "20250102T0304+0100": utc(2025, 1, 2, 2, 4),
    "2025-002": utc(2025, 1, 2),
    "2024366": utc(2024, 12, 31),
    "2025-W01-2": utc(2024, 12, 31),
    "2026W537T10": utc(2027, 1, 3, 10),
    "0001-01-01": utc(1, 1, 1),
    "9999-12-31T23:59:59.9999999": utc(9999, 12, 31, 23, 59, 59, 999999),
}
ILLEGAL = [
    *(
        "",
        " ",
        "soon",
        "infinity",
        "epoch",
        "now",
        "today",
        "2025",
        "2025-01",
        "2025-W01",
        "0000-01-01",
        "-2025-01-01",
        "+12025-01-01",
    ),
    *(
        "2025-02-30",
        "2025-02-29",
        "2025-13-01",
        "2025-00-01",
        "2025-01-00",
        "2025-366",
        "2025-000",
        "2025-W53-1",
        "2025-W00-1",
    ),
    *(
        "2025-W01-0",
        "2025-W01-8",
        "20250230",
        "2025-1-2",
        "2025/01/02",
        "02.01.2025",
        "202501-02",
        "2025-0102",
        "2025W01-2",
    ),
    *(
        "2025-01-02 03:04:05",
        "2025-01-02T",
        "2025-01-02Z",
        "2025-01-02t03:04",
        "2025-01-02T03:04z",
        "2025-01-02T0304",
        "20250102T03:04",
    ),
    *(
        "2025-01-02T24:00:00.5",
        "2025-01-02T24:01",
        "2025-01-02T25:00",
        "2025-01-02T03:60",
        "2025-01-02T03:04:60",
        "2025-01-02T03:04:05.",
    ),
    *(
        "2025-01-02T03:04+24:00",
        "2025-01-02T03:04+02:60",
        "2025-01-02T03:04+2",
        "2025-01-02T03:04 Europe/Berlin",
        "2025-01-02 (BC)",
    ),
    *("2025-01-02\n", " 2025-01-02", "２０２５-01-02", "2025-01-02T03:04:05.12x4", "2025-01-02\x00"),
]


def test_iso_instant_of_every_legal_form(connection: duckdb.DuckDBPyConnection) -> None:
    found = each(connection, "iso_instant", list(LEGAL))
    assert dict(zip(LEGAL, found, strict=True)) == {
        text: instant.replace(tzinfo=UTC) for text, instant in LEGAL.items()
    }


def test_iso_instant_of_anything_else_is_null(connection: duckdb.DuckDBPyConnection) -> None:
    found = dict(zip(ILLEGAL, each(connection, "iso_instant", ILLEGAL), strict=True))
    assert {text: instant for text, instant in found.items() if instant is not None} == {}
    assert each(connection, "iso_instant", [None]) == [None]


def test_iso_instant_beyond_python_is_still_an_instant(connection: duckdb.DuckDBPyConnection) -> None:
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        assert connection.execute("SELECT iso_instant($1) IS NULL", [text]).fetchone() == (False,)


@quiet
@given(
    st.datetimes().filter(lambda moment: 1 < moment.year < 9999),
    st.sampled_from([None, *(timezone(timedelta(minutes=m)) for m in (0, 90, -570, 840))]),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y-%j", "%Y%j", "%G-W%V-%u", "%GW%V%u"]),
)
def test_iso_instant_reads_what_python_writes(
    connection: duckdb.DuckDBPyConnection, moment: datetime, zone: timezone | None, form: str
) -> None:
    moment = moment.replace(tzinfo=zone)
    date = moment.strftime(form).zfill(len(utc(2025, 1, 1).strftime(form)))
    time = moment.isoformat()[10:]
    time = time if "-" in form else time.replace(":", "")
    want = moment.replace(tzinfo=UTC) if zone is None else moment.astimezone(UTC)
    assert each(connection, "iso_instant", [date + time]) == [want]


@quiet
@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
def test_uuid5_url_is_pythons_uuid5(connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    assert each(connection, "uuid5_url", names) == [str(uuid.uuid5(uuid.NAMESPACE_URL, name)) for name in names]


NUMBERS = st.one_of(
    st.integers(-(10**38), 10**38).map(Decimal),
    st.integers(-120, 120).map(lambda n: Decimal(n) / 10),
    st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-1000, max_value=1000),
    st.tuples(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-130, 87)).map(
        lambda pair: Decimal(pair[0]).scaleb(pair[1])
    ),
)


@quiet
@given(st.lists(NUMBERS, min_size=2, max_size=60, unique=True))
def test_number_order_sorts_as_the_numbers_do(connection: duckdb.DuckDBPyConnection, numbers: list[Decimal]) -> None:
    texts = [canonical_number(str(number)) for number in numbers]
    order = each(connection, "number_order", texts)
    by_text = [Decimal(text) for _, text in sorted(zip((o.encode() for o in order), texts, strict=True))]
    assert by_text == sorted(numbers)
    assert each(connection, "number_order", [None]) == [None]
