"""All migrations, and what is the case with each now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter

from include.trueup.declare.environment import environment, is_live
from include.trueup.ledger import Ledger, Status, SwitchState
from include.trueup.run import Where

from .. import connections
from . import about, evidence, filled, known, offers, progress, scheduled, truth
from . import where as places
from .about import About
from .known import Known, Window
from .offers import Offer
from .rights import may

router = APIRouter()
NEWEST = 40
"""Runs of each DAG that are looked at, beside those that go on, and the days of its newest backfill."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A run to go to."""

    dag_id: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The last plan: rows by verb; `open`: it is still to be written, or was never meant to be; `window` where it is of one."""

    run_id: str | None
    at: datetime | None
    totals: Mapping[str, int] | None
    open: bool
    window: Window | None


@dataclass(frozen=True, kw_only=True)
class Proven:
    """The last proof: rows by what was found; `stands`: nothing was written, undone, begun or found otherwise since."""

    run_id: str | None
    at: datetime | None
    rows: Mapping[str, int] | None
    stands: bool
    window: Window | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """Findings, by severity, of the last run over the whole table; where there was none, of the last window."""

    reject: int
    warning: int
    run_id: str | None
    at: datetime | None
    window: Window | None


@dataclass(frozen=True, kw_only=True)
class Doing:
    """The step that a run is at: how many parts of how many are done; rows written of those planned, where it writes."""

    step: str
    done: int
    total: int
    rows: int | None = None
    of: int | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A migration, and what is the case with it now."""

    dag_id: str
    title: str
    about: About | None
    where: Where
    paused: bool
    state: str
    words: str
    writes: bool
    run: Link | None
    doing: Doing | None
    backfill: tuple[filled.Day, ...]
    plan: Planned | None
    proof: Proven | None
    findings: Found | None
    headline: str | None
    switch: SwitchState
    companions: tuple[str, ...]
    offers: tuple[Offer, ...]
    may_run: bool


@dataclass(frozen=True, kw_only=True)
class Index:
    """All migrations that the user may read; `ledger`: there is one."""

    environment: str
    live: bool
    ledger: bool
    migrations: tuple[Standing, ...]


@router.get("/data/migrations")
def migrations(user: GetUserDep) -> Index:
    """Every migration whose runs the user may read: what waits for somebody first."""
    allowed = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    dags = scheduled.migrations([dag_id for dag_id in allowed if may(user, "GET", dag_id)])
    book = connections.book()
    raw = book.runs() if book else []
    every = [id for dag in dags for id in (dag.dag_id, *(dag.dag_id + c for c in dag.companions))]
    waiting = scheduled.waiting(every)
    days = filled.newest(dag.dag_id for dag in dags)
    of_days = {dag_id: [day.run_id for day in its if day.run_id] for dag_id, its in days.items()}
    asked = scheduled.runs(every, NEWEST, raw, of_days)
    rows = [known.entered(row) for row in raw]
    holding = {lease.run_id for lease in book.leases.present()} if book else set()
    at = places.of_all(dag.dag_id for dag in dags)
    standings = []
    for dag in dags:
        ids = {dag.dag_id, *(dag.dag_id + c for c in dag.companions)}
        mine = [row for row in rows if row.migration_id == dag.dag_id]
        theirs = {id: run for id, run in asked.items() if run.dag_id in ids}
        runs = known.runs(book, dag.dag_id, mine, theirs, waiting, holding, NEWEST) if book else []
        standings.append(
            _standing(dag, book, runs, filled.of(days.get(dag.dag_id, []), runs, book), at[dag.dag_id], user)
        )
    name = environment()
    first = {state: place for place, state in enumerate(truth.ORDER)}
    standings.sort(key=lambda one: first.get(one.state, len(first)))
    return Index(environment=name, live=is_live(name), ledger=book is not None, migrations=tuple(standings))


