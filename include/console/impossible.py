"""A CHECK of a script that no value keeps, so that no row could be written: of one column, by comparisons with constants. Whatever
else a CHECK says is left to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from itertools import pairwise

import duckdb

from ..trueup.declare import Target, Type
from .made_tables import Token, bracket, statements

_WORDS = frozenset({"and", "or", "not", "in", "between", "true", "false"})
_SIGNS = frozenset("()<>=!,-")
_TYPES = {
    Type.INTEGER: "HUGEINT",
    Type.NUMBER: "DECIMAL(38, 9)",
    Type.FLOAT: "DECIMAL(38, 9)",
    Type.TEXT: "VARCHAR",
    Type.DATE: "DATE",
}

_LAST = date.max.toordinal()
_FAR = ("4000-01-01 (BC)", "290000-01-01")
"""Days that Python has not, and a comparison with one that it has may hold for."""


def impossible(target: Target, script: str) -> Iterator[tuple[int, str]]:
    """The CHECKs that no value keeps, each with its line."""
    for statement in statements(script):
        for at, token in enumerate(statement):
            if (token.kind, token.text) == ("word", "check"):
                inside, _ = bracket(statement, at + 1)
                if inside and (words := _never(target, inside)):
                    yield token.line, words


def _never(target: Target, tokens: list[Token]) -> str | None:
    """What is said of a condition that holds for no value."""
    names = {each.text for each in tokens if each.kind == "quoted" or (each.kind == "word" and each.text not in _WORDS)}
    columns = {name: target.table.columns.get(name) for name in names}
    type_ = next(iter(columns.values()), None)
    signs = (each.text for each in tokens if each.kind == "other")
    if len(columns) != 1 or type_ not in _TYPES or not all(each in _SIGNS or each[0].isdigit() for each in signs):
        return None
    (name,) = names
    condition = " ".join('"value"' if each.text == name and each.kind != "text" else each.text for each in tokens)
    condition = condition.replace("< >", "<>").replace("> =", ">=").replace("< =", "<=").replace("! =", "<>")
    values = ", ".join(f"(CAST('{each}' AS {_TYPES[type_]}))" for each in _values(type_, tokens))
    try:
        held = duckdb.execute(f'SELECT count(*) FROM (VALUES {values}) v("value") WHERE {condition}').fetchall()
    except duckdb.Error:
        return None  # not a condition of constants of this type
    shown = condition.replace('"value"', name)
    return f"no value of {name!r} keeps CHECK ({shown}), so no row could be written" if held == [(0,)] else None


def _values(type_: Type, tokens: list[Token]) -> list[str]:
    """Of each stretch between two constants a value, and the constants: a comparison with them says the same of all of a stretch."""
    texts = [each.text[1:-1].replace("''", "'") for each in tokens if each.kind == "text"]
    if type_ is Type.TEXT:
        return [each.replace("'", "''") for text in ("", *texts) for each in (text, f"{text} ", f"{text}a")]
    if type_ is Type.DATE:
        days = [day for text in texts if (day := _day(text)) is not None]
        beside = ((day.toordinal() + n for n in (-1, 0, 1)) for day in (*days, date(2000, 1, 1)))
        return [str(date.fromordinal(min(max(n, 1), _LAST))) for several in beside for n in several] + [*_FAR]
    constants = [
        each for text in (*texts, *(t.text for t in tokens if t.kind == "other")) if (each := _number(text)) is not None
    ]
    points = sorted({Decimal(0), *constants, *(-each for each in constants)})
    points = [points[0] - 1, *points, points[-1] + 1, *((low + high) / 2 for low, high in pairwise(points))]
    if type_ is Type.INTEGER:
        points = [each for point in points for each in map(point.to_integral_value, (ROUND_FLOOR, ROUND_CEILING))]
        points += [each + n for each in points for n in (-1, 1)]
    return [f"{point:f}" for point in points]


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
