"""What a run left, and the runs of a migration, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Query

from include.trueup.ledger import Ledger, RunRow, SwitchState, TurnRow
from include.trueup.ledger.latest import last_at, might_write_until
from include.trueup.run.schema_records import SchemaPlan

from .. import connections
from . import evidence, findings, past, scheduled
from .one_run import Asked as Asked
from .rights import may
from .scheduled import AskedRun

of_dag = APIRouter(prefix="/data/dags/{dag_id}")
SHOWN = 50
"""Runs that a history shows."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run's plan, if it has one: of rows, or of `schema`."""

    plan: evidence.Plan | None
    schema: SchemaPlan | None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A run's gates."""

    gates: tuple[evidence.Gate, ...]


@dataclass(frozen=True, kw_only=True)
class Proved:
    """A run's proofs."""

    proofs: tuple[evidence.Proven, ...]


@dataclass(frozen=True, kw_only=True)
class History:
    """The newest runs of a migration, of `total`; `ours`: the DAG is one of Trueup's; `switch`: the state it is in."""

    dag_id: str
    ours: bool
    migration_id: str
    total: int
    runs: tuple[past.Past, ...]
    turns: tuple[TurnRow, ...]
    switch: SwitchState
    may_run: bool


# ── what a run left ──────────────────────────────────────────────────────────────────────────────────────────────


@of_dag.get("/runs/{run_id}/plan")
def plan(asked: Asked) -> Planned:
    """The run's plan, with example rows; of a run on schemas, with its revisions."""
    return Planned(plan=evidence.plan(asked.id), schema=evidence.schema_plan(asked.id))


@of_dag.get("/runs/{run_id}/gates")
def gates(asked: Asked) -> Judged:
    """The run's gates."""
    return Judged(gates=tuple(evidence.gates(asked.id)))


@of_dag.get("/runs/{run_id}/proof")
def proof(asked: Asked) -> Proved:
    """The proofs of the run's phases."""
    return Proved(proofs=tuple(evidence.proofs(asked.id)))


@of_dag.get("/runs/{run_id}/findings")
def some_findings(
    asked: Asked,
    severity: Annotated[str | None, Query(max_length=100)] = None,
    code: Annotated[str | None, Query(max_length=100)] = None,
    phase: Annotated[str | None, Query(max_length=100)] = None,
    search: Annotated[str | None, Query(max_length=500)] = None,
    page: Annotated[int, Query(ge=1, le=10_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 25,
) -> findings.Page:
    """A page of the run's findings."""
    if connections.book() is None:
        return findings.Page()
    return findings.page(asked.id, number=page, size=size, search=search, severity=severity, code=code, phase=phase)


@of_dag.get("/runs/{run_id}/findings/{number}")
def one_finding(asked: Asked, number: int) -> findings.Finding:
    """A finding, whole, however long its message is."""
    finding = findings.one(asked.id, number) if connections.book() else None
    if finding is None:
        raise HTTPException(404, f"the run has no finding {number}")
    return finding


# ── history ──────────────────────────────────────────────────────────────────────────────────────────────────────


@of_dag.get("/history")
def history(dag_id: str, user: GetUserDep) -> History:
    """The newest runs of the DAG's migration, rollbacks among them where the user may read these too."""
    book = connections.book()
    migration = scheduled.migration_id(dag_id)
    dag_ids = [d for d in (migration, f"{migration}_rollback") if d == dag_id or may(user, "GET", d)]
    rows = [r for r in (book.runs(migration) if book else []) if r.dag_id in dag_ids]
    cutovers = f"{migration}_cutover"
    known = scheduled.runs([*dag_ids, cutovers], 4 * SHOWN, rows)
    waiting = scheduled.waiting(dag_ids)
    turns = book.switches.turns(migration) if book else []
    return History(
        dag_id=dag_id,
        ours=scheduled.is_ours(dag_id),
        migration_id=migration,
        total=len(rows),
        runs=tuple(_entries(book, rows, turns, known, waiting, cutovers)) if book else (),
        turns=tuple(turns),
        switch=book.switches.state(migration) if book else SwitchState.LEGACY,
        may_run=may(user, "POST", dag_id),
    )


def _entries(
    book: Ledger,
    rows: list[RunRow],
    turns: list[TurnRow],
    known: dict[str, AskedRun],
    waiting: set[tuple[str, str]],
    cutovers: str,
) -> list[past.Past]:
    """The newest runs, rollbacks and cutovers: the last that began, planned, might write or turned first."""
    asked = {id: run for id, run in known.items() if (run.dag_id, run.run_id) in waiting}
    until = might_write_until(book, rows[0].migration_id) if rows else {}
    last = {row.run_id: last_at(row.started_at, row.planned_at, until.get(row.run_id)) for row in rows}
    rows = sorted(rows, key=lambda row: last[row.run_id], reverse=True)[:SHOWN]
    entries = [
        (last[row.run_id], past.run(book, row, known.get(row.run_id), waits=row.run_id in asked)) for row in rows
    ]
    entries += [(turn.at, past.cutover(cutovers, turn, known.get(turn.run_id))) for turn in turns]
    return [entry for _, entry in sorted(entries, key=lambda each: each[0], reverse=True)[:SHOWN]]
