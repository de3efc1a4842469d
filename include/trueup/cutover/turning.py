"""Cut over: turning a migration's switch, which nothing else does.

Forward (legacy → dual → new) only from a proof of the current plan that is complete and recent, and of the tables that are
still there; back at any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from ..declare.migration import Migration, Shadow, WayBack
from ..errors import ApprovalError, ProofError
from ..ledger import Ledger, RunRow, Status, SwitchState, TurnRow
from ..ledger.decisions import Known, refuse_second_turn, refuse_turn
from ..ledger.latest import last_first
from ..run import Files, Mode, Options, Refusal, to_values, where
from ..run.files import CREATED, CUTOVER
from ..run.reported import Report
from ..run.workspace import Workspace
from ..stores import Store
from . import shadow
from .unproven import UnprovenError

_ORDER = (SwitchState.LEGACY, SwitchState.DUAL, SwitchState.NEW)
NEXT = "next"
"""In place of a state: the one after the present one."""


@dataclass(frozen=True, kw_only=True)
class Turning:
    """A turn that may be made now: from which state to which, on the proof of which run (None: the way back, which mostly
    needs none), when it was proven (ISO 8601, UTC), and how many rows it `compared`. Of a migration with a shadow comparison: the
    run that made it, how many it compared, and of these those that are known to differ."""

    was: Annotated[str, Field(alias="from")]
    to: str
    proof_run_id: str | None = None
    compared: int | None = None
    proven_at: str | None = None
    shadow_run_id: str | None = None
    shadow_compared: int | None = None
    shadow_known: int = 0

    @property
    def back(self) -> bool:
        """Whether it is the way back."""
        return _ORDER.index(SwitchState(self.to)) < _ORDER.index(SwitchState(self.was))


def refuse_again(ledger: Ledger, migration_id: str, run_id: str) -> None:
    """Raise `StatusError` where this run has turned the switch already."""
    if (turned := _turned_by(ledger, migration_id, run_id)) is not None:
        refuse_second_turn(migration_id, run_id, turned.to_state, None)


def _turned_by(ledger: Ledger, migration_id: str, run_id: str) -> TurnRow | None:
    return next((turned for turned in ledger.switches.turns(migration_id) if turned.run_id == run_id), None)


def aim(ledger: Ledger, migration_id: str, to: str, run_id: str) -> SwitchState:
    """The state that `to` names. Raises `StatusError` where the switch may not be turned there from where it is, or where
    this run has turned it already."""
    refuse_again(ledger, migration_id, run_id)
    was = ledger.switches.state(migration_id)
    state = _ORDER[min(_ORDER.index(was) + 1, 2)] if to == NEXT else SwitchState(to)
    refuse_turn(migration_id, was, state)
    return state


def preflight(
    ledger: Ledger,
    workspace: Workspace,
    migration_id: str,
    to: SwitchState,
    proof_max_age: float,
    asked: Shadow | None = None,
    back: WayBack | None = None,
) -> Turning:
    """See that the switch may be turned to `to` now. `proof_max_age` is in hours; `asked`: the shadow comparison that the
    migration declares, `back`: its way back.

    Raises `StatusError` where the turn is not allowed, and `ProofError`, saying what is wrong with the last proof, or with the
    last comparison.
    """
    was = ledger.switches.state(migration_id)
    refuse_turn(migration_id, was, to)
    turning = Turning(was=str(was), to=str(to))
    if _ORDER.index(to) < _ORDER.index(was):
        if to is SwitchState.LEGACY and back is not None:
            return _back(ledger, workspace, migration_id, back, turning)
        return turning
    run = proven(ledger, workspace, migration_id)
    report = Files(workspace.run(run.run_id)).report
    ended_at = _check(run, report, timedelta(hours=proof_max_age), ledger.effects.now())
    turning = _on_proof_of(turning, run, report, ended_at)
    if asked is None:
        return turning
    seen = shadow.require(ledger, workspace, migration_id, asked, run.run_id, ended_at)
    return replace(turning, shadow_run_id=seen.run_id, shadow_compared=seen.compared, shadow_known=seen.known_keys)


def _on_proof_of(turning: Turning, run: RunRow, report: Report | None, ended_at: datetime) -> Turning:
    at = ended_at.astimezone(UTC).isoformat(timespec="seconds")
    return replace(turning, proof_run_id=run.run_id, compared=_compared(report), proven_at=at)


def _back(ledger: Ledger, workspace: Workspace, migration_id: str, back: WayBack, turning: Turning) -> Turning:
    """The turn to legacy, once the switch has been new: on the proof of a run that was planned since it is no more."""
    left = next((t.at for t in ledger.switches.turns(migration_id) if t.from_state == SwitchState.NEW), None)
    if left is None:
        return turning
    since = f"{left:%Y-%m-%d %H:%M:%S %Z}"
    try:
        run = proven(ledger, workspace, back.migration)
        report = Files(workspace.run(run.run_id)).report
        ended_at = _check(run, report, timedelta.max, ledger.effects.now())
        if run.planned_at is None or run.planned_at <= left:
            raise UnprovenError(back.migration, f"the last proven run, {run.run_id}, was planned before that")
    except UnprovenError as error:
        raise ProofError(
            f"the switch of {migration_id} is not turned back to legacy: it was new until {since}, when only the new shape was "
            f"written, and {error.why}. Trigger {back.migration} over whole tables, and cut over to legacy when it is proven"
        ) from error
    return _on_proof_of(turning, run, report, ended_at)


def refuse_other_tables(
    workspace: Workspace,
    migration: Migration,
    checked: Turning,
    resolve: Callable[[str], Store],
    declared: Callable[[str], Migration],
) -> None:
    """Raise `ProofError` where a target is not the table that the turn's proof is of: it was restored, dropped or renamed since, a
    standby has taken over, or the connection leads elsewhere; nothing where it needs none. `resolve` gives the store behind a
    connection, `declared` a migration by its id: of the way back, the one whose proof it is."""
    if checked.proof_run_id is None:
        return
    proving = declared(migration.way_back.migration) if checked.back and migration.way_back else migration
    folder = workspace.run(checked.proof_run_id)
    proved = begun.tables if (begun := Files(folder).begun) else None
    created = folder.read_json(CREATED) or {}
    if proved is None:
        return  # a run of the first release did not say
    for target in proving.targets:
        store = resolve(target.table.connection)
        was = created.get(target.id, proved.get(target.id))
        now = where.name_of(store, target.table, store.describe(target.table))
        if was is None or not where.are_same(was, now):
            why = (
                f"run {checked.proof_run_id} has proved table {target.table.name} as {was}, and what is there is {now}"
            )
            raise UnprovenError(proving.id, why, migration.id)


def compared(workspace: Workspace, run_id: str) -> int | None:
    """Rows that the run's proof compared, by its report; None where there is none."""
    report = Files(workspace.run(run_id)).report
    return None if report is None else _compared(report)


