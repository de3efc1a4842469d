"""Which canonical rows PostgreSQL would not hold, as SQL of DuckDB: by their types, and by the columns of a table that is
there. What only the server can tell (CHECKs, collations, types that were made) it tells when it is written to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...declare.migration import Table, Type
from ...declare.names import ROW_ID
from ...rows.postgres_json import FRACTION_DIGITS, WHOLE_DIGITS
from .. import Limits

# An even number of backslashes before it: the escape itself, not text about it.
_NUL_ESCAPE = r"(^|[^\\])(\\\\)*\\u0000"
_EARLIEST = {
    Type.DATE: "DATE '4714-11-24 (BC)'",
    Type.DATETIME: "TIMESTAMP '4714-11-24 (BC) 00:00:00'",
    Type.TIMESTAMP: "TIMESTAMPTZ '4714-11-24 (BC) 00:00:00+00'",
}
_INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}
_LENGTH = re.compile(r"character(?: varying)?\((\d+)\)")
_PRECISION = re.compile(r"numeric\((\d+),(-?\d+)\)")
Check = tuple[str, str]
"""A condition, and what is said where it holds."""


def unwritable(table: Table, rows: str, limits: Limits) -> str:
    """A DuckDB query over the relation named `rows` for (`ROW_ID`, `message`) of each row that could not be held."""
    required = dict.fromkeys([*table.required, *(n for n in limits.not_null if n in table.columns)])
    checks = [(f"{_quoted(key)} IS NULL", f"key column {key} is null") for key in table.key]
    checks += [(f"{_quoted(name)} IS NULL", f"column {name} is null, which it may not be") for name in required]
    for name, type_ in table.columns.items():
        checks += [*_of_type(name, type_), *_of_column(name, type_, limits.columns.get(name, ""))]
    cases = " ".join(f"WHEN {condition} THEN {_literal(message)}" for condition, message in checks)
    return (
        f"SELECT {ROW_ID}, message FROM (SELECT {ROW_ID}, CASE {cases} END AS message FROM {rows})"
        " WHERE message IS NOT NULL"
    )


def _of_type(name: str, type_: Type) -> Iterator[Check]:
    column = _quoted(name)
    if type_ is Type.TEXT:
        yield f"contains({column}, chr(0))", f"{name} has the character NUL"
    if type_ in _EARLIEST:
        last = f"OR {column} > DATE '5874897-12-31'" if type_ is Type.DATE else ""
        beyond = f"isinf({column}) OR {column} < {_EARLIEST[type_]} {last}"
        yield beyond, f"{name} is infinite, or beyond the years that PostgreSQL holds"
    if type_ is Type.JSON:
        escape = f"contains({column}, '\\u0000') AND regexp_matches({column}, '{_NUL_ESCAPE}')"
        yield escape, f"{name} has the character NUL"
    if type_ is Type.NUMBER:
        long = f"length({_whole(column)}) > {WHOLE_DIGITS} OR length({_fraction(column)}) > {FRACTION_DIGITS}"
        yield f"strlen({column}) > {FRACTION_DIGITS} AND ({long})", _too_long(name)


def _of_column(name: str, type_: Type, exact: str) -> Iterator[Check]:
    """By the column's own type, as PostgreSQL writes it; nothing where it is not known."""
    column, prefix = _quoted(name), f"{name} ({exact}) cannot hold it: "
    if type_ is Type.JSON and exact != "json":  # a json keeps any number
        yield f"strlen({column}) > {FRACTION_DIGITS} AND postgres_json_fault({column})", _too_long(name)
    if type_ is Type.TEXT and (declared := _LENGTH.fullmatch(exact)):
        yield f"length({column}) > {declared[1]}", f"{prefix}it has more than {declared[1]} characters"
    if type_ is Type.INTEGER and exact in _INTEGERS:
        most = 2 ** _INTEGERS[exact] - 1
        yield f"{column} > {most} OR {column} < {-most - 1}", f"{prefix}it is beyond its range"
    if type_ is Type.NUMBER and exact in _INTEGERS:
        most = 2 ** _INTEGERS[exact] - 1
        whole = f"try_cast({column} AS HUGEINT)"
        yield f"contains({column}, '.')", f"{prefix}it has a fraction"
        yield (
            f"{column} IS NOT NULL AND coalesce({whole} > {most} OR {whole} < {-most - 1}, true)",
            f"{prefix}it is beyond its range",
        )
    if type_ is Type.NUMBER and (declared := _PRECISION.fullmatch(exact)):
        precision, scale = int(declared[1]), int(declared[2])
        if 0 <= scale <= precision:
            yield f"length({_fraction(column)}) > {scale}", f"{prefix}it has more than {scale} digits behind the point"
        if scale < 0:
            rounded = f"contains({column}, '.') OR ({column} <> '0' AND {column} NOT LIKE '%{'0' * -scale}')"
            yield rounded, f"{prefix}it would be rounded to {-scale} digits before the point"
        if scale <= precision:
            most_digits = precision - scale
            yield (
                f"length({_whole(column)}) > {most_digits}",
                f"{prefix}it has more than {most_digits} digits before the point",
            )


def _too_long(name: str) -> str:
    return (
        f"{name} has a number of more than {WHOLE_DIGITS:,} digits before its point, or {FRACTION_DIGITS:,} behind it"
    )


def _whole(column: str) -> str:
    """The digits before the point; none of 0."""
    return f"ltrim(split_part({column}, '.', 1), '-0')"


def _fraction(column: str) -> str:
    return f"split_part({column}, '.', 2)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
