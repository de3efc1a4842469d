"""The files of a plan, whichever way it goes: what `plan` and `rollback` share.

`plan/<output>/p<partition>.parquet` has one row per target row that the run is about, in key order: its verb
(`names.VERB`), `_key`, `_source`, the full new row, and `names.BEFORE`, the full row as it is (null where there is
none). The verbs:

- add, change, keep: what has to be done to make the row what it should be; a row that is to be absent, and is, is kept;
- drift: somebody else changed the row since a run wrote it, so it is left alone;
- remove: the row is to be deleted.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from ..declare.migration import Output, Phase, Target, Type
from ..declare.names import BEFORE, IN_WINDOW, IS, KEY, MISTYPED, SHOULD, SOURCE_KEY, VERB, WITHOUT_NULLS, own
from ..errors import ArtifactError
from ..rows import duck
from ..run import Part, Run, StepName
from ..run.files import FINDING_FILES, PLAN_FILES, REST_FILES
from ..run.partitions import source_schema
from ..run.workspace import Artifact
from ..stores import arrow_schema

ADD, CHANGE, KEEP, DRIFT, REMOVE = "add", "change", "keep", "drift", "remove"
VERBS = (ADD, CHANGE, KEEP, DRIFT, REMOVE)
WRITTEN = (ADD, CHANGE, REMOVE)
"""The verbs that apply has something to do for."""
TO_BE_GONE = f"({VERB} = '{REMOVE}' OR ({VERB} = '{KEEP}' AND {BEFORE} IS NULL))"
"""SQL: whether a planned row is to be absent."""
_DRIFTED = own("drifted")
FINDINGS = pa.schema([pa.field(name, pa.string()) for name in ("key", "severity", "code", "message")])
"""The schema of findings, whoever made them."""
REJECTS = pa.schema(
    [*(pa.field(name, pa.string()) for name in ("key", "code", "message")), pa.field("row", pa.json_())]
)
"""The schema of rejected rows."""


def planned(run: Run, output: str, partition: int) -> Artifact:
    """The plan's file of an output and partition. Raises `ArtifactError` if there is none."""
    path = PLAN_FILES.part(output, partition)
    for manifest in run.manifests(StepName.PLAN):
        for artifact in manifest.files:
            if artifact.path == path:
                return artifact
    raise ArtifactError(f"run {run.id} has no plan for {output!r}, partition {partition}; run the plan step again")


def all_planned(run: Run, output: str) -> list[Artifact]:
    """The plan's files of an output, of all partitions in their order. Raises `ArtifactError` if one is missing."""
    files = list(PLAN_FILES.among(run.manifests(StepName.PLAN), output))
    if len(files) != run.partitions:
        raise ArtifactError(
            f"run {run.id} has a plan for {output!r} of {len(files)} of {run.partitions} partitions; run the plan step again"
        )
    return files


def should_schema(target: Target) -> pa.Schema:
    """The schema of what the transform makes for a target: the row's columns (`arrow_schema`), `_key` and `_source` (text), and
    whether its source row is in the run's window."""
    more = [pa.field(KEY, pa.string()), pa.field(SOURCE_KEY, pa.string()), pa.field(IN_WINDOW, pa.bool_())]
    return pa.schema([*arrow_schema(target.table), *more])


def plan_schema(target: Target) -> pa.Schema:
    """The schema of a plan of a target: the verb, `_key` and `_source` (text), the row's columns (`arrow_schema`), and the row
    before as a struct of the same columns, null where there is none."""
    row = arrow_schema(target.table)
    first = [pa.field(name, pa.string()) for name in (VERB, KEY, SOURCE_KEY)]
    return pa.schema([*first, *row, pa.field(BEFORE, pa.struct(list(row)))])


def differs(target: Target, one: str, other: str) -> str:
    """SQL: whether two rows in canonical form differ."""
    return differ(target, [f.name for f in arrow_schema(target.table)], one, other)


def differ(target: Target, columns: Sequence[str], one: str, other: str) -> str:
    """SQL: whether two rows of the target differ in these columns. Floats are compared by their text, which tells -0.0
    from 0.0, as DuckDB itself does not. An attribute that is NULL does not differ from one that does not exist."""
    comparisons = (
        f"{compared(target, name, f'{one}.{duck.identifier(name)}')} IS DISTINCT FROM "
        f"{compared(target, name, f'{other}.{duck.identifier(name)}')}"
        for name in columns
    )
    return "(" + " OR ".join(comparisons) + ")"


