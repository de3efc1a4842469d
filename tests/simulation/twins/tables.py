"""Tables of the relational twin: what they are and what they do by themselves, and their rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from include.trueup.declare.migration import Table, Type
from include.trueup.declare.names import EXTRA, MISTYPED
from include.trueup.stores import Advanced, Reference
from include.trueup.stores.postgres.catalog import Shape, StoredIndex, full_name, schema_and_name
from include.trueup.stores.postgres.columns import Column
from include.trueup.stores.postgres.effects import Effects, Sequence, Trigger

from .rows import Key, Plain, Row, shown

if TYPE_CHECKING:
    from .transactions import Transaction

_COLUMNS = {
    Type.TEXT: ("text", "text"),
    Type.NUMBER: ("numeric", "numeric"),
    Type.INTEGER: ("int8", "bigint"),
    Type.FLOAT: ("float8", "double precision"),
    Type.BOOLEAN: ("bool", "boolean"),
    Type.TIMESTAMP: ("timestamptz", "timestamp with time zone"),
    Type.DATETIME: ("timestamp", "timestamp without time zone"),
    Type.DATE: ("date", "date"),
    Type.JSON: ("jsonb", "jsonb"),
    Type.BINARY: ("bytea", "bytea"),
}
"""What a column is made as: the name of its type, and how PostgreSQL writes that."""


_NAMES = {"character varying": "varchar", "bigint": "int8"}


class RowRefusedError(Exception):
    """A table takes offence at a row: why, and the name of what refuses it."""

    def __init__(self, reason: str, constraint: str | None) -> None:
        super().__init__(reason)
        self.reason, self.constraint = reason, constraint


@dataclass(frozen=True, kw_only=True)
class Firing:
    """A row that a trigger fires for: INSERT has no `old`, DELETE no `new`. Other rows are changed by `transaction`."""

    event: str
    held: Held
    old: Row | None
    new: Row | None
    transaction: Transaction


@dataclass(frozen=True, kw_only=True)
class Does:
    """A row trigger in Python. `before`: `act` gives the row as it is to be written (of a DELETE, as it was), or None to drop
    the event without a word; what an AFTER trigger gives is nothing. It may raise `RowRefusedError`."""

    name: str
    events: tuple[str, ...]
    act: Callable[[Firing], Row | None]
    before: bool = True

    @property
    def described(self) -> Trigger:
        """As the catalogue has it."""
        return Trigger(
            name=self.name,
            function=self.name,
            before=self.before,
            rows=True,
            on_insert="INSERT" in self.events,
            on_update="UPDATE" in self.events,
            on_delete="DELETE" in self.events,
        )


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """A foreign key of `table` (`schema.name`). `on_delete`: CASCADE, SET NULL, or nothing, where a deletion is refused."""

    name: str
    table: str
    columns: tuple[str, ...]
    to: str
    refers_to: tuple[str, ...]
    on_delete: str = ""

    @property
    def reference(self) -> Reference:
        """As the table that it points at sees it."""
        return Reference(
            constraint=self.name, table=self.table, columns=self.columns, refers_to=self.refers_to,
            takes_along=self.on_delete, own=self.table == self.to,
        )  # fmt: skip


@dataclass(kw_only=True)
class Counter:
    """A sequence that gives a column its values."""

    column: str
    last: int = 1
    called: bool = False

    def next(self) -> int:
        """The next value; it is never given back."""
        self.last += self.called
        self.called = True
        return self.last

    def advance(self, held: Held, table: Table) -> Advanced:
        """Bring it behind the greatest value of its column."""
        values = [value for row in held.rows.values() if isinstance(value := row[self.column], int | str)]
        far, before = max(map(int, values), default=None), self.last
        if far is not None and (far > self.last or (far == self.last and not self.called)):
            self.last, self.called = far, True
        return Advanced(
            table=table.name, column=self.column, sequence=f"{held.full_name}_{self.column}_seq",
            before=before, after=self.last, holds=True,
        )  # fmt: skip


@dataclass(kw_only=True)
class Held:
    """A table that is there. `types` are those of all its columns; `defaults` give undeclared ones their values. `policies`: row
    security would hide rows from our role; `lets` says which rows it lets us write. `checks` are CHECKs by name."""

    schema: str
    name: str
    oid: int
    types: dict[str, Type]
    key: tuple[str, ...]
    not_null: set[str]
    indexes: list[StoredIndex]
    rows: dict[Key, Row] = field(default_factory=dict)
    triggers: list[Does] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    exact: Mapping[str, str] = field(default_factory=dict)
    """Types of columns with their length or precision, as PostgreSQL writes them, where they have one."""
    defaults: dict[str, Plain] = field(default_factory=dict)
    checks: dict[str, Callable[[Row], bool]] = field(default_factory=dict)
    policies: bool = False
    lets: Callable[[Row], bool] | None = None
    lacks: tuple[str, ...] = ()
    """Rights that our role does not have."""

    @classmethod
    def of(cls, table: Table, oid: int) -> Held:
        """As it is made from a declaration."""
        schema, name = schema_and_name(table)
        primary = StoredIndex(name=f"{name}_pkey", primary=True, unique=True, complete=True, key=table.key)
        made = cls(
            schema=schema, name=name, oid=oid, types=dict(table.columns), key=table.key,
            not_null={*table.key, *table.required}, indexes=[primary],
        )  # fmt: skip
        made.index(table)
        return made

    @property
    def full_name(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    def index(self, table: Table) -> None:
        """Make the declared indexes that are missing."""
        for one in self.shape([]).missing(table):
            self.indexes.append(StoredIndex(name=one.name, primary=False, unique=False, complete=True, key=one.key))

    def key_of(self, row: Mapping[str, Plain]) -> Key:
        """A row's key."""
        return tuple(row.get(name) for name in self.key)

    def shape(self, references: list[Reference]) -> Shape:
        """As the catalogue has it."""
        acts = "triggers" if self.triggers else "references" if any(r.takes_along for r in references) else ""
        return Shape(
            schema=self.schema, name=self.name, oid=self.oid, kind="r", has_children=False, role="twin",
            policies=self.policies, elsewhere=False, in_recovery=False, acts=acts, stored=True,
            estimated_rows=len(self.rows), columns={name: self._column(name) for name in self.types},
            indexes=tuple(self.indexes),
        )  # fmt: skip

    def _column(self, name: str) -> Column:
        type_, exact = _COLUMNS[self.types[name]]
        counted = any(counter.column == name for counter in self.counters)
        sets = "identity" if counted else "default" if name in self.defaults else ""
        type_ = _NAMES.get(self.exact.get(name, "").partition("(")[0], type_)
        return Column(
            name=name, not_null=name in self.not_null, sets=sets, type=type_, cast=exact, exact=self.exact.get(name, exact)
        )  # fmt: skip

    def effects(self, references: list[Reference]) -> Effects:
        """What it does by itself."""
        return Effects(
            triggers=tuple(trigger.described for trigger in self.triggers),
            rules=(),
            references=tuple(references),
            sequences=tuple(
                Sequence(column=c.column, name=f"{self.full_name}_{c.column}_seq", may=True) for c in self.counters
            ),
            may={right: right not in self.lacks for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TEMP")},
        )

    def extras(self, table: Table) -> list[str]:
        """The undeclared columns that are read as `_extra`."""
        return [column.name for column in self.shape([]).extras(table)]

    def read(self, table: Table, row: Row, extras: list[str]) -> Row:
        """A row in the canonical form of a declaration."""
        found = {name: row.get(name) for name in table.columns}
        return {**found, EXTRA: shown(self.types, row, extras), MISTYPED: row.get(MISTYPED)}


_LENGTH, _DIGITS = re.compile(r"character varying\((\d+)\)"), re.compile(r"numeric\((\d+),0\)")


def too_long(exact: str, value: Plain) -> str:
    """What PostgreSQL says where a column of this type cannot hold the value; empty where it can."""
    if (length := _LENGTH.fullmatch(exact)) and value is not None and len(str(value)) > int(length[1]):
        return f"value too long for type {exact} (SQLSTATE 22001)"
    if (digits := _DIGITS.fullmatch(exact)) and value is not None and len(str(value).lstrip("-")) > int(digits[1]):
        return "numeric field overflow (SQLSTATE 22003)"
    return ""


def name_of(table: Table) -> str:
    """`schema.name` of a declaration."""
    return full_name(table)
