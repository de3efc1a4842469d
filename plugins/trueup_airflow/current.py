"""The run of the engine that the current task belongs to."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from include.trueup.errors import OptionsError

from . import connections

if TYPE_CHECKING:
    from include.trueup.model import Migration
    from include.trueup.run import Options, Run

HOLDER = "TRUEUP_HOLDER"
"""Environment variable: the name of this process where it is the whole run (`make run`); unset on workers."""

Asked = Callable[[Any], "Options"]
"""From the task's context, the options that the run was asked for."""


def current_run(migration: Migration, asked: Asked, *, first: bool = False, undoes: str | None = None) -> Run:
    """The run that the current task belongs to: `first` (in preflight) with the options asked for, later with what
    preflight chose. `undoes`: the param that says which run a rollback undoes.

    Raises `OptionsError` for options that cannot be, in preflight."""
    from include.trueup.run import LAST, Run, run_id

    context = get_current_context()
    dag_run = context["dag_run"]
    run = Run(
        id=run_id(f"{dag_run.dag_id}--{dag_run.run_id}"),
        dag_id=dag_run.dag_id,
        migration=migration,
        options=_asked(asked, context, first=first),
        ledger=connections.ledger(),
        workspace=connections.workspace(),
        store=connections.store,
        holder=os.environ.get(HOLDER),
        undoes=None if undoes is None else context["params"][undoes] or LAST,
    )
    return run if first else run.chosen()


def _asked(asked: Asked, context: Any, *, first: bool) -> Options:
    from include.trueup.run import Options

    try:
        return asked(context)
    except OptionsError:
        if first:
            raise
        return Options()  # preflight has said what is wrong; the report says it again
