"""What one step of a run hands to another in a file of the run's folder, with its form in JSON.

Fields that came after the first release have a default, which is what a run of that release means by having none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, Field, JsonValue, PlainSerializer, PlainValidator, TypeAdapter

from ..errors import ArtifactError
from ..stores import Limits, Unique
from .options import Options, SchemaOptions
from .schema_records import Hop
from .where import Where

R = TypeVar("R")


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: object) -> bytes:
    """A record as JSON text (UTF-8)."""
    return _adapter(type(record)).dump_json(record, indent=1, by_alias=True)


def from_json(kind: type[R], content: bytes) -> R:
    """The opposite of `to_json`. Raises `ValueError` for anything else."""
    record: R = _adapter(kind).validate_json(content)
    return record


def from_values(kind: type[R], values: object) -> R:
    """The opposite of `to_values`. Raises `ValueError` for anything else."""
    record: R = _adapter(kind).validate_python(values)
    return record


def to_values(record: object) -> dict[str, JsonValue]:
    """A record as JSON values."""
    values: dict[str, JsonValue] = _adapter(type(record)).dump_python(record, mode="json", by_alias=True)
    return values


def _options(values: Any) -> Options | SchemaOptions:
    return (SchemaOptions if "target_phase" in values else Options).from_json(values)


def _values(options: Options | SchemaOptions) -> dict[str, JsonValue]:
    return options.to_json()


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The plan from whose baseline a run plans: its `run`, that run's `partitions`, the `attempt` that it is of where that run
    has begun again since (else None), and whether the run is `proven`."""

    run: str
    partitions: int
    attempt: int | None = None
    proven: bool


@dataclass(frozen=True, kw_only=True)
class SelfReference:
    """A foreign key of a table to itself: its `name`, and which columns refer to which."""

    name: str
    columns: tuple[str, ...]
    refers_to: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Referring:
    """A foreign key that points at a target: its `name`, with the `table` that has it."""

    name: str
    table: str


