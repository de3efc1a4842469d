"""The pages of a cutover: where the switch stands, on which proof it may be turned now or why not, and its journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException

from include.trueup.cutover import shadow as shadows
from include.trueup.cutover import turning
from include.trueup.cutover.shadow import Shadowed
from include.trueup.declare.migration import Migration, Shadow
from include.trueup.errors import ProofError, StatusError
from include.trueup.ledger import Ledger, Status, SwitchState
from include.trueup.ledger.latest import last_first
from include.trueup.run import Files, Mode, Refusal

from .. import connections
from . import about, questions, scheduled
from .files import folder
from .known import entered
from .progress import ENDED
from .questions import Question
from .rights import may
from .scheduled import AskedRun

router = APIRouter(prefix="/data/dags/{dag_id}")
CUTOVER = "_cutover"
PROOF_MAX_AGE = 24.0
"""Hours: the default of the form."""
ORDER = (SwitchState.LEGACY, SwitchState.DUAL, SwitchState.NEW)
SHOWN = 20
WAITING = "waiting for approval"


@dataclass(frozen=True, kw_only=True)
class ProofOf:
    """The last proof: of which run, when, how many rows were compared, and its age in hours. `stands`: no run has written, failed
    or planned rows since; `whole`: it is of whole tables."""

    id: str
    run_id: str | None
    at: datetime
    compared: int | None
    hours: float
    stands: bool
    whole: bool


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The shadow comparison that a turn forward asks for: the DAG that makes it, and what the last one found (None: none has
    come to an end, or `trouble` says why that cannot be told)."""

    dag_id: str
    last: Shadowed | None
    run_id: str | None
    trouble: str | None = None


@dataclass(frozen=True, kw_only=True)
class Way:
    """A turn that could be made now: from which state to which, whether it is the way back, on which proof, and in words
    why it would be refused (None: it would not)."""

    from_state: str
    to_state: str
    back: bool
    compared: int | None
    refusal: str | None
    counts: tuple[str, ...] = ()
    """What is counted in the databases when it is turned, and may refuse it then."""


@dataclass(frozen=True, kw_only=True)
class Turned:
    """A turn of the journal; `run_id`: Airflow's run that made it, where it still has it."""

    at: datetime
    from_state: str
    to_state: str
    by: str | None
    why: str
    run_id: str | None
    proof_id: str | None
    proof_run_id: str | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A run of the cutover DAG: its `state` (waiting, turned, refused, failed, running), and what it is about."""

    run_id: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    to: str
    why: str | None
    refusal: Refusal | None
    turn: Turned | None
    proof_max_age: float


@dataclass(frozen=True, kw_only=True)
class Switch:
    """Where a migration's switch stands. `there`: whether it has one; `running`: a run of the migration or a rollback that
    is under way; `ways`: the turns that could be made now."""

    migration_id: str
    there: bool
    state: str
    order: tuple[str, ...]
    proof: ProofOf | None
    comparison: Comparison | None
    running: str | None
    ways: tuple[Way, ...]
    turns: tuple[Turned, ...]
    asked: tuple[Asked, ...]
    may_run: bool
    proof_max_age: float = PROOF_MAX_AGE


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A run of the cutover DAG (None: it is not a run of such a DAG), what it asks, and the switch as it is now."""

    run: Asked | None
    question: Question | None
    switch: Switch


def readable(dag_id: str, user: GetUserDep) -> str:
    """The migration whose switch is asked about: whoever reads it may read the migration's runs (else 403)."""
    migration = scheduled.migration_id(dag_id)
    if not may(user, "GET", migration):
        raise HTTPException(403, f"you may not read the runs of {migration}")
    return migration


MigrationId = Annotated[str, Depends(readable)]


@router.get("/switch")
def switch(migration_id: MigrationId, user: GetUserDep) -> Switch:
    """Where the migration's switch stands, and what could be done with it now."""
    return _switch(migration_id, user)


@router.get("/runs/{run_id}/turn")
def turn(dag_id: str, run_id: str, migration_id: MigrationId, user: GetUserDep) -> Turn:
    """A run of the cutover DAG."""
    standing = _switch(migration_id, user, only=run_id)
    mine = dag_id.endswith(CUTOVER)
    run = next((asked for asked in standing.asked if mine and asked.run_id == run_id), None)
    asks = run is not None and run.state == WAITING
    return Turn(run=run, question=questions.waiting(dag_id, run_id, user) if asks else None, switch=standing)


def _switch(migration_id: str, user: GetUserDep, only: str | None = None) -> Switch:
    dag_id = migration_id + CUTOVER
    book = connections.book()
    rows = book.runs(migration_id) if book else []
    names = {id: run.run_id for id, run in scheduled.runs([migration_id, dag_id], 200, rows).items()}
    turns = _turns(book, migration_id, names) if book else ()
    running = next((r.run_id for r in rows if r.status == Status.RUNNING and r.mode == Mode.APPLY), None)
    return Switch(
        migration_id=migration_id,
        there=CUTOVER in scheduled.companions(migration_id),
        state=str(book.switches.state(migration_id)) if book else str(SwitchState.LEGACY),
        order=tuple(map(str, ORDER)),
        proof=_proof(book, migration_id, names) if book else None,
        comparison=_comparison(book, migration_id),
        running=running,
        ways=_ways(book, migration_id) if book else (),
        turns=turns,
        asked=_asked(dag_id, turns, only),
        may_run=may(user, "POST", dag_id),
    )


