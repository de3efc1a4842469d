"""A run of a migration: what was asked, and all that a step needs to do its part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from ..declare.migration import Migration, Phase, Source, Table, Target
from ..errors import ArtifactError
from ..ledger import Ledger
from ..ledger.holding import holding
from ..rows import duck
from ..steps import Direction, Over, Step, StepName, direction, entered, writes
from ..stores import RELIED_SECONDS, Fence, Store
from ..stores.effects import REAL, Effects
from . import large
from .files import Files
from .options import Options
from .part import Part, Session, part
from .workspace import Manifest, RunFolder, Workspace

MAX_ID = 150
"""Characters of a run id: a folder's name has room for 255 bytes, and manifests and databases are named after it, too."""
_SAFE = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


def run_id(dag_id: str, airflow_run_id: str) -> str:
    """The run's id in ledger and workspace, which may be a folder's name: `<DAG>--<run>`, with every character that is not
    for folders replaced by `-`. Two runs of Airflow never have one id, even where folders' names ignore case: unless
    both names are plain, 8 hex digits of their SHA-256 are appended."""
    text = f"{dag_id}--{airflow_run_id}"
    plain = all(_SAFE.fullmatch(name) and "--" not in name for name in (dag_id, airflow_run_id))
    if plain and len(text) <= MAX_ID and not re.search(r"-[0-9a-f]{8}$", text):
        return text
    named = hashlib.sha256(f"{len(dag_id)}:{dag_id}{airflow_run_id}".encode()).hexdigest()[:8]
    return f"{former_run_id(dag_id, airflow_run_id)[: MAX_ID - 9]}-{named}"


