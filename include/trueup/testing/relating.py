"""As much of a run as a transform looks at, in memory: what `check` runs scripts in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import duckdb
import pyarrow as pa

from ..declare import Migration, Table
from ..declare.names import EXTRA, KEY, MISTYPED, WITHOUT_NULLS, own
from ..plan import inputs
from ..rows import digits, duck, wording
from ..run import Options, Run
from ..stores import Limits, arrow_schema, key_text
from ..stores.dynamodb.limits import unwritable as dynamodb_unwritable
from ..stores.postgres.limits import unwritable as postgres_unwritable
from .literal import Made as Values
from .literal import is_dynamodb


@dataclass(frozen=True)
class _Store:
    """What a transform asks of a store that is not there."""

    kind: str

    def unwritable(self, table: Table, rows: str, limits: Limits) -> str:
        if self.kind == "dynamodb":
            return dynamodb_unwritable(table, rows)
        return postgres_unwritable(table, rows, limits)


def run_of(migration: Migration, params: Values, dynamodb: Sequence[str] | None, partitions: int) -> Run:
    """As much of a run as a transform looks at."""

    def store_of(table: Table) -> _Store:
        return _Store("dynamodb" if is_dynamodb(table, dynamodb) else "postgres")

    start = SimpleNamespace(targets={}, undeclared={})
    return cast(
        "Run",
        SimpleNamespace(
            migration=migration,
            options=Options(params=params),
            partitions=partitions,
            store_of=store_of,
            files=SimpleNamespace(start=start),
        ),
    )


@contextmanager
def related(
    run: Run, tables: Mapping[str, pa.Table], neighbour: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with all that a transform sees, of all partitions; `neighbour`: as in `inputs.relate`."""
    with tempfile.TemporaryDirectory() as scratch, duck.connect(Path(scratch)) as connection:
        for source in run.migration.sources:
            rows = tables.get(source.id, arrow_schema(source.table).empty_table())
            connection.register(own("literal"), rows)
            columns = ", ".join(inputs.cast(name, type_) for name, type_ in source.columns.items())
            read = (
                f"SELECT {columns}, {EXTRA}, {WITHOUT_NULLS}({MISTYPED}) AS {MISTYPED}, {key_text(source.key)} AS {KEY} "
                f"FROM {own('literal')}"
            )
            if neighbour is not None:
                read = digits.replaced(f"({read})", source.columns, neighbour, key_text(source.key))
            connection.execute(f"CREATE TEMP TABLE {inputs.as_read(source)} AS {read}")
            connection.unregister(own("literal"))
            inputs.show(connection, source)
        for name, path in run.migration.shared.items():  # over whole sources
            what = f"shared {name!r}"
            with wording.asking(what, path, connection, (source.id for source in run.migration.sources)):
                query = wording.query_of(what, path)
                connection.execute(f"CREATE TEMP TABLE {duck.identifier(name)} AS {query}")
        inputs.relate_given(connection, run)
        connection.execute("CREATE TEMP TABLE undeclared (source VARCHAR, name VARCHAR)")
        inputs.define_window(connection, None)
        yield connection


def relate_partition(connection: duckdb.DuckDBPyConnection, run: Run, partition: int) -> None:
    """The same of that partition alone."""
    for source in run.migration.sources:
        if source.partition_by is not None and run.partitions > 1:
            others = f"{duck.partition(source.partition_by, run.partitions)} <> {partition}"
            connection.execute(f"DELETE FROM {inputs.as_read(source)} WHERE {others}")
    inputs.relate_made(connection, run, partition)
