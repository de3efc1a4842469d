"""Report: what was asked, what was done, and the proof, from artifacts and ledger alone.

Written whatever happened, as `report.html`, `report.json` and `report.md` in the run's folder. The JSON is the report;
the other two are ways to read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from ..declare.migration import Phase
from ..errors import ArtifactError
from ..gate import GateResult
from ..ledger import ApprovalRow, StepRow
from ..plan.files import FINDINGS
from ..prove import left_alone
from ..prove.accounting import phase_counts
from ..prove.proofs import proof
from ..prove.undone import outcome
from ..rows import duck
from ..run import AnyRun, Mode, PhaseCounts, Proof, Run, StepName
from ..run.files import FINDING_FILES
from ..run.reported import (
    Decided,
    FindingExample,
    FindingGroup,
    OfCost,
    OfMigration,
    OfOutput,
    OfRun,
    PublishedFile,
    Report,
    ReportedWindow,
    Timing,
    Undo,
    Verdict,
)
from ..run.where import where
from ..run.workspace import RunFolder
from . import verdict
from .checks import count_checks
from .ending import conclude, moment

EXAMPLES = 5


def report(run: Run, failed_tasks: Sequence[str] = ()) -> Verdict:
    """Write the report, settle the run's status in the ledger, and give up its hold; the verdict.

    `failed_tasks` are steps that the caller knows to have failed, which the ledger may not (a task that was killed).
    The report of a run that is proven is not written again. Raises `StatusError` for a run that is rolled back, or whose
    id in the ledger is that of another run of Airflow; `GoneOnError` where the run has gone on, or begun again, meanwhile.
    """
    return conclude(run, collect, failed_tasks)


def collect(run: Run, failed_tasks: Sequence[str] = ()) -> Report:
    """Everything that the report says."""
    entered = run.ledger.run(run.id)
    steps = run.ledger.steps(run.id)
    tried = {
        step.step for step in steps
    }  # since it last began: what lies there of an earlier beginning says nothing of this one
    plan = run.files.plan if StepName.PLAN_GATE in tried else None
    if plan is not None and (counts := _counts(run)) is not None:
        plan = replace(plan, phases=tuple(counts))
    proofs = [p for phase in run.phases for p in _proof(run, phase)]
    gates = _gates(run)
    failed = verdict.failure(run, steps, failed_tasks, gates) or verdict.not_done(run, entered)
    applied = run.ledger.applied(run.id)
    status = verdict.status(run, failed)
    order = [o.name for p in run.phases for o in p.outputs]
    undone = outcome(run) if run.undoes is not None else None
    total, exceptions = left_alone.exceptions(run) if plan is not None else (0, [])
    answers = run.files.answers if StepName.VALIDATE in tried else ()
    proving = run.options.mode is not Mode.PLAN and run.undoes is None
    unanswered = len(run.migration.statements) if proving and not answers else 0
    asked, window = run.options.to_json(), run.options.window
    begun = run.files.begun
    at = begun.where if begun is not None and begun.where is not None else where((), None)
    return Report(
        environment=at.environment,
        stores=at.stores,
        migration=OfMigration(id=run.migration.id, title=run.migration.title, owner=run.migration.owner),
        run=OfRun(
            id=run.id,
            dag_id=run.dag_id,
            mode=str(run.options.mode),
            triggered_by=entered.triggered_by if entered else None,
            undoes=run.undoes,
            window=None
            if window is None
            else ReportedWindow(start=window.start.isoformat(), end=window.end.isoformat()),
            options={name: value for name, value in asked.items() if name not in ("mode", "window")},
            started_at=moment(entered.started_at if entered else None),
            ended_at=moment(run.effects.now()),
            status=str(status),
            failed=failed,
        ),
        verdict=verdict.verdict(run, status, failed, plan, proofs, applied, total, undone),
        plan=plan,
        applied=tuple(OfOutput(output=output, **asdict(applied[output])) for output in order if output in applied),
        gates=tuple(gates),
        checks=count_checks(gates, answers, unanswered),
        proof=tuple(proofs),
        exceptions=tuple(exceptions),
        statements=answers,
        findings=_findings(run),
        approval=approval(run),
        cost=_cost(run),
        timings=timings(steps),
        artifacts=artifacts(run.folder),
        undone=undone,
        left=run.files.left,
        undo=Undo(how=verdict.undo(run, applied)),
        where=at,
    )


def _cost(run: Run) -> OfCost | None:
    record = run.files.cost
    if record is None:
        return None
    decision = run.ledger.approvals.of(run.id, record.sha256)
    return OfCost(
        sha256=record.sha256,
        paid=record.paid,
        figures=record.figures,
        words=record.words,
        approval=None if decision is None else _decided(decision),
    )


def approval(run: AnyRun) -> Decided | None:
    """Who decided on which plan; None if nobody has."""
    decision, cost = run.ledger.approvals.of(run.id), run.files.cost
    return None if decision is None or (cost and cost.sha256 == decision.plan_sha256) else _decided(decision)


def _decided(row: ApprovalRow) -> Decided:
    by, at = row.decided_by, moment(row.decided_at)
    return Decided(decision=row.decision, by=by, at=at, comment=row.comment, plan_sha256=row.plan_sha256)


def _counts(run: Run) -> list[PhaseCounts] | None:
    """The counts less conflicts; None where the plan is not whole, and then plan.json has the last word."""
    try:
        return phase_counts(run)
    except ArtifactError:
        return None


def _proof(run: Run, phase: Phase) -> list[Proof]:
    """The phase's proof, gated or not; nothing if it has not been verified."""
    try:
        return proof(run, phase) or []
    except ArtifactError:
        return []