def _turns(book: Ledger, migration_id: str, names: dict[str, str]) -> tuple[Turned, ...]:
    return tuple(
        Turned(
            at=row.at,
            from_state=row.from_state,
            to_state=row.to_state,
            by=row.turned_by,
            why=row.why,
            run_id=names.get(row.run_id),
            proof_id=row.proof_run_id,
            proof_run_id=names.get(row.proof_run_id or ""),
        )
        for row in book.switches.turns(migration_id)
    )


def _proof(book: Ledger, migration_id: str, names: dict[str, str]) -> ProofOf | None:
    """The last run that is proven still, and no rollback."""
    standing = _standing_proof(book, migration_id)
    for row in last_first(book, migration_id):
        if row.status == Status.PROVEN and row.undoes is None and row.ended_at is not None:
            return ProofOf(
                id=row.run_id,
                run_id=names.get(row.run_id),
                at=row.ended_at,
                compared=turning.compared(connections.workspace(), row.run_id),
                hours=(datetime.now(UTC) - row.ended_at).total_seconds() / 3600,
                stands=row.run_id == standing,
                whole=entered(row).window is None,
            )
    return None


def _standing_proof(book: Ledger, migration_id: str) -> str | None:
    """The run whose proof still stands; the ways say why there is none."""
    try:
        return turning.proven(book, connections.workspace(), migration_id).run_id
    except ProofError:
        return None


def _shadow(migration_id: str) -> Shadow | None:
    declared = about.declared(migration_id)
    return declared.shadow if isinstance(declared, Migration) else None


def _guards(migration_id: str, to: SwitchState) -> tuple[str, ...]:
    declared = about.declared(migration_id)
    guards = declared.guards if isinstance(declared, Migration) else ()
    return tuple(f"{each.title} (at most {each.most:,})" for each in guards if each.to == to)


def _comparison(book: Ledger | None, migration_id: str) -> Comparison | None:
    if (shadow := _shadow(migration_id)) is None:
        return None
    if book is None:
        return Comparison(dag_id=shadow.comparison, last=None, run_id=None)
    proven = _standing_proof(book, migration_id)
    try:
        last = shadows.last(book, connections.workspace(), migration_id, shadow, proven)
    except ProofError as error:
        return Comparison(dag_id=shadow.comparison, last=None, run_id=None, trouble=str(error))
    names = scheduled.runs([shadow.comparison], 200, ()) if last else {}
    run_id = names[last.run_id].run_id if last and last.run_id in names else None
    return Comparison(dag_id=shadow.comparison, last=last, run_id=run_id)


def _ways(book: Ledger, migration_id: str) -> tuple[Way, ...]:
    was = book.switches.state(migration_id)
    at = ORDER.index(was)
    return tuple(_way(book, migration_id, was, ORDER[to]) for to in (at + 1, at - 1) if 0 <= to < len(ORDER))


def _way(book: Ledger, migration_id: str, was: SwitchState, to: SwitchState) -> Way:
    refusal, compared = None, None
    try:
        workspace, asked = connections.workspace(), _shadow(migration_id)
        declared = about.declared(migration_id)
        way_back = declared.way_back if isinstance(declared, Migration) else None
        compared = turning.preflight(book, workspace, migration_id, to, PROOF_MAX_AGE, asked, way_back).compared
    except (ProofError, StatusError) as error:
        refusal = str(error)
    back = ORDER.index(to) < ORDER.index(was)
    guards = () if back else _guards(migration_id, to)
    return Way(from_state=str(was), to_state=str(to), back=back, compared=compared, refusal=refusal, counts=guards)


def _asked(dag_id: str, turns: tuple[Turned, ...], only: str | None) -> tuple[Asked, ...]:
    """The newest runs of the cutover DAG, the newest first; `only`: that one."""
    asked = scheduled.confs(dag_id, SHOWN, only)
    waiting = {run_id for _, run_id in scheduled.waiting([dag_id])}
    by_run = {turn.run_id: turn for turn in turns}
    listed = []
    for run, conf in asked:
        made, refusal = by_run.get(run.run_id), Files(folder(run.id)).refusal
        listed.append(
            Asked(
                run_id=run.run_id,
                state=_state(run, made, refusal, run.run_id in waiting),
                started_at=run.started_at,
                ended_at=run.ended_at,
                to=str(conf.get("to") or turning.NEXT),
                why=str(conf["why"]) if conf.get("why") else None,
                refusal=None if made else refusal,
                turn=made,
                proof_max_age=float(str(conf.get("proof_max_age") or PROOF_MAX_AGE)),
            )
        )
    return tuple(listed)


def _state(run: AskedRun, made: Turned | None, refusal: Refusal | None, waiting: bool) -> str:
    if made is not None:
        return "turned"
    if run.state not in ENDED:
        return WAITING if waiting else "running"
    return "refused" if refusal is not None else "failed"
