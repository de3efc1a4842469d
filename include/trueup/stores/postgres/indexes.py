"""Making the declared indexes that a table lacks, while others read and write it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from ...declare.migration import Index, Table
from .. import ask_fence, present_fence
from .catalog import QUERY, Shape, schema_and_name, shape_of
from .failures import translated
from .locks import kept
from .session import SETTINGS, Address

# Outside of a transaction: it waits for those of others to end, which takes as long as they take.
_ALONE = {"lock_timeout": "10min"}
_PARTITIONS = """
    SELECT n.nspname, c.relname, c.relkind = 'p'
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.inhparent = $1 ORDER BY 1, 2
"""
Name = tuple[str, str]
NO_TRANSACTION = "-- trueup: no transaction\n"
"""How a script begins that runs in no transaction."""


@contextmanager
def alone_session(address: Address, *, doing: str) -> Iterator[psycopg.Connection]:
    """A connection without a transaction: for what PostgreSQL does in none. The settings are those of the session."""
    try:
        with psycopg.connect(address.conninfo(), autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
            for name, text in {**SETTINGS, **_ALONE}.items():
                connection.execute("SELECT set_config($1, $2, false)", [name, text])
            kept(present_fence(), connection.execute, connection.info.backend_pid)
            yield connection
    except psycopg.Error as error:
        raise translated(error, place=address.place, doing=doing) from error


def make_indexes(address: Address, table: Table) -> None:
    """Make the indexes that are missing, CONCURRENTLY; what an earlier try left INVALID is dropped first. Of a partitioned
    table they are made a partition at a time, and attached."""
    with alone_session(address, doing=f"make indexes of table {table.name}") as connection:

        def shape() -> Shape:
            row = connection.execute(QUERY.encode(), list(schema_and_name(table))).fetchone()
            assert row is not None  # the table is there
            return shape_of(table, row[0])

        def run(statement: str, **parts: sql.Composable) -> None:
            ask_fence()
            connection.execute(sql.SQL(statement).format(**parts))

        def make(index: Index, name: Name, oid: int, label: str, *, partitioned: bool) -> None:
            parts = {
                "index": sql.Identifier(label),
                "of": sql.Identifier(name[0], label),
                "table": sql.Identifier(*name),
                "columns": sql.SQL(", ").join(map(sql.Identifier, index.key)),
            }
            if not partitioned:
                run("DROP INDEX CONCURRENTLY IF EXISTS {of}", **parts)
                run("CREATE INDEX CONCURRENTLY {index} ON {table} ({columns})", **parts)
                return
            run("DROP INDEX IF EXISTS {of}", **parts)
            run("CREATE INDEX {index} ON ONLY {table} ({columns})", **parts)
            for number, (schema, child, deeper) in enumerate(connection.execute(_PARTITIONS, [oid]).fetchall()):
                under = f"{label[:50]}_{number}"
                row = connection.execute(
                    "SELECT to_regclass($1)::oid::int8", [f"{_quoted(schema)}.{_quoted(child)}"]
                ).fetchone()
                make(index, (schema, child), row[0] if row else 0, under, partitioned=deeper)
                run("ALTER INDEX {of} ATTACH PARTITION {part}", part=sql.Identifier(schema, under), **parts)

        current = shape()
        for index in current.missing(table):
            make(index, (current.schema, current.name), current.oid, index.name, partitioned=current.kind == "p")


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)
