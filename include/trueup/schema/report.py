"""The report of a schema run, in the same form as that of a run on rows, with a part of its own: `schema`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import TrueupError
from ..gate import GateResult
from ..ledger import Status
from ..report import approval, artifacts, timings
from ..report.checks import count_checks
from ..report.ending import conclude, moment
from ..report.text import sentence
from ..report.verdict import NEXT, NOT_PROVEN, PROVEN, ended_by, not_done
from ..run import Mode
from ..run.records import from_values
from ..run.reported import (
    BackedUp,
    Failure,
    OfMigration,
    OfRun,
    OfSchemas,
    Report,
    ReportedLint,
    ReportedRehearsal,
    ReportedStep,
    Undo,
    Verdict,
)
from ..run.schema_records import PlannedRevision
from ..run.where import where as installation
from .history import Revision
from .plan import going
from .preflight import heads_of, where
from .run import SchemaRun

_NEXT = {
    **NEXT,
    "GateError": "Nothing goes on after a gate that did not pass. Fix what the message names (the revision, "
    "or the database), then trigger the DAG again: it goes on from where the databases are.",
    "SourceError": "Check where the databases are, and the code that is deployed.",
}


def report(run: SchemaRun, failed_tasks: Sequence[str] = ()) -> Verdict:
    """Write the report, settle the run's status in the ledger, and give up its hold; the verdict."""
    return conclude(run, collect, failed_tasks)


def collect(run: SchemaRun, failed_tasks: Sequence[str] = ()) -> Report:
    """Everything that the report says."""
    entered = run.ledger.run(run.id)
    steps = run.ledger.steps(run.id)
    failed = ended_by(run, steps, failed_tasks, _NEXT)
    if failed is None and run.options.mode is Mode.APPLY:
        failed = not_done(run, entered)
    status = Status.FAILED if failed else Status.PLANNED if run.options.mode is Mode.PLAN else Status.PROVEN
    schema, gates = _schema(run), _gates(run)
    begun = run.files.begun
    at = begun.where if begun is not None and begun.where is not None else installation((), None)
    return Report(
        environment=at.environment,
        stores=at.stores,
        migration=OfMigration(id=run.migration.id, title=run.migration.title, owner=run.migration.owner),
        run=OfRun(
            id=run.id,
            dag_id=run.dag_id,
            mode=str(run.options.mode),
            triggered_by=entered.triggered_by if entered else None,
            options={k: v for k, v in run.options.to_json().items() if k != "mode"},
            started_at=moment(entered.started_at if entered else None),
            ended_at=moment(run.effects.now()),
            status=str(status),
            failed=failed,
        ),
        verdict=replace(_verdict(status, failed, schema), proof=PROVEN if status is Status.PROVEN else NOT_PROVEN),
        gates=tuple(gates),
        checks=count_checks(gates, []),
        approval=approval(run),
        schema=schema,
        timings=timings(steps),
        artifacts=artifacts(run.folder),
        undo=Undo(how=_undo(run, schema)),
        where=at,
    )


def _schema(run: SchemaRun) -> OfSchemas:
    """What was to be done to the schemas, what was found before it, and where the databases are."""
    start = run.files.begun
    if start is None:
        return OfSchemas(
            target_phase=run.options.target_phase,
            target_revision=run.options.target_revision,
            from_phase=None,
            where=_where(run),
        )
    linted = [from_values(ReportedLint, f) for m in run.folder.manifests("lint") for f in m.facts["findings"]]
    plan = run.files.schema_plan
    planned = {(d, s.revision, s.up): s for d, of in (plan.databases if plan else {}).items() for s in of.steps}
    steps = [
        _step(step, linted, planned.get((database, step.revision, step.up)))
        for database in run.histories
        for step in run.revisions(database)
    ]
    return OfSchemas(
        sha256=plan.sha256 if plan else None,
        target_phase=run.target if isinstance(run.target, int) else None,
        target_revision=run.options.target_revision,
        from_phase=start.phase,
        where=_where(run),
        steps=tuple(sorted(steps, key=lambda s: s.phase if s.way == "up" else -s.phase)),
        rehearsals=tuple(from_values(ReportedRehearsal, m.facts) for m in run.folder.manifests("rehearse")),
        going=tuple(going(run)),
        backups=tuple(BackedUp(database=m.part, rows=m.facts["rows"]) for m in run.folder.manifests("backup")),
    )


