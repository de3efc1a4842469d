"""Rows as an author writes them down in a test, and as a store gives them."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ..declare import Migration, Source, Table
from ..declare.names import EXTRA, MISTYPED, NULLS, one_of
from ..declare.table import Type
from ..errors import DeclarationError, UnreadableValueError
from ..rows import literals
from ..rows.dynamodb_values import canonical_text, canonical_value
from ..stores import arrow_schema

Row = Mapping[str, Any]
"""A row by its columns: text, whole numbers, `Decimal`, floats, booleans, dates and times (or their ISO 8601 text), bytes,
and whatever JSON can hold. A column that is left out is null.

Of a DynamoDB table the values are plain, too, and become DynamoDB JSON: a set is a set of text, numbers or bytes, None an
attribute that is NULL, and an attribute that is left out is not there."""
Made = dict[str, Any]
"""A row in canonical form, as Arrow gives it to Python."""


def is_dynamodb(table: Table, dynamodb: Sequence[str] | None) -> bool:
    """Whether the table lies in DynamoDB: behind one of these connections, or (None) one with dynamodb in its name."""
    return "dynamodb" in table.connection if dynamodb is None else table.connection in dynamodb


def known_sources(migration: Migration, rows: Mapping[str, Sequence[Row]]) -> Iterable[tuple[Source, Sequence[Row]]]:
    """The rows with their sources. Raises `DeclarationError` for a source that there is not."""
    sources = {source.id: source for source in migration.sources}
    for id, given in rows.items():
        if id not in sources:
            raise DeclarationError(f"migration {migration.id!r} has no source {id!r}; {one_of(id, sources)}")
        yield sources[id], given


def as_read(table: Table, rows: Sequence[Row], *, dynamodb: bool) -> pa.Table:
    """The rows as their store gives them (`stores.arrow_schema`): what does not fit its type stands in `_mistyped`, and what
    is not declared in `_extra`."""
    return pa.Table.from_pylist([_read(table, row, dynamodb) for row in rows], schema=arrow_schema(table))


def _read(table: Table, row: Row, dynamodb: bool) -> Made:
    made: Made = {}
    mistyped: Made = {}
    for name, type_ in table.columns.items():
        try:
            made[name] = _value(row.get(name), type_, dynamodb)
        except (TypeError, ValueError, UnreadableValueError):
            mistyped[name] = row[name]
    extra = {name: value for name, value in row.items() if name not in table.columns and value is not None}
    nulls = sorted(name for name, value in row.items() if value is None) if dynamodb else []
    made[EXTRA] = _document(extra, dynamodb) if extra else None
    made[MISTYPED] = _document(mistyped, dynamodb, nulls) if mistyped or nulls else None
    return made


def expected(table: Table, row: Row, *, dynamodb: bool) -> Made:
    """A row that a target is expected to hold, in canonical form; what is not declared stands in `_extra`, if there is
    any. Raises `DeclarationError` for a column that there is not, where tables have columns."""
    strangers = {name: value for name, value in row.items() if name not in table.columns}
    if strangers and not dynamodb:
        raise DeclarationError(
            f"{table.name!r} has no column {min(strangers)!r}; {one_of(min(strangers), table.columns)}"
        )
    made = {name: _value(row.get(name), type_, dynamodb) for name, type_ in table.columns.items()}
    return made | ({EXTRA: _document(strangers, dynamodb)} if strangers else {})


def shown(row: Made) -> Made:
    """A row without `_extra` and `_mistyped` where they say nothing."""
    return {name: value for name, value in row.items() if name not in (EXTRA, MISTYPED) or value is not None}


def in_python(rows: pa.Table | pa.RecordBatch) -> list[Made]:
    """Rows of Arrow as Python has them; dates and times that it has not, such as those before Christ, as text."""
    columns = [(name, _values(column)) for name, column in zip(rows.schema.names, rows.columns, strict=True)]
    return [{name: values[n] for name, values in columns} for n in range(rows.num_rows)]


def _values(column: pa.Array | pa.ChunkedArray) -> list[object]:
    try:
        made: list[object] = column.to_pylist()
        return made if not pa.types.is_floating(column.type) else [*map(_one_nan, made)]
    except (OverflowError, ValueError):
        return [_text_beyond(scalar) for scalar in column]


def _text_beyond(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return scalar.cast(pa.string()).as_py()


def _one_nan(value: Any) -> Any:
    """One object for every NaN, so that two rows of it are equal."""
    return math.nan if isinstance(value, float) and math.isnan(value) else value


def _value(value: Any, type_: Type, dynamodb: bool) -> Any:
    if value is None:
        return None
    if dynamodb and type_ is Type.JSON and not isinstance(value, str):
        if not isinstance(value, Mapping):
            raise TypeError(f"{value!r} is not a map")
        return canonical_text(typed(value)["M"])
    return _one_nan(literals.canonical(value, type_))


def _document(values: Row, dynamodb: bool, nulls: Sequence[str] = ()) -> str:
    if not dynamodb:
        return literals.json_of(values)
    typed_values = {name: typed(value) for name, value in values.items()}
    return canonical_text(typed_values | ({NULLS: list(nulls)} if nulls else {}))


def typed(value: Any) -> Made:
    """A plain value in DynamoDB JSON, in canonical form."""
    return canonical_value(_typed(value))


def _typed(value: Any) -> Made:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float() | Decimal():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
        case Mapping():
            return {"M": {str(name): _typed(each) for name, each in value.items()}}
        case AbstractSet():
            tags = {next(iter(_typed(each))) for each in value}
            if len(tags) != 1 or not tags <= {"S", "N", "B"}:
                raise DeclarationError(
                    f"{value!r}: a set of DynamoDB is of text, of numbers or of bytes, and not empty"
                )
            return {f"{min(tags)}S": [_typed(each)[min(tags)] for each in value]}
        case list() | tuple():
            return {"L": [_typed(each) for each in value]}
        case _:
            raise DeclarationError(f"{value!r}: DynamoDB has no type for it; write it as text or as a number")


def differences(table: Table, made: Sequence[Made], wanted: Sequence[Row], *, dynamodb: bool) -> list[str]:
    """What is there and not wanted, and the other way round, each in words."""
    left, missing = [shown(row) for row in made], []
    for row in (expected(table, each, dynamodb=dynamodb) for each in wanted):
        if row in left:
            left.remove(row)
        else:
            missing.append(row)
    return [
        *(f"{table.name}: expected and not made: {row}" for row in missing),
        *(f"{table.name}: made and not expected: {row}" for row in left),
    ]
