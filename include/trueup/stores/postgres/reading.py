"""Reading: a table in disjoint segments, or rows by their keys, in canonical form.

How a table is cut into segments
- Under an exported snapshot: by where the rows lie. Stripes of 256 blocks go to the segments in turn, each stripe a
  range of `ctid`, so that together the segments read the table once. A row version that a snapshot sees stays where it
  is as long as the snapshot is held, and each row has exactly one such version; updates put new versions elsewhere,
  which the snapshot does not see. Only what rewrites the whole table (VACUUM FULL, CLUSTER, some ALTER TABLE) moves
  what is seen.
- Without one, every segment is its own transaction. Between two of them a row may be updated and so move; its place
  decides nothing then. The key does not change: a hash of the key's text decides, and every segment reads the whole
  table to find its rows. This is also how partitioned tables are read. Views, materialized or
  not, are read whole, as the first segment.

A table that is emptied and filled again in one transaction (TRUNCATE), rewritten, or swapped for another by name shows no row
at all to whoever sees the state of before, and waits for its lock. So whoever has read looks whether all tables that it read,
also below a view or as a part of another, are still those of its state; else it fails, rather than read rows twice or never.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from math import nan

import adbc_driver_manager as adbc
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from ...declare.migration import Table, Type
from ...declare.names import EXTRA, MISTYPED
from ...errors import SourceError, StoreUnavailableError
from ...rows.json_column import readable_column, readable_text, say_unreadable
from .. import ARROW, arrow_schema
from . import catalog, columns
from .catalog import Shape
from .failures import translated
from .session import Address, Session, SnapshotGoneError, session

STRIPE_BLOCKS = 256
_PLACE = """
SELECT pg_relation_size(c.oid) / current_setting('block_size')::int8 AS blocks,
       current_setting('server_version_num')::int4 >= 140000 AS by_range
FROM pg_catalog.pg_class c WHERE c.oid = {}
"""
# Whoever reads a relation has a lock on it until its transaction ends; below a view, of a partitioned table only on the parts that
# the view is about. Tables are those of the transaction's state, functions know the present one: in it a table may have other
# rows, or be no part any more; or there is one that was none, but as a new part.
_NOT_AS_SEEN = """
WITH RECURSIVE locked AS (
    SELECT DISTINCT relation AS oid FROM pg_catalog.pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'
), parts AS (
    SELECT {}::oid AS oid
    UNION SELECT i.inhrelid FROM parts JOIN pg_catalog.pg_inherits i ON i.inhparent = parts.oid
), wanted AS (
    SELECT coalesce(locked.oid, parts.oid) AS oid, locked.oid IS NOT NULL AS locked FROM locked FULL JOIN parts USING (oid)
)
SELECT coalesce(c.relname::text, w.oid::regclass::text) AS name FROM wanted w LEFT JOIN pg_catalog.pg_class c ON c.oid = w.oid
WHERE CASE
    WHEN c.oid IS NULL THEN (pg_identify_object('pg_catalog.pg_class'::regclass, w.oid, 0)).type <> 'index' AND NOT EXISTS (
        SELECT FROM pg_partition_ancestors(w.oid) a JOIN pg_catalog.pg_class known ON known.oid = a.relid
    )
    WHEN c.relkind NOT IN ('r', 'p', 'm') THEN false
    ELSE NOT w.locked
        OR (c.relkind <> 'p' AND c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)) END
ORDER BY 1 LIMIT 1
"""


def segment_of(
    address: Address, table: Table, segment: int, segments: int, snapshot: str | None
) -> Generator[pa.RecordBatch]:
    """The rows of one segment, in batches."""
    with session(address, doing=f"read table {table.name}", read_only=True, snapshot=snapshot) as opened:
        shape = catalog.require(opened, table)
        everything = _select(table, shape)
        if segment == 0 and shape.counted:
            _refuse_doubles(opened, table, shape)
        has_read = False
        for condition in _parts(opened, table, shape, segment, segments, snapshot):
            has_read = True
            with closing(opened.stream(sql.SQL("{} WHERE {}").format(everything, condition))) as batches:
                for batch in batches:
                    if batch.num_rows:
                        yield _canonical(table, batch)
        if has_read:
            _refuse_others(opened, table, shape, snapshot)


def _refuse_others(opened: Session, table: Table, shape: Shape, snapshot: str | None) -> None:
    """Raise `StoreUnavailableError` where a table that was read is not the one that the transaction's state has."""
    if not (names := opened.fetch(sql.SQL(_NOT_AS_SEEN).format(shape.oid))["name"].to_pylist()):
        return
    words = (
        f"{opened.place}: {names[0]} was emptied, rewritten or swapped for another table (TRUNCATE, ALTER TABLE, VACUUM FULL,"
        f" CLUSTER) while {table.name} was to be read as it was before, so its rows do not show."
    )
    if snapshot is None:
        raise StoreUnavailableError(f"{words} Read it again.")
    raise SnapshotGoneError(f"{words} Run the step again, which reads every segment again, under a new snapshot.")


