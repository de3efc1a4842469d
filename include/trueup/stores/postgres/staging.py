"""The staging table: a temporary one, filled by COPY, that a batch's one statement reads. `s` in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from psycopg import sql

from ...declare.migration import Table, Type
from . import columns
from .session import Session

NAME = "trueup_stage"
FROM_STAGE = sql.SQL("pg_temp.{} AS s").format(sql.Identifier(NAME))


@dataclass(frozen=True)
class Staged:
    """A column of the staging table."""

    name: str
    type: Type
    values: pa.ChunkedArray


def of_rows(table: Table, rows: pa.Table, names: Sequence[str]) -> list[Staged]:
    """The table's columns under these names, with the values of the rows."""
    types = table.columns.items()
    return [Staged(name, type_, rows[column]) for name, (column, type_) in zip(names, types, strict=True)]


def stage(opened: Session, staged: Sequence[Staged]) -> None:
    """Recreate the staging table of the open transaction, with these columns and `r`, the number of the row."""
    name = sql.Identifier(NAME)
    opened.execute(sql.SQL("DROP TABLE IF EXISTS pg_temp.{}").format(name))
    number = pa.chunked_array([pa.array(range(len(staged[0].values)), pa.int64())])
    staged = [Staged("r", Type.INTEGER, number), *staged]
    definitions = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(columns.STAGED[column.type])) for column in staged
    )
    # rows of up to a page lie there as they are: compressing them, to read them once, took a quarter of the time
    opened.execute(
        sql.SQL("CREATE TEMP TABLE {} ({}) WITH (toast_tuple_target = 8160) ON COMMIT DROP").format(name, definitions)
    )
    opened.fill(NAME, pa.table({column.name: column.values for column in staged}))
    opened.execute(sql.SQL("ANALYZE pg_temp.{} (r)").format(name))
