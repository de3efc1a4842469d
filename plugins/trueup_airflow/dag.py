"""A migration's DAG: the engine's steps as Airflow tasks, mapped over segments and partitions.

    preflight → partitions → snapshot[segment] → look_ups → transform[partition] → plan[partition] → plan_gate
      → create_tables → <phase>.apply[partition] → <phase>.read_back[segment] → <phase>.verify[partition] → <phase>.gate
      → … → validate → report → verdict

Only ids and counts pass between tasks; rows lie in the workspace. `report` runs whatever happened, and `verdict`, the
only leaf, ends the run as the report says.
"""

from __future__ import annotations

import logging
import os
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    TaskGroup,
    TriggerRule,
    dag,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.trueup.errors import TerminalError
from include.trueup.steps import Step, skipped, steps

from . import connections
from .params import declared, options, params

if TYPE_CHECKING:
    from include.trueup.model import Migration
    from include.trueup.run import Run

log = logging.getLogger(__name__)

HOLDER = "TRUEUP_HOLDER"
"""Environment variable: the name of this process where it is the whole run (`make run`); unset on workers."""
APPLY_AT_ONCE = 4
"""Apply tasks of a run at once; the engine shares the write rate among as many (`apply.PARALLEL_PARTITIONS`)."""
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
    """The DAG of a migration, with the migration's id."""

    @dag(
        dag_id=migration.id,
        dag_display_name=migration.title,
        description=migration.title,
        doc_md=migration.doc,
        schedule=None,
        catchup=False,
        params={**params(), **declared(migration.params)},
        default_args={"owner": migration.owner, **RETRIES},
        tags=["trueup", "migration"],
        render_template_as_native_obj=True,
    )
    def build() -> None:
        @task
        def preflight() -> list[int]:
            """Check sources, targets and options; take the hold; choose the run's segments."""
            from include.trueup import snapshot

            context = get_current_context()
            run = current_run(migration, options(context["params"], migration))
            chosen = snapshot.preflight(run, triggered_by=getattr(context["dag_run"], "triggering_user_name", None))
            log.info("%s: %s segments, %s partitions, mode %s", run.id, chosen.segments, chosen.partitions, chosen.mode)
            return list(range(chosen.segments or 0))

        @task
        def partitions() -> list[int]:
            """The run's partitions, for the tasks that are mapped over them."""
            return list(range(current_run(migration).partitions))

        @task(trigger_rule=TriggerRule.ALL_DONE)
        def report() -> dict[str, str]:
            """Write the report, whatever happened."""
            from include.trueup.report import report

            context = get_current_context()
            run = current_run(migration)
            states = context["ti"].get_task_states(dag_id=run.dag_id, run_ids=[context["dag_run"].run_id])
            failed = [t for found in states.values() for t, state in found.items() if state == "failed"]
            found = report(run, failed)
            log.info("%s\n%s\nReport: %s", found["headline"], found["next"], run.folder.location("report.html"))
            return found

        @task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
        def verdict() -> None:
            """The run ends as its report says: the only leaf, so that a written report turns no failed run green."""
            facts = current_run(migration).folder.read_json("report.json")
            if facts is None:
                raise AirflowFailException("the run has no report; the log of the task report says why")
            if facts["verdict"]["status"] != "passed":
                raise AirflowFailException(f"{facts['verdict']['headline']} {facts['verdict']['next']}")
            log.info("%s", facts["verdict"]["headline"])

        segments = preflight()
        mapped = {"segment": segments, "partition": partitions()}
        segments >> mapped["partition"]
        last: Any = mapped["partition"]
        for phase, its_steps in groupby(steps(migration), key=lambda step: step.phase):
            with TaskGroup(phase.id, tooltip=phase.title) if phase else nullcontext():
                for step in its_steps:
                    this = step_task(migration, step, mapped)
                    last >> this
                    last = this
        last >> report() >> verdict()

    return build()


def step_task(migration: Migration, step: Step, mapped: dict[str, Any]) -> Any:
    """The task of a step, mapped over segments or partitions if the step is."""

    def do(part: int = 0) -> Any:
        run = current_run(migration)
        if skipped(step, run):
            said = f"mode {run.options.mode}: nothing is written" + ("" if step.writes else " and nothing to prove")
            if run.options.mode == "plan":
                raise AirflowSkipException(said)
            log.info(said)
            return None
        found = step.do(run, part)
        log.info("%s", found)
        return found

    do.__doc__ = step.title
    if step.over == "run":
        return task(task_id=step.id)(do)()
    at_once: dict[str, Any] = {"max_active_tis_per_dagrun": APPLY_AT_ONCE} if step.writes else {}
    named = f"{step.over} {{{{ task.op_kwargs['part'] }}}}"
    return task(task_id=step.id, map_index_template=named, **at_once)(do).expand(part=mapped[step.over])


def current_run(migration: Migration, asked: Any = None) -> Run:
    """The run that the current task belongs to: with the options asked for (preflight), or else those it chose."""
    from include.trueup.run import Options, Run, run_id

    dag_run = get_current_context()["dag_run"]
    id = run_id(f"{dag_run.dag_id}--{dag_run.run_id}")
    workspace = connections.workspace()
    run = Run(
        id=id,
        dag_id=dag_run.dag_id,
        migration=migration,
        options=asked or options(get_current_context()["params"], migration),
        ledger=connections.ledger(),
        workspace=workspace,
        store=connections.store,
        holder=os.environ.get(HOLDER),
    )
    chosen = None if asked else run.folder.read_json("run.json")
    return replace(run, options=Options.from_json(chosen["options"])) if chosen else run
