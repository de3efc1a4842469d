"""The page of rollbacks: which run would be undone next, or why none may be, and what earlier rollbacks undid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter

from include.trueup.errors import StatusError
from include.trueup.ledger import Ledger, RunRow, Status
from include.trueup.run import Mode
from include.trueup.walk import rollback_preflight

from .. import connections
from . import evidence, past, scheduled
from .rights import may
from .scheduled import AskedRun
from .switches import MigrationId

router = APIRouter(prefix="/data/dags/{dag_id}")
ROLLBACK = "_rollback"
SHOWN = 30


@dataclass(frozen=True, kw_only=True)
class Undoable:
    """The run that would be undone next: what it wrote by its plan, and in words why it may not be undone now (None: it
    may)."""

    id: str
    run_id: str | None
    state: str
    started_at: datetime
    triggered_by: str | None
    add: int
    change: int
    remove: int
    written: int
    refusal: str | None


@dataclass(frozen=True, kw_only=True)
class Undoing:
    """A migration's rollbacks, the newest first, and what could be undone now. `switch`: its state; `next`: what comes
    next, in words."""

    migration_id: str
    there: bool
    switch: str
    candidate: Undoable | None
    rollbacks: tuple[past.Past, ...]
    next: str
    may_run: bool


@router.get("/undoing")
def undoing(migration_id: MigrationId, user: GetUserDep) -> Undoing:
    """What can be undone of the migration, and what was."""
    book, dag_id = connections.book(), migration_id + ROLLBACK
    rows = book.runs(migration_id) if book else []
    known = scheduled.runs([migration_id, dag_id], 200, rows)
    waiting = scheduled.waiting([migration_id, dag_id])

    def of_run(book: Ledger, row: RunRow) -> past.Past:
        run = known.get(row.run_id)
        return past.run(book, row, run, waits=run is not None and (run.dag_id, run.run_id) in waiting)

    back = [of_run(book, row) for row in rows if row.undoes][:SHOWN] if book else []
    candidate = _candidate(book, migration_id, known) if book else None
    return Undoing(
        migration_id=migration_id,
        there=ROLLBACK in scheduled.companions(migration_id),
        switch=str(book.switches.state(migration_id)) if book else "legacy",
        candidate=candidate,
        rollbacks=tuple(back),
        next=_next(candidate, back),
        may_run=may(user, "POST", dag_id),
    )


def _candidate(book: Ledger, migration_id: str, known: dict[str, AskedRun]) -> Undoable | None:
    row = rollback_preflight.last_that_wrote(book, migration_id)
    if row is None:
        return None
    refusal = None
    try:
        rollback_preflight.refuse_relied_on(book, migration_id, row.run_id)
        _refuse_under_way(book, migration_id, row.run_id)
    except StatusError as error:
        refusal = str(error)
    run = known.get(row.run_id)
    plan = evidence.summary(row.run_id, row.ended_at).plan or {}
    return Undoable(
        id=row.run_id,
        run_id=run.run_id if run else None,
        state=str(row.status),
        started_at=row.started_at,
        triggered_by=row.triggered_by,
        add=plan.get("add", 0),
        change=plan.get("change", 0),
        remove=plan.get("remove", 0),
        written=book.written_ever(row.run_id),
        refusal=refusal,
    )


def _refuse_under_way(book: Ledger, migration_id: str, id: str) -> None:
    """Raise `StatusError` where a run that writes is under way."""
    for row in book.runs(migration_id):
        if row.status == Status.RUNNING and row.mode == Mode.APPLY:
            what = "this run" if row.run_id == id else f"run {row.run_id}"
            raise StatusError(f"{what} is still under way: wait for it to end, or stop it")


def _next(candidate: Undoable | None, rollbacks: list[past.Past]) -> str:
    if rollbacks and not rollbacks[0].over:
        waits = rollbacks[0].state == "waiting for approval"
        return (
            "A rollback waits for a person: read its plan, and approve or reject it."
            if waits
            else "A rollback is under way."
        )
    if candidate is None:
        return "There is nothing to undo: no run wrote rows that are not rolled back."
    if candidate.refusal:
        return f"Nothing can be undone now: {candidate.refusal}."
    return "A rollback plans first, shows how many rows it would delete, and waits for a person before it deletes any."
