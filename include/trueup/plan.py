"""Plan: the exact difference between what the target should hold and what it holds.

One partition of a target's rows at a time. `plan/<output>/p<partition>.parquet` has one row per target row that the run
is about, in key order: `_verb` (add | change | keep), `_key`, `_source`, the full new row, and `_before`, the full row
as it is (null for an add). Rows of the target that nothing accounts for go to `rest/<target>/…`: of a table that is the
migration's they are extra; of one where it owns columns only, they stay as they are. Pure: reads the workspace, writes
the workspace, touches no store.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from . import duck
from .errors import ArtifactError, DeclarationError
from .model import EXTRA, KEY, MISTYPED, SOURCE_KEY, Output, Phase, Target
from .run import Run
from .snapshot import before_files, files_of, source_schema
from .stores import arrow_schema
from .workspace import Artifact, Manifest

ADD, CHANGE, KEEP = "add", "change", "keep"


def planned(run: Run, output: str, partition: int) -> Artifact:
    """The plan's file of an output and partition. Raises `ArtifactError` if there is none."""
    path = f"plan/{output}/p{partition:03}.parquet"
    for manifest in run.folder.manifests("plan", run.partitions):
        for artifact in manifest.files:
            if artifact.path == path:
                return artifact
    raise ArtifactError(f"run {run.id} has no plan for {output!r}, partition {partition}; run the plan step again")


def should_schema(target: Target) -> pa.Schema:
    """The schema of what the transform makes for a target."""
    more = [pa.field(KEY, pa.string()), pa.field(SOURCE_KEY, pa.string()), pa.field("_in_window", pa.bool_())]
    return pa.schema([*arrow_schema(target.table), *more])


def plan(run: Run, partition: int) -> dict[str, dict[str, int]]:
    """Give every target row of one partition its verb; rows by verb, by output, and by target those that are `rest`."""
    facts: dict[str, dict[str, int]] = {}
    with run.ledger.step(run.id, "plan", str(partition)), run.workspace.scratch() as scratch:
        files: list[Artifact] = []
        with duck.connect(scratch) as connection:
            for target in run.migration.targets:
                relate(connection, run, target, partition, scratch)
                _check_unique(connection, run, target)
            for phase in run.migration.phases:
                for output in phase.outputs:
                    artifacts, facts[output.name] = _output(connection, run, phase, output, partition, scratch)
                    files += artifacts
            for target in run.migration.targets:
                artifact = _rest(connection, run, target, partition, scratch)
                facts[f"rest/{target.id}"] = {"rest": artifact.rows or 0}
                files.append(artifact)
        run.folder.seal(Manifest(step="plan", part=f"{partition:03}", files=tuple(files), facts=facts))
    return facts


def relate(connection: duckdb.DuckDBPyConnection, run: Run, target: Target, partition: int, scratch: Path) -> None:
    """Make what should be (`should_<output>`, each) and what is (`is_<target>`) relations of one partition."""
    made = run.folder.manifests("transform", run.partitions)
    for output in run.migration.outputs(target.id):
        files = files_of(run, made, f"should/{output.name}", partition, scratch)
        duck.relation(connection, f"should_{output.name}", files, should_schema(target))
    files = before_files(run, run.folder.manifests("snapshot", run.segments), target, partition, scratch)
    duck.relation(connection, f"is_{target.id}", files, source_schema(target.table))


def differs(target: Target, one: str, other: str) -> str:
    """SQL: whether two rows in canonical form differ."""
    return _differ([f.name for f in arrow_schema(target.table)], one, other)


def _differ(columns: Sequence[str], one: str, other: str) -> str:
    quoted = (duck.identifier(c) for c in columns)
    return "(" + " OR ".join(f"{one}.{c} IS DISTINCT FROM {other}.{c}" for c in quoted) + ")"


def struct(target: Target, row: str) -> str:
    """SQL: a row in canonical form as one struct."""
    columns = [duck.identifier(f.name) for f in arrow_schema(target.table)]
    return "struct_pack(" + ", ".join(f"{c} := {row}.{c}" for c in columns) + ")"