def compared(target: Target, name: str, value: str) -> str:
    """SQL: what two values of this column of the target are compared by."""
    if target.table.columns.get(name) is Type.FLOAT:
        return f"CAST({value} AS VARCHAR)"
    return f"{WITHOUT_NULLS}({value})" if name == MISTYPED else value


def put_back(target: Target) -> list[str]:
    """The columns of a changed row that are the run's: what a rollback puts back."""
    return [f.name for f in arrow_schema(target.table)] if target.owned is None else [*target.owned, MISTYPED]


def struct(target: Target, row: str) -> str:
    """SQL: a row in canonical form as one struct."""
    columns = [duck.identifier(f.name) for f in arrow_schema(target.table)]
    return "struct_pack(" + ", ".join(f"{c} := {row}.{c}" for c in columns) + ")"


def relate_drifted(connection: duckdb.DuckDBPyConnection, phase: Phase, drifted: str) -> None:
    """The table `_DRIFTED`, of a phase whose rows are written in transactions: the sources of which one row is left
    alone, as the query gives them."""
    if phase.together:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_DRIFTED} AS {drifted}")


def drifting(phase: Phase) -> str:
    """SQL: the sources of `relate_drifted`; none of a phase whose rows are written each on its own."""
    return f"SELECT {SOURCE_KEY} FROM {_DRIFTED}" if phase.together else "SELECT NULL WHERE false"


def unit_verb(phase: Phase, verb: str, row: str) -> str:
    """SQL: the verb of a row, looked at together with what is written in one transaction with it."""
    if not phase.together:
        return verb
    drifted = f"{row}.{SOURCE_KEY} IN (SELECT {SOURCE_KEY} FROM {_DRIFTED})"
    return f"CASE WHEN {drifted} AND {verb} <> '{KEEP}' THEN '{DRIFT}' ELSE {verb} END"


def write_plan(part: Part, target: Target, output: Output, query: str, partition: int) -> dict[str, int]:
    """Write the plan of an output and partition, and make it the relation `plan_<output>`, of the shape of `plan_schema`;
    rows by verb."""
    in_order = f"SELECT * FROM ({query}) ORDER BY {KEY}, {SOURCE_KEY}"
    written = part.write(PLAN_FILES.part(output.name, partition), in_order, ", ROW_GROUP_SIZE 20480")
    name = f"plan_{output.name}"
    part.relate(name, [written], plan_schema(target))
    rows = part.connection.execute(f"SELECT {VERB}, count(*) FROM {duck.identifier(name)} GROUP BY 1").fetchall()
    return dict.fromkeys(VERBS, 0) | dict(rows)


def warning(target: Target, row: str, code: str, words: str, rows: str) -> str:
    """SQL: a warning with this code about each row; `words` is SQL for what is said of it."""
    table = target.table.name.replace("'", "''")
    message = f"'row ' || {row}.{KEY} || ' of {table} ' || {words}"
    return (
        f"SELECT {row}.{KEY} AS key, 'warning' AS severity, {duck.literal(code)} AS code, {message} AS message {rows}"
    )


def write_findings(part: Part, phase: Phase, output: Output, queries: Sequence[str], partition: int) -> None:
    """Write the findings on an output and partition that the `queries` give, if there are any; of the shape of
    `FINDINGS`."""
    if queries:
        path = FINDING_FILES.part(phase.id, partition, output.name)
        part.write(path, f"SELECT * FROM ({' UNION ALL '.join(queries)}) ORDER BY key, code", leave_out_empty=True)


def write_rest(part: Part, target: Target, accounted: str, partition: int) -> int:
    """Write the rows of the target whose keys the query does not give, and make them the relation `rest_<target>`, of the
    shape of `source_schema`; how many."""
    rows = part.write(
        REST_FILES.part(target.id, partition, "0"),
        f"SELECT {IS}.* FROM {duck.identifier(f'is_{target.id}')} {IS} "
        f"ANTI JOIN ({accounted}) {SHOULD} ON {IS}.{KEY} = {SHOULD}.{KEY} ORDER BY {IS}.{KEY}",
    )
    part.relate(f"rest_{target.id}", [rows], source_schema(target.table))
    return rows.rows