def _compared(report: Report | None) -> int:
    proofs = report.proof if report is not None else ()
    return sum({p.target_table: p.compared for p in proofs}.values())


def proven(ledger: Ledger, workspace: Workspace, migration_id: str) -> RunRow:
    """The run that proved the current plan: the last one, or the one before runs that only planned and found
    nothing to do. Raises `ProofError` where there is none."""
    for run in last_first(ledger, migration_id):
        id, status = run.run_id, run.status
        if run.undoes:
            if ledger.began_to_write(id):
                raise UnprovenError(migration_id, f"the last run is a rollback, {id}, so the new shape is not there")
            if status == Status.RUNNING and run.mode == Mode.APPLY:
                raise UnprovenError(migration_id, f"a rollback, {id}, is under way, which would undo what is proven")
            continue  # it took nothing back
        if status == Status.PLANNED:
            plan = Files(workspace.run(id)).plan
            counted = plan.phases if plan is not None else ()
            rows = sum(p.rows.get(v, 0) for p in counted for v in ("add", "change", "remove", "drift"))
            if rows or not counted:
                raise UnprovenError(migration_id, f"run {id} has planned {rows:,} rows since the last proof")
            continue
        if status != Status.PROVEN:
            raise UnprovenError(migration_id, f"the last run, {id}, is {status}, not proven")
        return run
    raise UnprovenError(migration_id, "no run of it is proven")


