"""The DAG of a migration, made from the table of steps: a task for each, mapped over what it is done for.

    preflight → <one that lists each further kind of parts> → <the steps, by phase> → report → verdict

Only ids and counts pass between tasks; rows lie in the workspace. `report` runs whatever happened, and `verdict`, the only
leaf, ends the run as the report says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    TaskGroup,
    dag,
    get_current_context,
    task,
    timezone,
)
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from include.trueup.errors import TargetHeldError, TerminalError
from include.trueup.steps import APPROVE, APPROVE_COST, Direction, Over, Step, function

from .approval import PlanApproval, Question, triggered_by
from .cost_approval import CostApproval
from .ending import ending
from .place import document

if TYPE_CHECKING:
    from include.trueup.declare.migration import Migration
    from include.trueup.run import AnyRun
    from include.trueup.run.reported import Verdict
    from include.trueup.schema.model import SchemaMigration

log = logging.getLogger(__name__)

APPLY_AT_ONCE = 4
"""Apply tasks of a run at once; the engine shares the write rate among as many (`apply.PARALLEL_PARTITIONS`)."""
WAIT_SECONDS = 5
"""How long a run of a backfill waits before it looks again whether its target is free."""
RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy(
        rules=[RetryRule(exception=TerminalError, action=RetryAction.FAIL, reason="trying again cannot help")]
    ),
}


def build(
    migration: Migration | SchemaMigration,
    *,
    dag_id: str,
    title: str,
    doc: str,
    params: dict[str, Any],
    tags: list[str],
    direction: Direction,
    current: Callable[..., AnyRun],
    question: Question,
    **more: Any,
) -> DAG:
    """The DAG whose runs go in that direction. `current` gives the engine's run of the current task (`first`: before its
    preflight), `question` what a person is asked; `more` is for Airflow's DAG."""

    # no start date: a run before it would succeed with no task run
    @dag(
        dag_id=dag_id,
        dag_display_name=title,
        description=title,
        doc_md=document(doc),
        catchup=False,
        params=params,
        default_args={"owner": migration.owner, **RETRIES},
        tags=["trueup", *tags],
        render_template_as_native_obj=True,
        **more,
    )
    def build() -> None:
        first, *others = direction.over
        mapped: dict[str, Any] = {first: _preflight(direction, current)}
        last = mapped[first]
        for over in others:
            mapped[over] = _listed(over, current)
            last >> mapped[over]
            last = mapped[over]
        for phase, its_steps in groupby(direction.steps(migration), key=lambda step: step.phase):
            with TaskGroup(phase.id, tooltip=phase.title) if phase else nullcontext():
                for step in its_steps:
                    if step.id == APPROVE:
                        this: Any = PlanApproval(step=step, current=current, question=question)
                    elif step.id == APPROVE_COST:
                        this = CostApproval(step=step, current=current)
                    else:
                        this = _task(step, current, mapped)
                    last >> this
                    last = this
        report, verdict = ending(current, _report)
        last >> report >> verdict

    return build()


def _preflight(direction: Direction, current: Callable[..., AnyRun]) -> Any:
    @task
    def preflight() -> list[int | str]:
        """Check what is there, and the options; take the hold; choose the parts that the run is done in."""
        context = get_current_context()
        run = current(first=True)
        try:
            _begin(direction, run, context)
        except TargetHeldError as held:
            if context["dag_run"].run_type != "backfill":
                raise
            # runs of one backfill begin together, and write to one target one after the other
            log.info("%s; this run of a backfill waits for its turn", held)
            again = timezone.utcnow() + timedelta(seconds=WAIT_SECONDS)
            raise AirflowRescheduleException(again) from held  # type: ignore[no-untyped-call]
        run = run.chosen()
        parts = {over: list(run.numbered(over)) for over in direction.over}
        log.info("%s: %s, mode %s", run.id, ", ".join(f"{len(p)} {o}s" for o, p in parts.items()), run.options.mode)
        return parts[direction.over[0]]

    return preflight()


def _listed(over: Over, current: Callable[..., AnyRun]) -> Any:
    def listed() -> list[int | str]:
        return list(current().numbered(over))

    listed.__doc__ = f"The run's {over}s, for the tasks that are mapped over them."
    return task(task_id=f"{over}s")(listed)()


def _begin(direction: Direction, run: AnyRun, context: Any) -> None:
    """The preflight; once more where what was in its way is over."""
    preflight = function(direction.preflight)
    try:
        preflight(run, triggered_by(context))
    except TargetHeldError as held:
        if not _gave_up(run, held, context):
            raise
        preflight(run, triggered_by(context))


def _gave_up(run: AnyRun, held: TargetHeldError, context: Any) -> bool:
    """Whether the run that holds a target waits for nobody any more: somebody ended it in Airflow, or deleted it there, where no task
    of it is left to say so. Its place is given up then."""
    holder = run.ledger.run(held.held_by) if held.held_by else None
    if holder is None or holder.airflow_run_id is None:
        return False
    states = {"dag_id": holder.dag_id, "run_id": holder.airflow_run_id}
    try:
        state = str(context["ti"].get_dagrun_state(**states))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is not known that the run is over
        # the Airflow of `make run` knows of no other run; one that waits for no person gives its place up by itself
        present = run.ledger.leases.present() if run.holder is None else []
        waits = any(lease.run_id == holder.run_id and lease.waits for lease in present)
        if not (waits and _is_deleted(error, **states)):
            log.info("whether Airflow's run %s of %s goes on is not known: %s", *states.values(), error)
            return False
        state = "deleted"
    if state not in ("success", "failed", "deleted"):
        return False
    run.ledger.leases.give_up(holder.run_id, f"Airflow's run is over ({state}), and run {run.id} needs its target")
    return True


def _is_deleted(error: Exception, *, dag_id: str, run_id: str) -> bool:
    """Whether Airflow says by this that it has no such run."""
    says = f"{error} {getattr(error, 'detail', '')}"
    return f"Dag run with dag_id '{dag_id}' and run_id '{run_id}' was not found" in says


def _report(run: AnyRun, failed: Sequence[str]) -> Verdict:
    verdict: Verdict = function(run.direction.report)(run, failed)
    return verdict


def _task(step: Step, current: Callable[..., AnyRun], mapped: dict[str, Any]) -> Any:
    """The task of a step, mapped over its parts if it has several."""

    def do(part: int | str = 0) -> Any:
        from include.trueup.walk import carry_out

        run = current()
        if step.skipped(run.options.mode):
            proves = " and nothing to prove" if step.until == "verify" else ""
            reason = f"mode {run.options.mode}: nothing is written{proves}"
            if run.options.mode == "plan":
                raise AirflowSkipException(reason)
            log.info(reason)
            return None
        counts = carry_out(step, run, part)
        log.info("%s", counts)
        return counts

    do.__doc__ = step.title
    if step.over == "run":
        return task(task_id=str(step.id))(do)()
    at_once: dict[str, Any] = {"max_active_tis_per_dagrun": APPLY_AT_ONCE} if step.writes else {}
    named = f"{step.over} {{{{ task.op_kwargs['part'] }}}}"
    return task(task_id=str(step.id), map_index_template=named, **at_once)(do).expand(part=mapped[step.over])
