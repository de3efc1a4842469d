"""What all doors to one store in memory share: its tables, what they do by themselves, and the sessions that write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.declare.names import EXTRA, MISTYPED
from include.trueup.errors import StoreUnavailableError
from include.trueup.rows.values import canonical_json, canonical_number
from include.trueup.stores import Fence

from .hook import Effect as Effect
from .hook import Hook as Hook

Row = dict[str, Any]
"""A row by column, its values as Arrow gives them to Python; columns that are null are left out."""
Key = tuple[Any, ...]


Trigger = Callable[["Server", Row | None, Row | None], Row | None]
"""Called with a row as it was and as it is to be (None: there is none); gives the row as it will be, may write others by the
server's `held`, and may raise `RefusedRowError`. None, of a row that is to be, lets it disappear."""


class RefusedRowError(Exception):
    """The table does not take a row: `reason`, and the `constraint` by which."""

    def __init__(self, reason: str, constraint: str | None) -> None:
        super().__init__(reason)
        self.reason, self.constraint = reason, constraint


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A foreign key of a table: its `columns` refer to those of `to`. `takes_along`: CASCADE, SET NULL, or nothing."""

    name: str
    columns: tuple[str, ...]
    to: str
    refers_to: tuple[str, ...]
    takes_along: str = ""


@dataclass(kw_only=True)
class Held:
    """A table: its rows by key, and what it does by itself. `hidden`: rows that a policy keeps from being read, `sequences`:
    the last value of each, by column."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, Type]
    indexes: dict[str, Index] = field(default_factory=dict)
    rows: dict[Key, Row] = field(default_factory=dict)
    unique: dict[str, tuple[str, ...]] = field(default_factory=dict)
    foreign: list[Foreign] = field(default_factory=list)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    hidden: Callable[[Row], bool] | None = None
    sequences: dict[str, int] = field(default_factory=dict)
    generation: int = 0

    def put(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert or replace rows as another program would, whatever the table does by itself."""
        for row in rows:
            made = canonical(row, self.columns)
            self.rows[key_of(self.key, made)] = made


def canonical(row: Mapping[str, Any], columns: Mapping[str, Type]) -> Row:
    """A row with its values in canonical form, and without its nulls."""
    forms = {Type.NUMBER: canonical_number, Type.JSON: canonical_json}
    made = {name: value for name, value in row.items() if value is not None}
    return {name: forms[columns[name]](v) if columns.get(name) in forms else v for name, v in made.items()}


def key_of(key: Sequence[str], row: Mapping[str, Any]) -> Key:
    """A row's key."""
    return tuple(row.get(name) for name in key)


def key_words(key: Key) -> str:
    """A key as text, as `key_text` has it."""
    if len(key) == 1:
        return str(key[0])
    return json.dumps([None if part is None else str(part) for part in key], ensure_ascii=False, separators=(",", ":"))


class Session:
    """What writes at this moment by a fence; `ended` once somebody newer has ended it."""

    def __init__(self, fence: Fence | None) -> None:
        self.fence, self.ended = fence, False

    def require(self) -> None:
        """Raise if it was ended, and if its fence says that it must stop."""
        if self.ended:
            raise StoreUnavailableError("memory: terminating connection due to administrator command")
        if self.fence is not None:
            self.fence.check()


class Server:
    """The tables of one connection, by name. `transaction` makes what is done in it whole, or undone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tables: dict[str, Held] = {}
        self.scripts: dict[str, Callable[[Server], None]] = {}
        """What a script of an author's does here, by its text."""
        self.ran: list[str] = []
        self._sessions: list[Session] = []
        self._made = 0

    def make(self, table: Table) -> Held:
        """A table as declared, empty."""
        self._made += 1
        indexes = {index.name: index for index in table.indexes}
        held = Held(name=table.name, key=table.key, columns=dict(table.columns), indexes=indexes, generation=self._made)
        self.tables[table.name] = held
        return held

    @contextmanager
    def session(self, fence: Fence | None) -> Iterator[Session]:
        """Write by this fence until the block ends."""
        opened = Session(fence)
        self._sessions.append(opened)
        try:
            yield opened
        finally:
            self._sessions.remove(opened)

    def end_older(self, fence: Fence) -> None:
        """End the sessions that write by another lease on one of the fence's targets, or by another try of its part."""
        for other in self._sessions:
            if (theirs := other.fence) is None:
                continue
            shared = fence.epochs.keys() & theirs.epochs.keys()
            another_lease = any(theirs.epochs[target] != fence.epochs[target] for target in shared)
            another_try = bool(fence.part) and theirs.part == fence.part and theirs.tries != fence.tries
            other.ended = other.ended or another_lease or another_try

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo what was done in the block where it raises."""
        before = {name: (dict(held.rows), dict(held.sequences)) for name, held in self.tables.items()}
        try:
            yield
        except BaseException:
            for name, (rows, sequences) in before.items():
                self.tables[name].rows, self.tables[name].sequences = rows, sequences
            raise

    def write(self, held: Held, key: Key, row: Row | None) -> None:
        """Bring a row to what it is to be (None: away), with all that the table does by itself. Raises `RefusedRowError`."""
        was = held.rows.get(key)
        for trigger in held.triggers.values():
            changed = trigger(self, was, row)
            if row is not None and changed is None:
                return
            row = changed if row is not None else None
        if row is None:
            self._let_go(held, key)
            return
        self._check(held, key, row)
        held.rows[key] = row

    def _check(self, held: Held, key: Key, row: Row) -> None:
        for name, columns in held.unique.items():
            mine = key_of(columns, row)
            if None not in mine and any(k != key and key_of(columns, r) == mine for k, r in held.rows.items()):
                raise RefusedRowError(f'duplicate key value violates unique constraint "{name}"', name)
        for foreign in held.foreign:
            mine, there = key_of(foreign.columns, row), self.tables[foreign.to].rows.values()
            if None not in mine and all(key_of(foreign.refers_to, other) != mine for other in there):
                raise RefusedRowError(
                    f'insert or update violates foreign key constraint "{foreign.name}"', foreign.name
                )

    def _let_go(self, held: Held, key: Key) -> None:
        row = held.rows.get(key)
        if row is None:
            return
        for table, foreign, other in list(self.referring(held, row)):
            if not foreign.takes_along:
                raise RefusedRowError(f'delete violates foreign key constraint "{foreign.name}"', foreign.name)
            if foreign.takes_along == "CASCADE":
                self._let_go(table, other)
            else:
                table.rows[other] = {n: v for n, v in table.rows[other].items() if n not in foreign.columns}
        del held.rows[key]

    def referring(self, held: Held, row: Row) -> Iterator[tuple[Held, Foreign, Key]]:
        """The rows that refer to a row, each with its table and by which foreign key."""
        for table in self.tables.values():
            for foreign in (f for f in table.foreign if f.to == held.name):
                mine = key_of(foreign.refers_to, row)
                yield from ((table, foreign, k) for k, r in table.rows.items() if key_of(foreign.columns, r) == mine)


def undeclared(held: Held, table: Table, row: Row, *, documents: bool) -> str | None:
    """What a row has beside the declared columns, as JSON text."""
    if documents:
        return row.get(EXTRA)
    more = {n: v for n, v in row.items() if n not in table.columns and n in held.columns and n != MISTYPED}
    return canonical_json(json.dumps(more, default=str)) if more else None
