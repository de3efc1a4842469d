"""Canonical form as functions of DuckDB, for what a transform gives: a value that has none stops no other."""

from __future__ import annotations

import json
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
from .deep_json import Canonical, parse
from .dynamodb_values import canonical_text, canonical_value, dynamodb_json, plain_attribute, plain_json
from .json_column import readable_column
from .values import canonical_bytes, canonical_float, canonical_number, json_text

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
    try:
        document = json.loads(text, parse_int=Canonical, parse_float=Canonical)
    except RecursionError:
        document = parse(text, lambda taken, token: (taken, Canonical(token)))
    left = {name: value for name, value in document.items() if name not in names}
    return json_text(left) if left else None


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to the connection's database. For authors: `json_without`, and, between DynamoDB's notation and
    plain JSON, `json_from_dynamodb`, `json_of_attribute` and `json_to_dynamodb`."""
    text: Any = sqltypes.VARCHAR
    texts: Any = duckdb.list_type(text)
    for name, form, parameters in (
        (ANY_JSON, _form(canonical_bytes), [text]),
        (NUMBER, _numbers, [text]),
        (FLOAT, _floats, [text]),
        (DYNAMODB_JSON, _form(_dynamodb_json), [text]),
        ("json_without", _of_both(_without), [text, texts]),
        ("json_from_dynamodb", _of_each(plain_json), [text]),
        ("json_of_attribute", _of_both(plain_attribute), [text, text]),
        ("json_to_dynamodb", _of_each(dynamodb_json), [text]),
    ):
        connection.create_function(name, form, parameters, text, type=ARROW, null_handling=SPECIAL)