def _step(step: Revision, linted: Sequence[ReportedLint], planned: PlannedRevision | None) -> ReportedStep:
    """A revision with what was found out about it, as whoever approved it was shown it."""
    own = (step.database, step.revision, step.way)
    return ReportedStep(
        database=step.database,
        phase=step.phase,
        revision=step.revision,
        title=step.title,
        breaking=step.breaking,
        locks=step.locks,
        irreversible=step.irreversible,
        way=step.way,
        findings=tuple(f for f in linted if (f.database, f.revision, f.way) == own),
        sql=planned.sql if planned else None,
        seconds=planned.seconds if planned else None,
        locked=planned.locked if planned else {},
        goes=planned.goes if planned else {},
    )


def _where(run: SchemaRun) -> str:
    try:
        return where(run, {database: heads_of(run, database) for database in run.histories})
    except TrueupError as error:
        return f"not known: {error}"


def _gates(run: SchemaRun) -> list[GateResult]:
    hops = begun.hops if (begun := run.files.begun) else ()
    names = [*(f"phase-{hop}" for hop in hops), "whole"]
    return [result for name in names for result in run.files.gate(name)]


def _verdict(status: Status, failed: Failure | None, schema: OfSchemas) -> Verdict:
    steps = schema.steps
    if failed is not None:
        return Verdict(
            status="failed",
            headline=f"{sentence(failed.error)} Where the databases are: {schema.where}.",
            next=failed.next,
        )
    target = _target(schema)
    if not steps:
        headline = f"Nothing to do: every database is at {target}."
        return Verdict(status="passed", headline=headline, next="To change the schemas, choose another target.")
    revisions = f"{len(steps)} revision{'s' if len(steps) > 1 else ''}"
    if status is Status.PLANNED:
        down = (
            (
                f" It drops {'; '.join(schema.going)}: that needs a person's approval, or approve_down with the "
                "plan's hash."
            )
            if schema.going
            else ""
        )
        way = f"from {'no one phase' if schema.from_phase is None else f'phase {schema.from_phase}'} to {target}"
        headline = f"Planned, nothing changed: {revisions} {way}, linted and rehearsed on clones; the plan is {schema.sha256}.{down}"
        return Verdict(
            status="passed",
            headline=headline,
            next="Read what would run. To carry it out, trigger the DAG with mode apply.",
        )
    headline = f"Proven: {revisions} run, every database is at {target}, and everything that should stay is unchanged."
    return Verdict(status="passed", headline=headline, next="Deploy the code that uses this phase.")


def _target(schema: OfSchemas) -> str:
    if schema.target_phase is not None:
        return f"phase {schema.target_phase}"
    named = ", ".join(f"{database} at {revision}" for database, revision in schema.target_revision.items())
    return f"the revisions that were asked for, between phases ({named})"


def _undo(run: SchemaRun, schema: OfSchemas) -> str:
    start = schema.from_phase
    if run.options.mode is Mode.PLAN or not schema.steps or start is None or start < 0:
        return "Nothing was changed, or there is no phase to go back to: there is nothing to undo."
    back = f"Trigger this DAG with target_phase {start}{', and realign' if schema.target_phase is None else ''}."
    if schema.going:
        return (
            f"{back} That makes the tables again, empty. Their rows are in the backup of this run (backup/<database>/<table>.copy.gz): "
            f"trigger {run.migration.id}_restore with this run and the database, which puts them back and proves it."
        )
    return (
        f"{back} Rows that were written to new tables and columns since go with them: that needs an "
        "approval, which names them."
    )
