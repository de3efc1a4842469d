"""What a try of a task does: nothing but the engine, so that any process can do it."""

from __future__ import annotations

from dataclasses import dataclass

from include.trueup.run import Mode, Run, order, ranges
from include.trueup.steps import APPROVE, Step, StepName, function
from include.trueup.walk import carry_out
from include.trueup.write import approval


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done: `preflight`, `step` (which, of which phase, and which part of it), `report` (the tasks that failed),
    or what a person answered: `approve` (the hash of the plan that was shown, and that of the days
    that were listed with it) or `reject`."""

    what: str
    step: tuple[str, str | None] | None = None
    part: int = 0
    failed: tuple[str, ...] = ()
    shown: str | None = None
    listed: str | None = None


@dataclass(frozen=True, kw_only=True)
class Said:
    """What came of it. `state`: None (done), skipped, approved (nobody has to be asked), approved before, approved with range, or
    asked; then the hash of the plan that is approved, or `shown`, and that of the days of a range that are `listed` with it."""

    state: str | None = None
    shown: str | None = None
    listed: str | None = None


def named(step: Step) -> tuple[str, str | None]:
    """What a step is called, with its phase."""
    return str(step.id), step.phase.id if step.phase else None


def carry(job: Job, given: Run) -> Said:
    """Do it. `given` is the run as it was triggered, with the declaration that is deployed."""
    run = given.chosen()
    if job.what == "preflight":
        function(run.direction.preflight)(given, "simulated")
    elif job.what == "report":
        function(run.direction.report)(run, [*job.failed])
    elif job.what == "approve":
        days = None if job.listed is None else approval.range_shown(run, job.listed)
        approval.approve(run, "alice", None, shown_sha256=job.shown)
        if days is not None:
            approval.approve_others(run, days, "alice", None)
    elif job.what == "reject":
        approval.reject(run, "alice", None)
    else:
        return _step(next(step for step in run.steps if named(step) == job.step), run, job.part)
    return Said()


def _step(step: Step, run: Run, part: int) -> Said:
    if step.skipped(run.options.mode):
        return Said(state="skipped")
    if step.id == APPROVE:
        return _approve(run)
    carry_out(step, run, part)
    return Said()


def _approve(run: Run) -> Said:
    order.enter(run, StepName.APPROVE)
    if run.options.mode is Mode.APPLY:
        run.ledger.leases.enter(run.id, run.held_targets, run.holder)
    plans = approval.plans_of(run)
    plans.make(run)
    if not plans.asks(run):
        return Said(state="approved", shown=approval.approve(run))
    whole = run.options.range_approval
    if whole and (given := approval.approved_with_range(run)) is not None:
        return Said(state="approved with range", shown=given.plan_sha256)
    if (before := approval.approved_already(run)) is not None:
        return Said(state="approved before", shown=before.plan_sha256)
    shown = approval.ask(run).sha256
    return Said(state="asked", shown=shown, listed=ranges.sha256(ranges.write(run)) if whole else None)
