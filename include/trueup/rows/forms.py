"""Canonical form as functions of DuckDB, for what a transform gives: a value that has none stops no other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import sqltypes
from duckdb.func import ARROW, SPECIAL

from ..declare.names import own
from ..errors import UnreadableValueError
from . import digits
from .deep_json import Canonical, parse
from .dynamodb_values import canonical_text, canonical_value, dynamodb_json, plain_attribute, plain_json
from .json_column import readable_column
from .values import canonical_bytes, canonical_float, canonical_number, json_text

_STEPS = re.compile(r'(\.(?:("(?:[^"\\]|\\.)*")|([^."*\[\]]+))|\[(#?-?[0-9]+)\])')
NO_FORM = "!"
"""What the four functions below give for a value without canonical form begins with: why. No canonical form does."""
ANY_JSON, NUMBER, FLOAT, DYNAMODB_JSON = own("json"), own("number"), own("float"), own("dynamodb_json")
"""Functions: the canonical form of JSON, of a number, of one that a double holds, and of DynamoDB JSON (numbers and sets in it, too)."""
_PLAIN_NUMBER = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])$"
_PLAIN_FLOAT = r"^-?([0-9]{1,15}|[0-9]{1,8}\.[0-9]{1,7})$"
"""Numbers of so few digits that every one of them is a double's own."""


def _form(canonical: Callable[[str], bytes | str]) -> Callable[[pa.ChunkedArray], pa.Array]:
    def made(texts: pa.ChunkedArray) -> pa.Array:
        values, reasons = readable_column(texts.combine_chunks(), canonical)
        if not reasons:
            return values
        return pa.array(
            [f"{NO_FORM}{reasons[n]}" if n in reasons else v for n, v in enumerate(values.to_pylist())], pa.string()
        )

    return made


def _numbers(texts: pa.ChunkedArray) -> pa.Array:
    if pc.all(pc.match_substring_regex(texts, _PLAIN_NUMBER)).as_py() is not False:
        return texts.combine_chunks()
    return _form(canonical_number)(texts)


def _floats(texts: pa.ChunkedArray) -> pa.Array:
    if pc.all(pc.match_substring_regex(texts, _PLAIN_FLOAT)).as_py() is not False:
        return texts.combine_chunks()
    return _form(canonical_float)(texts)


def _dynamodb_json(text: str) -> bytes | str:
    plain = canonical_bytes(text)  # what is no DynamoDB JSON is left to the store to refuse in its own words
    try:
        return canonical_text(canonical_value({"M": orjson.loads(plain)})["M"])
    except (ValueError, TypeError, AttributeError, RecursionError, UnreadableValueError):
        return plain


def _of_each(made: Callable[[str], str | None]) -> Callable[[pa.ChunkedArray], pa.Array]:
    def column(texts: pa.ChunkedArray) -> pa.Array:
        return pa.array([None if text is None else made(text) for text in texts.to_pylist()], pa.string())

    return column


def _of_both(made: Callable[..., str | None]) -> Callable[[pa.ChunkedArray, pa.ChunkedArray], pa.Array]:
    def column(texts: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.Array:
        if texts.null_count == len(texts):
            return pa.nulls(len(texts), pa.string())
        rows = zip(texts.to_pylist(), others.to_pylist(), strict=True)
        return pa.array([None if None in row else made(*row) for row in rows], pa.string())

    return column


def _without(text: str, names: list[str | None]) -> str | None:
    """A JSON object without these members, in canonical form and with every digit; None if nothing is left of it."""
    left = {name: value for name, value in _document(text).items() if name not in names}
    return json_text(left) if left else None


def _at(text: str, path: str) -> str | None:
    """What stands at a path in a JSON text (`$.a."b c"[0]`, or the name of a member), as JSON with every digit; None where nothing
    or null does. Raises `ValueError` for what is no path."""
    steps = _STEPS.findall(path) if path.startswith("$") else [("", json.dumps(path), "", "")]
    if path.startswith("$") and "$" + "".join(each[0] for each in steps) != path:
        raise ValueError(f'json_at: {path!r} is no path: $.name, $."a name", $[0], $[#-1], one after another')
    value: Any = _document(text)
    for _, quoted, plain, place in steps:
        step: Any = int(place.removeprefix("#")) if place else json.loads(quoted) if quoted else plain
        if not isinstance(value, list if place else dict):
            return None
        try:
            value = value[step]
        except LookupError:
            return None
    return None if value is None else json_text(value)


def _document(text: str) -> Any:
    try:
        return json.loads(text, parse_int=Canonical, parse_float=Canonical)
    except RecursionError:
        return parse(text, lambda taken, token: (taken, Canonical(token)))


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to the connection's database. For authors: `json_without`, `json_at`, and, between DynamoDB's notation and
    plain JSON, `json_from_dynamodb`, `json_of_attribute` and `json_to_dynamodb`."""
    text: Any = sqltypes.VARCHAR
    texts: Any = duckdb.list_type(text)
    for name, form, parameters in (
        (ANY_JSON, _form(canonical_bytes), [text]),
        (NUMBER, _numbers, [text]),
        (FLOAT, _floats, [text]),
        (DYNAMODB_JSON, _form(_dynamodb_json), [text]),
        ("json_without", _of_both(_without), [text, texts]),
        ("json_at", _of_both(_at), [text, text]),
        ("json_from_dynamodb", _of_each(plain_json), [text]),
        ("json_of_attribute", _of_both(plain_attribute), [text, text]),
        ("json_to_dynamodb", _of_each(dynamodb_json), [text]),
    ):
        connection.create_function(name, form, parameters, text, type=ARROW, null_handling=SPECIAL)
    digits.register(connection)