def nothing_of(opened: Session, table: Table, shape: Shape) -> None:
    """Ask for the table's rows and take none. Raises `StoreRejectedError` where the server would not give them."""
    try:
        opened.fetch(sql.SQL("{} LIMIT 0").format(_select(table, shape)))
    except adbc.Error as error:
        raise translated(error, place=opened.place, doing=f"read table {table.name}") from error


def _refuse_doubles(opened: Session, table: Table, shape: Shape) -> None:
    """Raise `SourceError` where two rows have the same key, or one has none: nothing in the database keeps them apart."""
    columns_ = [shape.columns[name].sql for name in table.key]
    query = sql.SQL(
        "SELECT coalesce(sum(n) FILTER (WHERE empty), 0)::int8 AS empty, min(k) FILTER (WHERE empty) AS such,"
        " count(*) FILTER (WHERE NOT empty) AS twice, min(k) FILTER (WHERE NOT empty) AS as_well FROM ("
        "SELECT concat_ws(', ', {texts}) AS k, {null} AS empty, count(*) AS n FROM {name} AS t GROUP BY {key}"
        " HAVING count(*) > 1 OR {null}) doubles"
    ).format(
        texts=sql.SQL(", ").join(sql.SQL("coalesce({}::text, 'null')").format(one) for one in columns_),
        null=sql.SQL("({})").format(sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(one) for one in columns_)),
        key=sql.SQL(", ").join(columns_),
        name=sql.Identifier(shape.schema, shape.name),
    )
    doubles = opened.fetch(query).to_pylist()[0]
    key = ", ".join(table.key)
    faults = [
        *(
            [f"{doubles['empty']:,} rows whose key ({key}) is null, such as ({doubles['such']})"]
            if doubles["empty"]
            else []
        ),
        *(
            [f"{doubles['twice']:,} keys ({key}) that several rows have, such as ({doubles['as_well']})"]
            if doubles["twice"]
            else []
        ),
    ]
    if faults:
        raise SourceError(
            f"{opened.place}: {table.name} has {' and '.join(faults)}: declare columns that tell its rows apart, "
            "or fix the rows."
        )


def by_keys(address: Address, table: Table, keys: pa.Table, snapshot: str | None) -> pa.Table:
    """The rows with these keys."""
    with session(address, doing=f"read rows of table {table.name}", read_only=True, snapshot=snapshot) as opened:
        shape = catalog.require(opened, table)
        rows = by_keys_where(opened, table, shape, keys, sql.SQL("true"))
        _refuse_others(opened, table, shape, snapshot)
        return rows


def by_keys_in(opened: Session, table: Table, keys: pa.Table) -> pa.Table:
    """The same in a transaction that is open."""
    return by_keys_where(opened, table, catalog.require(opened, table), keys, sql.SQL("true"))


def having_keys(table: Table, shape: Shape, keys: pa.Table) -> tuple[sql.Composable, pa.RecordBatch]:
    """What joins the table `t` to these keys, and its parameters: the keys go as one array for each key column, so that
    nothing is written anywhere."""
    distinct = keys.select(list(table.key)).group_by(list(table.key)).aggregate([])
    texts = [_key_texts(distinct[name], table.columns[name]) for name in table.key]
    parameters = pa.RecordBatch.from_arrays(
        [pa.array([column.to_pylist()], pa.list_(pa.string())) for column in texts], list(table.key)
    )
    names = [sql.Identifier(f"k{i}") for i in range(len(table.key))]
    arrays = sql.SQL(", ").join(sql.SQL(f"${i + 1}::text[]") for i in range(len(names)))
    matches = [
        sql.SQL("{} = {}::{}").format(column.sql, sql.SQL("k.{}").format(name), sql.SQL(column.cast))
        for name, column in zip(names, (shape.columns[name] for name in table.key), strict=True)
    ]
    join = sql.SQL("JOIN unnest({}) k({}) ON {}")
    return join.format(arrays, sql.SQL(", ").join(names), sql.SQL(" AND ").join(matches)), parameters


def by_keys_where(opened: Session, table: Table, shape: Shape, keys: pa.Table, condition: sql.Composable) -> pa.Table:
    """The rows with these keys of which a condition on `t` holds."""
    join, parameters = having_keys(table, shape, keys)
    rows = opened.fetch(sql.SQL("{} {} WHERE {}").format(_select(table, shape), join, condition), parameters)
    return pa.Table.from_batches([_canonical(table, batch) for batch in rows.to_batches()], arrow_schema(table))


