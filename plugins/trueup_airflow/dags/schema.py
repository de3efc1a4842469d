"""A schema migration's DAG: the verbs of include/trueup/schema as Airflow tasks.

    preflight → lint → rehearse[database] → approve → backup[database] → apply → gate → report → verdict

`report` runs whatever happened, and `verdict`, the only leaf, ends the run as the report says.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from include.trueup.steps import APPROVE

from .. import connections
from .current import HOLDER, ledger_id
from .ending import ending
from .params import params as shared
from .rows import RETRIES, TAB
from .schema_approval import SchemaApproval

if TYPE_CHECKING:
    from include.trueup.run import SchemaOptions
    from include.trueup.schema.model import SchemaMigration
    from include.trueup.schema.run import SchemaRun

log = logging.getLogger(__name__)

MODES = {
    "apply": "Apply: lint, rehearse, back up, change the schemas, and judge what changed",
    "plan": "Plan: lint, and rehearse on clones; the databases are not changed",
}


def build_schema_dag(migration: SchemaMigration) -> DAG:
    """The DAG of a schema migration, with the migration's id."""

    @dag(
        dag_id=migration.id,
        dag_display_name=migration.title,
        description=migration.title,
        doc_md=migration.doc,
        schedule=None,
        catchup=False,
        max_active_runs=1,
        params=params(migration),
        default_args={"owner": migration.owner, **RETRIES},
        tags=["trueup", "migration", "schema"],
        render_template_as_native_obj=True,
    )
    def build() -> None:
        @task
        def preflight() -> list[str]:
            """Find where every database stands, and the way to the target; take the hold."""
            from include.trueup.schema.preflight import preflight

            context = get_current_context()
            run = current_run(migration, first=True)
            return preflight(run, triggered_by=getattr(context["dag_run"], "triggering_user_name", None))

        @task
        def lint() -> dict[str, int]:
            """Judge the SQL that each revision would run."""
            from include.trueup.schema.verbs import lint

            return lint(current_run(migration))

        @task(map_index_template="{{ task.op_kwargs['database'] }}")
        def rehearse(database: str) -> dict[str, Any]:
            """Run the revisions on a clone: up, sample rows in, down, up again."""
            from include.trueup.schema.verbs import rehearsal

            return rehearsal(current_run(migration), database)

        @task(map_index_template="{{ task.op_kwargs['database'] }}")
        def backup(database: str) -> dict[str, int]:
            """Copy the rows of every table that will be changed or dropped."""
            from include.trueup.schema.verbs import backup

            return backup(_applying(migration), database)

        @task
        def apply() -> dict[str, int]:
            """Run the revisions, phase by phase, with a gate after each."""
            from include.trueup.schema.apply import apply

            return apply(_applying(migration))

        @task
        def gate() -> dict[str, int]:
            """Judge the whole, from databases that are read again."""
            from include.trueup.schema.apply import gate

            return gate(_applying(migration))

        databases: Any = preflight()
        rehearsed = rehearse.expand(database=databases)
        saved = backup.expand(database=databases)
        report, verdict = ending(partial(current_run, migration), _report)
        approve = SchemaApproval(task_id=APPROVE, current=partial(current_run, migration), tab=TAB)
        databases >> lint() >> rehearsed >> approve >> saved >> apply() >> gate() >> report >> verdict

    return build()


def _report(run: SchemaRun, failed: Sequence[str]) -> dict[str, Any]:
    from include.trueup.schema.report import report

    return report(run, failed)


def params(migration: SchemaMigration) -> dict[str, Param]:
    """The params, in the order of the form."""
    titles = "; ".join(f"{phase.number}: {phase.title}" for phase in migration.phases)
    return {
        "target_phase": Param(
            migration.last_phase,
            type="integer",
            minimum=0,
            maximum=migration.last_phase,
            title="Target phase",
            description=f"The phase to bring every database to, up or down. {titles}.",
        ),
        "mode": Param(
            "apply", enum=list(MODES), values_display=MODES, title="Mode", description="How far the run goes."
        ),
        "approval": shared()["approval"],
        "plan_max_age": shared()["plan_max_age"],
        "approve_down": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9a-f]{64}$",
            title="The plan that may go down, where nobody is asked",
            description="Going down drops tables and columns with their rows. Without approval by a person such a run is refused, "
            "with the rows and the plan's hash; this names that hash, once they have been read.",
            section="Going down",
        ),
        "realign": Param(
            False,
            type="boolean",
            title="Databases may be out of step",
            description="After a run that failed half-way: bring each database to the target from where it is.",
            section="After a failure",
        ),
    }


def options(params: dict[str, Any]) -> SchemaOptions:
    """The run's options. Raises `OptionsError` for what the form cannot check."""
    from include.trueup.run import Mode, SchemaOptions

    return SchemaOptions(
        target_phase=params["target_phase"],
        mode=Mode(params["mode"]),
        approval=params["approval"],
        approve_down=params["approve_down"],
        plan_max_age=params["plan_max_age"],
        realign=params["realign"],
    )


def current_run(migration: SchemaMigration, *, first: bool = False) -> SchemaRun:
    """The run that the current task belongs to; `first`: in preflight."""
    from include.trueup.schema.run import SchemaRun

    context = get_current_context()
    dag_run = context["dag_run"]
    ledger = connections.ledger()
    return SchemaRun(
        id=ledger_id(ledger, dag_run, first=first),
        dag_id=dag_run.dag_id,
        airflow_run_id=dag_run.run_id,
        migration=migration,
        options=options(context["params"]),
        ledger=ledger,
        workspace=connections.workspace(),
        uri=connections.database_uri,
        holder=os.environ.get(HOLDER),
    )


def _applying(migration: SchemaMigration) -> SchemaRun:
    """The current run; in mode plan the task is skipped."""
    run = current_run(migration)
    if run.options.mode == "plan":
        raise AirflowSkipException("mode plan: nothing is changed")
    return run
