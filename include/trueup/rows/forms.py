"""Canonical form as functions of DuckDB, for what a transform gives: a value that has none stops no other."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import ARROW, SPECIAL

from ..declare.names import own
from ..errors import UnreadableValueError
from .dynamodb_values import canonical_text, canonical_value
from .json_column import readable_column
from .values import canonical_bytes, canonical_number

NO_FORM = "!"
"""What the three functions below give for a value without canonical form begins with: why. No canonical form does."""
ANY_JSON, NUMBER, DYNAMODB_JSON = own("json"), own("number"), own("dynamodb_json")
"""Functions: the canonical form of JSON, of a number, and of DynamoDB JSON (numbers and sets in it, too)."""
_PLAIN_NUMBER = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])$"


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


def _dynamodb_json(text: str) -> bytes | str:
    plain = canonical_bytes(text)  # what is no DynamoDB JSON is left to the store to refuse in its own words
    try:
        return canonical_text(canonical_value({"M": orjson.loads(plain)})["M"])
    except (ValueError, TypeError, AttributeError, RecursionError, UnreadableValueError):
        return plain


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to the connection's database."""
    for name, form in ((ANY_JSON, _form(canonical_bytes)), (NUMBER, _numbers), (DYNAMODB_JSON, _form(_dynamodb_json))):
        connection.create_function(name, form, ["VARCHAR"], "VARCHAR", type=ARROW, null_handling=SPECIAL)
