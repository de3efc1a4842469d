"""The data of the views, as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Query

from include.trueup.ledger import Ledger, RunRow, Status, SwitchState, TurnRow
from include.trueup.run.files import (
    FINDINGS_CSV,
    GATES,
    PLAN,
    PROOF_FILES,
    REJECTS_JSONL,
    REPORT,
    REPORT_HTML,
    REPORT_MD,
)

from .. import connections
from . import evidence, files, findings, past, progress, scheduled, state
from .scheduled import AskedRun

everyone = APIRouter()
of_dag = APIRouter(prefix="/data/dags/{dag_id}")
SHOWN = 50
"""Runs that a history shows."""
REPORTS = (REPORT_HTML, REPORT, REPORT_MD)


def asked_run(dag_id: str, run_id: str) -> AskedRun:
    """The run that the path names. It must be one that Airflow has (404), so that nothing else becomes a file's name."""
    found = scheduled.run(dag_id, run_id, ledger())
    if found is None:
        raise HTTPException(404, f"Airflow has no run {run_id!r} of the DAG {dag_id!r}")
    return found


Asked = Annotated[AskedRun, Depends(asked_run)]


def ledger() -> Ledger | None:
    """The ledger; None before the first run has made its tables."""
    found = connections.ledger()
    return found if found.is_upgraded() else None


# ── all migrations ───────────────────────────────────────────────────────────────────────────────────────────────


@everyone.get("/data/migrations")
def migrations(user: GetUserDep) -> dict[str, Any]:
    """Every migration whose runs the user may read."""
    readable = [
        dag_id
        for dag_id in get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
        if _may(user, "GET", dag_id)
    ]
    dags = scheduled.migrations(readable)
    book = ledger()
    rows = book.runs() if book else []
    known = scheduled.runs([d.dag_id for d in dags], 20, rows)
    waiting = scheduled.waiting(d.dag_id for d in dags)
    return {
        "migrations": [_migration(dag, book, rows, known, waiting, user) for dag in dags],
        "ledger": book is not None,
    }


def _migration(
    dag: scheduled.MigrationDag,
    book: Ledger | None,
    rows: list[RunRow],
    known: dict[str, AskedRun],
    waiting: set[tuple[str, str]],
    user: BaseUser,
) -> dict[str, Any]:
    mine = [row for row in rows if row.dag_id == dag.dag_id]
    newest = next((run for run in known.values() if run.dag_id == dag.dag_id), None)
    row = mine[0] if mine else None
    if newest is not None and newest.id not in {r.run_id for r in mine} and newest.state not in progress.ENDED:
        row = None  # it has not come as far as the ledger
    run = known.get(row.run_id) if row else newest
    asked = run is not None and (run.dag_id, run.run_id) in waiting
    last = state.of_run(row, run, waiting=asked, exceptions=_summary(row)["exceptions"] if row else 0)
    switch = book.switches.state(dag.dag_id) if book else SwitchState.LEGACY
    planned = next((r for r in mine if r.planned_at is not None), None)
    proven = next((r for r in mine if r.status == Status.PROVEN), None)
    return {
        "dag_id": dag.dag_id,
        "title": dag.title,
        "paused": dag.paused,
        "state": state.of_migration(last, switch),
        "last_run": _last_run(row, run, last),
        "plan": planned and {"run_id": _airflow_id(planned, known), "at": planned.planned_at, **_totals(planned)},
        "proof": proven and _proof(proven, known),
        "findings": planned and _summary(planned)["findings"],
        "headline": row and _summary(row)["headline"],
        "switch": switch,
        "companions": dag.companions,
        "may_run": _may(user, "POST", dag.dag_id),
    }


def _may(user: BaseUser, method: ResourceMethod, dag_id: str) -> bool:
    details = DagDetails(id=dag_id)
    return get_auth_manager().is_authorized_dag(
        method=method, access_entity=DagAccessEntity.RUN, details=details, user=user
    )


def _last_run(row: RunRow | None, run: AskedRun | None, last: str) -> dict[str, Any] | None:
    if row is None and run is None:
        return None
    about = {"started_at": row.started_at, "ended_at": row.ended_at, "by": row.triggered_by} if row else {}
    return {**about, "state": last, "run_id": run.run_id if run else None}


def _airflow_id(row: RunRow, known: dict[str, AskedRun]) -> str | None:
    run = known.get(row.run_id)
    return run.run_id if run else None


def _totals(row: RunRow) -> dict[str, Any]:
    return {"totals": _summary(row)["plan"]}


def _proof(row: RunRow, known: dict[str, AskedRun]) -> dict[str, Any]:
    found = _summary(row)["proof"]
    return {"run_id": _airflow_id(row, known), "at": row.ended_at, "rows": found}


def _summary(row: RunRow) -> dict[str, Any]:
    return evidence.summary(row.run_id, row.ended_at)


# ── one run ──────────────────────────────────────────────────────────────────────────────────────────────────────


