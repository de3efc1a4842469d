"""Transactions of the relational twin: READ COMMITTED, with locks of rows that last until the end, as PostgreSQL has them.

What a transaction did is its own until it commits, at once. A row that another open one has changed is waited for: who has
to wait gives up what it did, and begins again when the other is over, so that nobody ever waits for each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from include.trueup.declare.migration import Table, Type
from include.trueup.declare.names import MISTYPED
from include.trueup.stores import Reference

from .rows import Key, Plain, Row
from .tables import Firing, ForeignKey, Held, RowRefusedError, name_of, too_long

INSERT, UPDATE, DELETE = "INSERT", "UPDATE", "DELETE"


class WaitError(Exception):
    """A row is locked by another open transaction."""


@dataclass(eq=False)
class Transaction:
    """An open transaction; `locks` are the fence's (what, number). `ends_at`: until when it may be idle; `ended`: why the server
    has ended it. `keeps` are rows that others may not change, `names` tables that they may not make; `at_commit` is done
    when it commits."""

    database: Database
    locks: list[tuple[int, int]] = field(default_factory=list)
    ends_at: float = float("inf")
    ended: str | None = None
    changes: dict[str, dict[Key, Row | None]] = field(default_factory=dict)
    keeps: set[tuple[str, Key]] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    at_commit: list[Callable[[], object]] = field(default_factory=list)

    def get(self, held: Held, key: Key) -> Row | None:
        """A row as this transaction sees it."""
        mine = self.changes.get(held.full_name, {})
        return mine[key] if key in mine else held.rows.get(key)

    def rows(self, held: Held) -> Iterator[tuple[Key, Row]]:
        """Every row that it sees."""
        mine = self.changes.get(held.full_name, {})
        yield from ((key, row) for key, row in held.rows.items() if key not in mine)
        yield from ((key, row) for key, row in mine.items() if row is not None)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is done in the block is taken back if an error ends it."""
        before = {name: dict(rows) for name, rows in self.changes.items()}
        try:
            yield
        except Exception:
            self.changes = before
            raise

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def insert(self, held: Held, row: Row) -> bool:
        """Add a row whose key is free; False where a trigger drops it. Raises `RowRefusedError`."""
        new = {**dict.fromkeys(held.types), **held.defaults, **row}
        for counter in held.counters:
            if new[counter.column] is None:
                number = counter.next()
                new[counter.column] = str(number) if held.types[counter.column] is Type.NUMBER else number
        return self._put(held, INSERT, None, new)

    def update(self, held: Held, key: Key, values: Mapping[str, Plain]) -> bool:
        """Change columns of a row; False where a trigger drops it. Raises `RowRefusedError`."""
        old = self.get(held, key)
        return old is not None and self._put(held, UPDATE, old, {**old, **_odd_no_more(old, values), **values})

    def delete(self, held: Held, key: Key) -> bool:
        """Delete a row, with those that foreign keys take along; False where a trigger keeps it."""
        old = self.get(held, key)
        if old is None or self._fire(held, DELETE, old, None, before=True) is None:
            return False
        self._set(held, key, None)
        for foreign in self.database.referring(held):
            self._take_along(foreign, old)
        self._fire(held, DELETE, old, None, before=False)
        return True

    def _put(self, held: Held, event: str, old: Row | None, asked: Row) -> bool:
        new = self._fire(held, event, old, asked, before=True)
        if new is None:
            return False
        self._check(held, new, held.key_of(new))
        self._set(held, held.key_of(new), new)
        self._fire(held, event, old, new, before=False)
        return True

    def _fire(self, held: Held, event: str, old: Row | None, new: Row | None, *, before: bool) -> Row | None:
        row = old if new is None else new
        for trigger in held.triggers:
            if trigger.before is before and event in trigger.events:
                given = Firing(event=event, held=held, old=old, new=row if new is not None else None, transaction=self)
                row = trigger.act(given) if before else trigger.act(given) or row
                if row is None:
                    return None
        return row

    def _check(self, held: Held, row: Row, key: Key) -> None:
        self._check_columns(held, row)
        for name, holds in held.checks.items():
            if not holds(row):
                said = f'new row for relation "{held.name}" violates check constraint "{name}"'
                raise RowRefusedError(f"{said} (SQLSTATE 23514)", name)
        if held.lets is not None and not held.lets(row):
            said = f'new row violates row-level security policy for table "{held.name}"'
            raise RowRefusedError(f"{said} (SQLSTATE 42501)", "row-level security")
        for index in held.indexes:
            values = [row[name] for name in index.key]
            if index.primary or not index.unique or (None in values and not index.nulls_equal):
                continue
            self.database.wait_for_value(self, held, index.key, values)
            if any(other != key and [r[n] for n in index.key] == values for other, r in self.rows(held)):
                said = f'duplicate key value violates unique constraint "{index.name}"'
                shown = f"Key ({', '.join(index.key)})=({', '.join(map(str, values))}) already exists"
                raise RowRefusedError(f"{said} {shown} (SQLSTATE 23505)", index.name)

    def _check_columns(self, held: Held, row: Row) -> None:
        for name, exact in held.exact.items():
            if said := too_long(exact, row[name]):
                raise RowRefusedError(said, f"column {name}")
        odd = str(row.get(MISTYPED) or "")
        for name in held.types:
            if row[name] is None and name in held.not_null and f'"{name}"' not in odd:
                said = f'null value in column "{name}" of relation "{held.name}" violates not-null constraint'
                raise RowRefusedError(f"{said} (SQLSTATE 23502)", f"column {name}")

    def _set(self, held: Held, key: Key, row: Row | None) -> None:
        self.lock(held, key, deletes=row is None)
        self.changes.setdefault(held.full_name, {})[key] = row

    def lock(self, held: Held, key: Key, *, deletes: bool = False, shares: bool = False) -> None:
        """Lock a row for this transaction, which `deletes` it, changes it, or only refers to it (`shares`): that goes together with
        a change. Raises `WaitError` where another has it."""
        for other in self.database.others(self):
            changes = other.changes.get(held.full_name, {})
            changed = key in held.rows and changes.get(key) is not None
            if key in changes and not (shares and changed):
                raise WaitError
            if deletes and (held.full_name, key) in other.keeps:
                raise WaitError

    def lock_name(self, name: str) -> None:
        """Lock a table that is to be made. Raises `WaitError` where another has it."""
        if any(name in other.names for other in self.database.others(self)):
            raise WaitError
        self.names.add(name)

    def _take_along(self, foreign: ForeignKey, old: Row) -> None:
        child = self.database.tables[foreign.table]
        for key in [key for key, row in self.rows(child) if _refers(foreign, row, old)]:
            if foreign.on_delete == "CASCADE":
                self.delete(child, key)
            elif foreign.on_delete == "SET NULL":
                self.update(child, key, dict.fromkeys(foreign.columns))

    def referred(self, foreign: ForeignKey, row: Row) -> bool:
        """Whether another row refers to this one by the foreign key."""
        return any(_refers(foreign, other, row) for _, other in self.rows(self.database.tables[foreign.table]))

    def check_references(self) -> None:
        """What is looked at when a statement is over. Raises `RowRefusedError`."""
        for foreign in self.database.foreign_keys:
            child, parent = self.database.tables[foreign.table], self.database.tables[foreign.to]
            for row in self.changes.get(child.full_name, {}).values():
                if row is not None and None not in (values := [row[name] for name in foreign.columns]):
                    self._must_be_there(foreign, parent, values)
            for key, now in self.changes.get(parent.full_name, {}).items():
                was = parent.rows.get(key)
                changed = was and (now is None or any(now[name] != was[name] for name in foreign.refers_to))
                if was is not None and changed and self.referred(foreign, was):
                    said = f'update or delete on table "{parent.name}" violates foreign key constraint "{foreign.name}"'
                    raise RowRefusedError(f'{said} on table "{child.name}" (SQLSTATE 23503)', foreign.name)

    def _must_be_there(self, foreign: ForeignKey, parent: Held, values: list[Plain]) -> None:
        for key, row in self.rows(parent):
            if [row[name] for name in foreign.refers_to] == values:
                if key not in self.changes.get(parent.full_name, {}):
                    self.lock(parent, key, shares=True)
                    self.keeps.add((parent.full_name, key))
                return
        said = f'insert or update on table "{foreign.table.partition(".")[2]}" violates foreign key constraint "{foreign.name}"'
        shown = f'Key ({", ".join(foreign.columns)})=({", ".join(map(str, values))}) is not present in table "{parent.name}"'
        raise RowRefusedError(f"{said} {shown} (SQLSTATE 23503)", foreign.name)