def former_run_id(dag_id: str, airflow_run_id: str) -> str:
    """The id that the run had in the first release, where two runs could have one; of runs that began in its time."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"{dag_id}--{airflow_run_id}").lstrip(".") or "-"


LAST = "last"
"""In place of a run to undo: the last run that wrote rows and is not rolled back."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run, as a step sees it. `airflow_run_id` is what Airflow calls it, if it is one of Airflow's. `store` gives the
    store behind a connection id; `options` has its partitions and segments chosen. `holder` names this process where it
    is the whole run (`ledger.this_process`). `undoes` makes it a rollback: the run whose writes it takes back; before
    preflight also Airflow's name of that run, or `LAST`. `database` is one that steps of the run share (`duck.connect`),
    where one process does several; None: each opens its own. `memory` is what a step may hold that came to the end of what
    it usually may. `effects`: clocks, waiting and chance. `attempt`: how often the run had begun when this was read of it
    (None: it is not known); what is done of it is refused once it has begun again."""

    id: str
    dag_id: str
    airflow_run_id: str | None = None
    migration: Migration
    options: Options
    ledger: Ledger
    workspace: Workspace
    store: Callable[[str], Store]
    holder: str | None = None
    undoes: str | None = None
    database: duckdb.DuckDBPyConnection | None = None
    memory: str | None = None
    effects: Effects = REAL
    attempt: int | None = None

    def chosen(self) -> Run:
        """The run with what its preflight chose; itself, if it has not been through it."""
        start = self.files.begun
        if start is None:
            return self
        return replace(self, options=start.row_options, undoes=start.undoes, attempt=start.attempt)

    @property
    def undone(self) -> Run:
        """Of a rollback: the run that is undone, to read its files. Raises `ArtifactError` before preflight has chosen it."""
        undone = None if self.undoes is None else self.ledger.run(self.undoes)
        if undone is None:
            raise ArtifactError(
                f"run {self.id} has not been through preflight, so the run that it undoes is not chosen yet"
            )
        planned = self.ledger.plans(undone.run_id)[-1:]
        partitions = [row.partitions for row in (undone, *planned)]
        options = replace(self.options, partitions=next((n for n in partitions if n is not None), None))
        return replace(self, id=undone.run_id, undoes=None, options=options, attempt=None)

    @property
    def direction(self) -> Direction:
        """Forward, or backward where it is a rollback."""
        return direction(self.undoes)

    @property
    def steps(self) -> list[Step]:
        """Every step between preflight and report, in order."""
        return self.direction.steps(self.migration)

    def parts(self, step: Step) -> range:
        """The segments or partitions that a step is done for; 0 of one for the run."""
        return self.numbered(step.over)

    def numbered(self, over: Over) -> range:
        """The numbers of the run's segments or partitions; 0 of the run itself."""
        if over == "run":
            return range(1)
        return range(self.segments if over == "segment" else self.partitions)

    @property
    def begun_to_write(self) -> bool:
        """Whether a step that writes has begun since the run last began."""
        return any(writes(row.step) for row in self.ledger.steps(self.id))

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The migration's phases in the order in which this run writes them: a rollback goes backwards."""
        return self.migration.phases[::-1] if self.direction.backwards else self.migration.phases

    @property
    def max_left_alone(self) -> int | None:
        """How many rows may be left alone as somebody else changed them; None: any number for a rollback, which leaves alone
        what was changed since, unless it is given."""
        given = self.options.max_left_alone
        return 0 if given is None and self.undoes is None else given

    def read_with(self, target: Target) -> Source | None:
        """The source that is read for the target too (`Migration.read_with`). A rollback reads no source."""
        return self.migration.read_with(target) if self.undoes is None else None

    def accounts_for(self, phase: Phase) -> str:
        """What the phase's source rows are called: a rollback's are the rows that the other run wrote."""
        return self.migration.driver(phase).name if self.undoes is None else f"what {self.undoes} wrote"

    @property
    def folder(self) -> RunFolder:
        """The run's folder in the workspace."""
        return self.workspace.run(self.id)

    @property
    def files(self) -> Files:
        """The files of the run, by what they are."""
        return Files(self.folder)

    @property
    def partitions(self) -> int:
        """How many partitions the run has. Raises `ArtifactError` before preflight has chosen."""
        if self.options.partitions is None:
            raise ArtifactError(f"run {self.id} has not been through preflight, so its partitions are not chosen yet")
        return self.options.partitions

    @property
    def segments(self) -> int:
        """How many segments the run has. Raises `ArtifactError` before preflight has chosen."""
        if self.options.segments is None:
            raise ArtifactError(f"run {self.id} has not been through preflight, so its segments are not chosen yet")
        return self.options.segments

    def store_of(self, table: Table) -> Store:
        """The store that holds the table."""
        return self.store(table.connection)

    def identity(self, target: Target) -> str:
        """What a hold on the target is taken on."""
        return self.store_of(target.table).identity(target.table)

    @property
    def widest(self) -> int:
        """How many columns the widest of the migration's tables has."""
        tables = [*(s.table for s in self.migration.sources), *(t.table for t in self.migration.targets)]
        return max(len(table.columns) for table in tables)

    def part(
        self, step: StepName, number: int | None = None, *, phase: Phase | None = None, alone: bool = False
    ) -> AbstractContextManager[Part]:
        """Do a part of a step (`run/part.py`): the `number` of its segment or partition, None where it is done for the run;
        `alone`: with a database of its own, whatever steps share."""
        connect = self.connect_alone if alone else self.connect
        return part(self, step, number, phase=phase.id if phase else None, connect=connect)

    @contextmanager
    def session(self, *, alone: bool = False) -> Iterator[Session]:
        """Look at the run's files, with nothing entered and nothing left; `alone`: with a database of its own."""
        with ExitStack() as opened:
            yield Session(self.folder, self.connect_alone if alone else self.connect, opened)

    def manifests(self, step: StepName, phase: Phase | None = None) -> list[Manifest]:
        """What every part of a step has left, by part. Raises `ArtifactError` where a part is missing."""
        row = next(each for each in self.steps if each.id == step and each.phase == phase)
        return self.folder.manifests(entered(step, phase.id if phase else None), len(self.parts(row)))

    @contextmanager
    def connect(self, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to DuckDB for a step: to the database that steps share, else to one that spills to `scratch`."""
        if self.database is None:
            with self.connect_alone(scratch) as connection:
                yield connection
        else:
            with large.named_of(self), duck.connect_to(self.database) as connection:
                yield connection

    @contextmanager
    def connect_alone(self, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to a database of its own, whatever steps share."""
        with large.named_of(self), duck.connect(scratch, self.widest, self.memory) as connection:
            yield connection

    @contextmanager
    def holding(self) -> Iterator[Fence]:
        """Keep the run's place on every target while the block runs (`holding.holding`)."""
        with holding(self.ledger, self.id, self.held_targets, self.holder) as fence:
            if fence.anew:
                self.end_older(fence)
            yield fence

    def end_older(self, fence: Fence) -> None:
        """See that nothing is written any more by an older lease on a target, or an older try of the fence's part. Raises
        `TargetHeldError` for what could be ended and may not."""
        connections = sorted({target.table.connection for target in self.migration.targets})
        ended = [self.store(connection).end_older(fence) for connection in connections]
        if not all(ended) and self.ledger.leases.older_writer(self.id, fence.epochs):
            self.effects.sleep(RELIED_SECONDS)

    @property
    def held_targets(self) -> list[str]:
        """What the run's leases are on."""
        return [self.identity(target) for target in self.migration.targets]

    @contextmanager
    def writing(self, part: Part) -> Iterator[Fence]:
        """Have the right to write to every target while the block runs, as this try of a part of a step: the fence, which is
        active in this thread. Raises `TargetHeldError` or `StatusError` where the run may not write now."""
        with holding(self.ledger, self.id, self.held_targets, self.holder, right=True, part=part.this) as fence:
            self.end_older(fence)
            with fence.active():
                yield fence
