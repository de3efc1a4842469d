"""What an author writes with: Migration, Phase, Source, Target, Table, Column types.

A declaration is immutable and knows nothing of batches, retries, connections' secrets or Airflow.
It is checked when it is made: a mistake is a `DeclarationError` that names it.

All of it is imported from here; `table` and `relations` hold what a migration is made of, this file the migration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import DeclarationError
from . import pure
from .cost import Cost
from .defaults import beside, check_script, columns, readme, title_of
from .former import takes_former
from .given import check_constants, check_functions, check_settings
from .kinds import check_kinds
from .names import RELATIONS, check_id, check_relations, check_tuple, one_of
from .param import Param
from .phase import Output, Phase, SuiteFactory
from .preconditions import Breach, Precondition
from .relations import Derived, Source, Target
from .statement import Statement
from .table import Index, Table, Type
from .turns import Guard, Shadow, WayBack

__all__ = [
    "Breach",
    "Cost",
    "Derived",
    "Guard",
    "Index",
    "Migration",
    "Output",
    "Param",
    "Phase",
    "Precondition",
    "Shadow",
    "Source",
    "Statement",
    "SuiteFactory",
    "Table",
    "Target",
    "Type",
    "WayBack",
    "columns",
]


STATES = ("legacy", "dual", "new")
"""States of a migration's switch, in order."""


