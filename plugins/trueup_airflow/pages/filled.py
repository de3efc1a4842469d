"""A backfill as one thing: its days, in order, and where each stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow.models.backfill import Backfill as BackfillModel
from airflow.models.backfill import BackfillDagRun
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import func, select

from include.trueup.ledger import Ledger, Status

from .known import Known


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of a backfill: from `start` to `end`, its run, and where that stands: not begun, running, waiting, planned,
    proven, rejected (by a person), failed, rolled back; not started, where Airflow made no run, as there was one of that day; or
    gone, where Airflow has its run no more."""

    start: datetime | None
    end: datetime | None
    run_id: str | None
    state: str
    known: Known | None = None


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """The newest backfill of a DAG."""

    id: int
    by: str | None
    days: tuple[Day, ...]

    @property
    def run_ids(self) -> frozenset[str]:
        """The runs of its days."""
        return frozenset(day.run_id for day in self.days if day.run_id)

    @property
    def goes_on(self) -> bool:
        """Whether any day is still to end."""
        return any(day.state in ("not begun", "running", "waiting") for day in self.days)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A day as Airflow has it. `over`: the backfill is; `left_out`: no run was made for the day."""

    backfill: int
    by: str | None
    run_id: str | None
    start: datetime | None
    end: datetime | None
    over: bool = False
    left_out: bool = False


def newest(dag_ids: Iterable[str]) -> dict[str, list[Row]]:
    """The days of the newest backfill of each of these DAGs that has one, the first day first."""
    last = (
        select(func.max(BackfillModel.id)).where(BackfillModel.dag_id.in_(list(dag_ids))).group_by(BackfillModel.dag_id)
    )
    query = (
        select(
            BackfillModel.dag_id,
            BackfillModel.id,
            BackfillModel.triggering_user_name,
            DagRun.run_id,
            DagRun.data_interval_start,
            DagRun.data_interval_end,
            BackfillDagRun.logical_date,
            BackfillDagRun.exception_reason,
            BackfillModel.completed_at,
        )
        .join(BackfillDagRun, BackfillDagRun.backfill_id == BackfillModel.id)
        .outerjoin(DagRun, DagRun.id == BackfillDagRun.dag_run_id)
        .where(BackfillModel.id.in_(last))
        .order_by(BackfillModel.dag_id, BackfillDagRun.logical_date)
    )
    by_dag: dict[str, list[Row]] = {}
    with create_session() as session:
        for dag_id, id, by, run_id, start, end, day, left_out, over in session.execute(query):
            known = {"over": over is not None, "left_out": left_out is not None}
            row = Row(backfill=id, by=by, run_id=run_id, start=start or day, end=end, **known)
            by_dag.setdefault(dag_id, []).append(row)
    return by_dag


def of(rows: Sequence[Row], runs: Sequence[Known], book: Ledger | None = None) -> Backfill | None:
    """A backfill with where its days stand; None where there is none. `book` knows whom a person has rejected."""
    if not rows:
        return None
    by_run = {run.asked.run_id: run for run in runs if run.asked is not None}
    days = [_day(row, by_run.get(row.run_id) if row.run_id else None, book) for row in rows]
    return Backfill(id=rows[0].backfill, by=rows[0].by, days=tuple(days))


def _day(row: Row, run: Known | None, book: Ledger | None) -> Day:
    return Day(start=row.start, end=row.end, run_id=row.run_id, state=_state(row, run, book), known=run)


def _state(row: Row, run: Known | None, book: Ledger | None) -> str:
    if run is None:
        return "not started" if row.left_out else "not begun" if row.run_id is None and not row.over else "gone"
    if not run.over:
        return "waiting" if run.waits else "running" if run.entered else "not begun"
    if run.entered is None or run.entered.status in (Status.FAILED, Status.INTERRUPTED, Status.RUNNING):
        decision = book.approvals.of(run.id) if book and run.entered else None
        return "rejected" if decision is not None and decision.decision == "rejected" else "failed"
    return run.entered.status.value.replace("_", " ")
