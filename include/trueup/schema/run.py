"""A run of a schema migration: what was asked, and all that a verb needs to do its part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..ledger import Ledger
from ..run import REAL, Effects, Files, SchemaOptions
from ..run.workspace import RunFolder, Workspace
from .history import History, Step
from .model import SchemaMigration


@dataclass(frozen=True, kw_only=True)
class SchemaRun:
    """A run. `uri` gives the libpq URI behind a connection id. `holder` names this process where it is the whole run
    (`ledger.this_process`)."""

    id: str
    dag_id: str
    airflow_run_id: str | None = None
    migration: SchemaMigration
    options: SchemaOptions
    ledger: Ledger
    workspace: Workspace
    uri: Callable[[str], str]
    holder: str | None = None
    effects: Effects = REAL

    @property
    def folder(self) -> RunFolder:
        """The run's folder in the workspace."""
        return self.workspace.run(self.id)

    @cached_property
    def histories(self) -> dict[str, History]:
        """The histories, read, by id, in their order."""
        return {declared.id: History(declared) for declared in self.migration.histories}

    def uri_of(self, database: str) -> str:
        """The libpq URI of a database of this migration."""
        return self.uri(self.migration.history(database).connection)

    @property
    def files(self) -> Files:
        """The files of the run, by what they are."""
        return Files(self.folder)

    def steps(self, database: str) -> list[Step]:
        """Every step of a database, from where preflight found it to the target, in the order they run."""
        return self.steps_from(database, self.files.start.heads[database])

    def steps_from(self, database: str, heads: Sequence[str]) -> list[Step]:
        """The same, from those heads."""
        history, steps = self.histories[database], list[Step]()
        for hop in self.files.start.hops:
            for step in history.steps(tuple(heads), hop):
                steps.append(step)
                heads = history.after(heads, step)
        return steps
