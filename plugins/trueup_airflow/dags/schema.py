"""A schema migration's DAG, made from the table of steps (`builder.py`).

preflight → lint → rehearse[database] → approve → backup[database] → apply → gate → report → verdict
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, get_current_context

from include.trueup.steps.schemas import OF_SCHEMAS

from .. import connections
from .builder import build
from .current import HOLDER, ledger_id
from .params import params as shared
from .place import installation
from .schema_approval import question

if TYPE_CHECKING:
    from include.trueup.run import SchemaOptions
    from include.trueup.schema.model import SchemaMigration
    from include.trueup.schema.run import SchemaRun

MODES = {
    "apply": "Apply: lint, rehearse, back up, change the schemas, and judge what changed",
    "plan": "Plan: lint, and rehearse on clones; the databases are not changed",
}


def build_schema_dag(migration: SchemaMigration) -> DAG:
    """The DAG of a schema migration, with the migration's id."""
    return build(
        migration,
        dag_id=migration.id,
        title=migration.title,
        doc=migration.doc,
        schedule=None,
        max_active_runs=1,
        params=params(migration),
        tags=["migration", "schema"],
        direction=OF_SCHEMAS,
        current=partial(current_run, migration),
        question=question,
    )


def params(migration: SchemaMigration) -> dict[str, Param]:
    """The params, in the order of the form."""
    named = ", ".join(f"{history.id}=…" for history in migration.histories)
    titles = "; ".join(f"{phase.number}: {phase.title}" for phase in migration.phases)
    return {
        "target_phase": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=migration.last_phase,
            title="Target phase",
            description="The phase to bring every database to, up or down; empty: the last one, unless revisions are named. "
            f"{titles}.",
        ),
        "target_revision": Param(
            None,
            type=["null", "string"],
            title="Target revisions",
            description=f"In place of a phase, a revision for each database, as {named}; one that is not named stays where it is. "
            "Revisions that are no phase need the field below on databases out of step.",
            section="Single revisions",
        ),
        "mode": Param(
            "apply",
            enum=list(MODES),
            values_display=MODES,
            title="Mode",
            description=f"How far the run goes. {installation()}",
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
            description="After a run that failed half-way, or between phases: bring each database to the target from where it is; "
            "with revisions that are no phase, leave the databases between phases.",
            section="After a failure",
        ),
    }


def options(params: dict[str, Any], last: int) -> SchemaOptions:
    """The run's options; `last`: the last phase. Raises `OptionsError` for what the form cannot check."""
    from include.trueup.run import Mode, SchemaOptions

    target, revisions = params["target_phase"], SchemaOptions.parse_revisions(params["target_revision"])

    return SchemaOptions(
        target_phase=last if target is None and not revisions else target,
        target_revision=revisions,
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
    run = SchemaRun(
        id=ledger_id(ledger, dag_run, first=first),
        dag_id=dag_run.dag_id,
        airflow_run_id=dag_run.run_id,
        migration=migration,
        options=options(context["params"], migration.last_phase),
        ledger=ledger,
        workspace=connections.workspace(),
        uri=connections.database,
        holder=os.environ.get(HOLDER),
    )
    return run if first else run.chosen()
