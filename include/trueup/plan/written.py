"""What a run wrote, by its plan and by those that it had before it began again: what a rollback reads backwards."""

from __future__ import annotations

from dataclasses import replace

from ..declare.migration import Output, Phase, Target
from ..declare.names import BEFORE, GONE, KEY, SOURCE_KEY, VERB, own
from ..errors import ArtifactError
from ..ledger import Planned
from ..rows import duck
from ..run import Part, Run, Session, earlier, not_written
from ..run.files import PLAN_FILES, WROTE_FILES
from ..run.workspace import Artifact
from ..stores import arrow_schema
from . import baseline
from .files import ADD, CHANGE, REMOVE, WRITTEN, differ, plan_schema, planned
from .target_checks import added_differs

_FIRST, _THEN = own("first"), own("then")
"""Aliases of a row by a plan, and of the same row by the one after it."""


def write(part: Part, undone: Run, phase: Phase, output: Output, partition: int) -> None:
    """Write what the undone run wrote of an output, in one partition, and make it the relation `wrote_<output>`, of the shape
    of `plan_schema`. Raises `ArtifactError` if a plan is missing, or is not of the columns that the migration declares now."""
    target = undone.migration.target(output.target)
    row = undone.ledger.entered(undone.id)
    path = PLAN_FILES.part(output.name, partition)
    plans = [
        (plan.file(undone.folder, path), Planned(attempt=plan.attempt, sha256=plan.sha256))
        for plan in earlier.plans(undone.folder, row.attempt)
    ]
    if row.plan_sha256 is not None:
        file = replace(planned(undone, output.name, partition), run=undone.id)
        plans.append((file, Planned(attempt=row.attempt, sha256=row.plan_sha256)))
    if not plans:
        raise ArtifactError(f"run {undone.id} left no plan in the workspace, so it cannot be read backwards")
    baseline.relate_became(part, undone, target)
    query = ""
    for number, (file, under) in enumerate(plans):
        one = _by_one_plan(part, undone, target, output, partition, file, under, number)
        query = one if number == 0 else _one_after_the_other(undone, target, query, one)
    # what one source row makes of two targets is one unit; any other row is a unit, and is counted, of its own
    itself = f"{duck.literal(output.name)} || ' ' || {KEY}"
    source = f"coalesce({SOURCE_KEY}, {itself})" if phase.together else KEY
    rows = part.write(
        WROTE_FILES.part(output.name, partition),
        f"SELECT {VERB}, {KEY}, {source} AS {SOURCE_KEY}, {_columns(target)}, {BEFORE} FROM ({query})",
    )
    part.relate(f"wrote_{output.name}", [rows], plan_schema(target))


def _by_one_plan(
    part: Session,
    undone: Run,
    target: Target,
    output: Output,
    partition: int,
    file: Artifact,
    under: Planned,
    number: int,
) -> str:
    """SQL: the rows of one plan that were added, changed or removed, less those left alone as conflicts and those that
    the store refused."""
    try:
        plan = duck.parquet(part.fetch([file]), plan_schema(target))
    except ArtifactError as error:
        raise ArtifactError(
            f"the plan of run {undone.id} has other columns of {target.table.name!r} than are declared now, so it cannot "
            f"be read backwards; roll back with the code that made it: {error}"
        ) from error
    not_written.relate(part, name := own(f"not_written_{number}"), undone, [output], partition, under)
    return (
        f"SELECT {VERB}, {KEY}, {SOURCE_KEY}, {_columns(target)}, {BEFORE} FROM ({plan}) "
        f"WHERE {VERB} IN {WRITTEN} AND {KEY} NOT IN {not_written.keys(name)}"
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