@of_dag.get("/runs/{run_id}")
def run(asked: Asked, user: GetUserDep) -> dict[str, Any]:
    """Where a run stands: what a page asks for again and again."""
    about = {"dag_id": asked.dag_id, "run_id": asked.run_id, "migration_id": scheduled.migration_id(asked.dag_id)}
    if not asked.ours:
        return {**about, "ours": False}
    book = ledger()
    row = book.run(asked.id) if book else None
    steps = progress.steps(
        scheduled.tasks(asked.dag_id),
        scheduled.instances(asked.dag_id, asked.run_id),
        book.steps(asked.id) if book else [],
    )
    waiting = any(step["state"] == "waiting" for step in steps)
    there = files.there(asked.id)
    phases = evidence.counts(asked.id)
    batches = book.applied(asked.id) if book else {}
    report = evidence.report(asked.id) if REPORT in there else None
    return {
        **about,
        "ours": True,
        "id": asked.id,
        "state": state.of_run(
            row, asked, waiting=waiting, exceptions=((report or {}).get("verdict") or {}).get("exceptions", 0)
        ),
        "ended": asked.state in progress.ENDED,
        "started_at": asked.started_at,
        "ended_at": asked.ended_at,
        "options": row and {k: v for k, v in row.options.items() if v is not None},
        "triggered_by": row and row.triggered_by,
        "undoes": row and row.undoes,
        "steps": steps,
        "waits": progress.waits(asked, steps),
        "applied": progress.applied(batches, phases, asked.state) if batches else [],
        "approval": book.approvals.of(asked.id) if row and book else None,
        "turn": _turn(book, asked),
        "switch": book.switches.state(about["migration_id"]) if book else SwitchState.LEGACY,
        "report": report,
        # a page asks for these again when they have changed
        "made": {
            "plan": row and row.planned_at if PLAN in there else None,
            "gates": sorted(name for name in there if name.startswith(f"{GATES}/")),
            "proof": sorted(name for name in there if name.startswith(f"{PROOF_FILES.folder}/")),
            "findings": FINDINGS_CSV in there,
            "rejects": REJECTS_JSONL in there,
            "reports": [name for name in REPORTS if name in there],
        },
        "page": progress.run_page(asked.dag_id, asked.run_id),
        "companions": scheduled.companions(about["migration_id"]),
        "may_run": _may(user, "POST", asked.dag_id),
    }


def _turn(book: Ledger | None, asked: AskedRun) -> TurnRow | None:
    """The turn of the switch that this run made, if it made one."""
    if book is None or not asked.dag_id.endswith("_cutover"):
        return None
    turns = book.switches.turns(scheduled.migration_id(asked.dag_id))
    return next((turn for turn in turns if turn.run_id == asked.id), None)


@of_dag.get("/runs/{run_id}/plan")
def plan(asked: Asked) -> dict[str, Any]:
    """The run's plan, with example rows."""
    return {"plan": evidence.plan(asked.id)}


@of_dag.get("/runs/{run_id}/gates")
def gates(asked: Asked) -> dict[str, Any]:
    """The run's gates."""
    return {"gates": evidence.gates(asked.id)}


@of_dag.get("/runs/{run_id}/proof")
def proof(asked: Asked) -> dict[str, Any]:
    """The proofs of the run's phases."""
    return {"proofs": evidence.proofs(asked.id)}


@of_dag.get("/runs/{run_id}/findings")
def some_findings(
    asked: Asked,
    severity: Annotated[str | None, Query(max_length=100)] = None,
    code: Annotated[str | None, Query(max_length=100)] = None,
    phase: Annotated[str | None, Query(max_length=100)] = None,
    search: Annotated[str | None, Query(max_length=500)] = None,
    page: Annotated[int, Query(ge=1, le=10_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 25,
) -> dict[str, Any]:
    """A page of the run's findings."""
    if ledger() is None:
        return {"there": False, "rows": [], "total": 0, "counts": []}
    return findings.page(asked.id, number=page, size=size, search=search, severity=severity, code=code, phase=phase)


@of_dag.get("/runs/{run_id}/findings/{number}")
def one_finding(asked: Asked, number: int) -> dict[str, Any]:
    """A finding, whole, however long its message is."""
    found = findings.one(asked.id, number) if ledger() else None
    if found is None:
        raise HTTPException(404, f"the run has no finding {number}")
    return found


# ── history ──────────────────────────────────────────────────────────────────────────────────────────────────────


@of_dag.get("/history")
def history(dag_id: str, user: GetUserDep) -> dict[str, Any]:
    """The newest runs of the DAG's migration, rollbacks among them where the user may read these too."""
    book = ledger()
    migration = scheduled.migration_id(dag_id)
    dag_ids = [d for d in (migration, f"{migration}_rollback") if d == dag_id or _may(user, "GET", d)]
    rows = [r for r in (book.runs(migration) if book else []) if r.dag_id in dag_ids]
    cutovers = f"{migration}_cutover"
    known = scheduled.runs([*dag_ids, cutovers], 4 * SHOWN, rows)
    waiting = scheduled.waiting(dag_ids)
    turns = book.switches.turns(migration) if book else []
    return {
        "dag_id": dag_id,
        "ours": scheduled.is_ours(dag_id),
        "migration_id": migration,
        "total": len(rows),
        "runs": _told(book, rows, turns, known, waiting, cutovers) if book else [],
        "turns": turns,
        "switch": book.switches.state(migration) if book else SwitchState.LEGACY,
        "may_run": _may(user, "POST", dag_id),
    }


def _when(told: past.Past) -> str:
    at = told.started_at or told.ended_at
    return at.isoformat() if at else ""


def _told(
    book: Ledger,
    rows: list[RunRow],
    turns: list[TurnRow],
    known: dict[str, AskedRun],
    waiting: set[tuple[str, str]],
    cutovers: str,
) -> list[past.Past]:
    """The newest runs, rollbacks and cutovers, the newest first."""
    asked = {id: run for id, run in known.items() if (run.dag_id, run.run_id) in waiting}
    told = [past.run(book, row, known.get(row.run_id), waits=row.run_id in asked) for row in rows[:SHOWN]]
    told += [past.cutover(cutovers, turn, known.get(turn.run_id)) for turn in turns]
    return sorted(told, key=_when, reverse=True)[:SHOWN]
