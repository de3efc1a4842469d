"""Plan: the exact difference between what the target should hold and what it holds.

One partition of a target's keys at a time. `plan/<phase>/p<partition>.parquet` has one row per target row that the run
is about, in key order: `_verb` (add | change | keep), `_key`, `_source`, the full new row, and `_before`, the full row
as it is (null for an add). Rows of the target that nothing accounts for go to `extra/<target>/…`. Pure: reads the
workspace, writes the workspace, touches no store.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from . import duck
from .errors import DeclarationError
from .model import KEY, SOURCE_KEY, Phase, Target
from .run import Run
from .snapshot import files_of, source_schema
from .stores import arrow_schema
from .workspace import Artifact, Manifest

ADD, CHANGE, KEEP = "add", "change", "keep"


def should_schema(target: Target) -> pa.Schema:
    """The schema of what the transform makes for a target."""
    more = [pa.field(KEY, pa.string()), pa.field(SOURCE_KEY, pa.string()), pa.field("_in_window", pa.bool_())]
    return pa.schema([*arrow_schema(target.table), *more])


def plan(run: Run, partition: int) -> dict[str, dict[str, int]]:
    """Give every target row of one partition its verb; rows by verb, by phase (and `extra` by target)."""
    facts: dict[str, dict[str, int]] = {}
    with run.ledger.step(run.id, "plan", str(partition)), run.workspace.scratch() as scratch:
        files: list[Artifact] = []
        with duck.connect(scratch) as connection:
            for target in run.migration.targets:
                phases = [p for p in run.migration.phases if p.target == target.id]
                relate(connection, run, target, phases, partition, scratch)
                _check_unique(connection, run, target)
                for phase in phases:
                    artifact, facts[phase.id] = _phase(connection, run, target, phase, partition, scratch)
                    files.append(artifact)
                artifact = _extra(connection, run, target, phases, partition, scratch)
                facts[f"extra/{target.id}"] = {"extra": artifact.rows or 0}
                files.append(artifact)
        run.folder.seal(Manifest(step="plan", part=f"{partition:03}", files=tuple(files), facts=facts))
    return facts


def relate(
    connection: duckdb.DuckDBPyConnection, run: Run, target: Target, phases: list[Phase], partition: int, scratch: Path
) -> None:
    """Make what should be (`should_<phase>`, each) and what is (`is_<target>`) relations of one partition."""
    made = run.folder.manifests("transform", run.partitions)
    for phase in phases:
        files = files_of(run, made, f"should/{phase.id}", partition, scratch)
        duck.relation(connection, f"should_{phase.id}", files, should_schema(target))
    files = files_of(run, run.folder.manifests("snapshot", run.segments), f"snapshot/{target.id}", partition, scratch)
    duck.relation(connection, f"is_{target.id}", files, source_schema(target.table))


def differs(target: Target, one: str, other: str) -> str:
    """SQL: whether two rows in canonical form differ."""
    columns = [duck.identifier(f.name) for f in arrow_schema(target.table)]
    return "(" + " OR ".join(f"{one}.{c} IS DISTINCT FROM {other}.{c}" for c in columns) + ")"


def struct(target: Target, row: str) -> str:
    """SQL: a row in canonical form as one struct."""
    columns = [duck.identifier(f.name) for f in arrow_schema(target.table)]
    return "struct_pack(" + ", ".join(f"{c} := {row}.{c}" for c in columns) + ")"


def _phase(
    connection: duckdb.DuckDBPyConnection, run: Run, target: Target, phase: Phase, partition: int, scratch: Path
) -> tuple[Artifact, dict[str, int]]:
    columns = ", ".join(f"s.{duck.identifier(f.name)}" for f in arrow_schema(target.table))
    local = scratch / f"{phase.id}.parquet"
    path = duck.literal(str(local))
    connection.execute(
        f"""
        COPY (
            SELECT CASE WHEN i.{KEY} IS NULL THEN '{ADD}' WHEN {differs(target, "s", "i")} THEN '{CHANGE}' ELSE '{KEEP}' END AS _verb,
                s.{KEY}, s.{SOURCE_KEY}, {columns}, CASE WHEN i.{KEY} IS NOT NULL THEN {struct(target, "i")} END AS _before
            FROM {duck.identifier(f"should_{phase.id}")} s
            LEFT JOIN {duck.identifier(f"is_{target.id}")} i ON s.{KEY} = i.{KEY}
            WHERE s._in_window
            ORDER BY s.{KEY}, s.{SOURCE_KEY}
        ) TO {path} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)
        """
    )
    verbs = dict(connection.execute(f"SELECT _verb, count(*) FROM read_parquet({path}) GROUP BY 1").fetchall())
    artifact = run.folder.publish(local, f"plan/{phase.id}/p{partition:03}.parquet", sum(verbs.values()))
    return artifact, {verb: verbs.get(verb, 0) for verb in (ADD, CHANGE, KEEP)}


def _check_unique(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> None:
    twice = f"SELECT {KEY}, count(*) AS n FROM ({_keys(run, target)}) GROUP BY {KEY} HAVING n > 1"
    rows = duck.count(connection, f"SELECT sum(n - 1) FROM ({twice})")
    if rows:
        ((key, _),) = connection.execute(f"{twice} ORDER BY {KEY} LIMIT 1").fetchall()
        phases = [p.id for p in run.migration.phases if p.target == target.id]
        raise DeclarationError(
            f"{rows:,} rows of target {target.table.name!r} are planned twice, the first with key {key!r}; nothing is written: "
            f"a transform must give every target row once (mend the transforms of {phases}, or the source rows that make that key)"
        )


def _keys(run: Run, target: Target) -> str:
    phases = [p for p in run.migration.phases if p.target == target.id]
    return " UNION ALL ".join(f"SELECT {KEY} FROM {duck.identifier(f'should_{p.id}')}" for p in phases)


def _extra(
    connection: duckdb.DuckDBPyConnection, run: Run, target: Target, phases: list[Phase], partition: int, scratch: Path
) -> Artifact:
    local = scratch / f"extra-{target.id}.parquet"
    path = duck.literal(str(local))
    connection.execute(
        f"COPY (SELECT i.* FROM {duck.identifier(f'is_{target.id}')} i ANTI JOIN ({_keys(run, target)}) s USING ({KEY}) "
        f"ORDER BY i.{KEY}) TO {path} (FORMAT parquet, COMPRESSION zstd)"
    )
    rows = duck.count(connection, f"SELECT count(*) FROM read_parquet({path})")
    return run.folder.publish(local, f"extra/{target.id}/p{partition:03}.parquet", rows)