def _gates(run: Run) -> list[GateResult]:
    names = ["plan", *(f"phase-{p.id}" for p in run.phases), "validate"]
    return [gate for name in names for gate in run.files.gate(name)]


def timings(steps: list[StepRow]) -> tuple[Timing, ...]:
    """One entry a step, in the order they began: seconds from its first part's start to its last part's end."""
    grouped: dict[str, list[StepRow]] = {}
    for step in steps:
        grouped.setdefault(step.step, []).append(step)
    timings = []
    for name, parts in grouped.items():
        started = min(p.started_at for p in parts)
        ends = [p.ended_at for p in parts if p.ended_at is not None]
        verb, _, phase = name.partition("/")
        seconds = round((max(ends) - started).total_seconds(), 2) if ends else None
        timings.append(
            Timing(step=verb, phase=phase or None, started_at=moment(started), seconds=seconds, tasks=len(parts))
        )
    return tuple(timings)


def _findings(run: Run) -> tuple[FindingGroup, ...]:
    """Findings by severity, code, phase and table, with counts of keys and a few of them; conflicts among them."""
    tables = {p.id: run.accounts_for(p) for p in run.phases}
    outputs = [(p.id, o) for p in run.phases for o in p.outputs]
    groups: list[FindingGroup] = []
    with run.session() as session:
        manifests = [*run.folder.manifests(StepName.TRANSFORM), *run.folder.manifests(StepName.PLAN)]
        for phase, table in tables.items():
            found_in = session.fetch(FINDING_FILES.among(manifests, phase))
            if not found_in:
                continue
            rows = session.connection.execute(
                f"WITH f AS (SELECT DISTINCT ON (severity, code, key) * FROM ({duck.parquet(found_in, FINDINGS)}) "
                "ORDER BY severity, code, key) "
                f"SELECT severity, code, count(*), list({{'key': key, 'message': message}} ORDER BY key)[:{EXAMPLES}] "
                "FROM f GROUP BY 1, 2 ORDER BY 1, 2"
            ).fetchall()
            groups += [
                FindingGroup(
                    severity=severity,
                    code=code,
                    phase=phase,
                    table=table,
                    count=count,
                    examples=tuple(FindingExample(**each) for each in examples),
                )
                for severity, code, count, examples in rows
            ]
    for phase, output in outputs:
        table = run.migration.target(output.target).table.name
        conflicts = run.ledger.conflicts(run.id, output.name)
        if conflicts:
            some = tuple(FindingExample(key=c.key, message=c.reason) for c in conflicts[:EXAMPLES])
            groups.append(
                FindingGroup(
                    severity="warning", code="conflict", phase=phase, table=table, count=len(conflicts), examples=some
                )
            )
    places = list(tables)
    return tuple(sorted(groups, key=lambda f: (f.severity != "reject", places.index(f.phase), f.code)))


def artifacts(folder: RunFolder) -> tuple[PublishedFile, ...]:
    """Every published file of a run, as its manifests name it."""
    return tuple(
        PublishedFile(path=f.path, rows=f.rows, bytes=f.bytes, sha256=f.sha256)
        for step in folder.steps()
        for manifest in folder.manifests(step)
        for f in manifest.files
    )
