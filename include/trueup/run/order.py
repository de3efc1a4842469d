"""The order of a run's steps: which may be taken now, and whether those before it were taken, and ended well.

Airflow knows that, too, but lets people clear a task, or mark it as done, in any order. So each step asks the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ApprovalError, ArtifactError, StatusError
from ..ledger import Status, StepRow, refuse_other
from ..steps import StepName, entered
from . import AnyRun, Mode, Run
from .earlier import begun_to_write

_READS = (StepName.SNAPSHOT, StepName.SHARED, StepName.TRANSFORM, StepName.PLAN)
"""The steps that a plan is made in."""
_AFRESH = "clear the whole run in Airflow, or trigger the DAG again: either makes a new plan"


def enter(run: Run, step: str, phase: str | None = None) -> None:
    """Before any part of a step: a run that has ended stays ended. One that failed goes on, since its task was cleared.

    Raises `StatusError`, also for making the plan again once a run has begun to write it; `ArtifactError` for a run that
    has not been through preflight."""
    run.ledger.ensure()
    found = run.ledger.run(run.id)
    if found is None:
        raise ArtifactError(f"run {run.id} is not in the ledger: it has not been through preflight")
    refuse_other(found, run.dag_id, run.airflow_run_id)
    refuse_ended(run, found.status)
    if step in _READS and phase is None and begun_to_write(run.ledger, run.id):
        raise StatusError(
            f"run {run.id} has begun to write its plan, so the step {step!r} cannot be run again; {_AFRESH}"
        )
    # in mode apply, it has to take its leases again first (`Leases.enter`)
    if found.status == Status.FAILED and run.options.mode is not Mode.APPLY:
        run.ledger.move(run.id, Status.RUNNING, f"the task {step} was cleared")


def refuse_ended(run: AnyRun, status: str) -> None:
    """Raise `StatusError` for a run that has ended for good, or that another one interrupted."""
    if status == Status.INTERRUPTED:
        raise StatusError(
            f"while run {run.id} waited, another run took over its targets, so its plan is out of date; "
            f"nothing more is written: {_AFRESH}"
        )
    if status in (Status.PROVEN, Status.ROLLED_BACK, Status.PLANNED):
        how = _AFRESH if status == Status.PLANNED else "trigger the DAG again, which makes a new plan"
        raise StatusError(f"run {run.id} is {status}: it has ended, and none of its steps runs again; {how}")


def require(run: Run, step: str, phase: str | None = None) -> None:
    """Raise `ApprovalError` unless every step from the plan's gate up to this one was done for the plan that the run has
    now, and ended well."""
    for name, missing in _left_out(run):
        if name == entered(step, phase):
            return
        raise ApprovalError(
            f"run {run.id} has not been through {name!r} with the plan that it has now ({missing}), so nothing is "
            f"written: a task that is marked as done in Airflow was not done here; clear that task, or {_AFRESH}"
        )


def left_out(run: Run) -> dict[str, str] | None:
    """The first step of the run that was not done for its present plan, in all its parts, and why; None if all were."""
    for name, missing in _left_out(run):
        return {"step": name, "error": f"the step {name} was not done, though the run went on: {missing}"}
    return None


def _left_out(run: Run) -> Iterator[tuple[str, str]]:
    """The steps that are not done, in their order, from the plan's gate on, and what is missing of each."""
    plan = run.ledger.present_plan(run.id).sha256
    rows = {(row.step, row.part): row for row in run.ledger.steps(run.id)}
    every = run.steps
    for step in every[[s.id for s in every].index(StepName.PLAN_GATE) :]:
        if step.skipped(run.options.mode):
            continue
        name = entered(step.id, step.phase.id if step.phase else None)
        missing = [said for n in range(run.parts(step)) if (said := _wrong(rows.get((name, str(n))), plan))]
        if missing:
            yield name, missing[0] if len(missing) == 1 else f"{len(missing)} parts of it, of the first: {missing[0]}"


def _wrong(row: StepRow | None, plan: str) -> str | None:
    if row is None:
        return "it never started"
    if row.error is not None:
        return f"it failed: {row.error[:300]}"
    if row.ended_at is None:
        return "it started and has not ended"
    return None if (row.plan_sha256 or "") == plan else "it was done for another plan"