def _check(run: RunRow, report: Report | None, proof_max_age: timedelta, now: datetime) -> datetime:
    """When the run was proven. Raises `ProofError` where its proof does not do."""
    id, migration_id = run.run_id, run.migration_id
    if report is None or report.plan is None or report.plan.sha256 != run.plan_sha256:
        raise UnprovenError(
            migration_id, f"the report of run {id} in the workspace is missing or is not of the plan in the ledger"
        )
    if report.run.window:
        raise UnprovenError(migration_id, f"the last proof, of run {id}, is of a window, not of whole tables")
    wrong = sum(p.missing + p.different + p.unverified for p in report.proof)
    if wrong or not report.proof:
        raise UnprovenError(migration_id, f"the proof of run {id} has {wrong:,} rows missing, different or unverified")
    left = _exceptions(report)
    if left:
        raise UnprovenError(
            migration_id,
            f"run {id} is proven with exceptions: it left {left:,} rows alone that are not as they should be (conflict, drift)",
        )
    if run.ended_at is None:
        raise UnprovenError(migration_id, f"the run {id} has not ended")
    age = now - run.ended_at
    if age > proof_max_age:
        hours, limit = age / timedelta(hours=1), proof_max_age / timedelta(hours=1)
        raise UnprovenError(
            migration_id, f"the last proof, of run {id}, is {hours:.1f} hours old, the limit is {limit:g}"
        )
    # tasks of a run that failed long ago may be cleared: what is proven then is what was planned, from rows that were read then
    planned_for = timedelta(hours=Options.from_json(run.options).plan_max_age)
    if proof_max_age != timedelta.max and run.planned_at and now - run.planned_at > proof_max_age + planned_for:
        hours, limit = ((each / timedelta(hours=1)) for each in (now - run.planned_at, proof_max_age + planned_for))
        raise UnprovenError(
            migration_id,
            f"the last proof, of run {id}, is of a plan that was made {hours:.1f} hours ago, of the sources as they were then; the limit"
            f" is {limit:g} (plan_max_age and proof_max_age)",
        )
    return run.ended_at


def _exceptions(report: Report) -> int:
    """The rows that the run left alone; at least one where its report says so without a number."""
    phases = report.plan.phases if report.plan is not None else ()
    counted = sum(p.skipped.get(rule, 0) for p in phases for rule in ("conflict", "drift"))
    verdict = report.verdict
    if verdict.proof is None:  # a report of the first release
        return counted
    return max(counted, verdict.exceptions, int(verdict.proof != "proven"))


def refused(workspace: Workspace, run_id: str, refusal: Refusal) -> None:
    """Note why the run turns no switch, for whoever looks at it."""
    Files(workspace.run(run_id)).write_refusal(refusal)


def in_words(checked: Turning) -> str:
    """What a person is asked about: from which state to which, on which proof, and on which comparison."""
    beside = f" and the comparison {checked.shadow_run_id}" if checked.shadow_run_id else ""
    return f"{checked.was} → {checked.to}, on the proof of {checked.proof_run_id or 'no run'}{beside}"


def refuse_unseen(asked: str | None, checked: Turning) -> None:
    """Raise `ApprovalError` where a person was asked about another turn (None: nobody was asked)."""
    if asked is not None and asked != in_words(checked):
        raise ApprovalError(
            f"the turn that was approved is {asked}, and the turn that would be made now is {in_words(checked)}, "
            "so nothing is turned: clear the task approve, which asks about the turn as it is now"
        )


def turn(
    ledger: Ledger,
    workspace: Workspace,
    migration_id: str,
    checked: Turning,
    *,
    by: str | None,
    why: str,
    run_id: str,
    known: tuple[str, Known] | None = None,
) -> str:
    """Turn the switch as `checked` (what `preflight` gave) says, and enter it in the journal; what was done, in words.
    The same run's turn, tried again, is one turn. Raises `StatusError` if the switch was turned meanwhile, or a run has done
    anything since its proof was looked at (`known`: `Switches.turn`)."""
    to, was = SwitchState(checked.to), SwitchState(checked.was)
    on = checked.proof_run_id
    known = None if on is None else known
    ledger.switches.turn(migration_id, to, by=by, why=why, run_id=run_id, proof_run_id=on, was=was, known=known)
    # what the journal says: the task may be done again, with another answer
    journal = _turned_by(ledger, migration_id, run_id)
    by, why = (by, why) if journal is None else (journal.turned_by, journal.why)
    record = {**to_values(checked), "by": by, "why": why, "undo": undo(migration_id, was)}
    workspace.run(run_id).write(CUTOVER, json.dumps(record, indent=1))
    return f"the switch of {migration_id} is {to}, it was {was}; {record['undo']}"


def undo(migration_id: str, was: SwitchState) -> str:
    """How to turn it back, in words."""
    return f"to undo it, trigger {migration_id}_cutover with the state {was}"
