"""What a batch does to a table of the relational twin, within one transaction, as `stores/postgres/writing.py` has it: rows are
written in the order of their keys; what a part cannot write of its rows is written in halves, down to those refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from include.trueup.declare.migration import Table
from include.trueup.declare.names import MISTYPED
from include.trueup.errors import StoreRejectedError
from include.trueup.stores import Conflict, Refused
from include.trueup.stores.postgres.given import aligned, only_declared
from include.trueup.stores.postgres.halving import HOPELESS
from include.trueup.stores.postgres.looking import REFERENCED

from .rows import Key, Row, key_texts, plain, whole
from .tables import Held, RowRefusedError
from .transactions import DELETE, INSERT, UPDATE, Transaction, WaitError

PLACE = "twin"
Write = Callable[[int], bool]
"""Writes the row of that number, if it may; whether it did."""


@dataclass
class Left:
    """The rows that were not written."""

    conflicts: list[Conflict] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.conflicts or self.refused)

    def __iadd__(self, more: Left) -> Left:
        self.conflicts += more.conflicts
        self.refused += more.refused
        return self


@dataclass
class _Done:
    rows: set[int] = field(default_factory=set)
    refused: dict[int, tuple[str, str | None]] = field(default_factory=dict)

    def rest(self, rows: int) -> list[int]:
        """The numbers of the others."""
        return [n for n in range(rows) if n not in self.rows and n not in self.refused]


def require(transaction: Transaction, table: Table) -> Held:
    """The table, to be written. Raises `StoreRejectedError` where it is not there, or not as declared."""
    held = transaction.database.find(table)
    if held is None:
        raise StoreRejectedError(f"{PLACE}: there is no table {table.name}. Check its name and the connection.")
    if differences := held.shape([]).differences(
        Table(name=table.name, connection="", key=table.key, columns=table.columns)
    ):
        raise StoreRejectedError(
            f"{PLACE}: table {table.name} is not as declared: {'; '.join(differences)}. Correct the declaration or the table."
        )
    return held


class Batch:
    """Writing to one table in an open transaction. `alone`: a row that is refused is taken back, and the others are written;
    else it ends the transaction with `RowRefusedError`. `wrote` is what our own statements made of rows (None: deleted it),
    and whether they added it."""

    def __init__(self, transaction: Transaction, table: Table, *, alone: bool = True) -> None:
        self._transaction, self._table, self._alone = transaction, table, alone
        self._held = require(transaction, table)
        self._extras = self._held.extras(table)
        self.full_name = self._held.full_name
        self.wrote: dict[Key, tuple[Row | None, bool]] = {}

    def add(self, rows: pa.Table) -> Left:
        """Insert rows that must not be there yet."""
        rows = self._in_order(rows)
        only_declared(PLACE, self._table, rows)
        new = [self._declared(row) for row in plain(self._table, rows)]
        keys = [self._held.key_of(row) for row in new]

        def write(n: int) -> bool:
            if self._now(keys[n], adds=True) is not None:
                return False
            done = self._transaction.insert(self._held, new[n])
            if done:
                self.wrote[keys[n]] = new[n], True
            return done

        done = self._write(len(new), write)
        left = [(n, False) for n in done.rest(len(new)) if not self._is(new[n], self._now(keys[n]))]
        words = "a row with this key is there, with other content"
        return self._sorted_out(rows, keys, done, left, INSERT, words)

    def change(self, rows: pa.Table, before: pa.Table) -> Left:
        """Update rows that are as before, in the columns that differ."""
        order = pc.sort_indices(rows, [(name, "ascending") for name in self._table.key])
        rows, before = aligned(self._table, rows.take(order)), aligned(self._table, before.take(order))
        only_declared(PLACE, self._table, rows, before)
        new, old = plain(self._table, rows), plain(self._table, before)
        keys = [self._held.key_of(row) for row in new]
        if keys != [self._held.key_of(row) for row in old]:
            raise StoreRejectedError(
                f"table {self._table.name}: the rows to change and their before-images have different keys."
            )

        def as_before(n: int) -> bool:
            now = self._now(keys[n])
            return self._is(old[n], now) and now is not None and now.get(MISTYPED) == old[n][MISTYPED]

        def write(n: int) -> bool:
            values = {name: new[n][name] for name in self._table.columns if new[n][name] != old[n][name]}
            if not values or not as_before(n) or not self._transaction.update(self._held, keys[n], values):
                return False
            self.wrote[keys[n]] = self._declared(new[n]), False
            return True

        done = self._write(len(new), write)
        left = [(n, as_before(n)) for n in done.rest(len(new)) if not self._is(new[n], self._now(keys[n]))]
        return self._sorted_out(rows, keys, done, left, UPDATE, "the row has changed since it was planned")

    def remove(self, rows: pa.Table, cascade_to: Sequence[str]) -> Left:
        """Delete rows that are as given, undeclared columns included, to which no others refer that would go along."""
        rows = self._in_order(rows)
        given = plain(self._table, rows)
        keys = [self._held.key_of(row) for row in given]
        database = self._transaction.database
        taking = [f for f in database.referring(self._held) if f.on_delete and f.reference.name not in cascade_to]

        def as_given(n: int) -> bool:
            now = self._now(keys[n])
            return now is not None and self._held.read(self._table, now, self._extras) == given[n]

        def referred(n: int) -> str | None:
            now = self._now(keys[n])
            return next((f.reference.name for f in taking if now and self._transaction.referred(f, now)), None)

        def write(n: int) -> bool:
            if not as_given(n) or referred(n) or not self._transaction.delete(self._held, keys[n]):
                return False
            self.wrote[keys[n]] = None, False
            return True

        done = self._write(len(given), write)
        left = []
        for n in done.rest(len(given)):
            if self._now(keys[n]) is None:
                continue
            if as_given(n) and (by := referred(n)):
                done.refused[n] = f"{by} would take them along {REFERENCED}", by
            else:
                left.append((n, as_given(n)))
        return self._sorted_out(rows, keys, done, left, DELETE, "the row has changed since it was written")

    # ── a statement ──────────────────────────────────────────────────────────────────────────────────────────────

    def _write(self, rows: int, write: Write) -> _Done:
        """Write the rows 0 … `rows`-1: at once, or, where one is refused, in halves."""
        done, pending = _Done(), [(0, rows)]
        while pending:
            first, end = pending.pop()
            wrote = dict(self.wrote)
            try:
                with self._transaction.savepoint():
                    part = {n for n in range(first, end) if write(n)}
                    self._transaction.check_references()
                done.rows |= part
            except RowRefusedError as refused:
                self.wrote = wrote
                if not self._alone:
                    raise
                if end - first > 1:
                    middle = (first + end) // 2
                    pending += [(middle, end), (first, middle)]
                else:
                    done.refused[first] = refused.reason, refused.constraint
            if not done.rows and len(done.refused) >= HOPELESS:
                raise StoreRejectedError(
                    f"{PLACE}: the first {len(done.refused):,} of {rows:,} rows were refused, all of them. Nothing is written."
                )
        return done

    def _sorted_out(
        self, rows: pa.Table, keys: list[Key], done: _Done, left: list[tuple[int, bool]], event: str, words: str
    ) -> Left:
        """The rows that are not as planned (`left`, with whether they are as before), and those that were refused."""
        found = Left()
        if not left and not done.refused:
            return found
        texts = key_texts(self._table, rows)
        by = self._held.effects([]).droppers(event)
        silently = f"by {by}" if by else "by a trigger, a rule or a policy of the table"
        for n, before in left:
            now = self._now(keys[n])
            if now is None and event == UPDATE:
                found.conflicts.append(Conflict(key=texts[n], reason="the row is gone", found=None))
            elif now is None:
                reason = f"was not written, and there was no error: it was dropped {silently}"
                found.refused.append(Refused(key=texts[n], reason=reason, constraint=by))
            elif before:
                reason = f"is unchanged, and there was no error: its change was dropped {silently}"
                found.refused.append(Refused(key=texts[n], reason=reason, constraint=by))
            else:
                shown = whole(self._held.types, now)
                found.conflicts.append(Conflict(key=texts[n], reason=words, found=shown))
        for n, (reason, name) in done.refused.items():
            if event == DELETE and REFERENCED in reason:
                found.conflicts.append(Conflict(key=texts[n], reason=f"other rows refer to it: {reason}", found=""))
            else:
                found.refused.append(Refused(key=texts[n], reason=reason, constraint=name))
        return found

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _in_order(self, rows: pa.Table) -> pa.Table:
        return aligned(self._table, rows).sort_by([(name, "ascending") for name in self._table.key])

    def _declared(self, row: Row) -> Row:
        return {name: row[name] for name in self._table.columns}

    def _now(self, key: Key, *, adds: bool = False) -> Row | None:
        """The row as it is. Raises `WaitError` where another open transaction has changed it; one that it has added is seen by
        nobody else, and is waited for by who `adds` it as well."""
        seen = self._transaction.get(self._held, key)
        if seen is None and not adds:
            return None
        for other in self._transaction.database.others(self._transaction):
            if key in other.changes.get(self._held.full_name, {}):
                raise WaitError
        return seen

    def _is(self, wanted: Row, now: Row | None) -> bool:
        return now is not None and all(now.get(name) == wanted[name] for name in self._table.columns)
