"""Backfills of a migration, each as one thing: its days with what became of them, and what is true of the whole range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.backfill import Backfill, BackfillDagRun
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import APIRouter, Query
from pydantic import JsonValue
from sqlalchemy import select

from include.trueup.ledger import Ledger, RunRow, Status
from include.trueup.plan.fates import OUTSIDE_WINDOW
from include.trueup.run import PhaseCounts

from .. import connections
from . import evidence, scheduled, state
from .progress import ENDED
from .rights import may
from .scheduled import AskedRun
from .switches import MigrationId

router = APIRouter(prefix="/data/dags/{dag_id}")
SHOWN = 10
"""Backfills, the newest, that are shown."""
REJECTED = "rejected"
SKIPPED = "not started"
Newest = Annotated[int, Query(ge=1, le=SHOWN)]


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of a backfill. `state`: planned, waiting for approval, running, proven, rejected (by a person), failed, queued, or
    not started (with the reason in `why`); rows of its plan, and of its source in the window."""

    start: datetime
    end: datetime
    run_id: str | None
    state: str
    why: str | None
    mode: str | None
    plan_sha256: str | None
    source_rows: int | None
    rejected: int | None
    to_write: int | None
    removed: int | None
    findings: Mapping[str, int] | None
    decision: str | None
    decided_by: str | None
    may_be_retried: bool


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Findings of one severity, code and phase over the days of a range: how many, on how many days, and the run of the day
    that has most of them."""

    severity: str
    code: str
    phase: str
    count: int
    days: int
    run_id: str


@dataclass(frozen=True, kw_only=True)
class Range:
    """A backfill: its days in order, and over all of them how many are in each state, source rows and rejects of the days that
    are planned, and findings by severity and, in `codes`, by code. `max_reject_share`: the budget that its runs were given;
    `over_range`: whether it is judged over the range; `retry`: runs that one retry would clear; `conf`: what its runs were
    asked."""

    id: int
    start: datetime
    end: datetime
    by: str | None
    mode: str
    created_at: datetime
    completed_at: datetime | None
    paused: bool
    days: tuple[Day, ...]
    states: Mapping[str, int]
    source_rows: int
    rejected: int
    to_write: int
    removed: int
    findings: Mapping[str, int]
    codes: tuple[Findings, ...]
    max_reject_share: float
    over_range: bool
    one_approval: bool
    retry: tuple[str, ...]
    conf: Mapping[str, JsonValue]


@dataclass(frozen=True, kw_only=True)
class Backfills:
    """The newest backfills of a migration, the newest first."""

    migration_id: str
    ours: bool
    backfills: tuple[Range, ...]
    may_run: bool


@router.get("/backfills")
def backfills(migration_id: MigrationId, user: GetUserDep, newest: Newest = SHOWN) -> Backfills:
    """The migration's backfills, so many of the newest."""
    book = connections.book()
    rows = {row.run_id: row for row in (book.runs(migration_id) if book else [])}
    waiting = {run_id for _, run_id in scheduled.waiting([migration_id])}
    return Backfills(
        migration_id=migration_id,
        ours=scheduled.is_ours(migration_id),
        backfills=tuple(_range(book, made, runs, rows, waiting) for made, runs in _asked(migration_id, newest)),
        may_run=may(user, "POST", migration_id),
    )


Asked = tuple[BackfillDagRun, DagRun | None, AskedRun | None]


def _asked(dag_id: str, newest: int) -> list[tuple[Backfill, list[Asked]]]:
    """The newest backfills, each with its days as Airflow has them: what it made for each, and the run of that day now."""
    backfills_asked = []
    with create_session() as session:
        query = select(Backfill).where(Backfill.dag_id == dag_id).order_by(Backfill.id.desc()).limit(newest)
        for made in session.scalars(query).all():
            its = select(BackfillDagRun, DagRun).join(DagRun, DagRun.id == BackfillDagRun.dag_run_id, isouter=True)
            its = its.where(BackfillDagRun.backfill_id == made.id).order_by(BackfillDagRun.logical_date)
            days: list[Asked] = []
            for row in session.execute(its).all():
                run: DagRun | None = row[1]  # none: Airflow has made no run of that day
                days.append((row[0], run, scheduled.asked_run(run) if run is not None else None))
            session.expunge_all()
            backfills_asked.append((made, days))
    return backfills_asked


