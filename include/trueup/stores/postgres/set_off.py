"""What a transaction that writes a batch has set off, found before it commits; asked only of tables that act by themselves.

PostgreSQL counts the rows that a transaction inserts, updates and deletes. Where it counts as many as were written, only
what was written is looked at. Where it counts others, they are found by their `xmin`: a row version that is seen, and
whose transaction is still in progress, is of this transaction, whichever savepoint or exception block made it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
from psycopg import sql

from ...declare.migration import Table
from ...declare.names import EXTRA
from .. import arrow_schema
from ..set_off import SetOff, present_watch
from . import catalog, reading
from .catalog import Shape
from .effects import DELETE, INSERT, UPDATE
from .halving import Written
from .session import Session
from .staging import NAME

Counts = tuple[int, int, int]
"""Rows inserted, updated and deleted."""
_COUNTS = sql.SQL(
    "SELECT coalesce(sum(pg_stat_get_xact_tuples_inserted(oid)), 0)::int8 AS a,"
    " coalesce(sum(pg_stat_get_xact_tuples_updated(oid)), 0)::int8 AS b,"
    " coalesce(sum(pg_stat_get_xact_tuples_deleted(oid)), 0)::int8 AS c,"
    " current_setting('track_counts') = 'on' AS counted"
    " FROM (SELECT {oid}::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree({oid}::oid::regclass)) part"
)
# A version that is seen and not committed is ours. Numbers of transactions are 32 bits wide in a row, and go round: only
# those from our first to our last one are asked about.
_OURS = sql.SQL(
    "CASE WHEN ((t.xmin::text::int8 - {first}) & 4294967295) <= {span} THEN pg_xact_status(({first} +"
    " ((t.xmin::text::int8 - {first}) & 4294967295))::text::xid8) = 'in progress' ELSE false END"
)


@dataclass
class _Wrote:
    """What a transaction wrote to a table by our own statements."""

    counts: Counts = (0, 0, 0)
    added: list[pa.Table] = field(default_factory=list)
    changed: list[pa.Table] = field(default_factory=list)


class Watching:
    """Of one transaction, from before it writes until it has written."""

    def __init__(self, opened: Session) -> None:
        self._opened = opened
        self._before: dict[str, tuple[Table, int, Counts]] = {}
        self._wrote: dict[str, _Wrote] = {}
        self._alters = False

    def begin(self, shape: Shape) -> None:
        """Before the first statement that writes to a table; nothing where that does nothing by itself."""
        watch = present_watch()
        if watch is None or not shape.acts:
            return
        self._alters |= shape.acts == "triggers"
        if self._before:
            return
        for table in watch.tables:
            shape_before = catalog.find(self._opened, table)
            if shape_before is not None and shape_before.kind in ("r", "p"):
                self._before[table.name] = table, shape_before.oid, self._counts(shape_before.oid)[0]

    def _counts(self, oid: int) -> tuple[Counts, bool]:
        (row,) = self._opened.fetch(_COUNTS.format(oid=sql.Literal(oid))).to_pylist()
        return (row["a"], row["b"], row["c"]), row["counted"]

    def wrote(self, table: Table, event: str, rows: pa.Table, done: Written | None) -> None:
        """Note what our own statement wrote of these rows; None: all of them."""
        if not self._before:
            return
        wrote = self._wrote.setdefault(table.name, _Wrote())
        rows = rows if done is None else rows.take(pa.array(sorted(done.rows), pa.int64()))
        wrote.added += [rows] if event == INSERT else []
        wrote.changed += [rows] if event == UPDATE else []
        inserted, updated, deleted = (rows.num_rows * (event == one) for one in (INSERT, UPDATE, DELETE))
        a, b, c = wrote.counts
        wrote.counts = a + inserted, b + updated, c + deleted

    def tell(self) -> None:
        """Tell what has been set off; at the end of the transaction, when what is deferred is done."""
        watch = present_watch()
        if watch is None:
            return
        for table, oid, before in self._before.values():
            wrote = self._wrote.get(table.name, _Wrote())
            now, counted = self._counts(oid)
            beside = tuple(n - b - w for n, b, w in zip(now, before, wrote.counts, strict=True))
            nothing_else = counted and beside == (0, 0, 0)
            rows = self._look_at(table, wrote) if nothing_else else self._find(table)
            rows = _otherwise(table, rows, wrote)
            # less than was written: it does not count, or a TRUNCATE has set it back
            deleted = beside[2] if counted and min(beside) >= 0 else None
            if rows.num_rows or deleted != 0:
                watch.tell(SetOff(table=table, rows=rows, deleted=deleted))

    def _look_at(self, table: Table, wrote: _Wrote) -> pa.Table:
        """The rows that were written, as they are now."""
        if not self._alters:
            return _none(table)
        keys = [rows.select(list(table.key)) for rows in (*wrote.added, *wrote.changed)]
        tables = [reading.by_keys_in(self._opened, table, each) for each in keys if each.num_rows]
        return pa.concat_tables(tables) if tables else _none(table)

    def _find(self, table: Table) -> pa.Table:
        """Every row that this transaction has made what it is."""
        (first,) = self._opened.fetch("SELECT pg_current_xact_id()::text::int8 AS x")["x"].to_pylist()
        insert = sql.SQL("INSERT INTO pg_temp.{} (r) VALUES (-1) RETURNING xmin::text::int8 AS x").format(
            sql.Identifier(NAME)
        )
        with self._opened.savepoint():  # numbered higher than every one before it
            (last,) = self._opened.fetch(sql.SQL("WITH w AS ({}) SELECT x FROM w").format(insert))["x"].to_pylist()
        ours = _OURS.format(first=sql.Literal(first), span=sql.Literal((last - first) % 2**32))
        return reading.where_in(self._opened, table, ours)


def _none(table: Table) -> pa.Table:
    return arrow_schema(table).empty_table()


def _otherwise(table: Table, rows: pa.Table, wrote: _Wrote) -> pa.Table:
    """Those of the rows that are not as they were written. What a row that is added has in undeclared columns is the
    table's own, and no difference."""
    if not rows.num_rows:
        return rows
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, given in (("found", rows), ("added", wrote.added), ("changed", wrote.changed)):
            tables = [given] if isinstance(given, pa.Table) else [_none(table), *given]
            connection.register(f"{name}_", pa.concat_tables(tables).append_column("n_", _numbers(tables)))
        same = {
            "added": [name for name in rows.column_names if name != EXTRA],
            "changed": rows.column_names,
        }
        apart = " ".join(
            f"ANTI JOIN {name}_ ON {' AND '.join(f'found_.{_quoted(c)} IS NOT DISTINCT FROM {name}_.{_quoted(c)}' for c in names)}"
            for name, names in same.items()
        )
        numbers = [n for (n,) in connection.execute(f"SELECT found_.n_ FROM found_ {apart} ORDER BY 1").fetchall()]
    return rows.take(pa.array(numbers, pa.int64()))


def _numbers(tables: list[pa.Table]) -> pa.Array:
    return pa.array(range(sum(each.num_rows for each in tables)), pa.int64())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
