"""The order of a run's steps: which may be taken now, and whether those before it were taken, and ended well.

Airflow knows that, too, but lets people clear a task, or mark it as done, in any order. So each step asks the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from ..errors import ApprovalError, ArtifactError, StatusError
from ..ledger import Status, StepRow, refuse_other
from ..ledger.rights import overtaken
from ..steps import APPROVE, Step, StepName, entered, task
from . import AnyRun, Mode

_BELIEVED = (StepName.TRANSFORM, StepName.VERIFY)
"""Steps whose manifests are believed by what they count, whatever files lie beside them."""


def enter(run: AnyRun, step: str, phase: str | None = None) -> None:
    """Before any part of a step: a run that has ended stays ended. One that failed goes on, since its task was cleared.

    Raises `StatusError`, also for making the plan again once a run has begun to write it, and where the run has begun again
    since it was read; `ArtifactError` for a run that has not been through preflight."""
    run.ledger.ensure()
    row = run.ledger.run(run.id)
    if row is None:
        raise ArtifactError(f"run {run.id} is not in the ledger: it has not been through preflight")
    refuse_other(row, run.dag_id, run.airflow_run_id)
    refuse_ended(run, row.status)
    if run.attempt not in (None, row.attempt):
        raise overtaken(run.id)
    every = [each.id for each in run.steps]
    if phase is None and every.index(step) < every.index(run.direction.afresh):
        refuse_begun(run, step)
    # in mode apply, it has to take its leases again first (`Leases.enter`)
    if row.status == Status.FAILED and run.options.mode is not Mode.APPLY:
        run.ledger.move(run.id, Status.RUNNING, f"the task {step} was cleared")


def refuse_begun(run: AnyRun, step: str) -> None:
    """Raise `StatusError` once the run has begun to write: its plan, and what it read or backed up for it, stay."""
    if not run.begun_to_write:
        return
    if run.direction.begins_again:
        reason = f"has begun to write its plan, so the step {step!r} cannot be run again; {_afresh(run)}"
    else:
        reason = (
            f"has begun to change the databases, so the step {step!r} is not done again, and its plan and backup stay as they "
            "are: clear the task that failed, or trigger the DAG again"
        )
    raise StatusError(f"run {run.id} {reason}")


def refuse_ended(run: AnyRun, status: str) -> None:
    """Raise `StatusError` for a run that has ended for good, or that another one interrupted."""
    if status == Status.INTERRUPTED:
        raise StatusError(
            f"while run {run.id} waited, another run took over its targets, so its plan is out of date; "
            f"nothing more is written: {_afresh(run)}"
        )
    if status in (Status.PROVEN, Status.ROLLED_BACK, Status.PLANNED):
        how = _afresh(run) if status == Status.PLANNED else "trigger the DAG again, which makes a new plan"
        raise StatusError(f"run {run.id} is {status}: it has ended, and none of its steps runs again; {how}")


def _afresh(run: AnyRun) -> str:
    whole = "clear the whole run in Airflow, or " if run.direction.begins_again else ""
    return f"{whole}trigger the DAG again: {'either' if whole else 'that'} makes a new plan"


def require(run: AnyRun, step: str, phase: str | None = None) -> None:
    """Raise `ApprovalError` unless every step up to this one was done, and ended well (`Direction.required`); those from
    the plan on for the plan that the run has now."""
    for name, missing in _left_out(run, before=entered(step, phase)):
        raise ApprovalError(
            f"run {run.id} has not been through {name!r} with the plan that it has now ({missing}), so nothing is "
            f"written: a task that is marked as done in Airflow was not done here; clear that task, or {_afresh(run)}"
        )


def left_out(run: AnyRun) -> dict[str, str] | None:
    """The first step of the run that was not done for its present plan, in all its parts, and why; None if all were."""
    for name, missing in _left_out(run):
        return {"step": name, "error": f"the step {name} was not done, though the run went on: {missing}"}
    return None


def last(run: AnyRun) -> str:
    """The step that ends a run in its mode."""
    return [step.id for step in run.steps if not step.skipped(run.options.mode)][-1]


def task_names(run: AnyRun, name: str, part: str) -> set[str]:
    """What Airflow calls the task that does this part of the step which the ledger knows by that name: a task of several parts
    with their number, or all together without."""
    steps = {entered(step.id, step.phase.id if step.phase else None): step for step in run.steps}
    whole = name if name in steps else name.partition("/")[0]  # one task changes a database in all its phases
    if whole not in steps:
        return {task(name)}
    if (over := steps[whole].over) == "run":
        return {task(whole)}
    numbers = [str(n) for n, each in enumerate(run.numbered(over)) if each == part] if over == "database" else [part]
    return {task(whole), *(f"{task(whole)}_{n}" for n in numbers)}


def _left_out(run: AnyRun, *, before: str | None = None) -> Iterator[tuple[str, str]]:
    """The steps that are not done, in their order, and what is missing of each; `before`: only those before that one. What is
    written, read back and proven counts in that order only: of a step that was done again, those behind it are to be, too."""
    plan = run.ledger.present_plan(run.id).sha256
    rows = {(row.step, row.part): row for row in run.ledger.steps(run.id)}
    done: tuple[datetime, str] | None = None
    for step, of, behind in _required(run, plan):
        name = entered(step.id, step.phase.id if step.phase else None)
        if name == before:
            break
        parts = [rows.get((name, str(n))) for n in run.parts(step)]
        missing = [problem for row in parts if (problem := _wrong(row, of) or _too_early(row, done))]
        if missing and not (step.id == APPROVE and approved(run, plan)):
            yield name, missing[0] if len(missing) == 1 else f"{len(missing)} parts of it, of the first: {missing[0]}"
        if behind:
            ends = [(row.ended_at, name) for row in parts if row is not None and row.ended_at is not None]
            done = max([*ends, *([done] if done else [])], default=None)
    if before in (None, StepName.SETTLE):
        for name in (
            entered(step.id, step.phase.id if step.phase else None) for step in run.steps if step.id in _BELIEVED
        ):
            yield from ((name, problem) for problem in _older(run, name, rows))


def _older(run: AnyRun, name: str, rows: Mapping[tuple[str, str], StepRow]) -> Iterator[str]:
    """What is wrong with what the parts of a step have sealed: it is of an older try, which was just publishing it when it stood
    still."""
    for manifest in run.folder.manifests(name):
        row = rows.get((name, str(int(manifest.part))))
        if row is not None and manifest.tries not in (None, row.tries):
            yield f"what it left is of try {manifest.tries}, which went on late, and not of try {row.tries}"


def asks(step: str) -> bool:
    """Whether that is the step in which a person is asked."""
    return step == APPROVE


def approved(run: AnyRun, plan: str | None = None) -> bool:
    """Whether that plan of the run (None: its present one) is approved, whatever a further try of that step did since."""
    decision = run.ledger.approvals.of(run.id, plan)
    return decision is not None and decision.decision != "rejected"


def _required(run: AnyRun, plan: str) -> Iterator[tuple[Step, str | None, bool]]:
    """The steps that must be done in the run's mode, in their order, the plan that each must be done for (None: any), and whether
    it comes behind the approval."""
    every = run.steps
    ids = [step.id for step in every]
    for number in range(ids.index(run.direction.required), len(every)):
        if not every[number].skipped(run.options.mode):
            of = plan if number >= ids.index(run.direction.planned) else None
            yield every[number], of, number > ids.index(APPROVE)


def _wrong(row: StepRow | None, plan: str | None) -> str | None:
    if row is None:
        return "it never started"
    if row.error is not None:
        return f"it failed: {row.error[:300]}"
    if row.ended_at is None:
        return "it started and has not ended"
    return None if plan is None or (row.plan_sha256 or "") == plan else "it was done for another plan"


def _too_early(row: StepRow | None, done: tuple[datetime, str] | None) -> str | None:
    if row is None or done is None or row.started_at >= done[0]:
        return None
    return f"it began before the step {done[1]} was over, which was done again since"
