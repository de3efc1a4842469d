"""Runs a migration's SQL over rows in DynamoDB-JSON, as the engine does, but in memory and without any store."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from include.trueup.declare.migration import Migration, Table
from include.trueup.declare.names import EXTRA, KEY, MISTYPED, SOURCE_KEY, WITHOUT_NULLS
from include.trueup.rows import duck
from include.trueup.rows.dynamodb_values import canonical_text
from include.trueup.stores import arrow_schema
from include.trueup.stores.dynamodb.items import Item, Layout


@dataclass
class Finding:
    """A row of a phase's `findings`."""

    source: str
    key: str
    severity: str
    code: str
    message: str


@dataclass
class Planned:
    """What the SQL gives: rows as Arrow and findings, by phase."""

    rows: dict[str, pa.Table] = field(default_factory=dict)
    findings: dict[str, list[Finding]] = field(default_factory=dict)

    def unaccounted(self, phase: str, ids: Iterable[str]) -> list[str]:
        """Source rows that are not exactly one of written and rejected."""
        written = set(self.rows[phase].column(SOURCE_KEY).to_pylist())
        rejected = [f.source for f in self.findings[phase] if f.severity == "reject"]
        return [id for id in ids if (id in written) + rejected.count(id) != 1]


def run(migration: Migration, legacy: dict[str, list[Item]], scratch: Path, partitions: int = 1) -> Planned:
    """Every phase over every partition."""
    sources = {s.id: _arrow(s.table, legacy.get(s.table.name, [])) for s in migration.sources}
    rows: dict[str, list[pa.Table]] = defaultdict(list)
    findings: dict[str, list[Finding]] = defaultdict(list)
    with ExitStack() as opened:
        database = opened.enter_context(duck.connect(scratch))
        with duck.connect_to(database) as connection:
            for id, table in sources.items():
                _relate(connection, id, table)
            shared = {
                name: connection.sql(path.read_text(encoding="utf-8")).to_arrow_table()
                for name, path in migration.shared.items()
            }
        for partition in range(partitions):
            connection = opened.enter_context(duck.connect_to(database))
            for source in migration.sources:
                where = (
                    f"{duck.partition(source.partition_by, partitions)} = {partition}"
                    if source.partition_by
                    else "true"
                )
                _relate(connection, source.id, sources[source.id], where)
            for name, table in shared.items():
                _relate(connection, name, table)
            planned = {t.id: arrow_schema(t.table).empty_table() for t in migration.targets}
            for phase in migration.phases:
                for script in phase.scripts:
                    connection.execute(script.read_text(encoding="utf-8"))
                target = migration.target(phase.target).table
                given = connection.sql("SELECT * FROM rows").to_arrow_table()
                assert set(given.column_names) - {EXTRA} == {*target.columns, SOURCE_KEY}
                rows[phase.id].append(given)
                found = connection.execute("SELECT _source, key, severity, code, message FROM findings").fetchall()
                findings[phase.id] += [Finding(*row) for row in found]
                kept = given.select([c for c in given.column_names if c != SOURCE_KEY])
                planned[phase.target] = pa.concat_tables([planned[phase.target], kept], promote_options="default")
                _relate(connection, phase.target, planned[phase.target])
    return Planned({phase: pa.concat_tables(tables) for phase, tables in rows.items()}, dict(findings))


def items(table: Table, rows: pa.Table) -> list[Item]:
    """Planned rows as the store would hold them."""
    if EXTRA in rows.column_names:
        for text in rows.column(EXTRA).drop_null().to_pylist():
            extra = json.loads(text)
            assert text == canonical_text(extra), "_extra is not in canonical form"
            assert not extra.keys() & table.columns.keys(), "_extra names a declared column"
    return Layout(table).encode(rows.drop_columns([SOURCE_KEY]))


def _relate(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table, where: str = "true") -> None:
    connection.register("_given", table)
    seen = f"* REPLACE ({WITHOUT_NULLS}({MISTYPED}) AS {MISTYPED})" if MISTYPED in table.column_names else "*"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {duck.identifier(name)} AS SELECT {seen} FROM _given WHERE {where}"
    )
    connection.unregister("_given")


def _arrow(table: Table, rows: list[Item]) -> pa.Table:
    """Items as the snapshot has them."""
    read = pa.Table.from_batches([Layout(table).decode(rows)])
    return read.append_column(KEY, read.column("id"))
