"""What a run wrote, by its plan and by those that it had before it began again: what a rollback reads backwards."""

from __future__ import annotations

from dataclasses import replace

from ..declare.migration import Output, Phase, Target
from ..declare.names import BEFORE, KEY, SOURCE_KEY, VERB, own
from ..errors import ArtifactError
from ..ledger import Planned
from ..rows import duck
from ..rows.statements import Statements
from ..run import Part, Run, Session, earlier, not_written
from ..run.files import PLAN_FILES, WROTE_FILES
from ..run.workspace import Artifact
from ..stores import arrow_schema
from . import baseline
from .files import differ, plan_schema, planned
from .target_checks import added_differs

_FIRST, _SECOND = own("first"), own("then")
"""Aliases of a row by a plan, and of the same row by the one after it."""
_SQL = Statements(__file__, first=_FIRST, second=_SECOND)


def write(part: Part, undone: Run, phase: Phase, output: Output, partition: int) -> None:
    """Write what the undone run wrote of an output, in one partition, and make it the relation `wrote_<output>`, of the shape
    of `plan_schema`. A plan that it never began to write says nothing of that. Raises `ArtifactError` if a plan is missing, or
    is not of the columns that the migration declares now."""
    target = undone.migration.target(output.target)
    row = undone.ledger.entered(undone.id)
    path = PLAN_FILES.part(output.name, partition)
    plans = [
        (plan.file(undone.folder, path), Planned(attempt=plan.attempt, sha256=plan.sha256))
        for plan in earlier.plans(undone.folder, row.attempt)
    ]
    if row.plan_sha256 is not None and (not plans or earlier.begun_to_apply(undone.ledger, undone.id)):
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
    return _SQL("by_one_plan", plan=plan, columns=_columns(target), not_written=not_written.keys(name))


def _columns(target: Target) -> str:
    return ", ".join(duck.identifier(field.name) for field in arrow_schema(target.table))


def _one_after_the_other(undone: Run, target: Target, first: str, then: str) -> str:
    """SQL: what two plans, one after the other, made of each row. Where the second plan found the row as the first meant to
    leave it, the row was before as the first one found it; where it did not, the first one was never applied to it."""
    names = [field.name for field in arrow_schema(target.table)]
    before = f"{_SECOND}.{BEFORE}"
    as_left = _SQL(
        "as_left",
        added_differs=added_differs(undone, target, before, _FIRST),
        whole_differs=differ(target, names, before, _FIRST),
        became=baseline.became(target, f"{_SECOND}.{KEY}", before),
    )
    columns = (KEY, SOURCE_KEY, *map(duck.identifier, names))
    newest = ", ".join(_SQL("newest", column=column) for column in columns)
    return _SQL("one_after_the_other", newest=newest, as_left=as_left, by_first=first, by_second=then)
