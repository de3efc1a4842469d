"""What a migration reads and writes, each a relation of its id in a transform: Source, Derived, Target.

Imported from `model`, as everything that a declaration is written with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DeclarationError
from .defaults import beside, check_script, id_of
from .former import renamed, takes_former
from .kinds import check_kinds
from .names import KEY, check_columns, check_id, check_tuple, one_of
from .table import Table, Type

WINDOWED = (Type.TIMESTAMP, Type.DATETIME, Type.DATE, Type.TEXT)
"""Types of a column by which rows lie in a date window; a text is read as ISO 8601."""


def _check_table(given: object) -> None:
    if not isinstance(given, Table):
        raise DeclarationError(f"table is {given!r}; give a Table(name=…, connection=…, key=…, columns=…)")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table that is read, never written. Its `id` is the table's name, unless given (`defaults.id_of`).

    `partition_by`: the columns whose hash decides a row's partition, as many, in the same order, in each source: the
    table's key, unless given; None makes it a look-up that every partition sees whole. `window`: the column (ISO 8601 text, TIMESTAMP,
    or DATE and DATETIME, which count as UTC) that a date window filters on; None where rows of this source are never windowed.

    A column of the table that is not declared must be accounted for: `ignores` are those that the migration leaves out,
    by name; `carries_extra` says that the transform carries them (`_extra`; a script that looks at `_extra` counts as
    carrying it without). Look-ups are exempt, and in place the columns that are not owned.
    """

    id: str = ""
    table: Table
    partition_by: tuple[str, ...] | None = ()
    window: str | None = None
    ignores: tuple[str, ...] = ()
    carries_extra: bool = False

    def __post_init__(self) -> None:
        _check_table(self.table)
        object.__setattr__(self, "id", self.id or id_of(self.table.name))
        given: object = self.partition_by
        if given == () or isinstance(given, str):
            object.__setattr__(self, "partition_by", (given,) if isinstance(given, str) else self.table.key)
        check_id("source", self.id)
        check_kinds(f"source {self.id!r}", self)
        if both := sorted({*self.ignores} & {*self.table.columns}):
            raise DeclarationError(f"source {self.id!r}: {both} are declared and ignored; one of the two is meant")
        for column in (*(self.partition_by or ()), *((self.window,) if self.window else ())):
            if column not in self.table.columns:
                raise DeclarationError(
                    f"source {self.id!r}: {column!r} is not a column of {self.table.name!r}; "
                    f"{one_of(column, self.table.columns)}"
                )
        if self.window and self.table.columns[self.window] not in WINDOWED:
            raise DeclarationError(
                f"source {self.id!r}: its window {self.window!r} is of type {self.table.columns[self.window]}, which has no "
                f"dates; a window is a column of type {', '.join(WINDOWED)}"
            )

    @property
    def columns(self) -> Mapping[str, Type]:
        """The columns of its relation."""
        return self.table.columns

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return self.table.key

    @property
    def name(self) -> str:
        """What findings and reports call it."""
        return self.table.name


@dataclass(frozen=True, kw_only=True)
class Derived:
    """What a phase accounts for where that is not a row of a source: the result of a DuckDB query over the sources of one
    partition (an assessment session out of the four tables that know of it). A relation of its id in every transform;
    `key` identifies its rows, `name` is what findings and reports call it. `window` as with `Source`.
    `partition_by`, where the query gives the same rows in every partition: the columns whose hash decides which of them
    are a partition's own.
    """

    id: str
    name: str
    columns: Mapping[str, Type]
    key: tuple[str, ...]
    query: Path
    window: str | None = None
    partition_by: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "query", beside(self.query))
        for name in ("key", "partition_by"):
            if isinstance(given := getattr(self, name), str):  # one column, said without its brackets
                object.__setattr__(self, name, (given,))
        check_id("derived", self.id)
        check_kinds(f"derived {self.id!r}", self)
        check_columns(f"derived {self.id!r}", self.columns, reserved=(KEY,))
        for column in (*self.key, *(self.partition_by or ()), *((self.window,) if self.window else ())):
            if column not in self.columns:
                raise DeclarationError(
                    f"derived {self.id!r}: {column!r} is not among its columns; {one_of(column, self.columns)}"
                )
        check_script(f"derived {self.id!r}", self.query)


