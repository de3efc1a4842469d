"""A run of a schema migration: what was asked, and all that a verb needs to do its part."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from ..errors import ArtifactError, OptionsError
from ..ledger import Ledger
from ..run import Mode
from ..workspace import RunFolder, Workspace
from .history import History, Step
from .model import SchemaMigration

START = "schema/start.json"
"""The databases as they were when the run began to change them."""
PROGRESS = "schema/progress.json"
"""By database, how many of its steps the run has begun."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class SchemaOptions:
    """What a run was asked to do. `approval`: a person must approve the plan before anything is changed. `approve_down`:
    where nobody is asked, the hash of the plan that may go down, as a refused run named it. `plan_max_age`: hours after
    which a plan may no longer be approved or begun. `realign`: databases that are not at one phase are brought to the
    target each on its own way. Raises `OptionsError`."""

    target_phase: int
    mode: Mode = Mode.APPLY
    approval: bool = False
    approve_down: str | None = None
    plan_max_age: float = 24
    realign: bool = False

    def __post_init__(self) -> None:
        if self.mode is Mode.VERIFY:
            raise OptionsError("a schema migration has the modes plan and apply")
        if self.target_phase < 0:
            raise OptionsError(f"target_phase is {self.target_phase}; the first phase is 0")
        if self.plan_max_age <= 0:
            raise OptionsError(f"plan_max_age is {self.plan_max_age} hours; it must be above 0")
        named: object = self.approve_down  # the form, or whoever calls, may give anything
        if named is not None and not (isinstance(named, str) and _SHA256.fullmatch(named)):
            raise OptionsError(
                f"approve_down is {named!r}; it must be the hash of the plan (64 hexadecimal digits) that a run which was "
                "refused, or one in mode plan, named: what goes has to be seen before it is approved"
            )

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "mode": str(self.mode)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SchemaOptions:
        """The opposite of `to_json`; of a run of the first release, whose `approve_down` named no plan, too."""
        named = values.get("approve_down")
        return cls(
            **{**values, "mode": Mode(values["mode"]), "approve_down": None if isinstance(named, bool) else named}
        )


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
        """Every step of a database, from where preflight found it to the target, in the order they run."""
        return self.steps_from(database, self.start["heads"][database])

    def steps_from(self, database: str, heads: Sequence[str]) -> list[Step]:
        """The same, from those heads."""
        history, steps = self.histories[database], list[Step]()
        for hop in self.start["hops"]:
            for step in history.steps(tuple(heads), hop):
                steps.append(step)
                heads = history.after(heads, step)
        return steps
