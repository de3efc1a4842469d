"""How every run ends: its report is written whatever happened, and the run ends as the report says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from include.trueup.run.reported import Verdict

log = logging.getLogger(__name__)

Write = Callable[[Any, Sequence[str]], "Verdict"]
"""Writes the report of a run, given the tasks that failed; its verdict."""


def ending(current: Callable[[], Any], write: Write) -> tuple[Any, Any]:
    """The tasks `report` and `verdict`, to be put one after the other behind all others. `verdict` is the only leaf, so
    that a written report turns no failed run green."""

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def report() -> dict[str, str | int | None]:
        """Write the report, whatever happened."""
        from include.trueup.run.files import REPORT_HTML

        context = get_current_context()
        run = current()
        states = context["ti"].get_task_states(dag_id=run.dag_id, run_ids=[context["dag_run"].run_id])
        # that this task or the next one was lost says nothing of the run
        found_failed = {t for of_task in states.values() for t, state in of_task.items() if state == "failed"}
        failed = sorted(found_failed - {"report", "verdict"})
        written = write(run, failed)
        log.info("%s\n%s\nReport: %s", written.headline, written.next, run.files.location(REPORT_HTML))
        return asdict(written)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def verdict() -> str:
        """The run ends as its report and the ledger say."""
        from include.trueup.report.ending import ended

        reached = ended(run := current())
        if reached is None:
            raise AirflowFailException("the run has no report; the log of the task report says why")
        if reached.status != "passed":
            raise AirflowFailException(f"{reached.headline} {reached.next}")
        refuse_not_done(run, reached)
        return reached.headline

    return report(), verdict()


def refuse_not_done(run: Any, reached: Verdict) -> None:
    """Raise `AirflowFailException` where the run had ended well before Airflow was asked for it as a whole again: cleared, reprocessed
    by a backfill, or deleted there and triggered anew under its name. Its preflight has refused that, and nothing was done."""
    context = get_current_context()
    dag_run = context["dag_run"]
    states = context["ti"].get_task_states(dag_id=run.dag_id, task_ids=["preflight"], run_ids=[dag_run.run_id])
    if states.get(dag_run.run_id, {}).get("preflight") != "failed":
        return
    by_hand = ", by hand with its window" if dag_run.run_type == "backfill" else ""
    raise AirflowFailException(
        f"run {run.id} had ended before, and what it said then holds ({reached.headline}): what Airflow was asked for now, under "
        f"the same run id, was refused by the task preflight, and nothing of it was done. Trigger the DAG again{by_hand}: a run id "
        "that Airflow has not given before makes a new plan"
    )
