"""What a run wrote, by its plan and by those that it had before it began again: what a rollback reads backwards."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from ..declare.migration import Output, Phase, Target
from ..declare.names import BEFORE, GONE, KEY, SOURCE_KEY, VERB, own
from ..errors import ArtifactError
from ..ledger import Planned
from ..rows import duck
from ..run import Run, earlier
from ..run.files import PLAN_FILES, WROTE_FILES
from ..stores import arrow_schema
from . import baseline
from .files import ADD, CHANGE, REMOVE, WRITTEN, Made, differ, plan_schema, planned
from .target_checks import added_differs

_FIRST, _THEN = own("first"), own("then")
"""Aliases of a row by a plan, and of the same row by the one after it."""


def wrote(
    connection: duckdb.DuckDBPyConnection,
    undone: Run,
    phase: Phase,
    output: Output,
    partition: int,
    scratch: Path,
) -> Made:
    """What the undone run wrote of an output, in one partition, as a file and as the relation `wrote_<output>`. Raises
    `ArtifactError` if a plan is missing, or is not of the columns that the migration declares now."""
    target = undone.migration.target(output.target)
    row = undone.ledger.entered(undone.id)
    path = PLAN_FILES.part(output.name, partition)
    plans = [
        (kept.fetch(undone.folder, path, scratch), Planned(attempt=kept.attempt, sha256=kept.sha256))
        for kept in earlier.kept(undone.folder, row.attempt)
    ]
    if row.plan_sha256 is not None:
        file = undone.folder.fetch(planned(undone, output.name, partition), scratch)
        plans.append((file, Planned(attempt=row.attempt, sha256=row.plan_sha256)))
    if not plans:
        raise ArtifactError(f"run {undone.id} left no plan in the workspace, so it cannot be read backwards")
    baseline.relate_became(connection, undone, target, scratch)
    query = ""
    for number, (file, under) in enumerate(plans):
        one = _by_one_plan(connection, undone, target, output, partition, file, under, number)
        query = one if number == 0 else _one_after_the_other(undone, target, query, one)
    # what one source row makes of two targets is one unit; any other row is a unit, and is counted, of its own
    itself = f"{duck.literal(output.name)} || ' ' || {KEY}"
    source = f"coalesce({SOURCE_KEY}, {itself})" if phase.together else KEY
    local = scratch / f"wrote-{output.name}.parquet"
    columns = _columns(target)
    rows = duck.write(
        connection, f"SELECT {VERB}, {KEY}, {source} AS {SOURCE_KEY}, {columns}, {BEFORE} FROM ({query})", local
    )
    duck.relation(connection, f"wrote_{output.name}", [local], plan_schema(target))
    return Made(local=local, path=WROTE_FILES.part(output.name, partition), rows=rows)


def _by_one_plan(
    connection: duckdb.DuckDBPyConnection,
    undone: Run,
    target: Target,
    output: Output,
    partition: int,
    file: Path,
    under: Planned,
    number: int,
) -> str:
    """SQL: the rows of one plan that were added, changed or removed, less those left alone as conflicts and those that
    the store refused."""
    try:
        plan = duck.parquet([file], plan_schema(target))
    except ArtifactError as error:
        raise ArtifactError(
            f"the plan of run {undone.id} has other columns of {target.table.name!r} than are declared now, so it cannot "
            f"be read backwards; roll back with the code that made it: {error}"
        ) from error
    ledger, alone = undone.ledger, own(f"alone_{number}")
    keys = [c.key for c in ledger.conflicts(undone.id, output.name, partition, plan=under)]
    keys += [r.key for r in ledger.refused(undone.id, output.name, partition, plan=under)]
    connection.register(alone, pa.table({KEY: pa.array(keys, pa.string())}))
    return (
        f"SELECT {VERB}, {KEY}, {SOURCE_KEY}, {_columns(target)}, {BEFORE} FROM ({plan}) "
        f"WHERE {VERB} IN {WRITTEN} AND {KEY} NOT IN (FROM {alone})"
    )


def _columns(target: Target) -> str:
    return ", ".join(duck.identifier(field.name) for field in arrow_schema(target.table))


def _one_after_the_other(undone: Run, target: Target, first: str, then: str) -> str:
    """SQL: what two plans, one after the other, made of each row. Where the second plan found the row as the first meant to
    leave it, the row was before as the first one found it; where it did not, the first one was never applied to it."""
    a, b = _FIRST, _THEN
    names = [field.name for field in arrow_schema(target.table)]
    found = f"{b}.{BEFORE}"
    as_left = (
        f"CASE WHEN {a}.{VERB} = '{REMOVE}' THEN {b}.{BEFORE} IS NULL "
        f"WHEN {a}.{VERB} = '{ADD}' THEN {b}.{BEFORE} IS NOT NULL AND NOT {added_differs(undone, target, found, a)} "
        f"ELSE {b}.{BEFORE} IS NOT NULL AND NOT {differ(target, names, found, a)} END"
    )
    as_left = f"({as_left} OR {b}.{BEFORE} IS NOT NULL AND {baseline.became(target, f'{b}.{KEY}', found)})"
    by_first = f"{b}.{KEY} IS NULL OR ({a}.{KEY} IS NOT NULL AND {as_left})"
    before = f"CASE WHEN {by_first} THEN {a}.{BEFORE} ELSE {b}.{BEFORE} END"
    newest = ", ".join(
        f"CASE WHEN {b}.{KEY} IS NULL THEN {a}.{name} ELSE {b}.{name} END AS {name}"
        for name in (KEY, SOURCE_KEY, *map(duck.identifier, names))
    )
    gone = f"coalesce({b}.{VERB}, {a}.{VERB}) = '{REMOVE}'"
    verb = f"CASE WHEN {GONE} THEN '{REMOVE}' WHEN {BEFORE} IS NULL THEN '{ADD}' ELSE '{CHANGE}' END"
    return (
        f"SELECT {verb} AS {VERB}, * EXCLUDE ({GONE}) FROM (SELECT {gone} AS {GONE}, {newest}, {before} AS {BEFORE} "
        f"FROM ({first}) {a} FULL OUTER JOIN ({then}) {b} ON {a}.{KEY} = {b}.{KEY}) "
        f"WHERE NOT ({GONE} AND {BEFORE} IS NULL)"
    )
