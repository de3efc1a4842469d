"""Those files of a run's folder that runs on schemas have beside the others (`files.py` is the map of all)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .recorded import recorded
from .records import to_json, to_values
from .schema_records import DatabaseState, Hop, SchemaPlan
from .workspace import RunFolder

SCHEMA_PLAN = "schema-plan.json"
_PROGRESS = "schema/progress.json"
RESTORING = "restoring.json"
RESTORED = "restored.json"


class SchemaFiles:
    """The files of a run on schemas; each that may not be there yet is None until it is."""

    folder: RunFolder

    @property
    def schema_plan(self) -> SchemaPlan | None:
        """The plan of a run on schemas; None before it is made."""
        return recorded(self.folder, SchemaPlan, SCHEMA_PLAN)

    def write_schema_plan(self, plan: SchemaPlan) -> None:
        """Publish the plan of a run on schemas."""
        self.folder.write(SCHEMA_PLAN, to_json(plan))

    @property
    def revisions_begun(self) -> Mapping[str, int]:
        """By database, how many of its revisions the run has begun to run; none before its first."""
        return recorded(self.folder, dict[str, int], _PROGRESS) or {}

    def begin_revision(self, database: str, number: int) -> None:
        """Publish that so many revisions of a database are begun."""
        self.folder.write(_PROGRESS, json.dumps({**self.revisions_begun, database: number}))

    def states(self, phase: Hop | None = None) -> Mapping[str, DatabaseState] | None:
        """The databases as they were when the run began to change them, or before it came to a phase; None before that."""
        return recorded(self.folder, dict[str, DatabaseState], _states(phase))

    def write_states(self, states: Mapping[str, DatabaseState], phase: Hop | None = None) -> None:
        """Publish the databases as they are, for `states`."""
        values = {database: to_values(state) for database, state in states.items()}
        self.folder.write(_states(phase), json.dumps(values, indent=1))


def linted_sql(database: str, number: int, revision: str, way: str) -> str:
    """Where the SQL of a revision lies that was linted: the `number`th of a database, up or down."""
    return f"lint/{database}/{number:02}-{revision}-{way}.sql"


def backed_up(database: str, table: str) -> tuple[str, str]:
    """Where a table's rows lie that were backed up, and the names of their columns."""
    return f"backup/{database}/{table}.copy.gz", f"backup/{database}/{table}.columns.json"


def _states(phase: Hop | None) -> str:
    return "schema/start.json" if phase is None else f"schema/before-phase-{phase}.json"
