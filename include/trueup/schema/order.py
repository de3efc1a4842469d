"""The order of a schema run's steps: which may be taken now, and whether those before it were taken, and ended well.

Airflow knows that, too, but lets people clear a task, or mark it as done, in any order. So each step asks the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ..errors import ApprovalError, ArtifactError
from ..ledger import Status, refuse_other
from ..ledger.holding import holding
from ..run import Mode
from ..run.order import refuse_ended
from .preflight import refuse_begun, targets
from .run import SchemaRun

STEPS = ("lint", "rehearse", "approve", "backup", "apply", "gate")
"""In their order, between preflight and report."""
_OF_DATABASES = ("rehearse", "backup")


def enter(run: SchemaRun, step: str) -> None:
    """Before any part of a step: a run that has ended stays ended. One that failed goes on, since its task was cleared.

    Raises `StatusError`, also for a step before apply once the run has begun to change the databases; `ArtifactError` for
    a run that has not been through preflight."""
    run.ledger.ensure()
    found = run.ledger.run(run.id)
    if found is None:
        raise ArtifactError(f"run {run.id} is not in the ledger: it has not been through preflight")
    refuse_other(found, run.dag_id, run.airflow_run_id)
    refuse_ended(run, found.status)
    if step not in ("apply", "gate"):
        refuse_begun(run, step)
    # in mode apply, it has to take its leases again first (`Leases.enter`)
    if found.status == Status.FAILED and run.options.mode is not Mode.APPLY:
        run.ledger.move(run.id, Status.RUNNING, f"the task {step} was cleared")


@contextmanager
def doing(run: SchemaRun, step: str, part: str) -> Iterator[int]:
    """Do a part of a step that changes no database: it is entered, and in mode apply the run keeps its place all the while.
    Gives the number of the try."""
    enter(run, step)
    with ExitStack() as stack:
        if run.options.mode is Mode.APPLY:
            stack.enter_context(holding(run.ledger, run.id, targets(run), run.holder))
        yield stack.enter_context(run.ledger.step(run.id, step, part))


def require(run: SchemaRun, step: str) -> None:
    """Raise `ApprovalError` unless every step before this one was done, in all its parts, and ended well; those from the
    approval on for the plan that the run has now."""
    plan = run.ledger.entered(run.id).plan_sha256
    rows = {(row.step, row.part): row for row in run.ledger.steps(run.id)}
    for name in STEPS[: STEPS.index(step)]:
        for part in run.histories if name in _OF_DATABASES else ("0",):
            row = rows.get((name, part))
            said = None
            if row is None:
                said = "it never started"
            elif row.error is not None:
                said = f"it failed: {row.error[:300]}"
            elif row.ended_at is None:
                said = "it started and has not ended"
            elif name in ("backup", "apply") and row.plan_sha256 != plan:
                said = "it was done for another plan"
            if said:
                raise ApprovalError(
                    f"run {run.id} has not been through {name!r} ({part}: {said}), so nothing is changed: a task that is marked "
                    "as done in Airflow was not done here; clear that task, or trigger the DAG again"
                )
