"""A run of a schema migration: what was asked, and all that a verb needs to do its part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from ..errors import ArtifactError, OptionsError
from ..ledger import Ledger
from ..run import Mode
from ..workspace import RunFolder, Workspace
from .history import History, Step
from .model import SchemaMigration


@dataclass(frozen=True, kw_only=True)
class SchemaOptions:
    """What a run was asked to do. `approve_down`: somebody has approved that what going down drops is gone. `realign`:
    databases that are not at one phase are brought to the target each on its own way. Raises `OptionsError`."""

    target_phase: int
    mode: Mode = Mode.APPLY
    approve_down: bool = False
    realign: bool = False

    def __post_init__(self) -> None:
        if self.mode is Mode.VERIFY:
            raise OptionsError("a schema migration has the modes plan and apply")
        if self.target_phase < 0:
            raise OptionsError(f"target_phase is {self.target_phase}; the first phase is 0")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "mode": str(self.mode)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SchemaOptions:
        """The opposite of `to_json`."""
        return cls(**{**values, "mode": Mode(values["mode"])})


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
    def start(self) -> dict[str, Any]:
        """What preflight found: `heads` by database, `phase` (None where they are out of step), `hops`: the phases that
        the run goes through, in order. Raises `ArtifactError` before preflight."""
        found = self.folder.read_json("run.json")
        if found is None:
            raise ArtifactError(f"run {self.id} has not been through preflight; run that first")
        return dict(found)

    def steps(self, database: str) -> list[Step]:
        """Every step of a database, from where preflight found it to the target, in order."""
        heads = tuple(self.start["heads"][database])
        return self.histories[database].steps(heads, self.options.target_phase)

    @property
    def goes_down(self) -> bool:
        """Whether any step goes down."""
        return any(not step.up for database in self.histories for step in self.steps(database))