def _output(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, output: Output, partition: int, scratch: Path
) -> tuple[list[Artifact], dict[str, int]]:
    target = run.migration.target(output.target)
    names = [f.name for f in arrow_schema(target.table)]
    compared = names if target.owned is None else target.owned
    if phase.keeps_existing:  # columns that the transform knows nothing of say nothing about its result
        compared = [name for name in compared if name != EXTRA]
    changed = _differ(compared, "s", "i")
    columns = ", ".join(_value(target, phase, name) for name in names)
    verb = KEEP if phase.keeps_existing else CHANGE
    local = scratch / f"{output.name}.parquet"
    path = duck.literal(str(local))
    joined = (
        f"FROM {duck.identifier(f'should_{output.name}')} s LEFT JOIN {duck.identifier(f'is_{target.id}')} i "
        f"ON s.{KEY} = i.{KEY} WHERE s._in_window"
    )
    connection.execute(
        f"""
        COPY (
            SELECT CASE WHEN i.{KEY} IS NULL THEN '{ADD}' WHEN {changed} THEN '{verb}' ELSE '{KEEP}' END AS _verb,
                s.{KEY}, s.{SOURCE_KEY}, {columns}, CASE WHEN i.{KEY} IS NOT NULL THEN {struct(target, "i")} END AS _before
            {joined} ORDER BY s.{KEY}, s.{SOURCE_KEY}
        ) TO {path} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)
        """
    )
    verbs = dict(connection.execute(f"SELECT _verb, count(*) FROM read_parquet({path}) GROUP BY 1").fetchall())
    rows = sum(verbs.values())
    artifacts = [run.folder.publish(local, f"plan/{output.name}/p{partition:03}.parquet", rows)]
    if phase.keeps_existing:
        table = target.table.name.replace("'", "''")
        said = f"row ' || s.{KEY} || ' of {table} exists and is not what the source gives; it is kept"
        connection.execute(
            f"COPY (SELECT s.{KEY} AS key, 'warning' AS severity, {duck.literal(phase.keeps_existing)} AS code, '{said}' AS message "
            f"{joined} AND i.{KEY} IS NOT NULL AND {changed} ORDER BY 1) TO {path} (FORMAT parquet)"
        )
        artifacts.append(run.folder.publish(local, f"findings/{phase.id}/p{partition:03}.parquet"))
    return artifacts, {verb: verbs.get(verb, 0) for verb in (ADD, CHANGE, KEEP)}


def _value(target: Target, phase: Phase, column: str) -> str:
    """What the new row has in this column: of a row that exists, what is not to be changed stays."""
    name = duck.identifier(column)
    if column == MISTYPED and target.owned is not None and not phase.keeps_existing:
        # a value of another type than declared goes where the migration gives that column a value of its own
        given = ", ".join(
            f"CASE WHEN s.{duck.identifier(c)} IS NOT NULL THEN {duck.literal(c)} END" for c in target.owned
        )
        left = f"CASE WHEN i.{name} IS NOT NULL THEN canonical_json(json_without(i.{name}, [{given}])) END"
        return f"CASE WHEN i.{KEY} IS NULL THEN s.{name} ELSE {left} END AS {name}"
    if phase.keeps_existing or (target.owned is not None and column not in target.owned):
        return f"CASE WHEN i.{KEY} IS NULL THEN s.{name} ELSE i.{name} END AS {name}"
    return f"s.{name}"


def _keys(run: Run, target: Target, where: str = "") -> str:
    names = [f"should_{output.name}" for output in run.migration.outputs(target.id)]
    return " UNION ALL ".join(f"SELECT {KEY} FROM {duck.identifier(name)}{where}" for name in names)


def _check_unique(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> None:
    twice = f"SELECT {KEY}, count(*) AS n FROM ({_keys(run, target)}) GROUP BY {KEY} HAVING n > 1"
    rows = duck.count(connection, f"SELECT sum(n - 1) FROM ({twice})")
    if rows:
        ((key, _),) = connection.execute(f"{twice} ORDER BY {KEY} LIMIT 1").fetchall()
        outputs = [output.name for output in run.migration.outputs(target.id)]
        raise DeclarationError(
            f"{rows:,} rows of target {target.table.name!r} are planned twice, the first with key {key!r}; nothing is written: "
            f"a transform must give every target row once (mend what makes {outputs}, or the source rows that give that key)"
        )


def _rest(connection: duckdb.DuckDBPyConnection, run: Run, target: Target, partition: int, scratch: Path) -> Artifact:
    # where the migration owns columns only, a row outside the window stays as it is, and that is proven too
    accounted = _keys(run, target, "" if target.owned is None else " WHERE _in_window")
    local = scratch / f"rest-{target.id}.parquet"
    path = duck.literal(str(local))
    connection.execute(
        f"COPY (SELECT i.* FROM {duck.identifier(f'is_{target.id}')} i ANTI JOIN ({accounted}) s USING ({KEY}) "
        f"ORDER BY i.{KEY}) TO {path} (FORMAT parquet, COMPRESSION zstd)"
    )
    rows = duck.count(connection, f"SELECT count(*) FROM read_parquet({path})")
    return run.folder.publish(local, f"rest/{target.id}/p{partition:03}-0.parquet", rows)
