"""Transform: what the target should hold, from the snapshot alone.

One partition of the sources at a time, phase by phase in the declared order; the rows go to
`should/<phase>/p<partition>-….parquet`, partitioned by a hash of the *target's* key, where the plan compares them.
The transform sees whole tables; a window only marks (`_in_window`) the rows whose source row lies in it, so that what
is migrated day by day is what one full run gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from . import duck
from .errors import DeclarationError
from .model import EXTRA, KEY, MISTYPED, SOURCE_KEY, Migration, Phase, Source, Target, Type
from .run import Run, Window
from .snapshot import publish_partitions, relate_source
from .stores import arrow_schema, key_text
from .workspace import Artifact, Manifest

SQL = {
    Type.TEXT: "VARCHAR",
    Type.NUMBER: "VARCHAR",
    Type.INTEGER: "BIGINT",
    Type.BOOLEAN: "BOOLEAN",
    Type.TIMESTAMP: "TIMESTAMPTZ",
    Type.JSON: "VARCHAR",
    Type.BINARY: "BLOB",
}
FINDINGS = {"_source": "VARCHAR", "key": "VARCHAR", "severity": "VARCHAR", "code": "VARCHAR", "message": "VARCHAR"}
UNWRITABLE = "unwritable"
"""Code of the reject that the engine makes itself, for a row that the target's store cannot hold."""


def transform(run: Run, partition: int) -> dict[str, dict[str, int]]:
    """Run every phase's transform on one partition; counts of source rows, by phase."""
    facts: dict[str, dict[str, int]] = {}
    with run.ledger.step(run.id, "transform", str(partition)), run.workspace.scratch() as scratch:
        files: list[Artifact] = []
        with duck.connect(scratch) as connection:
            relate(connection, run, partition, scratch)
            for phase in run.migration.phases:
                facts[phase.id] = run_phase(connection, run, phase)
                files += _publish(connection, run, phase, partition, scratch)
                connection.execute("DROP TABLE _rows; DROP TABLE _findings")
        run.folder.seal(Manifest(step="transform", part=f"{partition:03}", files=tuple(files), facts=facts))
    return facts


def relate(connection: duckdb.DuckDBPyConnection, run: Run, partition: int, scratch: Path) -> None:
    """Make everything that a transform sees a relation: sources, shared relations, and the still empty targets."""
    migration = run.migration
    manifests = run.folder.manifests("snapshot", run.segments)
    for source in migration.sources:
        relate_source(connection, run, source, manifests, partition, scratch)
    if migration.shared:
        (shared,) = run.folder.manifests("look_ups", 1)
        for artifact in shared.files:
            duck.relation(connection, Path(artifact.path).stem, [run.folder.fetch(artifact, scratch)], pa.schema([]))
    for target in migration.targets:
        columns = ", ".join(f"{duck.identifier(c)} {SQL[t]}" for c, t in target.table.columns.items())
        connection.execute(f"CREATE TEMP TABLE {duck.identifier(target.id)} ({columns}, {EXTRA} VARCHAR)")


def run_phase(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase) -> dict[str, int]:
    """Run a phase's script and check what it made, leaving `_rows` and `_findings`; counts of its source rows.

    Raises `DeclarationError` when the script does not run or does not define what it must.
    """
    target, source = run.migration.target(phase.target), run.migration.source(phase.source)
    for view in ("rows", "findings"):
        _drop(connection, view)
    try:
        connection.execute(phase.transform.read_text(encoding="utf-8"))
        _collect(connection, target)
    except duckdb.Error as error:
        raise DeclarationError(f"phase {phase.id!r}: {phase.transform.name} does not run: {error}") from error
    _reject_unwritable(connection, run, target)
    _mark_window(connection, source, run.options.window)
    columns = ", ".join(duck.identifier(c) for c in target.table.columns)
    connection.execute(f"INSERT INTO {duck.identifier(target.id)} SELECT {columns}, {EXTRA} FROM _rows")
    return _account(connection, source)