@takes_former({"before": "it is prepare now"}, renamed({"before": "prepare"}))
@dataclass(frozen=True, kw_only=True)
class Target:
    """A table that the migration writes. Its `id` is the table's name, unless given (`defaults.id_of`).

    `owned`: the columns that the migration may change in a row that exists; None: all, and the table is the
    migration's. With `owned`, rows that no plan accounts for are not `extra` but stay as they are, other columns of
    rows that are changed stay as they are, and the proof covers both. `partition_by`: the columns whose hash decides
    where a row is planned, the key unless named; columns named here may not be owned.

    Scripts around the table, in the store's own language (SQL; a DynamoDB table is made from its declaration), a relative
    path beside the module that declares: `create` makes it where it is not there, `prepare` makes it ready to be written,
    `undo` makes it ready for a rollback (e.g. drops a NOT NULL that the migration added). In
    PostgreSQL `prepare` sees each param as the setting `trueup.<id>`. `create_tables` runs the first two,
    `prepare` and `undo` must be safe to run again.
    `adds`: columns that `prepare` adds to a table that exists; until then they read as null.

    `sets`: columns that a trigger or a default of the table sets (PostgreSQL). They are neither written nor compared nor
    put back, and listed in the report. `triggers`: names of triggers that the migration itself makes, so that no warning tells of
    them. So are, without being named, generated columns that are not declared and, of a
    table that is the migration's, columns that are not declared and have a default.

    `rounds`: columns whose numbers may be what a double holds of the source's. In any other, digits that get lost on the way
    (DuckDB reads a fraction in JSON as a double) make the source row a reject; of FLOAT columns, and where the transform gives a
    DOUBLE, it is meant.
    """

    id: str = ""
    table: Table
    owned: tuple[str, ...] | None = None
    partition_by: tuple[str, ...] | None = None
    create: Path | str | None = None
    prepare: Path | str | None = None
    undo: Path | str | None = None
    adds: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    rounds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_table(self.table)
        object.__setattr__(self, "id", self.id or id_of(self.table.name))
        for name in ("owned", "partition_by", "adds", "sets", "triggers", "rounds"):
            check_tuple(f"target {self.id!r}: {name}", getattr(self, name) or ())
        for name in ("create", "prepare", "undo"):
            if (script := getattr(self, name)) is not None:
                object.__setattr__(self, name, path := beside(script))
                check_script(f"target {self.id!r}: {name}", path)
        check_id("target", self.id)
        check_kinds(f"target {self.id!r}", self)
        for column in (*(self.owned or ()), *(self.partition_by or ()), *self.rounds):
            if column not in self.table.columns:
                raise DeclarationError(
                    f"target {self.id!r}: {column!r} is not a column of {self.table.name!r}; "
                    f"{one_of(column, self.table.columns)}"
                )
        if fixed := {*(self.partition_by or ()), *self.table.key} & set(self.owned or ()):
            raise DeclarationError(
                f"target {self.id!r}: {sorted(fixed)} decide where a row is planned, so they cannot be owned"
            )
        indexed = {c for index in self.table.indexes for c in index.key}
        needed = {*self.placed_by, *self.table.key, *(self.owned or ()), *self.table.required, *indexed}
        if wrong := needed & {*self.sets}:
            raise DeclarationError(
                f"target {self.id!r}: {sorted(wrong)} are in sets, so they are not written: they cannot be of the key, owned, "
                "required, indexed here, or decide where a row is planned"
            )
        create = Path(self.create) if self.create else self.table.create
        adds = self.adds or self.table.adds
        table = replace(self.table, create=create, adds=adds)
        if self.sets or self.owned is None:
            columns = {name: type_ for name, type_ in table.columns.items() if name not in self.sets}
            adds = tuple(name for name in adds if name not in self.sets)
            table = replace(table, columns=columns, adds=adds, sets=self.sets, sets_defaults=self.owned is None)
        for name, value in {"table": table, "create": create, "adds": adds}.items():
            object.__setattr__(self, name, value)

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The columns whose hash decides where a row is planned."""
        return self.partition_by or self.table.key
