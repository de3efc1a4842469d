"""Where a run stands: what its page asks for again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException

from include.trueup.ledger import ApprovalRow, Ledger, SwitchState
from include.trueup.run import Files, PhaseCounts, Where
from include.trueup.run.files import (
    DOCS,
    FINDINGS_CSV,
    GATES,
    PLAN,
    PROOF_FILES,
    REJECTS_JSONL,
    REPORT,
    REPORT_HTML,
    REPORT_MD,
    SCHEMA_PLAN,
)

from .. import connections
from . import about, evidence, files, known, offers, pace, progress, questions, revisions, scheduled, state
from . import where as places
from .known import Entered, Window
from .offers import Offer
from .progress import Step, Wait, Writing
from .questions import Question
from .revisions import Revision
from .rights import may
from .scheduled import AskedRun

router = APIRouter(prefix="/data/dags/{dag_id}")
REPORTS = (REPORT_HTML, REPORT, REPORT_MD)


def asked_run(dag_id: str, run_id: str) -> AskedRun:
    """The run that the path names. It must be one that Airflow has (404), so that nothing else becomes a file's name."""
    known_run = scheduled.run(dag_id, run_id, connections.book())
    if known_run is None:
        raise HTTPException(404, f"Airflow has no run {run_id!r} of the DAG {dag_id!r}")
    return known_run


Asked = Annotated[AskedRun, Depends(asked_run)]


@dataclass(frozen=True, kw_only=True)
class OtherRun:
    """Another run: its id in the ledger, and where it is in Airflow, if it is."""

    id: str
    dag_id: str
    run_id: str | None
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run was asked for, as far as its page shows it."""

    mode: str
    window: Window | None
    approval: bool


@dataclass(frozen=True, kw_only=True)
class Made:
    """What the run has published so far; a page asks for these again when they have changed. `docs`: its Data Docs."""

    plan: datetime | None = None
    gates: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    findings: bool = False
    rejects: bool = False
    reports: tuple[str, ...] = ()
    docs: bool = False


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A run. `totals`: rows of its plan by verb; `plan_sha256`: its plan's name; `cost`: what its transform costs, in words, by
    name; `undone`: the rollback that undid what it wrote; `undoes`: the run that it undoes;
    `schemas`: it changes schemas, and no rows."""

    dag_id: str
    run_id: str
    migration_id: str
    title: str
    ours: bool
    kind: str = "run"
    id: str = ""
    state: str = ""
    ended: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    options: Options | None = None
    triggered_by: str | None = None
    schemas: bool = False
    undoes: OtherRun | None = None
    undone: OtherRun | None = None
    where: Where | None = None
    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    question: Question | None = None
    cost: Mapping[str, str] | None = None
    applied: tuple[Writing, ...] = ()
    revisions: tuple[Revision, ...] = ()
    totals: Mapping[str, int] | None = None
    plan_sha256: str | None = None
    approval: ApprovalRow | None = None
    switch: SwitchState = SwitchState.LEGACY
    report: evidence.Report | None = None
    made: Made = Made()
    page: str = ""
    companions: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    withheld: tuple[str, ...] = ()
    may_run: bool = False


@router.get("/runs/{run_id}")
def run(asked: Asked, user: GetUserDep) -> Standing:
    """Where a run stands."""
    migration_id = scheduled.migration_id(asked.dag_id)
    summary = about.of(migration_id)
    standing = Standing(
        dag_id=asked.dag_id,
        run_id=asked.run_id,
        migration_id=migration_id,
        title=summary.title if summary else migration_id,
        ours=asked.ours,
    )
    return _standing(standing, asked, user) if asked.ours else standing