@dataclass(frozen=True, kw_only=True)
class TargetFacts:
    """What a target does by itself, as preflight found it (`stores.Description` explains each)."""

    identity: str | None = None
    indexes: tuple[str, ...] | None = None
    """None: not known, as in a run of the first release."""
    sets: Mapping[str, str] = field(default_factory=dict)
    triggers: tuple[str, ...] = ()
    fills: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    unique: tuple[Unique, ...] = ()
    references: tuple[Referring, ...] = ()
    refers_to_itself: tuple[SelfReference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Start:
    """`run.json`: what preflight chose and found, of a run forward, a rollback and a run of schemas alike.

    Of rows: `targets_present`, ids of the targets that were there; `batch_rows` of each target, fixed here since batches are
    known by their number; `undeclared` columns and `expected_rows` by source; `baseline` (None: there is none);
    `undoes`, the run that is undone; `snapshot_of`, the run whose snapshot is used; `tables`, the name of each target's table
    by its server (None in a run of the first release), and `sources`, that of each source's; `targets`, what each does by
    itself; `where`; `attempt`, how often the run had begun (`sources`, `where`, `attempt` None: an older run did not say).
    Of schemas: the `heads` of each database, the `phase` that all are at (None: out of step), and the phases that the run
    passes, in order (`hops`); the last is `REVISIONS` where it ends at revisions that are no phase.
    """

    options: Annotated[Options | SchemaOptions, PlainValidator(_options), PlainSerializer(_values)]
    undoes: str | None = None
    targets_present: tuple[str, ...] = ()
    batch_rows: Mapping[str, int] = field(default_factory=dict)
    undeclared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expected_rows: Mapping[str, int | None] = field(default_factory=dict)
    baseline: Annotated[Baseline | None, Field(validation_alias=AliasChoices("baseline", "base"))] = None
    snapshot_of: str | None = None
    tables: Mapping[str, str] | None = None
    sources: Mapping[str, str] | None = None
    targets: Mapping[str, TargetFacts] = field(default_factory=dict)
    where: Where | None = None
    attempt: int | None = None
    heads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    phase: int | None = None
    hops: tuple[Hop, ...] = ()

    @property
    def row_options(self) -> Options:
        """The options of a run of rows. Raises `ArtifactError` for a run of schemas."""
        if isinstance(self.options, SchemaOptions):
            raise ArtifactError("the run is one of schemas, which has no rows")
        return self.options

    @property
    def schema_options(self) -> SchemaOptions:
        """The options of a run of schemas. Raises `ArtifactError` for a run of rows."""
        if isinstance(self.options, Options):
            raise ArtifactError("the run is one of rows, which changes no schema")
        return self.options


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """`refused.json`: why a turn of a switch was refused: the `reason` in words, at which `step`, `at` (ISO 8601, UTC), and
    `by` whom where a person did; `to`: the state that was asked for, or `next`."""

    step: str
    reason: str
    at: str
    to: str
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class PhaseCounts:
    """What becomes of a phase's rows, in rows.

    Of its source (of a rollback: what the undone run wrote): `source_rows`, which are `written`, `kept` (there is nothing to
    do), `rejected` or `skipped` (by rule), and what is `unaccounted`, which should be 0. `written` and `kept` are what the plan
    says, less what apply has left alone as conflicts so far, and what the store has refused.
    Of its target: `rows` by verb, and `extra`. `figures`: what the transform counts in addition to rows.
    """

    phase: str
    title: str
    source_table: str
    target_table: str
    source_rows: int
    written: int
    kept: int
    rejected: int
    skipped: Mapping[str, int]
    unaccounted: int
    rows: Mapping[str, int]
    figures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Afterwards:
    """`afterwards.json`, beside a run's report, which stays as it was: the rollback that has undone the run since, `at` (ISO
    8601, UTC), and who approved it or, where nobody was asked, triggered it."""

    undone_by: str
    at: str
    by: str | None


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of a range: its window (ISO 8601), the `run` that made its newest plan, the plan's hash, when it was made, and its
    counts (none where the workspace does not have them)."""

    start: str
    end: str
    run: str
    sha256: str
    planned_at: str
    phases: tuple[PhaseCounts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RangeRecord:
    """`range.json`: the days of a range as a person was asked about them, in order."""

    start: str
    end: str
    days: tuple[Day, ...]


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """`plan.json`: the plan as its gate saw it. `sha256` is its hash, `covers` all that the hash is over (`hashing.covered`;
    None in a run of the first release), `created_at` ISO 8601, UTC; `drift_checked`: whether drift could be detected (None:
    there was no run before); `audit`: what the migration counts of what is there, by name (`Migration.audit`): figures, or a
    list of lines."""

    sha256: str
    created_at: str
    drift_checked: bool | None = None
    phases: tuple[PhaseCounts, ...]
    covers: Mapping[str, JsonValue] | None = None
    audit: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A row that is not as planned: its `kind` (`proofs.KINDS`), its `key`, the row as `planned` and as `found` (JSON; None:
    there is none), the `reason` why it was not written, and the `constraint` that refused it, where these are known."""

    kind: str
    key: str
    planned: str | None = None
    found: str | None = None
    reason: str | None = None
    constraint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What verifying an output of a `phase` gave, over all partitions, in target rows: those `compared`, and of these those
    that are `missing`, `different`, `unverified` or `left_alone`; those that have `moved_on`, and those that are `extra`;
    those `reread`; of those `to_keep` by the plan, those that are `gone`. `passed`: none is missing, different or unverified.
    `examples`: a few of those that are not as planned, the worst first."""

    phase: str
    target: str = ""
    """The target's id; empty in a report of the first release."""
    target_table: str
    compared: int
    missing: int
    different: int
    unverified: int
    left_alone: int = 0
    moved_on: int = 0
    extra: int
    reread: int
    to_keep: int = 0
    gone: int = 0
    passed: bool
    examples: tuple[Example, ...] = ()

    def rows(self, kind: str) -> int:
        """How many rows are of that kind (`proofs.KINDS`, or `compared`)."""
        count: int = getattr(self, kind)
        return count

    def of(self, kind: str) -> list[Example]:
        """The examples of that kind."""
        return [example for example in self.examples if example.kind == kind]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a statement about the whole run: YES, NO or a whole number, and whether it `holds`, which only a NO does
    not. Of a statement with a `code`: how many `rows` break it, and the `keys` of the first of them. `id` is the
    statement's, empty where it has none. The NO of an `informative` one fails no run."""

    title: str
    answer: str | int
    holds: bool
    id: str = ""
    code: str | None = None
    rows: int = 0
    keys: tuple[str, ...] = ()
    informative: bool = False

    @property
    def fails(self) -> bool:
        """Whether the answer fails the run."""
        return not (self.holds or self.informative)
