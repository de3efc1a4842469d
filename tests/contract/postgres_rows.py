"""PostgreSQL tables and rows for the tests of the PostgreSQL store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.declare.names import EXTRA, MISTYPED
from include.trueup.stores import arrow_schema
from include.trueup.stores.postgres import PostgresStore


def table(
    name: str, columns: Mapping[str, Type], key: Sequence[str] = ("id",), indexes: Sequence[Index] = (), **more: Any
) -> Table:
    """A declaration."""
    return Table(name=name, connection="c", key=tuple(key), columns=columns, indexes=tuple(indexes), **more)


def rows(declared: Table, *given: Mapping[str, Any]) -> pa.Table:
    """Rows in canonical form; what is not given is null."""
    schema = arrow_schema(declared)
    assert all(set(row) <= set(schema.names) for row in given)
    return pa.Table.from_pylist([dict(row) for row in given], schema)


def read(store: PostgresStore, declared: Table, segments: int = 1) -> list[dict[str, Any]]:
    """Every row, sorted by key, without null `_extra` and `_mistyped`."""
    found = [
        row
        for segment in range(segments)
        for batch in store.read(declared, segment, segments)
        for row in batch.to_pylist()
    ]
    found.sort(key=lambda row: [str(row[name]) for name in declared.key])
    return [{k: v for k, v in row.items() if v is not None or k not in (EXTRA, MISTYPED)} for row in found]
