"""One approval for all days of a range: what a person was shown of it, and which day goes on unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .seen import Plan

if TYPE_CHECKING:
    from .airflow import DagRun
    from .oracle import Oracle


def shown(oracle: Oracle, dag_run: DagRun) -> list[Plan]:
    """The days of the run's range that a person is shown with its plan, as they were planned."""
    runs = {run.id: run for run in oracle.world.runs}
    with oracle.world.looking():
        record = dag_run.current().files.range
        days = () if record is None else record.days
        return [oracle.plan(runs[day.run].current(), day.sha256) for day in days]


def goes_on(oracle: Oracle, dag_run: DagRun, plan: Plan) -> None:
    """The engine says that a person has approved this plan with its range."""
    oracle.approved(dag_run, plan)
    yes = [each for seen in oracle.runs.values() for each in seen.ranged]
    oracle.world.did["with its range"] += 1
    if plan.sha256 is not None and all((plan.sha256, plan.written) != (each.sha256, each.written) for each in yes):
        oracle.unasked.append(f"{dag_run.id}: a plan counts as approved with its range, where nobody has seen it")
