"""Numbers that a double holds as another: those of more digits than it has. DuckDB reads a number of JSON that has a fraction
as a double, in every function and cast that reads JSON; Python's `json` and `float` do the same.

Whether such a number went through a double cannot be seen in what came out. It can be seen in what comes out of two others in
its place, its neighbours: both lie beside the middle between two doubles, `NEAR` still the number's own double, `FAR` the next
one. What is the same of the number and of `NEAR`, and another of `FAR`, was made of the double.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa
from duckdb import sqltypes
from duckdb.func import ARROW, SPECIAL

from ..declare.migration import Type
from ..declare.names import EXTRA, KEY, MISTYPED, own
from .quoting import identifier

NEAR, FAR = own("near"), own("far")
"""Functions: a text with the one or the other neighbour in place of each number that a double holds as another."""
NEIGHBOUR = "~"
"""Stands between the name of a relation that all partitions share and the neighbour of which it was computed."""
WHY = own("why")
"""Stands in a neighbour's place where it could not be computed: a relation of one row that says why."""
LONG, LOST = own("long"), own("lost")
"""Functions: whether a text has such a number; of a value, and of the same of both neighbours, the number that was made of a double."""
_LONG = "|".join([*(rf"[0-9]{{{n}}}\.[0-9]{{{16 - n}}}" for n in range(16)), "[0-9][eE][+-]?[0-9]"])
"""What a text has in it that has such a number, and few others have: 16 digits, or an exponent. A double keeps 15."""
_WHOLE = r"(?s)\s*([\[{].*|[+-]?[0-9.][0-9.eE+-]*\s*)"
"""Text that is perhaps JSON, or a number: none else is read as such."""
_NUMBER = re.compile(r"(?<![\w.+-])[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.+-])")
"""A number that is no part of a word, such as a uuid; with a plus or without a digit before its point, as texts have them."""
_IN_TEXT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_EXACT = Context(prec=2_000)
_EXPONENT = 6
"""Digits of an exponent, at most; `values.MAX_EXPONENT` has as many."""
_BELOW = 8
"""Digits below the distance of two doubles that a neighbour has."""


@lru_cache(65_536)
def neighbours(number: str) -> tuple[str, str] | None:
    """Both neighbours of a number; None where a double holds it, or it has neither a fraction nor an exponent (DuckDB keeps whole
    numbers, and those beyond every double, as they are written), or an exponent with which no store has it."""
    if (
        repr(float(number)) == number
        or not {*".eE"} & {*number}
        or len(re.split("[eE][+-]?", number + "e")[1]) > _EXPONENT
    ):
        return None
    value, exact = float(number), Decimal(number)
    shown = Decimal(repr(value)) if math.isfinite(value) else exact
    if exact == shown:
        return None
    next_one = math.nextafter(value, -math.inf if exact < shown else math.inf)
    if math.isinf(next_one):
        next_one = math.nextafter(value, 0)
    away = 1 if next_one > value else -1
    middle = _EXACT.divide(_EXACT.add(Decimal(value), Decimal(next_one)), Decimal(2))
    distance = abs(_EXACT.subtract(Decimal(next_one), Decimal(value)))
    unit = Decimal(1).scaleb(min(distance.adjusted() - _BELOW, -1), _EXACT)
    middle = middle.quantize(unit, ROUND_HALF_EVEN, _EXACT)
    own_place = _EXACT.subtract(exact, Decimal(value)).scaleb(unit.adjusted() - distance.adjusted() - 1, _EXACT)
    near, far = (_EXACT.add(_EXACT.add(middle, side * away * 2 * unit), own_place) for side in (-1, 1))
    if abs(_EXACT.subtract(near, exact)) * 1_000 < distance:  # not what one might round the number itself to
        near = _EXACT.subtract(near, away * (distance * 2 / 5).quantize(unit, ROUND_HALF_EVEN, _EXACT))
    return _written_as(number, near), _written_as(number, far)


def _written_as(number: str, neighbour: Decimal) -> str:
    """The neighbour in the notation of its number: whatever reads the one must read the other."""
    text = f"{neighbour:f}"
    if number.lstrip("+-").startswith("."):
        text = text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
    return f"+{text}" if number.startswith("+") else text


def long_numbers(text: str) -> Iterator[str]:
    """The numbers in a text that a double holds as another."""
    return (each for each in _NUMBER.findall(text) if neighbours(each) is not None)


