"""The DAG that puts a backup of a run on schemas back: one task, which checks, restores and proves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param, dag, get_current_context, task

from .. import connections
from .builder import RETRIES
from .place import document, installation

if TYPE_CHECKING:
    from include.trueup.schema.model import SchemaMigration

log = logging.getLogger(__name__)
RESTORE = "_restore"
DOC = """
# Restore

Puts the rows that a run of **{id}** backed up before it changed or dropped their tables back into the tables of the same names: of the
database that `database` names, or of the one behind the connection `into`.

The tables must be there (bring the database to the phase that has them first) and **hold no rows**: otherwise nothing is
restored, and the message names them with their rows. All tables are filled in one transaction, which others cannot write in
between; afterwards the database is read again, and each table's count of rows and the checksum of each of its columns must be
those of the backup, whose files are checked by SHA-256. `restored.json` in the folder of the restore has them.
"""


def build_schema_restore(migration: SchemaMigration) -> DAG:
    """The DAG `<migration>_restore`."""

    @dag(
        dag_id=migration.id + RESTORE,
        dag_display_name=f"{migration.title}: restore",
        description=f"Puts a backup of a run of {migration.id} back into a database",
        doc_md=document(DOC.format(id=migration.id)),
        schedule=None,
        catchup=False,
        max_active_runs=1,
        params=params(migration),
        default_args={"owner": migration.owner, **RETRIES},
        tags=["trueup", "restore", "schema"],
        render_template_as_native_obj=True,
    )
    def build() -> None:
        @task
        def restore() -> dict[str, int]:
            """Restore, and prove it by counts and checksums; rows by table."""
            return _restore(migration)

        restore()

    return build()


def params(migration: SchemaMigration) -> dict[str, Param]:
    """The params, in the order of the form."""
    return {
        "run": Param(
            type="string",
            minLength=1,
            title="Run",
            description=f"The run of {migration.id} whose backup is put back, by its run id in Airflow or in the ledger. {installation()}",
        ),
        "database": Param(
            type="string",
            enum=[history.id for history in migration.histories],
            title="Database",
            description="The database whose backup it is, and into which it is put back, unless another is named below.",
        ),
        "into": Param(
            None,
            type=["null", "string"],
            title="Into another database",
            description="The Airflow connection (type postgres) of the database to restore into. Empty: the database's own.",
            section="More",
        ),
        "tables": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Only these tables",
            description="Empty: every table of the backup.",
            section="More",
        ),
    }


def _restore(migration: SchemaMigration) -> dict[str, int]:
    from include.trueup.errors import OptionsError
    from include.trueup.run import run_id
    from include.trueup.schema.restore import restore

    context = get_current_context()
    asked = context["params"]
    ledger, workspace = connections.ledger(), connections.workspace()
    names = (asked["run"], run_id(migration.id, asked["run"]))
    entered = (
        next((row for name in names if (row := ledger.run(name)) is not None), None) if ledger.is_upgraded() else None
    )
    if entered is None or entered.migration_id != migration.id:
        raise OptionsError(f"run: the ledger has no run {asked['run']!r} of {migration.id}; its page names it")
    own = workspace.run(run_id(context["dag_run"].dag_id, context["dag_run"].run_id))
    into = asked["into"] or migration.history(asked["database"]).connection
    restored = restore(
        own,
        workspace.run(entered.run_id),
        asked["database"],
        connections.database(into),
        tables=asked["tables"],
        ledger=ledger,
    )
    counts = {each.table: each.rows for each in restored.tables}
    log.info("restored into %s and proven by count and checksum: %s", restored.place, counts)
    return counts
