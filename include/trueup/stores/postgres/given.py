"""Rows as they are given to be written: in the order of their keys, and nothing in them that the table has no place for."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from ...declare.migration import Table
from ...declare.names import EXTRA, MISTYPED
from ...errors import StoreRejectedError
from .. import arrow_schema


def aligned(table: Table, rows: pa.Table) -> pa.Table:
    schema = arrow_schema(table)
    return rows.select(schema.names).cast(schema)


def in_key_order(table: Table, rows: pa.Table) -> pa.Table:
    return aligned(table, rows).sort_by([(name, "ascending") for name in table.key])


def only_declared(place: str, table: Table, rows: pa.Table, before: pa.Table | None = None) -> None:
    """Raise `StoreRejectedError` for rows that hold what the table has no column for, or not of that type, except what was there
    before and stays as it is."""
    for name in (EXTRA, MISTYPED):
        new = rows[name].to_pylist() if rows[name].null_count < rows.num_rows else []
        old = [None] * len(new) if before is None else before[name].to_pylist()
        concerned = sum(
            one is not None and one != other and not _stays(one, other) for one, other in zip(new, old, strict=False)
        )
        if concerned:
            raise StoreRejectedError(
                f"{place}: table {table.name} has no column for what {concerned} planned rows hold in {name}. "
                "Declare a column for it, or leave it out in the transform."
            )


def _stays(new: str, before: str | None) -> bool:
    return before is not None and json.loads(new).items() <= json.loads(before).items()


def differ(new: pa.ChunkedArray, old: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which values are not the same; null is like null."""
    new, old = _by_bits(new), _by_bits(old)
    either_null = pc.not_equal(pc.is_null(new), pc.is_null(old))
    return pc.fill_null(pc.not_equal(new, old), either_null)


def _by_bits(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats by their bits: -0.0 is not 0.0, NaN equals NaN, of which there is one."""
    if not pa.types.is_floating(values.type):
        return values
    return pa.chunked_array([chunk.view(pa.int64()) for chunk in values.chunks], pa.int64())