def where_in(opened: Session, table: Table, condition: sql.Composable) -> pa.Table:
    """The rows of which a condition on `t` holds, in a transaction that is open."""
    shape = catalog.require(opened, table)
    rows = opened.fetch(sql.SQL("{} WHERE {}").format(_select(table, shape), condition))
    return pa.Table.from_batches([_canonical(table, batch) for batch in rows.to_batches()], arrow_schema(table))


def _select(table: Table, shape: Shape) -> sql.Composable:
    """The query for all rows; positions of the result are those of `arrow_schema`."""
    values = [
        columns.value(type_, shape.columns[name]) if name in shape.columns else columns.absent(type_)
        for name, type_ in table.columns.items()
    ]
    extra = columns.extra(shape.extras(table), columns.JSON)
    odd = columns.mistyped(table, shape.columns, columns.JSON)
    values += [sql.SQL("{}::text").format(extra), sql.SQL("{}::text").format(odd)]
    listed = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(one, sql.Identifier(f"c{i}")) for i, one in enumerate(values)
    )
    return sql.SQL("SELECT {} FROM {} AS t").format(listed, sql.Identifier(shape.schema, shape.name))


def _parts(
    opened: Session, table: Table, shape: Shape, segment: int, segments: int, snapshot: str | None
) -> Iterator[sql.Composable]:
    """The conditions whose rows, one condition after the other, are the segment."""
    if segments == 1 or shape.kind in ("v", "m"):  # a view is computed again for each query
        if segment == 0:
            yield sql.SQL("true")
        return
    if snapshot is not None and shape.stored:
        # Holding this lock, nobody can rewrite the table any more until we are done.
        opened.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.Identifier(shape.schema, shape.name)))
        _refuse_others(opened, table, shape, snapshot)
        place = opened.fetch(sql.SQL(_PLACE).format(shape.oid)).to_pylist()
        if place[0]["by_range"]:
            for first in range(segment * STRIPE_BLOCKS, place[0]["blocks"], segments * STRIPE_BLOCKS):
                yield sql.SQL("t.ctid >= {}::tid AND t.ctid < {}::tid").format(
                    f"({first},0)", f"({first + STRIPE_BLOCKS},0)"
                )
            return
    hashed: sql.Composable = sql.SQL("0")
    for name in table.key:
        text = sql.SQL("coalesce({}::text, '')").format(shape.columns[name].sql)
        hashed = sql.SQL('hashtextextended({} COLLATE "C", {})').format(text, hashed)
    yield sql.SQL("({} & 9223372036854775807) % {} = {}").format(hashed, segments, segment)


def _canonical(table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
    schema = arrow_schema(table)
    types = {**table.columns, EXTRA: Type.JSON, MISTYPED: Type.JSON}
    arrays: dict[str, pa.Array] = {}
    faults: list[tuple[pa.Array, str, dict[int, str]]] = []
    for name, array in zip(schema.names, batch.columns, strict=True):
        arrays[name], reasons = _canonical_values(array, types[name], key=name in table.key)
        if reasons:
            faults.append((array, name, reasons))
    for raw, name, reasons in faults:
        arrays[MISTYPED] = say_unreadable(arrays[MISTYPED], raw, name, reasons)
    return pa.RecordBatch.from_arrays([*arrays.values()], schema=schema)


def _canonical_values(values: pa.Array, type_: Type, *, key: bool) -> tuple[pa.Array, dict[int, str]]:
    """The values in canonical form, null where one has none; and of these, by their place, why not."""
    reasons: dict[int, str] = {}
    if pa.types.is_string(values.type):
        values, reasons = readable_text(values, key=key)
    if type_ is Type.JSON:
        values, no_json = readable_column(values)
        return values, reasons | no_json
    if type_ is Type.FLOAT:  # one NaN, whatever its bits
        return pc.if_else(pc.is_nan(values), pa.scalar(nan, pa.float64()), values), {}
    return values.cast(ARROW[type_]), reasons


def _key_texts(keys: pa.ChunkedArray, type_: Type) -> pa.ChunkedArray:
    if type_ is Type.BINARY:
        return pa.chunked_array([[None if key is None else f"\\x{key.hex()}" for key in keys.to_pylist()]], pa.string())
    if type_ in (Type.TIMESTAMP, Type.DATETIME, Type.DATE):
        return instant_texts(keys)
    return pc.cast(keys, pa.string())


def instant_texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates and times as PostgreSQL reads them, of any year: Python and Arrow know fewer."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", pa.table({"value": values}))
        text = "CAST(value AS VARCHAR)"
        before_christ = f"CASE WHEN contains({text}, ' (BC)') THEN ' BC' ELSE '' END"
        query = f"SELECT replace({text}, ' (BC)', '') || {before_christ} AS text FROM given"
        return connection.sql(query).to_arrow_table()["text"]