def _standing(standing: Standing, asked: AskedRun, user: BaseUser) -> Standing:
    book = connections.book()
    raw = book.run(asked.id) if book else None
    row = known.entered(raw) if raw else None
    tasks, parts = scheduled.tasks(asked.dag_id), scheduled.instances(asked.dag_id, asked.run_id)
    entered = book.steps(asked.id) if book else []
    steps = pace.counted(asked.id, progress.steps(asked, tasks, parts, entered), entered)
    present, phases = files.present(asked.id), evidence.counts(asked.id)
    report = evidence.report(asked.id) if REPORT in present else None
    if report is not None:
        report = replace(report, verdict=state.as_the_ledger_has_it(raw, report.verdict))
    exceptions = report.verdict.exceptions if report else 0
    waiting = any(step.state == "waiting" for step in steps)
    companions = scheduled.companions(standing.migration_id)
    offered = offers.of_run(book, asked, row, steps, companions, user)
    return replace(
        standing,
        kind=_kind(asked, row),
        id=asked.id,
        state=state.of_run(raw, asked, waiting=waiting, exceptions=exceptions),
        ended=asked.state in progress.ENDED,
        started_at=asked.started_at,
        ended_at=asked.ended_at,
        options=Options(mode=row.mode, window=row.window, approval=row.approval) if row else None,
        triggered_by=row.triggered_by if row else None,
        schemas=row is not None and row.schemas,
        undoes=_other(book, row.undoes) if row and book and row.undoes else None,
        undone=undone_by(book, row) if row and book else None,
        where=_where(asked, standing.migration_id),
        steps=tuple(steps),
        waits=tuple(progress.waits(asked, steps)),
        cost=cost.words if (cost := Files(files.folder(asked.id)).cost) else None,
        question=questions.waiting(asked.dag_id, asked.run_id, user) if waiting else None,
        applied=_writing(book, asked, row, phases) if book else (),
        revisions=revisions.of(asked.id, steps) if row and row.schemas else (),
        totals=evidence.totals(phases) if phases else None,
        plan_sha256=row.plan_sha256 if row else None,
        approval=book.approvals.of(asked.id) if row and book else None,
        switch=book.switches.state(standing.migration_id) if book else SwitchState.LEGACY,
        report=report,
        made=_made(present, row),
        page=progress.run_page(asked.dag_id, asked.run_id),
        companions=tuple(companions),
        offers=offered.offers,
        withheld=offered.withheld,
        may_run=may(user, "POST", asked.dag_id),
    )


def _kind(asked: AskedRun, row: Entered | None) -> str:
    if row is not None and row.undoes is not None:
        return "rollback"
    return next((kind for kind in ("rollback", "cutover") if asked.dag_id.endswith(f"_{kind}")), "run")


def _where(asked: AskedRun, migration_id: str) -> Where:
    """Where the run was when it began; before it says so, where it would be now."""
    begun = Files(files.folder(asked.id)).begun
    return begun.where if begun is not None and begun.where is not None else places.now(migration_id)


def _writing(
    book: Ledger, asked: AskedRun, row: Entered | None, phases: tuple[PhaseCounts, ...]
) -> tuple[Writing, ...]:
    batches = book.applied(asked.id)
    if not batches:
        return ()
    over = asked.state in progress.ENDED
    paces = book.pace(asked.id, progress.MINUTE)
    limit = row.write_rate if row else None
    return tuple(progress.writing(batches, phases, paces, over=over, limit=limit))


def _other(book: Ledger, id: str, at: datetime | None = None) -> OtherRun | None:
    row_of_other = book.run(id)
    if row_of_other is None:
        return None
    row = known.entered(row_of_other)
    return OtherRun(id=id, dag_id=row.dag_id, run_id=row.airflow_run_id, at=at or row.started_at)


def undone_by(book: Ledger, row: Entered) -> OtherRun | None:
    """The rollback that undid what the run wrote; None where it was not rolled back."""
    if row.status != "rolled_back":
        return None
    for other in map(known.entered, book.runs(row.migration_id)):
        if other.undoes == row.id and other.status == "proven":
            return OtherRun(id=other.id, dag_id=other.dag_id, run_id=other.airflow_run_id, at=other.ended_at)
    return OtherRun(id="", dag_id=f"{row.migration_id}_rollback", run_id=None)


def _made(present: set[str], row: Entered | None) -> Made:
    return Made(
        plan=row.planned_at if row and present & {PLAN, SCHEMA_PLAN} else None,
        gates=tuple(sorted(name for name in present - {DOCS} if name.startswith(f"{GATES}/"))),
        proof=tuple(sorted(name for name in present if name.startswith(f"{PROOF_FILES.folder}/"))),
        findings=FINDINGS_CSV in present,
        rejects=REJECTS_JSONL in present,
        reports=tuple(name for name in REPORTS if name in present),
        docs=DOCS in present,
    )