@takes_former(
    {"partition_by": "each Source says it; leave it out here"},
    lambda given: {name: value for name, value in given.items() if name != "partition_by"},
)
@dataclass(frozen=True, kw_only=True)
class Migration:
    """The declaration of a migration. `shared` are DuckDB queries, run once over whole sources; each result is a
    relation, by its name, in every transform.

    `params` are asked for in the DAG's form; a transform sees them as the relation `params` (id, value), as text.
    `constants` are relations made of code: rows of the same columns, each value as text or null. `functions` are what
    SQL may call by that name: of texts (or nulls) a text (or null); pure, since a plan is made once and may be made
    again. `settings`: what the application's settings are in each state of the migration's switch (legacy, dual, new),
    by name, the same names in each; an application reads them by `switch.settings`. `shadow`: the comparison without which
    the switch is not turned forward; `guards`: what is counted in the databases before it is; `way_back`: the migration whose
    proof the last turn back needs. `cost`: what its transforms cost, which is said and approved before they run. `audit`: what
    the plan is to tell of what is there, by name: DuckDB queries over what a transform sees, in each partition, whatever
    the window; the columns of text name a line, those of whole numbers are summed over all partitions.
    `preconditions`: what must hold in the databases beside the rows, judged with the plan.

    What has one sensible value need not be said: the `title` is the id in words, `doc` the README.md beside the module
    that declares (relative paths are from there), and one source that is brought into one target by `rows.sql` is the only
    phase. `suite` gives expectations on the counts of every phase, beside the engine's own (`gate.suites.counts`).
    """

    id: str
    title: str = ""
    owner: str
    doc: str = ""
    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    phases: tuple[Phase, ...] = ()
    suite: SuiteFactory | None = None
    shared: Mapping[str, Path] = field(default_factory=dict)
    derived: tuple[Derived, ...] = ()
    statements: tuple[Statement, ...] = ()
    params: tuple[Param, ...] = ()
    constants: Mapping[str, tuple[Mapping[str, str | None], ...]] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., str | None]] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, str | bool]] = field(default_factory=dict)
    shadow: Shadow | None = None
    guards: tuple[Guard, ...] = ()
    cost: Cost | None = None
    way_back: WayBack | None = None
    audit: Mapping[str, Path] = field(default_factory=dict)
    preconditions: tuple[Precondition, ...] = ()

    def __post_init__(self) -> None:
        check_id("migration", self.id)
        check_kinds(f"migration {self.id!r}", self)
        for name in ("sources", "targets", "phases", "derived", "statements", "params"):
            check_tuple(f"migration {self.id!r}: {name}", getattr(self, name))
        for name, value in {
            "title": self.title or title_of(self.id),
            "doc": self.doc or readme(),
            "phases": tuple(self.phases) or self._only_phase(),
            "shared": {name: beside(path) for name, path in self.shared.items()},
            "audit": {name: beside(path) for name, path in self.audit.items()},
        }.items():
            object.__setattr__(self, name, value)
        self._check_switch()
        self._check_audit()
        self._check_names()
        check_constants(self.constants)
        check_functions(self.functions)
        if not self.phases:
            raise DeclarationError(
                f"migration {self.id!r} has no phase, and it is not one source that is brought into one target; say phases=(…)"
            )
        self._check_partitions()
        for phase in self.phases:
            self._check_phase(phase)
        self._check_targets()
        object.__setattr__(self, "sources", tuple(map(self._as_written, self.sources)))

    def _only_phase(self) -> tuple[Phase, ...]:
        driving = [source for source in self.sources if source.partition_by is not None]
        if len(driving) != 1 or len(self.targets) != 1:
            return ()
        return (Phase(source=driving[0].id, target=self.targets[0].id, transform=Path("rows.sql")),)

    def _check_switch(self) -> None:
        check_settings(f"migration {self.id!r}", self.settings, STATES)
        if (self.shadow or self.guards or self.way_back) and not self.settings:
            raise DeclarationError(
                f"migration {self.id!r}: a shadow, guards and a way back are for its switch; it has none without settings"
            )

    def _check_names(self) -> None:
        views = {output.view for phase in self.phases for output in phase.outputs}
        check_relations(f"migration {self.id!r}", self._relations(), {*RELATIONS, *views})
        if self.statements:
            reserved = {f"{when}_{target.id}" for target in self.targets for when in ("before", "after")}
            reserved |= {"left_alone", "written"}
            check_relations(f"statements of migration {self.id!r}", (s.id for s in self.sources), reserved)
        for kind, ids in (("phases", [p.id for p in self.phases]), ("params", [p.id for p in self.params])):
            if twice := sorted({id for id in ids if ids.count(id) > 1}):
                raise DeclarationError(
                    f"migration {self.id!r}: two {kind} share an id: {twice[0]!r}; give each its own"
                )

    def _check_targets(self) -> None:
        tables: dict[tuple[str, str], str] = {}
        for target in self.targets:
            if not self.outputs(target.id):
                raise DeclarationError(
                    f"migration {self.id!r}: no phase writes target {target.id!r}; give it one, or leave the target out"
                )
            other = tables.setdefault((target.table.connection, target.table.name), target.id)
            if other != target.id:
                raise DeclarationError(
                    f"migration {self.id!r}: targets {other!r} and {target.id!r} are the same table {target.table.name!r}; "
                    "declare it once, and let several phases write it"
                )

    def _check_partitions(self) -> None:
        parted = [source for source in self.sources if source.partition_by is not None]
        for source in parted:
            if len(source.partition_by or ()) != len(parted[0].partition_by or ()):
                raise DeclarationError(
                    f"source {source.id!r}: partition_by {source.partition_by} does not have as many columns "
                    f"as {parted[0].partition_by} of source {parted[0].id!r}; rows that belong together must "
                    "have the same values in them"
                )

    def _check_audit(self) -> None:
        for name, path in self.audit.items():
            check_id("audit", name)
            check_script(f"audit {name!r} of migration {self.id!r}", path)
        for name, path in self.shared.items():
            check_script(f"shared {name!r}", path)

    def _as_written(self, source: Source) -> Source:
        """The source, whose table has the columns and the script that a target of the same table names (`Target.adds`)."""
        for target in self.targets:
            if (target.table.connection, target.table.name) == (source.table.connection, source.table.name):
                adds = tuple(name for name in target.adds if name in source.columns)
                return replace(source, table=replace(source.table, create=target.table.create, adds=adds))
        return source

    def _relations(self) -> list[str]:
        """The names of everything that a transform sees by a name of its author's."""
        declared: tuple[Source | Derived | Target, ...] = (*self.sources, *self.derived, *self.targets)
        return [*(each.id for each in declared), *self.shared, *self.constants]

    def _drivers(self) -> dict[str, Source | Derived]:
        every: tuple[Source | Derived, ...] = (*self.sources, *self.derived)
        return {each.id: each for each in every}

    def _check_phase(self, phase: Phase) -> None:
        if phase.source not in self._drivers():
            raise DeclarationError(
                f"phase {phase.id!r}: no source {phase.source!r}; {one_of(phase.source, self._drivers())}"
            )
        driver = self.driver(phase)
        if isinstance(driver, Source) and driver.partition_by is None:
            raise DeclarationError(
                f"phase {phase.id!r}: source {phase.source!r} is a look-up (partition_by=None), which every partition sees "
                "whole, so its rows would be planned once in each; leave partition_by out, for the key"
            )
        for name in pure.parameters(phase.function) if phase.function else ():
            if name not in (known := {*self._relations(), "params", "undeclared"}):
                raise DeclarationError(
                    f"phase {phase.id!r}: its transform asks for {name!r}, which is not a relation; {one_of(name, known)}"
                )
        for output in phase.outputs:
            if output.target not in {t.id for t in self.targets}:
                raise DeclarationError(
                    f"phase {phase.id!r}: no target {output.target!r}; "
                    f"{one_of(output.target, (t.id for t in self.targets))}"
                )
            self._check_parent(phase, output)
        for column in phase.replaces:
            if column not in (names := self.target(phase.target).table.columns):
                raise DeclarationError(
                    f"phase {phase.id!r}: replaces names {column!r}, which is not a column of {phase.target!r}; "
                    f"{one_of(column, names)}"
                )
        if len({self.target(output.target).table.connection for output in phase.outputs}) > 1:
            raise DeclarationError(
                f"phase {phase.id!r}: its targets lie behind different connections, which no transaction spans"
            )

    def _check_parent(self, phase: Phase, output: Output) -> None:
        target, first = self.target(output.target), self.target(phase.outputs[0].target)
        if output.parent and (output == phase.outputs[0] or phase.keeps_existing):
            raise DeclarationError(
                f"phase {phase.id!r}: a parent is of a further output, whose rows are replaced as a set; the first output has none, "
                "and a phase that keeps existing rows replaces none"
            )
        if output.parent and (
            target.placed_by != output.parent
            or first.placed_by != first.table.key
            or len(output.parent) != len(first.table.key)
            or target.owned is not None
        ):
            raise DeclarationError(
                f"phase {phase.id!r}: rows of target {target.id!r} belong to rows of {first.id!r} by {list(output.parent)}: make "
                "these the target's partition_by, as many as the key of the other, which has no partition_by of its own; and "
                "the table must be the migration's (no owned)"
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
