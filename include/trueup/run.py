"""A run of a migration: what was asked, and all that a step needs to do its part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb

from . import duck, large
from .errors import ArtifactError, OptionsError
from .holding import holding
from .ledger import Ledger, Part
from .model import Migration, Phase, Source, Table, Target
from .stores import Fence, Store
from .workspace import RunFolder, Workspace

MAX_PARTS = 256
"""Upper bound of partitions and of segments: each is a mapped task in Airflow."""


class Mode(StrEnum):
    """How far a run goes."""

    PLAN = "plan"  # snapshot, plan and gate; writes to no store
    APPLY = "apply"  # all of it
    VERIFY = "verify"  # compares the target with what it should hold; writes to no store


class Extra(StrEnum):
    """What becomes of target rows that earlier runs added and that the source no longer gives."""

    REPORT = "report"
    REMOVE = "remove"


@dataclass(frozen=True, kw_only=True)
class Window:
    """From `start` (inclusive) to `end` (exclusive), both with a time zone. Raises `OptionsError` if they are not so."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise OptionsError("window_start and window_end need a time zone, such as 2025-01-31T00:00:00Z")
        if self.start >= self.end:
            raise OptionsError(f"the window is empty: it starts at {self.start} and ends at {self.end}")

    @classmethod
    def parse(cls, start: str | None, end: str | None) -> Window | None:
        """From two ISO 8601 texts; both or neither. A date without a time is its midnight, UTC."""
        if not start and not end:
            return None
        if not start or not end:
            raise OptionsError("give both window_start and window_end, or neither")
        try:
            instants = [datetime.fromisoformat(t if "T" in t else f"{t}T00:00:00+00:00") for t in (start, end)]
        except ValueError as error:
            raise OptionsError(f"window_start and window_end must be ISO 8601: {error}") from None
        return cls(start=instants[0], end=instants[1])


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run was asked to do.

    `partitions` (units of planning and applying) and `segments` (units of reading) are 1 … 256, or None to be chosen
    from the tables' size. `write_rate`: rows a second over the whole run, or None for as fast as the store takes them.
    Budgets, of which a plan that is over any fails its gate; shares are 0 … 1. `max_rejects` (rows) and
    `max_reject_share`: source rows that are rejected. `max_remove_share`: of the target rows that earlier runs added,
    those that are to be removed. `max_skip_share`: of a phase's source rows in the window, those that a rule skips which
    the phase does not expect (`Phase.expected_skips`). `max_left_alone` (rows): those that somebody else changed and that
    are left alone (drift at the plan, conflicts when it is applied); None: none in a run, any number in a rollback.
    `allow_lost_baseline`: a plan for which it is not known what earlier runs wrote passes all the same, and what others
    changed since is overwritten. `max_critical`: how many critical expectations may fail. `approval`: a person must approve the plan before
    anything is written. `plan_max_age`: hours after which a plan may no longer be approved or begun to be applied.
    `overwrite_drift`: target rows that somebody else changed since a run wrote them are overwritten, not left alone.
    `extra`: what becomes of target rows that earlier runs added and that the source no longer gives: they are
    reported, or removed.
    `cascade_to`: foreign keys (`schema.table.constraint`) by which rows that refer to a removed row
    may be deleted or emptied with it (ON DELETE CASCADE, SET NULL, SET DEFAULT).
    `snapshot_max_age`: hours for which runs with a window, if they say the same, may share
    one snapshot of the sources; 0: each reads for itself. `params`: what was chosen of `Migration.params`, by id.
    `ignore_columns`: undeclared columns of sources to leave out, each as `table.column`.
    Raises `OptionsError` for values out of bounds.
    """

    mode: Mode = Mode.APPLY
    partitions: int | None = None
    segments: int | None = None
    write_rate: float | None = None
    window: Window | None = None
    max_rejects: int | None = None
    max_reject_share: float = 0.05
    max_remove_share: float = 0.05
    max_skip_share: float = 0.05
    max_left_alone: int | None = None
    allow_lost_baseline: bool = False
    max_critical: int = 0
    approval: bool = False
    plan_max_age: float = 24
    overwrite_drift: bool = False
    extra: Extra = Extra.REPORT
    cascade_to: tuple[str, ...] = ()
    snapshot_max_age: float = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    ignore_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("partitions", "segments"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_PARTS:
                raise OptionsError(f"{name} is {value}; it must be between 1 and {MAX_PARTS}")
        if self.write_rate is not None and self.write_rate <= 0:
            raise OptionsError(f"write_rate is {self.write_rate}; it must be above 0, or left out for no limit")
        if self.plan_max_age <= 0:
            raise OptionsError(f"plan_max_age is {self.plan_max_age} hours; it must be above 0")
        for name in ("max_reject_share", "max_remove_share", "max_skip_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionsError(f"{name} is {getattr(self, name)}; it must be between 0 and 1")
        for name in ("max_rejects", "max_left_alone", "max_critical"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise OptionsError(f"{name} is {value}; it may not be negative")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        window = self.window and {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()}
        return {**asdict(self), "mode": str(self.mode), "extra": str(self.extra), "window": window}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Options:
        """The opposite of `to_json`."""
        window = values["window"] and Window.parse(values["window"]["start"], values["window"]["end"])
        extra = Extra(values.get("extra", Extra.REPORT))  # runs that are older than the option have none
        given = {"mode": Mode(values["mode"]), "extra": extra, "window": window}
        names = {name: tuple(values.get(name, ())) for name in ("cascade_to", "ignore_columns")}
        return cls(**{**values, **given, **names})


MAX_ID = 150
"""Characters of a run id: a folder's name has room for 255 bytes, and manifests and databases are named after it, too."""
_SAFE = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


def run_id(dag_id: str, airflow_run_id: str) -> str:
    """The run's id in ledger and workspace, which may be a folder's name: `<DAG>--<run>`, with every character that is not
    for folders replaced by `-`. Two runs of Airflow never have one id, also where folders' names know no case: unless
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
    it usually may."""

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

    def chosen(self) -> Run:
        """The run with what its preflight chose; itself, if it has not been through it."""
        found = self.folder.read_json("run.json")
        return (
            self
            if found is None
            else replace(self, options=Options.from_json(found["options"]), undoes=found["undoes"])
        )

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The migration's phases in the order in which this run writes them: a rollback goes backwards."""
        return self.migration.phases if self.undoes is None else self.migration.phases[::-1]

    @property
    def max_left_alone(self) -> int | None:
        """How many rows may be left alone as somebody else changed them; None: any number, as a rollback keeps what was
        touched since, unless it is told otherwise."""
        asked = self.options.max_left_alone
        return 0 if asked is None and self.undoes is None else asked

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

    def holding(self) -> AbstractContextManager[Fence]:
        """Keep the run's place on every target while the block runs (`holding.holding`)."""
        return holding(self.ledger, self.id, self.held_targets, self.holder)

    @property
    def held_targets(self) -> list[str]:
        """What the run's leases are on."""
        return [self.identity(target) for target in self.migration.targets]

    @contextmanager
    def writing(self, step: str, part: str, tries: int) -> Iterator[Fence]:
        """Have the right to write to every target while the block runs, as this try of a part of a step: the fence, which is
        active in this thread. Raises `TargetHeldError` or `StatusError` where the run may not write now."""
        this = Part(step=step, part=part, tries=tries)
        with holding(self.ledger, self.id, self.held_targets, self.holder, right=True, part=this) as fence:
            for connection in sorted({target.table.connection for target in self.migration.targets}):
                self.store(connection).end_older(fence)
            with fence.active():
                yield fence
