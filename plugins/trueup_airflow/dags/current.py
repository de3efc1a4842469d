"""The run of the engine that the current task belongs to."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from include.trueup.errors import OptionsError

from .. import connections

if TYPE_CHECKING:
    from include.trueup.declare.migration import Migration
    from include.trueup.ledger import Ledger
    from include.trueup.run import Options, Run

HOLDER = "TRUEUP_HOLDER"
"""Environment variable: the name of this process where it is the whole run (`make run`); unset on workers."""

Asked = Callable[[Any], "Options"]
"""From the task's context, the options that the run was asked for."""


def current_run(migration: Migration, asked: Asked, *, first: bool = False, undoes: str | None = None) -> Run:
    """The run that the current task belongs to: `first` (in preflight) with the options asked for, later with what
    preflight chose. `undoes`: the param that says which run a rollback undoes.

    Raises `OptionsError` for options that cannot be, in preflight."""
    from include.trueup.run import LAST, Run

    context = get_current_context()
    dag_run = context["dag_run"]
    ledger = connections.ledger()
    run = Run(
        id=ledger_id(ledger, dag_run, first=first),
        dag_id=dag_run.dag_id,
        airflow_run_id=dag_run.run_id,
        migration=migration,
        options=_asked(asked, context, first=first),
        ledger=ledger,
        workspace=connections.workspace(),
        store=connections.store,
        holder=os.environ.get(HOLDER),
        undoes=None if undoes is None else context["params"][undoes] or LAST,
    )
    return run if first else run.chosen()


def ledger_id(ledger: Ledger, dag_run: Any, *, first: bool) -> str:
    """The id of a run of Airflow in ledger and workspace. One that began (not `first`) before an update of Trueup keeps
    the id that it began under."""
    from include.trueup.run import former_run_id, run_id

    names = dag_run.dag_id, dag_run.run_id
    if first:
        return run_id(*names)
    ledger.ensure()
    return ledger.known_as(run_id(*names), former_run_id(*names), dag_run.dag_id, dag_run.run_after)


def _asked(asked: Asked, context: Any, *, first: bool) -> Options:
    from include.trueup.run import Options

    try:
        return asked(context)
    except OptionsError:
        if first:
            raise
        return Options()  # preflight has said what is wrong; the report says it again