def _range(
    book: Ledger | None, made: Backfill, asked: list[Asked], rows: Mapping[str, RunRow], waiting: set[str]
) -> Range:
    summaries = [_summary(each, rows) for each in asked]
    days = tuple(_day(book, each, rows, waiting, summary) for each, summary in zip(asked, summaries, strict=True))
    conf = made.dag_run_conf or {}
    counted: dict[str, int] = {}
    findings: dict[str, int] = {}
    for day in days:
        counted[day.state] = counted.get(day.state, 0) + 1
        for severity, number in (day.findings or {}).items():
            findings[severity] = findings.get(severity, 0) + number
    return Range(
        id=made.id,
        start=made.from_date,
        end=made.to_date + timedelta(days=1),
        by=made.triggering_user_name,
        mode=str(conf.get("mode") or "apply"),
        created_at=made.created_at,
        completed_at=made.completed_at,
        paused=bool(made.is_paused),
        days=days,
        states=counted,
        source_rows=sum(day.source_rows or 0 for day in days),
        rejected=sum(day.rejected or 0 for day in days),
        to_write=sum(day.to_write or 0 for day in days),
        removed=sum(day.removed or 0 for day in days),
        findings=findings,
        codes=_codes(days, summaries),
        max_reject_share=float(conf.get("max_reject_share", 0.05)),
        over_range=bool(conf.get("range_budget")),
        one_approval=bool(conf.get("range_approval")),
        conf=conf,
        retry=tuple(day.run_id for day in days if day.may_be_retried and day.run_id),
    )


def _summary(asked: Asked, rows: Mapping[str, RunRow]) -> evidence.Summary | None:
    run = asked[2]
    row = rows.get(run.id) if run else None
    return evidence.summary(run.id, row.ended_at) if run and row else None


def _codes(days: Sequence[Day], summaries: Sequence[evidence.Summary | None]) -> tuple[Findings, ...]:
    """What was found over the days: rejects first, then the most frequent."""
    by_kind: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for day, summary in zip(days, summaries, strict=True):
        for one in summary.counts if summary and day.run_id else ():
            kind = (one.severity or "", one.code or "", one.phase or "")
            by_kind.setdefault(kind, []).append((one.count, day.run_id or ""))
    groups = [
        Findings(
            severity=severity,
            code=code,
            phase=phase,
            count=sum(count for count, _ in each),
            days=len(each),
            run_id=max(each)[1],
        )
        for (severity, code, phase), each in by_kind.items()
    ]
    return tuple(sorted(groups, key=lambda one: (one.severity != "reject", -one.count, one.code, one.phase)))


def _day(
    book: Ledger | None,
    asked: Asked,
    rows: Mapping[str, RunRow],
    waiting: set[str],
    summary: evidence.Summary | None,
) -> Day:
    of_day, dag_run, run = asked
    row = rows.get(run.id) if run else None
    decision = book.approvals.of(row.run_id) if book and row else None
    rejected = decision is not None and decision.decision == "rejected"
    now = SKIPPED if run is None else _state(row, run, rejected, run.run_id in waiting, summary)
    counts = evidence.counts(run.id) if run and row else ()
    plan = summary.plan if summary else None
    start = dag_run.data_interval_start if dag_run and dag_run.data_interval_start else of_day.logical_date
    end = dag_run.data_interval_end if dag_run and dag_run.data_interval_end else start + timedelta(days=1)
    return Day(
        start=start,
        end=end,
        run_id=run.run_id if run else None,
        state=now,
        why=_why(of_day.exception_reason) if run is None else _headline(summary),
        mode=row.mode if row else None,
        plan_sha256=row.plan_sha256 if row else None,
        source_rows=sum(map(_in_window, counts)) if counts else None,
        rejected=sum(p.rejected for p in counts) if counts else None,
        to_write=sum(plan.get(verb, 0) for verb in ("add", "change", "remove")) if plan else None,
        removed=plan.get("remove", 0) if plan else None,
        findings=summary.findings if summary else None,
        decision=decision.decision if decision else None,
        decided_by=decision.decided_by if decision else None,
        may_be_retried=run is not None and run.state in ENDED and now in ("failed", "interrupted", "ended"),
    )


def _state(row: RunRow | None, run: AskedRun, rejected: bool, waits: bool, summary: evidence.Summary | None) -> str:
    if rejected and row is not None and row.status is Status.FAILED:
        return REJECTED
    if run.state == "queued":
        return "queued"
    return state.of_run(row, run, waiting=waits, exceptions=summary.exceptions if summary else 0)


def _headline(summary: evidence.Summary | None) -> str | None:
    return summary.headline if summary else None


def _in_window(phase: PhaseCounts) -> int:
    return phase.source_rows - phase.skipped.get(OUTSIDE_WINDOW, 0)


def _why(reason: str | None) -> str:
    reasons = {
        "in flight": "another run of this day is under way",
        "already exists": "a run of this day is there already",
    }
    return reasons.get(str(reason), "Airflow has made no run for it yet" if reason is None else str(reason))
