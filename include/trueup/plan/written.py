"""What a run wrote, by its plan and by those that it had before it began again: what a rollback reads backwards.

Each plan was made from the targets as they were, and may have been written in part. So a row is now as the last plan that has
it would leave it, or as that plan found it; and before the run it was as the first plan found it, as long as each one found it
as those before it may have left it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from ..declare.migration import Output, Phase, Target
from ..declare.names import BEFORE, KEY, SOURCE_KEY, own
from ..errors import ArtifactError
from ..ledger import Planned, Status
from ..rows import duck
from ..rows.statements import Statements
from ..run import Part, Run, Session, earlier, not_written
from ..run.files import PLAN_FILES, WROTE_FILES
from ..run.workspace import Artifact
from ..stores import arrow_schema
from . import baseline
from .files import differ, plan_schema, planned, put_back
from .target_checks import added_differs

_FIRST, _SECOND = own("first"), own("then")
"""Aliases of a row by a plan, and of the same row by the one after it."""
AS_FOUND, AS_GONE = own("as_found"), own("as_gone")
"""Columns of a row that a run wrote: in what form it may still be besides the one that was written, and whether it may be gone."""
_SQL = Statements(__file__, first=_FIRST, second=_SECOND, as_found=AS_FOUND, as_gone=AS_GONE)


def wrote_schema(target: Target) -> pa.Schema:
    """The schema of what a run wrote of a target: that of a plan, where the row before is the one before the run; `AS_FOUND`, a
    struct of the same columns, and `AS_GONE`. A row with the verb remove and none before came and went."""
    schema = plan_schema(target)
    return pa.schema([*schema, schema.field(BEFORE).with_name(AS_FOUND), pa.field(AS_GONE, pa.bool_())])


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A plan of which something was written: its file, what it is in the ledger, and whether this part of it had begun to be."""

    file: Artifact
    under: Planned
    begun: bool


def write(part: Part, undone: Run, phase: Phase, output: Output, partition: int, applying: frozenset[str]) -> None:
    """Write what the undone run wrote of an output, in one partition, and make it the relation `wrote_<output>`, of the shape
    of `wrote_schema`. A plan that it never began to write says nothing of that, nor do those parts of one; `applying` are the
    parts of its last plan that had begun (`earlier.applying`). Raises `ArtifactError` if a plan is missing, or is not of the
    columns that the migration declares now."""
    target = undone.migration.target(output.target)
    row = undone.ledger.entered(undone.id)
    path, of = PLAN_FILES.part(output.name, partition), earlier.part_of(phase.id, partition)
    plans = [
        _Plan(
            file=plan.file(undone.folder, path),
            under=Planned(attempt=plan.attempt, sha256=plan.sha256),
            begun=plan.applying is None or of in plan.applying,
        )
        for plan in earlier.plans(undone.folder, row.attempt)
    ]
    if row.plan_sha256 is not None and (not plans or applying):
        file = replace(planned(undone, output.name, partition), run=undone.id)
        under = Planned(attempt=row.attempt, sha256=row.plan_sha256)
        plans.append(_Plan(file=file, under=under, begun=of in applying))
    if row.attempt > 1 and undone.ledger.wrote_as(undone.id) - {plan.under.attempt for plan in plans}:
        raise ArtifactError(
            f"run {undone.id} has begun {row.attempt} times, and of a plan that it wrote before it did nothing is left below "
            f"{undone.folder.location('earlier')}: what it added by that one would stay. Bring these files back from a backup, and "
            "clear this task"
        )
    if not plans:
        raise ArtifactError(f"run {undone.id} left no plan in the workspace, so it cannot be read backwards")
    baseline.relate_became(part, undone, target)
    query = ""
    for number, plan in enumerate(plans):
        # what is proven was read back as planned; and before a run's only plan a row was as that plan found it
        sure = len(plans) == 1 or (row.status == Status.PROVEN and number == len(plans) - 1)
        one = _by_one_plan(part, undone, target, output, partition, plan, number, sure)
        query = one if number == 0 else _one_after_the_other(undone, target, query, one)
    # what one source row makes of two targets is one unit; any other row is a unit, and is counted, of its own
    itself = f"{duck.literal(output.name)} || ' ' || {KEY}"
    source = f"coalesce({SOURCE_KEY}, {itself})" if phase.together else KEY
    rows = part.write(
        WROTE_FILES.part(output.name, partition),
        _SQL("wrote", source=source, columns=_columns(target), query=query),
    )
    part.relate(f"wrote_{output.name}", [rows], wrote_schema(target))


def _by_one_plan(
    part: Session,
    undone: Run,
    target: Target,
    output: Output,
    partition: int,
    made: _Plan,
    number: int,
    sure: bool,
) -> str:
    """SQL: the rows of one plan that were added, changed or removed, less those left alone as conflicts and those that
    the store refused. Unless it is `sure` that they are as planned, they may be as the plan found them."""
    try:
        plan = duck.parquet(part.fetch([made.file]), plan_schema(target))
    except ArtifactError as error:
        raise ArtifactError(
            f"the plan of run {undone.id} has other columns of {target.table.name!r} than are declared now, so it cannot "
            f"be read backwards; roll back with the code that made it: {error}"
        ) from error
    not_written.relate(part, name := own(f"not_written_{number}"), undone, [output], partition, made.under)
    columns, left = _columns(target), not_written.keys(name)
    begun, unsure = (str(each).lower() for each in (made.begun, not sure))
    return _SQL("by_one_plan", plan=plan, columns=columns, not_written=left, begun=begun, unsure=unsure)


def _columns(target: Target) -> str:
    return ", ".join(duck.identifier(field.name) for field in arrow_schema(target.table))


def _one_after_the_other(undone: Run, target: Target, first: str, then: str) -> str:
    """SQL: what two plans, one after the other, made of each row. Where the second plan found the row as the first may have
    left it, the row was before as the first one found it; where it did not, somebody else has made it what the second found."""
    names = put_back(target)
    before = f"{_SECOND}.{BEFORE}"
    as_left = _SQL(
        "as_left",
        added_differs=added_differs(undone, target, before, _FIRST),
        changed_differs=differ(target, names, before, _FIRST),
        found_differs=differ(target, names, before, f"{_FIRST}.{AS_FOUND}"),
        became=baseline.became(target, f"{_SECOND}.{KEY}", before),
    )
    columns = (KEY, SOURCE_KEY, *map(duck.identifier, arrow_schema(target.table).names), AS_FOUND, AS_GONE)
    newest = ", ".join(_SQL("newest", column=column) for column in columns)
    return _SQL("one_after_the_other", newest=newest, as_left=as_left, by_first=first, by_second=then)
