"""Approve: what was approved is the plan's hash; nothing else is applied, and nothing that has grown too old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from ..errors import ApprovalError, StatusError
from ..ledger import ApprovalRow, RunRow, SwitchState, refuse_other
from ..ledger.decisions import Decision
from ..plan.hashing import files_hash, plan_hash
from ..run import PLAN, AnyRun, PlanRecord, RangeRecord, Run, StepName, order, part, ranges
from ..run.schema_records import SchemaPlan
from ..steps import function
from . import tables_there


@dataclass(frozen=True, kw_only=True)
class Plans:
    """How the plans of runs on rows, or on schemas, are looked at. `make`: make the plan, where no step before has; `same`:
    its hash as it is now, given the run's row, where all that say it say the same (else it raises `ApprovalError`); `shown`:
    what a person is shown; `asks`: whether anybody is to be asked; `unasked`: the decision where nobody is, given the hash;
    `check_present`: raises unless the targets are those that it was made for, before a step."""

    make: Callable[[Any], object]
    same: Callable[[Any, RunRow], str]
    shown: Callable[[Any], PlanRecord | SchemaPlan]
    asks: Callable[[Any], bool]
    unasked: Callable[[Any, str], Decision]
    check_present: Callable[[Any, str], None] = lambda *_: None


def plans_of(run: AnyRun) -> Plans:
    """How the plan of this run is looked at."""
    plans: Any = function(run.direction.plans)
    return cast(Plans, plans)


def ask(run: AnyRun) -> PlanRecord | SchemaPlan:
    """The plan that somebody is to be asked about; that it is being shown is entered in the ledger.

    Raises `ApprovalError` for one that did not pass its gate, that is not the one that did, or that is too old."""
    plans = plans_of(run)
    with part(run, StepName.APPROVE):
        sha256 = gated(run)
        run.ledger.approvals.asked(run.id, sha256)
        run.ledger.leases.wait(run.id, _planned_at(run) + timedelta(hours=run.options.plan_max_age), sha256)
        return plans.shown(run)


def approved_already(run: AnyRun) -> ApprovalRow | None:
    """The approval of the plan that the run has now, where a person gave it before the plan was made again."""
    with part(run, StepName.APPROVE):
        approval = run.ledger.approvals.of(run.id, sha256 := gated(run))
        if approval is None or approval.decision != "approved":
            return None
        run.ledger.leases.answered(run.id, sha256)
        return approval


def approve(
    run: AnyRun,
    by: str | None = None,
    comment: str | None = None,
    *,
    shown_sha256: str | None = None,
) -> str:
    """Enter a person's approval of the plan that was shown (None: the one last asked about); of a run that asks for none,
    that it was waived. The plan's hash.

    Raises `ApprovalError` where the run's plan is not the one that was shown, did not pass its gate, or is too old."""
    plans = plans_of(run)
    with part(run, StepName.APPROVE):
        sha256 = gated(run)
        decision: Decision = "approved"
        if plans.asks(run):
            _refuse_unseen(run, shown_sha256, sha256)
        else:
            decision = plans.unasked(run, sha256)
        run.ledger.approvals.decide(run.id, sha256, decision, by=by, comment=comment)
        run.ledger.leases.answered(run.id, sha256)
    return sha256


def approved_with_range(run: Run) -> ApprovalRow | None:
    """Enter the approval of the run's plan that a person gave with the range which the run is a day of; None where there is
    none, or it was of another plan."""
    with part(run, StepName.APPROVE):
        sha256 = gated(run)
        decision = ranges.given(run, sha256)
        if decision is None:
            return None
        reason = f": {decision.comment}" if decision.comment else ""
        comment = f"with its range, which was asked about by run {decision.run_id}, {decision.decided_at:%Y-%m-%d %H:%M %Z}{reason}"
        run.ledger.approvals.decide(run.id, sha256, "approved", by=decision.decided_by, comment=comment)
        run.ledger.leases.answered(run.id, sha256)
        return decision


def range_shown(run: Run, shown_sha256: str | None) -> RangeRecord:
    """The days of the run's range as they were shown. Raises `ApprovalError` where the list is not the one that was shown."""
    record = run.files.range
    listed = None if record is None else ranges.sha256(record)
    if record is None or shown_sha256 != listed:
        raise ApprovalError(
            f"the list of days of run {run.id} is {listed or 'not there'}, and the one that was shown is {shown_sha256 or 'none'}, "
            "so nothing is approved: clear the task approve, which asks about the range as it is now"
        )
    return record


def approve_others(run: Run, shown: RangeRecord, by: str | None, comment: str | None) -> int:
    """Enter a person's approval of every other day of the range; how many. The run's own plan is approved already."""
    own = run.ledger.entered(run.id).plan_sha256
    others = [day for day in shown.days if day.sha256 != own]
    for day in others:
        run.ledger.approvals.decide(run.id, day.sha256, "approved", by=by, comment=comment)
    return len(others)


def _refuse_unseen(run: AnyRun, shown: str | None, sha256: str) -> None:
    last_asked = run.ledger.entered(run.id).asked_sha256
    for what, known in (("shown", shown or last_asked), ("last asked about", last_asked)):
        if known != sha256:
            raise ApprovalError(
                f"the plan of run {run.id} is {sha256}, and the plan that was {what} is {known or 'none'}: somebody made it "
                "again in between, so nothing is approved and nothing written; clear the task approve, which asks about "
                "the plan as it is now, or trigger the DAG again"
            )