def _standing(
    dag: scheduled.MigrationDag,
    book: Ledger | None,
    runs: Sequence[Known],
    backfill: filled.Backfill | None,
    where: Where,
    user: BaseUser,
) -> Standing:
    switch = book.switches.state(dag.dag_id) if book else SwitchState.LEGACY
    case = truth.of_migration(runs, switch, backfill)
    mine = [run for run in runs if run.kind == "run" and run.entered is not None]
    proof = _proof(runs, case)
    offered = offers.of_migration(book, dag.dag_id, case.state, case.run, dag.companions, switch, user)
    return Standing(
        dag_id=dag.dag_id,
        title=dag.title,
        about=about.of(dag.dag_id),
        where=where,
        paused=dag.paused,
        state=case.state,
        words=case.words,
        writes=case.writes,
        run=_link(case.run),
        doing=_doing(book, case.run) if book else None,
        backfill=backfill.days if backfill and (backfill.goes_on or case.words.startswith("Backfill")) else (),
        plan=_plan(mine),
        proof=proof,
        findings=_findings(mine),
        headline=_headline(case.run),
        switch=switch,
        companions=dag.companions,
        offers=offered.offers,
        may_run=may(user, "POST", dag.dag_id),
    )


def _link(run: Known | None) -> Link | None:
    if run is None or run.asked is None:
        return None
    return Link(dag_id=run.asked.dag_id, run_id=run.asked.run_id)


def _run_id(run: Known) -> str | None:
    return run.asked.run_id if run.asked else None


def _headline(run: Known | None) -> str | None:
    row = run.entered if run else None
    return evidence.headline(row.id, row.ended_at) if row is not None and row.ended_at is not None else None


def _doing(book: Ledger, run: Known | None) -> Doing | None:
    """The step that is under way."""
    if run is None or run.over or run.asked is None:
        return None
    asked = run.asked
    steps = progress.steps(asked, scheduled.tasks(asked.dag_id), scheduled.instances(asked.dag_id, asked.run_id), ())
    now = next((s for s in steps if s.state in ("running", "retrying", "queued", "waiting")), None)
    if now is None:
        return None
    name = f"{now.name} of {now.group}" if now.group else now.name
    counts = evidence.counts(run.id) if now.name == "apply" else ()
    phase = next((c for c in counts if c.phase == now.group), None)
    of = None if phase is None else sum(phase.rows.get(verb, 0) for verb in progress.WRITES)
    batches = book.applied(run.id) if of is not None else {}
    rows = sum(b.rows for p, b in batches.items() if p.removesuffix("-also") == now.group)
    return Doing(
        step=name.replace("_", " "), done=now.done, total=now.total, rows=rows if of is not None else None, of=of
    )


def _plan(runs: Sequence[Known]) -> Planned | None:
    run = next((run for run in runs if run.entered and run.entered.planned_at is not None), None)
    if run is None or (row := run.entered) is None:
        return None
    totals = evidence.summary(row.id, row.ended_at).plan
    done = run.over and row.writes and row.status in (Status.PROVEN, Status.ROLLED_BACK)
    return Planned(run_id=_run_id(run), at=row.planned_at, totals=totals, open=not done, window=row.window)


def _proof(runs: Sequence[Known], case: truth.Truth) -> Proven | None:
    proven = [run for run in runs if run.kind == "run" and run.entered and run.entered.status is Status.PROVEN]
    if not proven or (row := proven[0].entered) is None:
        return None
    since = runs[: runs.index(proven[0])]
    stands = not case.writes and not any(run.wrote or run.refuted for run in since)
    proof = evidence.summary(row.id, row.ended_at).proof
    return Proven(run_id=_run_id(proven[0]), at=row.ended_at, rows=proof, stands=stands, window=row.window)


def _findings(runs: Sequence[Known]) -> Found | None:
    planned = [run for run in runs if run.entered and run.entered.planned_at is not None]
    whole = [run for run in planned if run.entered and run.entered.window is None]
    for run in [*whole, *planned]:
        row = run.entered
        if row is not None and (counts := evidence.summary(row.id, row.ended_at).findings) is not None:
            return Found(
                reject=counts.get("reject", 0),
                warning=counts.get("warning", 0),
                run_id=_run_id(run),
                at=row.planned_at,
                window=row.window,
            )
    return None
