"""A migration's DAGs: the engine's steps as Airflow tasks, mapped over segments and partitions.

    preflight → partitions → snapshot[segment] → shared → transform[partition] → plan[partition] → plan_gate → approve
      → create_tables → <phase>.apply[partition] → <phase>.read_back[segment] → <phase>.verify[partition] → <phase>.gate
      → … → validate → report → verdict

and `<id>_rollback`, the same with the plan read backwards. Only ids and counts pass between tasks; rows lie in the
workspace. `report` runs whatever happened, and `verdict`, the only leaf, ends the run as the report says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
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
from include.trueup.steps import APPROVE, BACKWARD, FORWARD, Direction, Step, function

from ..windows import OnDemandWindows
from .approval import PlanApproval, triggered_by
from .current import current_run
from .ending import ending
from .params import declared, options, params, rollback_options, rollback_params

if TYPE_CHECKING:
    from include.trueup.declare.migration import Migration
    from include.trueup.run import Options, Run

log = logging.getLogger(__name__)

APPLY_AT_ONCE = 4
"""Apply tasks of a run at once; the engine shares the write rate among as many (`apply.PARALLEL_PARTITIONS`)."""
WAIT_SECONDS = 5
"""How long a run of a backfill waits before it looks again whether its target is free."""
TAB = "migration"
"""The route of the tab that a run's page has for it."""
RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy(
        rules=[RetryRule(exception=TerminalError, action=RetryAction.FAIL, reason="trying again cannot help")]
    ),
}


def build_dag(migration: Migration) -> DAG:
    """The DAG of a migration, with the migration's id. A manual run is of whole tables; a backfill's runs are of their
    days."""

    def asked(context: Any) -> Options:
        return options(context["params"], migration, context["dag_run"])

    return _build(
        migration,
        dag_id=migration.id,
        title=migration.title,
        doc=migration.doc,
        schedule=OnDemandWindows("@daily", timezone="UTC"),
        params={**params(), **declared(migration.params)},
        direction=FORWARD,
        current=partial(current_run, migration, asked),
    )


def build_rollback(migration: Migration) -> DAG:
    """The DAG that undoes a run of a migration, `<id>_rollback`."""

    def asked(context: Any) -> Options:
        return rollback_options(context["params"])

    return _build(
        migration,
        dag_id=f"{migration.id}_rollback",
        title=f"Roll back: {migration.title}",
        doc=ROLLBACK_DOC.format(id=migration.id),
        schedule=None,
        params=rollback_params(),
        direction=BACKWARD,
        current=partial(current_run, migration, asked, undoes="run"),
    )


ROLLBACK_DOC = """
Undoes one run of `{id}`: rows that it added are deleted, rows that it changed or removed are put back as they were, each
only if it still is what the run wrote. Rows that somebody changed since are left alone, and listed. The reverse plan is shown
before anything is written, and the target is compared, every row, with what it was before the run.

The last run is undone first: a run that a later one built on cannot be rolled back before that one is.
"""


def _build(
    migration: Migration,
    *,
    dag_id: str,
    title: str,
    doc: str,
    schedule: Any,
    params: dict[str, Any],
    direction: Direction,
    current: Callable[..., Run],
) -> DAG:
    # no start date: a run before it would succeed with no task run
    @dag(
        dag_id=dag_id,
        dag_display_name=title,
        description=title,
        doc_md=doc,
        schedule=schedule,
        catchup=False,
        params=params,
        default_args={"owner": migration.owner, **RETRIES},
        tags=["trueup", "migration" if dag_id == migration.id else "rollback"],
        render_template_as_native_obj=True,
    )
    def build() -> None:
        @task
        def preflight() -> list[int]:
            """Check sources, targets and options; take the hold; choose the run's segments."""
            context = get_current_context()
            run = current(first=True)
            try:
                chosen = _begun(direction, run, context)
            except TargetHeldError as held:
                if context["dag_run"].run_type != "backfill":
                    raise
                # runs of one backfill begin together, and write to one target one after the other
                log.info("%s; this run of a backfill waits for its turn", held)
                again = timezone.utcnow() + timedelta(seconds=WAIT_SECONDS)
                raise AirflowRescheduleException(again) from held  # type: ignore[no-untyped-call]
            log.info("%s: %s segments, %s partitions, mode %s", run.id, chosen.segments, chosen.partitions, chosen.mode)
            return list(range(chosen.segments or 0))

        @task
        def partitions() -> list[int]:
            """The run's partitions, for the tasks that are mapped over them."""
            return list(range(current().partitions))

        segments = preflight()
        mapped = {"segment": segments, "partition": partitions()}
        segments >> mapped["partition"]
        last: Any = mapped["partition"]
        for phase, its_steps in groupby(direction.steps(migration), key=lambda step: step.phase):
            with TaskGroup(phase.id, tooltip=phase.title) if phase else nullcontext():
                for step in its_steps:
                    if step.id == APPROVE:
                        this: Any = PlanApproval(task_id=APPROVE, current=current, tab=TAB)
                    else:
                        this = _task(step, current, mapped)
                    last >> this
                    last = this
        report, verdict = ending(current, _report)
        last >> report >> verdict

    return build()


def _begun(direction: Direction, run: Run, context: Any) -> Options:
    """The preflight; once more where what was in its way is over."""
    preflight = function(direction.preflight)
    try:
        chosen: Options = preflight(run, triggered_by(context))
    except TargetHeldError as held:
        if not _gave_up(run, held, context):
            raise
        chosen = preflight(run, triggered_by(context))
    return chosen


def _gave_up(run: Run, held: TargetHeldError, context: Any) -> bool:
    """Whether the run that holds a target waits for nobody any more: somebody ended it in Airflow, where no task of it is
    left to say so. Its place is given up then."""
    found = run.ledger.run(held.held_by) if held.held_by else None
    if found is None or found.airflow_run_id is None:
        return False
    states = {"dag_id": found.dag_id, "run_id": found.airflow_run_id}
    try:
        state = str(context["ti"].get_dagrun_state(**states))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is not known that the run is over
        log.info("whether Airflow's run %s of %s goes on is not known: %s", states["run_id"], states["dag_id"], error)
        return False
    if state not in ("success", "failed"):
        return False
    run.ledger.leases.give_up(found.run_id, f"Airflow's run is over ({state}), and run {run.id} needs its target")
    return True


def _report(run: Run, failed: Sequence[str]) -> dict[str, Any]:
    from include.trueup.report import report

    return report(run, failed)


def _task(step: Step, current: Callable[..., Run], mapped: dict[str, Any]) -> Any:
    """The task of a step, mapped over segments or partitions if the step is."""

    def do(part: int = 0) -> Any:
        from include.trueup.walk import carry_out

        run = current()
        if step.skipped(run.options.mode):
            said = f"mode {run.options.mode}: nothing is written" + ("" if step.writes else " and nothing to prove")
            if run.options.mode == "plan":
                raise AirflowSkipException(said)
            log.info(said)
            return None
        found = carry_out(step, run, part)
        log.info("%s", found)
        return found

    do.__doc__ = step.title
    if step.over == "run":
        return task(task_id=str(step.id))(do)()
    at_once: dict[str, Any] = {"max_active_tis_per_dagrun": APPLY_AT_ONCE} if step.writes else {}
    named = f"{step.over} {{{{ task.op_kwargs['part'] }}}}"
    return task(task_id=str(step.id), map_index_template=named, **at_once)(do).expand(part=mapped[step.over])
