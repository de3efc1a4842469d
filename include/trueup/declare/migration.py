"""What an author writes with: Migration, Phase, Source, Target, Table, Column types.

A declaration is immutable and knows nothing of batches, retries, connections' secrets or Airflow.
It is checked when it is made: a mistake is a `DeclarationError` that names it.

All of it is imported from here; `table` and `relations` hold what a migration is made of, this file the migration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import DeclarationError
from .names import check_columns, check_id, check_relations
from .relations import Derived, Source, Target
from .table import Index, Table, Type

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

__all__ = [
    "Derived",
    "Index",
    "Migration",
    "Output",
    "Param",
    "Phase",
    "Source",
    "Statement",
    "SuiteFactory",
    "Table",
    "Target",
    "Type",
]


@dataclass(frozen=True, kw_only=True)
class Param:
    """What a person may choose for a run of a DAG, beside what all DAGs ask: a field of the form. `type` is JSON
    Schema's. `choices` are the values allowed (any, if there are none); with `optional`, none may be chosen. A number
    has a `minimum` and a `maximum`, both inclusive."""

    id: str
    title: str
    description: str
    type: Literal["string", "integer", "number", "boolean"]
    default: str | int | float | bool | None = None
    choices: tuple[str | int | float, ...] = ()
    optional: bool = False
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        check_id("param", self.id)
        if self.type in ("integer", "number") and not self.choices and (self.minimum is None or self.maximum is None):
            raise DeclarationError(f"param {self.id!r}: a number needs a minimum and a maximum")
        if self.default is None and not self.optional:
            raise DeclarationError(f"param {self.id!r}: give it a default, or make it optional")


SuiteFactory = Callable[[], "list[Expectation]"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Rows of one target that a phase makes: `name` (of files and counts), `view` (of the transform), the target's id."""

    name: str
    view: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One source table brought into one target table, or into two.

    `source` is the id of the source (or derived relation) whose rows this phase accounts for, `target` the id of the
    target it writes. `transform` is a DuckDB script, or several that run in their order. It sees, as relations, every
    source (this partition; look-ups whole), every derived and shared relation, and under each target's id the rows that
    earlier phases planned for it. It must define two views:

    - `rows`: the target's columns, `_source`, and (optionally) `_extra` and `_mistyped`: one row per target row that
      should be; columns of the target that the migration does not own may be left out;
    - `findings`: `_source`, `key`, `severity`, `code`, `message`. Severity `reject`: the source row is put in
      quarantine; `warning`: it is written, and reported; `keep`: there is nothing to do for it; `skip`: it is left out
      by the rule that `code` names. The last two are counted, not reported.

    It may define a third, `figures` (`name`, `value`, a whole number): what else the plan is to say, such as what it
    will cost; summed over all partitions.

    Every source's relation has `_key` (its key as text), `_extra` (JSON: columns that are not declared) and `_mistyped`
    (JSON: values that do not fit the declared type, which are null in their column). Such a value must be read: carried
    in `_extra` or `_mistyped` of `rows`, taken by its name, or told of in a finding; else the row is a reject of the
    engine's own, `unread_value`.

    Every source row must appear in `rows`, or have one of reject, keep and skip in `findings`; the engine counts, and a
    row that does neither, or both, fails the gate. The macro `in_window(instant)` says whether the run is about an
    instant; without a window it is about every row.

    `also` is the id of a second target, whose rows the script gives as `rows_also`: what one source row makes of both
    is written in one transaction, so they must lie in one partition. `keeps_existing`: a target row that exists is
    kept, never changed, and where it is not what the transform gives, a warning with this code is reported. `suite`
    returns the expectations on the planned rows, `suite_also` those on the rows of the second target; `allow_empty`
    says that a run may plan no row here at all (otherwise a suite over zero rows fails). `expected_skips` are rules (codes
    of findings of severity `skip`) that may leave out any number of rows; what other rules leave out is within the run's
    budget (`Options.max_skip_share`). `after` are scripts run
    against the target's store, each in a transaction of its own, when the phase has passed its gate; they must be safe
    to run again.
    """

    id: str
    title: str
    source: str
    target: str
    transform: Path | tuple[Path, ...]
    suite: SuiteFactory
    also: str | None = None
    suite_also: SuiteFactory | None = None
    keeps_existing: str | None = None
    allow_empty: bool = False
    expected_skips: tuple[str, ...] = ()
    after: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        check_id("phase", self.id)
        for path in (*self.scripts, *self.after):
            if not path.is_file():
                raise DeclarationError(f"phase {self.id!r}: there is no script {path}")

    @property
    def scripts(self) -> tuple[Path, ...]:
        """The scripts of `transform`."""
        return self.transform if isinstance(self.transform, tuple) else (self.transform,)

    @property
    def suites(self) -> tuple[tuple[Output, SuiteFactory], ...]:
        """Each output that has a suite, with it."""
        pairs = zip(self.outputs, (self.suite, self.suite_also), strict=False)
        return tuple((output, suite) for output, suite in pairs if suite is not None)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the phase makes, the first of it for `target`."""
        first = Output(name=self.id, view="rows", target=self.target)
        return (first, Output(name=f"{self.id}-also", view="rows_also", target=self.also)) if self.also else (first,)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement about a whole run that its report makes, answered when the run is judged: `query` is a DuckDB query
    for one value, a boolean (YES or NO; NO fails the run) or a whole number.

    It sees, as relations over whole tables: every source, as it was read; `before_<target>` and `after_<target>`, the
    rows of each target as they were before the run and as they were last read back; and `left_alone` (target, key),
    the rows that apply left alone as conflicts, and those that others changed meanwhile though no phase meant to write them.
    """

    title: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Migration:
    """The declaration of a migration. `shared` are DuckDB queries, run once over whole sources; each result is a
    relation, by its name, in every transform.

    `params` are asked for in the DAG's form; a transform sees them as the relation `params` (id, value), as text.
    `constants` are relations made of code: rows of the same columns, each value as text or null. `functions` are what
    SQL may call by that name: of texts (or nulls) a text (or null); pure, since a plan is made once and may be made
    again. `settings`: what the application's settings are in each state of the migration's switch (legacy, dual, new),
    by name, the same names in each; an application reads them by `switch.settings`.
    """

    id: str
    title: str
    owner: str
    doc: str
    partition_by: tuple[str, ...]
    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    phases: tuple[Phase, ...]
    suite: SuiteFactory
    shared: Mapping[str, Path] = field(default_factory=dict)
    derived: tuple[Derived, ...] = ()
    statements: tuple[Statement, ...] = ()
    params: tuple[Param, ...] = ()
    constants: Mapping[str, tuple[Mapping[str, str | None], ...]] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., str | None]] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, str | bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_id("migration", self.id)
        if self.settings and (
            {*self.settings} != {"legacy", "dual", "new"} or len({frozenset(s) for s in self.settings.values()}) > 1
        ):
            raise DeclarationError(
                f"migration {self.id!r}: settings must name the same settings for each of legacy, dual and new"
            )
        check_relations(f"migration {self.id!r}", self._relations())
        if self.statements:
            told = {f"{when}_{target.id}" for target in self.targets for when in ("before", "after")} | {"left_alone"}
            check_relations(f"statements of migration {self.id!r}", (s.id for s in self.sources), told)
        for name, rows in self.constants.items():
            for row in rows[:1]:
                check_columns(f"constant {name!r}", row, reserved=())
        if not self.phases:
            raise DeclarationError(f"migration {self.id!r} has no phase")
        if len({p.id for p in self.phases}) != len(self.phases):
            raise DeclarationError(f"migration {self.id!r}: two phases share an id")
        for source in self.sources:
            if source.partition_by is not None and len(source.partition_by) != len(self.partition_by):
                raise DeclarationError(
                    f"source {source.id!r}: partition_by must match the migration's {self.partition_by}"
                )
        for phase in self.phases:
            self._check_phase(phase)

    def _relations(self) -> list[str]:
        """The names of everything that a transform sees by a name of its author's."""
        declared: tuple[Source | Derived | Target, ...] = (*self.sources, *self.derived, *self.targets)
        return [*(each.id for each in declared), *self.shared, *self.constants]

    def _drivers(self) -> dict[str, Source | Derived]:
        every: tuple[Source | Derived, ...] = (*self.sources, *self.derived)
        return {each.id: each for each in every}

    def _check_phase(self, phase: Phase) -> None:
        if phase.source not in self._drivers():
            raise DeclarationError(f"phase {phase.id!r}: no source {phase.source!r}")
        for target in (phase.target, phase.also):
            if target is not None and target not in {t.id for t in self.targets}:
                raise DeclarationError(f"phase {phase.id!r}: no target {target!r}")
        if len({self.target(output.target).table.connection for output in phase.outputs}) > 1:
            raise DeclarationError(
                f"phase {phase.id!r}: its targets lie behind different connections, which no transaction spans"
            )

    @property
    def connections(self) -> frozenset[str]:
        """The ids of the connections that its runs use."""
        return frozenset(t.connection for t in (*(s.table for s in self.sources), *(t.table for t in self.targets)))

    def source(self, id: str) -> Source:
        """The source of that id. Raises KeyError."""
        return {s.id: s for s in self.sources}[id]

    def driver(self, phase: Phase) -> Source | Derived:
        """What the phase accounts for."""
        return self._drivers()[phase.source]

    def outputs(self, target: str) -> list[Output]:
        """Every output of every phase for that target, in order."""
        return [output for phase in self.phases for output in phase.outputs if output.target == target]

    def read_with(self, target: Target) -> Source | None:
        """The source that is the same table, partitioned in the same way: it is read once, for both, so that what a
        transform sees of it and what a change is conditional on are of one moment."""
        same = (s for s in self.sources if s.table == target.table and s.partition_by == target.placed_by)
        return next(same, None)

    def target(self, id: str) -> Target:
        """The target of that id. Raises KeyError."""
        return {t.id: t for t in self.targets}[id]

    def phase(self, id: str) -> Phase:
        """The phase of that id. Raises KeyError."""
        return {p.id: p for p in self.phases}[id]