def waive(run: AnyRun) -> str:
    """Enter that a run which asks nobody is approved. The plan's hash. Raises `ApprovalError` for a run that asks."""
    if plans_of(run).asks(run):
        raise ApprovalError("this run needs an approval, and nobody here can be asked: trigger it in Airflow")
    return approve(run)


def reject(run: AnyRun, by: str | None, comment: str | None) -> None:
    """Enter a person's rejection of the plan that the run asked about, and raise it as an `ApprovalError`."""
    with part(run, StepName.APPROVE):
        row = run.ledger.entered(run.id)
        # of a run that asked before the ledger noted what about: of the plan that it has
        sha256 = row.asked_sha256 or row.plan_sha256 or ""
        run.ledger.approvals.decide(run.id, sha256, "rejected", by=by, comment=comment)
        reason = f": {comment}" if comment else ""
        raise ApprovalError(f"{by or 'somebody'} rejected the plan{reason}; nothing was written")


def gated(run: AnyRun) -> str:
    """The hash of the run's plan: one and the same wherever it is said, made by steps that were all done, and not too old.
    Raises `ApprovalError`, with the hashes."""
    run.ledger.ensure()
    row = run.ledger.entered(run.id)
    refuse_other(row, run.dag_id, run.airflow_run_id)
    order.refuse_ended(run, row.status)
    check_age(run)
    sha256 = plans_of(run).same(run, row)
    order.require(run, StepName.APPROVE)
    return sha256


def require(run: AnyRun, step: str, phase: str | None = None) -> None:
    """Raise `ApprovalError` unless this step may write: the plan in the workspace is the one that passed its gate and was
    approved, and every step before this one was done with it; `SourceError` unless the targets are the tables that it was
    made for; `StatusError` unless the run is running, or for a rollback where applications rely on what it would take back."""
    row = run.ledger.entered(run.id)
    order.refuse_ended(run, row.status)
    approval = run.ledger.approvals.of(run.id)
    if approval is None or approval.decision == "rejected":
        how = "is not approved" if approval is None else "was rejected"
        raise ApprovalError(f"the plan of run {run.id} {how}, so nothing is written; trigger the DAG again")
    plans = plans_of(run)
    sha256 = plans.same(run, row)
    if approval.plan_sha256 != sha256:
        raise ApprovalError(
            f"the plan of run {run.id} is {sha256}, not the plan that was approved, "
            f"{approval.plan_sha256}, so nothing is written; trigger the DAG again"
        )
    order.require(run, step, phase)
    plans.check_present(run, step)


def _check_present(run: Run, step: str) -> None:
    # asked once the try of this step is entered: a switch that is being turned meanwhile sees that
    if run.undoes is not None and run.ledger.switches.settled(run.migration.id) is SwitchState.NEW:
        raise StatusError(
            f"the switch of {run.migration.id} is new by now, so applications rely on what run {run.undoes} wrote, and nothing of it "
            f"is taken back: cut back first: trigger {run.migration.id}_cutover with the state dual"
        )
    tries = next((s.tries for s in run.ledger.steps(run.id) if s.step == StepName.CREATE_TABLES), 0)
    tables_there.check(run, may_be_made=step == StepName.CREATE_TABLES and tries > 1)


def _same(run: Run, row: RunRow) -> str:
    """The plan's hash: one and the same in the workspace, in plan.json and in the ledger, with the files that passed the
    plan's gate."""
    if row.plan_sha256 is not None and row.plan_files_sha256 is None:
        raise ApprovalError(
            f"the plan of run {run.id} was made by an older Trueup, which did not note what passed its gate; nothing is "
            "written: trigger the DAG again for a new plan"
        )
    sha256 = plan_hash(run)
    published = plan.sha256 if (plan := run.files.plan) else None
    for where, other in ((PLAN, published), ("the ledger", row.plan_sha256)):
        if other != sha256:
            raise ApprovalError(
                f"the plan of run {run.id} in the workspace is {sha256}, and the one that passed its gate is {other} "
                f"({where}), so nothing is written: clear the task plan_gate, or trigger the DAG again"
            )
    if files_hash(run) != row.plan_files_sha256:
        raise ApprovalError(
            f"the files of the plan of run {run.id} are not those that passed its gate, so nothing is written: "
            "clear the task plan_gate, or trigger the DAG again"
        )
    return sha256


def check_age(run: AnyRun) -> None:
    """Raise `ApprovalError` if the plan is older than the run allows."""
    planned_at = _planned_at(run)
    limit = timedelta(hours=run.options.plan_max_age)
    if run.effects.now() - planned_at > limit:
        raise ApprovalError(
            f"the plan of run {run.id} was made {planned_at:%Y-%m-%d %H:%M} UTC, more than {run.options.plan_max_age:g} hours ago, "
            "and the tables may have moved on; nothing is written: trigger the DAG again for a new plan"
        )


def _planned_at(run: AnyRun) -> datetime:
    planned_at = run.ledger.entered(run.id).planned_at
    if planned_at is None:
        raise ApprovalError(f"run {run.id} has no plan that passed its gate, so there is nothing to approve")
    return planned_at


def _shown(run: Run) -> PlanRecord:
    plan = run.files.plan
    if plan is None:
        raise ApprovalError(f"run {run.id} has no plan that passed its gate, so there is nothing to approve")
    return plan


ROWS = Plans(
    make=lambda _: None,
    same=_same,
    shown=_shown,
    asks=lambda run: bool(run.options.approval),
    unasked=lambda *_: "waived",
    check_present=_check_present,
)
"""Of runs on rows."""
