"""Rows in plain Python, exactly as they are in Arrow: instants are microseconds, dates days, floats their 64 bits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from include.trueup.declare.migration import Table, Type
from include.trueup.rows.values import canonical_json
from include.trueup.stores import arrow_schema
from include.trueup.stores.postgres.looking import keys_of

Plain = str | int | bool | bytes | None
Row = dict[str, Plain]
"""By column. `_mistyped` is what has no canonical form in its column, where there is any."""
Key = tuple[Plain, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BY_TEXT = {Type.TEXT, Type.NUMBER, Type.INTEGER}
_BITS = {pa.timestamp("us", tz="UTC"): pa.int64(), pa.timestamp("us"): pa.int64(), pa.date32(): pa.int32()}


def plain(table: Table, rows: pa.Table) -> list[Row]:
    """Rows in canonical form as plain ones, with `_extra` and `_mistyped`."""
    return _plain(rows.select(arrow_schema(table).names))


def plain_keys(table: Table, rows: pa.Table) -> list[Key]:
    """The keys of the rows."""
    return [tuple(row.values()) for row in _plain(rows.select(list(table.key)))]


def _plain(rows: pa.Table) -> list[Row]:
    columns = [_values(column) for column in rows.columns]
    return [dict(zip(rows.column_names, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Plain]:
    if pa.types.is_floating(column.type):
        column = pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())
    elif column.type in _BITS:
        column = column.cast(_BITS[column.type])
    values: list[Plain] = column.to_pylist()
    return values


def arrow(table: Table, rows: Sequence[Mapping[str, Plain]]) -> pa.Table:
    """Plain rows in canonical form; what a row does not have is null."""
    schema = arrow_schema(table)
    return pa.Table.from_arrays([_array([row.get(f.name) for row in rows], f.type) for f in schema], schema=schema)


def _array(values: list[Plain], type_: pa.DataType) -> pa.Array:
    if pa.types.is_floating(type_):
        return pa.array(values, pa.int64()).view(pa.float64())
    if type_ in _BITS:
        return pa.array(values, _BITS[type_]).cast(type_)
    return pa.array(values, type_)


def key_texts(table: Table, rows: pa.Table) -> list[str]:
    """The text of each row's key, as `key_text` writes it."""
    if not all(table.columns[name] in _BY_TEXT for name in table.key):
        return keys_of(table, rows)
    keys = plain_keys(table, rows)
    if len(table.key) == 1:
        return [str(value) for (value,) in keys]
    return [json.dumps([str(one) for one in key], ensure_ascii=False, separators=(",", ":")) for key in keys]


def shown(types: Mapping[str, Type], row: Mapping[str, Plain], names: Iterable[str]) -> str | None:
    """Columns of a row that are not null as JSON text in canonical form; None if all are."""
    parts = {name: _json(types[name], value) for name in names if (value := row.get(name)) is not None}
    if not parts:
        return None
    return canonical_json("{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in parts.items()) + "}")


def whole(types: Mapping[str, Type], row: Mapping[str, Plain]) -> str:
    """A row as JSON text, nulls included, as a database shows one."""
    parts = {name: "null" if (value := row.get(name)) is None else _json(types[name], value) for name in types}
    return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {text}" for name, text in parts.items()) + "}"


def _json(type_: Type, value: Plain) -> str:
    match type_, value:
        case ((Type.NUMBER | Type.JSON), str()):
            return value
        case ((Type.TIMESTAMP | Type.DATETIME), int()):
            at = _EPOCH + timedelta(microseconds=value)
            return json.dumps((at if type_ is Type.TIMESTAMP else at.replace(tzinfo=None)).isoformat())
        case Type.DATE, int():
            return json.dumps((date(1970, 1, 1) + timedelta(days=value)).isoformat())
        case Type.FLOAT, int():
            return json.dumps(str(pa.array([value], pa.int64()).view(pa.float64())[0].as_py()))
        case _, bytes():
            return json.dumps(f"\\x{value.hex()}")
        case _:
            return json.dumps(value, ensure_ascii=False)
