"""A migration's DAGs: that of its runs forward, and that of its rollbacks, made from the table of steps (`builder.py`).

    preflight → partitions → snapshot[segment] → shared → transform[partition] → plan[partition] → plan_gate → approve
      → create_tables → <phase>.apply[partition] → <phase>.read_back[segment] → <phase>.verify[partition] → <phase>.gate
      → … → validate → report → verdict

and `<id>_rollback`, the same with the plan read backwards.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG

from include.trueup.steps import BACKWARD, FORWARD

from ..windows import OnDemandWindows
from .approval import question
from .builder import build
from .current import current_run
from .params import declared, options, params
from .rollback_params import rollback_options, rollback_params

if TYPE_CHECKING:
    from include.trueup.declare.migration import Migration
    from include.trueup.run import Options


def build_dag(migration: Migration) -> DAG:
    """The DAG of a migration, with the migration's id. A manual run is of whole tables; a backfill's runs are of their
    days."""

    def asked(context: Any) -> Options:
        return options(context["params"], migration, context["dag_run"])

    return build(
        migration,
        dag_id=migration.id,
        title=migration.title,
        doc=migration.doc,
        schedule=OnDemandWindows("@daily", timezone="UTC"),
        params={**params(), **declared(migration.params)},
        tags=["migration"],
        direction=FORWARD,
        current=partial(current_run, migration, asked),
        question=question,
    )


def build_rollback(migration: Migration) -> DAG:
    """The DAG that undoes a run of a migration, `<id>_rollback`."""

    def asked(context: Any) -> Options:
        return rollback_options(context["params"])

    return build(
        migration,
        dag_id=f"{migration.id}_rollback",
        title=f"Roll back: {migration.title}",
        doc=ROLLBACK_DOC.format(id=migration.id),
        schedule=None,
        params=rollback_params(),
        tags=["rollback"],
        direction=BACKWARD,
        current=partial(current_run, migration, asked, undoes="run"),
        question=question,
    )


ROLLBACK_DOC = """
Undoes one run of `{id}`: rows that it added are deleted, rows that it changed or removed are put back as they were, each
only if it still is what the run wrote. Rows that somebody changed since are left alone, and listed. The reverse plan is shown
before anything is written, and the target is compared, every row, with what it was before the run.

The last run is undone first: a run that a later one built on cannot be rolled back before that one is.
"""
