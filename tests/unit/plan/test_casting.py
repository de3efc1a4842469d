"""What a transform gives is brought to the declared type whole, or is at fault: docs/types.md line by line, and every odd value
of one type declared as each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from include.trueup.declare import Type
from include.trueup.declare.names import FAULT
from include.trueup.errors import DeclarationError
from include.trueup.plan.casting import columns, refuse_lossy
from include.trueup.rows import duck
from tests.contract.types_page import lines

PAGE = "What a transform gives"
TEXTS = [
    *("", " ", "a", "0", "-0", "1", " 1", "1_0", "1.50", "1e400", "1e-400", "9007199254740993", "0.12345678901234567890", "0x1f"),
    *("nan", "-Infinity", "infinity", "true", "yes", "null", '{"a":1,"a":2}', "[1,1.0]", '"\\ud800"', "\\x00ff", "é", "𝟏", "it's"),
    *("2024-02-29", "2024-02-30", "2024-02-29 12:00", "2024-02-29T24:00:00Z", "2024-02-29 12:00 Europe/Berlin", "24:00", "epoch"),
    *("2024-02-29 12:00 no/where", "5000-01-01 (BC)", "999999999-01-01", "2024-02-29 12:00:00.1234567"),
]  # fmt: skip
ODD = {
    "VARCHAR": TEXTS,
    "JSON": ["{}", "null", '"2024-02-29"', '"true"', "1.5", "1e400", '"1"'],
    "BIGINT": ["0", "2", "9007199254740993", "-9223372036854775808"],
    "HUGEINT": ["1", "170141183460469231731687303715884105727"],
    "DECIMAL(38,19)": ["0.1", "0.1234567890123456789", "-1"],
    "DOUBLE": ["-0", "0.1", "nan", "inf", "1e308", "5e-324"],
    "FLOAT": ["0.1"],
    "BOOLEAN": ["true", "false"],
    "DATE": ["2024-02-29", "5000-01-01 (BC)", "5874897-12-31", "-infinity"],
    "TIMESTAMP": ["2024-02-29 12:00:00.000001", "290309-12-22 (BC) 00:00:00", "infinity"],
    "TIMESTAMP_NS": ["2024-02-29 12:00:00.123456789", "1700-01-01"],
    "TIMESTAMP WITH TIME ZONE": ["2024-02-29 12:00:00+00", "-infinity"],
    "TIME": ["24:00:00"],
    "INTERVAL": ["1 day"],
    "BLOB": ["a", "\\x00\\xff"],
    "UUID": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "INTEGER[]": ["[1, NULL]"],
    "MAP(VARCHAR, DOUBLE)": ["{a=nan}"],
    '"NULL"': [],
}
"""By DuckDB's type: values, as text."""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with duck.connect(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


def brought(
    connection: duckdb.DuckDBPyConnection, given: str, declared: Type, values: list[str], expression: str = "x"
) -> list[tuple[str | None, str | None]]:
    """What becomes of each value, as DuckDB prints it, and its fault."""
    texts = ", ".join(f"({n}, {duck.literal(value)})" for n, value in [*enumerate(values), (-1, "")])
    made = f"CASE WHEN id >= 0 THEN CAST(x AS {given}) END" if given != '"NULL"' else "NULL"
    rows = f"SELECT id, {expression} AS x FROM (SELECT id, {made} AS x FROM (VALUES {texts}) v(id, x))"
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
    into = {"id": Type.INTEGER, "x": declared}
    refuse_lossy("target 't'", into, "the transform's rows", types)
    inner, outer, fault = columns(into, types, dynamodb=False)
    query = f"SELECT CAST(x AS VARCHAR), {FAULT} FROM (SELECT {outer}, {fault} AS {FAULT} FROM (SELECT {inner} FROM ({rows}))) ORDER BY id"
    none, *found = connection.execute(query).fetchall()
    assert none == (None, None), (given, declared)
    return found


def test_what_becomes_of_a_value_is_as_the_page_says(connection: duckdb.DuckDBPyConnection) -> None:
    for becomes, rejected in zip(lines(PAGE, values=2), lines(PAGE, values=3), strict=True):
        declared = Type[becomes.cells[0]]
        found = brought(connection, becomes.type, declared, [given for given, _ in becomes.values])
        wanted = [given if printed is None else printed for given, printed in becomes.values]
        assert found == [(None if value == "NULL" else value, None) for value in wanted], becomes
        texts = [given for given, _ in rejected.values]
        for given, (value, fault) in zip(texts, brought(connection, becomes.type, declared, texts), strict=True):
            assert value is None, (becomes, given)
            assert (fault or "").startswith("column 'x': "), (becomes, given)


def refused() -> list[tuple[str, str, str]]:
    """Type, declared type, and what to say, of the page's second table."""
    below = (Path(__file__).parents[3] / "docs" / "types.md").read_text(encoding="utf-8").partition(f"## {PAGE}")[2]
    _, _, table = below.partition("| say |\n|---|---|---|\n")
    found = []
    for row in table.partition("\n\n")[0].splitlines():
        type_, declared, says = (cell.strip() for cell in row.strip("|").split(" | "))
        found += [(type_.strip("`"), declared.strip("`"), say.strip("`")) for say in says.split("` `")]
    return found


def test_types_that_are_refused_are_taken_as_the_page_says(connection: duckdb.DuckDBPyConnection) -> None:
    assert len(refused()) > 9
    for type_, declared, say in refused():
        value = {"VARCHAR": "YWI=" if "64" in say else "6162"}.get(type_, ODD[type_][0])
        with pytest.raises(DeclarationError, match="column 'x' of the transform's rows is"):
            brought(connection, type_, Type[declared], [value])
        ((made, fault),) = brought(connection, type_, Type[declared], [value], say)
        assert made is not None, (type_, declared, say)
        assert fault is None, (type_, declared, say)


def test_no_value_is_an_error_and_none_becomes_another_number_or_time(connection: duckdb.DuckDBPyConnection) -> None:
    taken = 0
    for given, declared in itertools.product(ODD, Type):
        try:
            found = brought(connection, given, declared, ODD[given])
        except DeclarationError:  # said by `refuse_lossy`: what DuckDB raises is of another kind
            continue
        taken += 1
        for value, (made, fault) in zip(ODD[given], found, strict=True):
            assert (made is None) is (fault is not None) or (given, value) == ("JSON", "null"), (given, declared, value)
            if made is not None and declared in (Type.NUMBER, Type.INTEGER) and given != "DOUBLE":
                assert Decimal(made) == Decimal(value), (given, declared, value)
    assert taken > 50