def _odd_no_more(old: Row, values: Mapping[str, Plain]) -> Row:
    """What of a row had no canonical form, less the columns that get other values."""
    odd = json.loads(str(old.get(MISTYPED) or "{}"))
    left = {name: value for name, value in odd.items() if name not in values}
    return {} if left == odd else {MISTYPED: json.dumps(left, separators=(",", ":")) if left else None}


def _refers(foreign: ForeignKey, row: Row, to: Row) -> bool:
    values = [row[name] for name in foreign.columns]
    return None not in values and values == [to[name] for name in foreign.refers_to]


@dataclass(eq=False)
class Database:
    """Tables by `schema.name`, their foreign keys, and the transactions that are open."""

    lock: AbstractContextManager[Any] = field(default_factory=Lock)
    tables: dict[str, Held] = field(default_factory=dict)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    open: list[Transaction] = field(default_factory=list)
    oids: int = 16_384
    scripts: list[str] = field(default_factory=list)
    """The authors' scripts that were run, in their order."""

    def find(self, table: Table) -> Held | None:
        """The table of a declaration."""
        return self.tables.get(name_of(table))

    def make(self, table: Table) -> Held:
        """Make it as declared."""
        self.oids += 1
        made = self.tables[name_of(table)] = Held.of(table, self.oids)
        return made

    def drop(self, table: Table) -> None:
        """Drop it, with the foreign keys from and to it."""
        gone = name_of(table)
        self.tables.pop(gone, None)
        self.foreign_keys = [each for each in self.foreign_keys if gone not in (each.table, each.to)]

    def referring(self, held: Held) -> list[ForeignKey]:
        """The foreign keys that point at a table."""
        return [each for each in self.foreign_keys if each.to == held.full_name]

    def references(self, held: Held) -> list[Reference]:
        """The same as a description has them."""
        return [each.reference for each in self.referring(held)]

    def others(self, mine: Transaction) -> list[Transaction]:
        """The other transactions that are open, and not ended."""
        return [each for each in self.open if each is not mine and each.ended is None]

    def wait_for_value(self, mine: Transaction, held: Held, names: tuple[str, ...], values: list[Plain]) -> None:
        """Raise `WaitError` where another transaction gives the value to a row, or takes it from one."""
        for other in self.others(mine):
            for key, row in other.changes.get(held.full_name, {}).items():
                for state in (row, held.rows.get(key)):
                    if state is not None and [state[name] for name in names] == values:
                        raise WaitError

    def end_idle(self, now: float) -> None:
        """End the transactions that have been idle for too long."""
        for each in self.open:
            if now > each.ends_at and each.ended is None:
                each.ended = "it was idle in its transaction for too long"

    def commit(self, mine: Transaction) -> None:
        """Make what it did everybody's."""
        for name, changed in mine.changes.items():
            rows = self.tables[name].rows
            for key, row in changed.items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        for do in mine.at_commit:
            do()

    def at_once(self) -> Database:
        """The state as it is now, to read."""
        same = Database(self.lock, foreign_keys=self.foreign_keys, oids=self.oids)
        same.tables = {name: replace(held, rows=dict(held.rows)) for name, held in self.tables.items()}
        return same