def lost(value: str, near: str, far: str) -> str | None:
    """The first number of a value that was made of a double, judged by the same of both neighbours; a value that is made of other text
    counts as one number."""
    if value == far:
        return None
    frames = {_IN_TEXT.sub("\0", each) for each in (value, near, far)}
    if len(frames) > 1:
        return value if value == near else None
    numbers = zip(*(_IN_TEXT.findall(each) for each in (value, near, far)), strict=True)
    return next((one for one, same, other in numbers if one == same != other), None)


def same_double(one: str, other: str) -> bool:
    """Whether a double holds both numbers as the same."""
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def columns(types: Mapping[str, Type]) -> dict[str, Type]:
    """Of a source's columns those that may hold such a number as text."""
    texts = (Type.TEXT, Type.NUMBER, Type.JSON)
    return {name: type_ for name, type_ in types.items() if type_ in texts} | dict.fromkeys(
        (EXTRA, MISTYPED), Type.JSON
    )


def has(column: str, type_: Type) -> str:
    """SQL: whether the column (an identifier) has such a number."""
    whole = f" AND regexp_full_match({column}, '{_WHOLE}')" if type_ is Type.TEXT else ""
    return f"CASE WHEN regexp_matches({column}, '{_LONG}'){whole} THEN {LONG}({column}) ELSE false END"


def regarded(*, costs: bool) -> tuple[Type, ...]:
    """The types of columns of which such numbers are looked for; texts are what a transform that costs something is for."""
    return (Type.NUMBER, Type.JSON) if costs else (Type.TEXT, Type.NUMBER, Type.JSON)


def first_long(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, Mapping[str, Type]], *, costs: bool
) -> str | None:
    """The first of these relations, each with a source's columns, of which a row has such a number."""
    for name, types in sources.items():
        having = any_of({n: type_ for n, type_ in columns(types).items() if type_ in regarded(costs=costs)})
        if connection.execute(f"SELECT 1 FROM {name} WHERE {having} LIMIT 1").fetchall():
            return name
    return None


def any_of(types: Mapping[str, Type]) -> str:
    """SQL: whether one of these columns has such a number."""
    return " OR ".join([has(identifier(name), type_) for name, type_ in types.items()] or ["false"])


def replaced(relation: str, types: Mapping[str, Type], neighbour: str, key_text: str) -> str:
    """SQL: the rows of a source's relation with that neighbour (`NEAR`, `FAR`) in place of each such number, in its key
    (`key_text`, of the columns), too."""
    return f"SELECT * REPLACE ({key_text} AS {KEY}) FROM ({put(relation, columns(types), neighbour)})"


def put(relation: str, types: Mapping[str, Type], neighbour: str) -> str:
    """SQL: the rows with that neighbour in place of each such number of these columns."""
    names = {identifier(name): type_ for name, type_ in types.items()}
    values = (f"CASE WHEN {has(n, t)} THEN {neighbour}({n}) ELSE {n} END AS {n}" for n, t in names.items())
    return f"SELECT * REPLACE ({', '.join(values)}) FROM {relation}"


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to the connection's database."""
    text: Any = sqltypes.VARCHAR
    truth: Any = sqltypes.BOOLEAN
    for name, function, parameters, gives in (
        (NEAR, _of_each(lambda each: _with(each, 0)), [text], text),
        (FAR, _of_each(lambda each: _with(each, 1)), [text], text),
        (LONG, _of_each(lambda each: next(long_numbers(each), None) is not None, pa.bool_()), [text], truth),
        (LOST, _lost, [text] * 3, text),
    ):
        connection.create_function(name, function, parameters, gives, type=ARROW, null_handling=SPECIAL)


def _with(text: str, which: int) -> str:
    return _NUMBER.sub(lambda match: (neighbours(match[0]) or (match[0], match[0]))[which], text)


def _of_each(function: Callable[[str], Any], type_: pa.DataType | None = None) -> Callable[[pa.ChunkedArray], pa.Array]:
    def made(texts: pa.ChunkedArray) -> pa.Array:
        values = [None if text is None else function(text) for text in texts.to_pylist()]
        return pa.array(values, type_ or pa.string())

    return made


def _lost(values: pa.ChunkedArray, near: pa.ChunkedArray, far: pa.ChunkedArray) -> pa.Array:
    rows = zip(values.to_pylist(), near.to_pylist(), far.to_pylist(), strict=True)
    return pa.array([None if None in row else lost(*row) for row in rows], pa.string())