def _drop(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    found = connection.execute(
        "SELECT table_type FROM information_schema.tables WHERE table_name = ?", [name]
    ).fetchall()
    if found:
        connection.execute(f"DROP {'VIEW' if found[0][0] == 'VIEW' else 'TABLE'} {duck.identifier(name)}")


def _collect(connection: duckdb.DuckDBPyConnection, target: Target) -> None:
    made = {row[0] for row in connection.execute("DESCRIBE rows").fetchall()}
    if missing := {*target.table.columns, SOURCE_KEY} - made:
        raise DeclarationError(f"target {target.id!r}: the transform's rows lack the columns {sorted(missing)}")
    if unknown := made - {*target.table.columns, SOURCE_KEY, EXTRA}:
        raise DeclarationError(
            f"target {target.id!r}: the transform's rows have columns {sorted(unknown)} that it does not declare"
        )
    columns = ", ".join(
        f"CAST({duck.identifier(c)} AS {SQL[t]}) AS {duck.identifier(c)}" for c, t in target.table.columns.items()
    )
    extra = EXTRA if EXTRA in made else "NULL"
    connection.execute(
        f"CREATE TEMP TABLE _rows AS SELECT {columns}, CAST({extra} AS VARCHAR) AS {EXTRA}, CAST(NULL AS VARCHAR) AS {MISTYPED}, "
        f"CAST({SOURCE_KEY} AS VARCHAR) AS {SOURCE_KEY}, row_number() OVER () AS _row_id FROM rows"
    )
    findings = ", ".join(f"CAST({duck.identifier(c)} AS {t}) AS {duck.identifier(c)}" for c, t in FINDINGS.items())
    connection.execute(f"CREATE TEMP TABLE _findings AS SELECT {findings} FROM findings")


def _reject_unwritable(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> None:
    query = run.store_of(target.table).unwritable(target.table, "_rows")
    key = key_text(target.table.key)
    connection.execute(
        f"INSERT INTO _findings SELECT {SOURCE_KEY}, {SOURCE_KEY}, 'reject', '{UNWRITABLE}', any_value("
        f"'row ' || coalesce({key}, '(no key)') || ' of {target.table.name.replace(chr(39), chr(39) * 2)} cannot be stored: ' || message) "
        f"FROM ({query}) u JOIN _rows USING (_row_id) GROUP BY {SOURCE_KEY}"
    )
    # a source row is written whole or not at all; and what is rejected is not also warned about
    rejected = f"(SELECT _source FROM _findings WHERE code = '{UNWRITABLE}')"
    connection.execute(f"DELETE FROM _rows WHERE {SOURCE_KEY} IN {rejected}")
    connection.execute(f"DELETE FROM _findings WHERE severity <> 'reject' AND _source IN {rejected}")


def _mark_window(connection: duckdb.DuckDBPyConnection, source: Source, window: Window | None) -> None:
    """`_wanted`: the keys of the source rows that this run is about."""
    where = ""
    if window is not None and source.window is not None:
        column = duck.identifier(source.window)
        if source.table.columns[source.window] is Type.TEXT:
            column = f"iso_instant({column})"
        bounds = (f"CAST({duck.literal(t.isoformat())} AS TIMESTAMPTZ)" for t in (window.start, window.end))
        start, end = bounds
        where = f"WHERE {column} >= {start} AND {column} < {end}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW _wanted AS SELECT {KEY} FROM {duck.identifier(source.id)} {where}")


def _account(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, int]:
    """Counts of source rows. `unaccounted`: wanted rows that are neither in rows nor rejected, or are both; and what
    rows or findings claim of source rows that are not there."""
    every = f"(SELECT {KEY} FROM {duck.identifier(source.id)})"
    rejected = "(SELECT DISTINCT _source FROM _findings WHERE severity = 'reject')"
    made = f"(SELECT DISTINCT {SOURCE_KEY} AS _source FROM _rows)"
    wanted = duck.count(connection, "SELECT count(*) FROM _wanted")
    total = duck.count(connection, f"SELECT count(*) FROM {duck.identifier(source.id)}")
    neither = duck.count(
        connection,
        f"SELECT count(*) FROM _wanted w ANTI JOIN {rejected} r ON w.{KEY} = r._source ANTI JOIN {made} m ON w.{KEY} = m._source",
    )
    both = duck.count(connection, f"SELECT count(*) FROM {rejected} r SEMI JOIN {made} m USING (_source)")
    strangers = duck.count(
        connection,
        f"SELECT count(*) FROM (FROM {rejected} UNION FROM {made}) c ANTI JOIN {every} s ON c._source = s.{KEY}",
    )
    return {
        "source_rows": total,
        "outside_window": total - wanted,
        "rejected": duck.count(
            connection, f"SELECT count(*) FROM {rejected} r SEMI JOIN _wanted w ON r._source = w.{KEY}"
        ),
        "unaccounted": neither + both + strangers,
    }


def _publish(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, partition: int, scratch: Path
) -> list[Artifact]:
    target, source = run.migration.target(phase.target), run.migration.source(phase.source)
    columns = ", ".join(duck.identifier(f.name) for f in arrow_schema(target.table))
    folder = scratch / f"should-{phase.id}"
    connection.execute(
        f"COPY (SELECT {columns}, {key_text(target.table.key)} AS {KEY}, {SOURCE_KEY}, "
        f"{SOURCE_KEY} IN (SELECT {KEY} FROM _wanted) AS _in_window, {duck.partition(target.table.key, run.partitions)} AS _part "
        f"FROM _rows) TO {duck.literal(str(folder))} (FORMAT parquet, PARTITION_BY (_part), COMPRESSION zstd)"
    )
    artifacts = publish_partitions(run.folder, folder, f"should/{phase.id}", f"t{partition:03}")
    wanted = f"_source IN (SELECT {KEY} FROM _wanted)"
    queries = {
        "findings": f"SELECT DISTINCT ON (key, severity, code) key, severity, code, message FROM _findings WHERE {wanted} "
        "ORDER BY severity, code, key, _source",
        "rejects": f"SELECT s.{KEY} AS key, f.code, f.message, CAST(to_json(s) AS VARCHAR) AS row "
        f"FROM {duck.identifier(source.id)} s JOIN (SELECT DISTINCT ON (_source) * FROM _findings WHERE severity = 'reject' AND {wanted} "
        f"ORDER BY _source, code) f ON s.{KEY} = f._source ORDER BY key",
    }
    for name, query in queries.items():
        local = scratch / f"{name}-{phase.id}.parquet"
        connection.execute(f"COPY ({query}) TO {duck.literal(str(local))} (FORMAT parquet, COMPRESSION zstd)")
        rows = duck.count(connection, f"SELECT count(*) FROM read_parquet({duck.literal(str(local))})")
        artifacts.append(run.folder.publish(local, f"{name}/{phase.id}/t{partition:03}.parquet", rows))
    return artifacts


def accumulated(migration: Migration, phase: Phase) -> Sequence[Phase]:
    """The phases up to and with this one that write the same target, in order."""
    upto = migration.phases[: migration.phases.index(phase) + 1]
    return [p for p in upto if p.target == phase.target]
