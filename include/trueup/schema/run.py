"""A run of a schema migration: what was asked, and all that a verb needs to do its part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from ..ledger import Ledger
from ..ledger import Part as Try
from ..ledger.holding import holding
from ..run import REAL, Effects, Files, Part, SchemaOptions, StepName, part
from ..run.records import from_values
from ..run.schema_records import REVISIONS, BackedUp, Hop, LintFacts, Rehearsed
from ..run.workspace import Manifest, RunFolder, Workspace
from ..steps import Direction, Over, Step
from ..steps.schemas import OF_SCHEMAS
from ..stores import Fence
from ..stores.postgres import PostgresStore
from . import describe
from .describe import Database
from .history import History, Revision
from .model import SchemaMigration


@dataclass(frozen=True, kw_only=True)
class SchemaRun:
    """A run. `uri` gives the database behind a connection id. `holder` names this process where it is the whole run
    (`ledger.this_process`). `attempt`: how often the run had begun when this was read of it (None: it is not known)."""

    id: str
    dag_id: str
    airflow_run_id: str | None = None
    migration: SchemaMigration
    options: SchemaOptions
    ledger: Ledger
    workspace: Workspace
    uri: Callable[[str], Database]
    holder: str | None = None
    effects: Effects = REAL
    attempt: int | None = None

    def chosen(self) -> SchemaRun:
        """The run with the options that it began with; itself, if it has not been through preflight."""
        start = self.files.begun
        return self if start is None else replace(self, options=start.schema_options, attempt=start.attempt)

    @property
    def direction(self) -> Direction:
        """The one of runs on schemas."""
        return OF_SCHEMAS

    @property
    def steps(self) -> list[Step]:
        """Every step between preflight and report, in order."""
        return self.direction.steps(self.migration)

    def parts(self, step: Step) -> Sequence[int | str]:
        """The databases that a step is done for; 0 of one for the run."""
        return self.numbered(step.over)

    def numbered(self, over: Over) -> Sequence[int | str]:
        """The ids of the databases, in their order; 0 of the run itself."""
        return range(1) if over == "run" else list(self.histories)

    def part(
        self, step: StepName, database: str | None = None, *, phase: Hop | None = None
    ) -> AbstractContextManager[Part]:
        """Do a part of a step (`run/part.py`), for one database, or for the run; `phase`: the part of it that is a phase's."""
        return part(self, step, database, phase=None if phase is None else str(phase))

    def manifest(self, step: StepName, database: str | None = None) -> Manifest:
        """What a part of a step has left. Raises `ArtifactError` unless all its parts are there."""
        parts = self.folder.manifests(step, 1 if database is None else len(self.histories))
        (manifest,) = [m for m in parts if database in (None, m.part)]
        return manifest

    @property
    def linted(self) -> LintFacts:
        """What the lint found. Raises `ArtifactError` before it."""
        return from_values(LintFacts, self.manifest(StepName.LINT).facts)

    def rehearsed(self, database: str) -> Rehearsed:
        """What the rehearsal of a database found. Raises `ArtifactError` before all of them are done."""
        return from_values(Rehearsed, self.manifest(StepName.REHEARSE, database).facts)

    def backed_up(self, database: str) -> BackedUp:
        """What the backup of a database holds. Raises `ArtifactError` before all of them are done."""
        return from_values(BackedUp, self.manifest(StepName.BACKUP, database).facts)

    @property
    def begun_to_write(self) -> bool:
        """Whether the run has begun to change the databases."""
        return self.files.states() is not None or bool(self.files.revisions_begun)

    def holding(self) -> AbstractContextManager[Fence]:
        """Keep the run's place on every database while the block runs (`holding.holding`)."""
        return holding(self.ledger, self.id, self.held_targets, self.holder)

    @contextmanager
    def writing(self, part: Part) -> Iterator[Fence]:
        """Have the right to change every database while the block runs, as this try of a part of a step. Raises
        `TargetHeldError` or `StatusError` where the run may not."""
        this = Try(step=part.step, part=part.number, tries=part.tries)
        with holding(self.ledger, self.id, self.held_targets, self.holder, right=True, part=this) as fence:
            self.end_older(fence)
            yield fence

    def end_older(self, fence: Fence) -> None:
        """See that no database is changed any more by an older lease, or an older try of the fence's part. Raises
        `TargetHeldError` for a session that may not be ended."""
        for database in self.histories:
            PostgresStore(self.uri_of(database)).end_older(fence)

    @property
    def held_targets(self) -> list[str]:
        """What the run's leases are on: each database, as its server names it."""
        return [f"{describe.place_as_leased(self.uri_of(database))}#schema" for database in self.histories]

    @property
    def folder(self) -> RunFolder:
        """The run's folder in the workspace."""
        return self.workspace.run(self.id)

    @cached_property
    def histories(self) -> dict[str, History]:
        """The histories, read, by id, in their order."""
        return {declared.id: History(declared) for declared in self.migration.histories}

    def uri_of(self, database: str) -> Database:
        """A database of this migration: how it is reached."""
        return self.uri(self.migration.history(database).connection)

    @property
    def files(self) -> Files:
        """The files of the run, by what they are."""
        return Files(self.folder)

    def revisions(self, database: str) -> list[Revision]:
        """Every step of a database, from where preflight found it to the target, in the order they run."""
        return self.revisions_from(database, self.files.start.heads[database])

    def revisions_from(self, database: str, heads: Sequence[str]) -> list[Revision]:
        """The same, from those heads."""
        history, steps = self.histories[database], list[Revision]()
        for hop in self.files.start.hops:
            for step in self.steps_of(database, heads, hop):
                steps.append(step)
                heads = history.after(heads, step)
        return steps

    def steps_of(self, database: str, heads: Sequence[str], hop: Hop) -> list[Revision]:
        """What brings a database with those heads to a hop."""
        history = self.histories[database]
        if isinstance(hop, int):
            return history.steps(heads, hop)
        wanted = self.options.target_revision.get(database)
        return [] if wanted is None else history.steps_to(heads, wanted)

    def is_at(self, database: str, heads: Sequence[str], hop: Hop) -> bool:
        """Whether a database with those heads is there. Raises `SourceError` where it is between phases, or beyond them."""
        if isinstance(hop, int):
            return hop in self.histories[database].standing(heads)
        return not self.steps_of(database, heads, hop)

    @property
    def target(self) -> Hop:
        """Where the run ends. Raises `ArtifactError` before preflight has found it."""
        start = self.files.start
        if self.options.target_phase is not None:
            return self.options.target_phase
        return start.hops[-1] if start.hops else REVISIONS if start.phase is None else start.phase


def named(hop: Hop) -> str:
    """A hop in words."""
    return f"phase {hop}" if isinstance(hop, int) else "the revisions that were asked for"
