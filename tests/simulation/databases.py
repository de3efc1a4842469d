"""The databases of a history: what is behind a connection, for the engine, and for applications that write beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa

from include.trueup.declare.migration import Table, Type
from include.trueup.declare.names import MISTYPED
from include.trueup.stores import Store
from include.trueup.stores.dynamodb.items import Layout
from include.trueup.stores.effects import Effects

from .twins import Database, DocumentServer, DocumentTwin, Hook, RelationalTwin, RowRefusedError
from .twins.document_items import Item
from .twins.rows import plain
from .twins.tables import Held
from .twins.transactions import Transaction, WaitError

Row = tuple[Any, ...]
"""A row of a table: its declared columns in their order, `_extra` and `_mistyped`."""


class Behind(Protocol):
    """What is behind a connection."""

    def store(self) -> Store:
        """A store of the engine over it, for a process of its own."""

    def make(self, table: Table) -> None:
        """Make a table that is there before any run."""

    def there(self, table: Table) -> bool:
        """Whether the table is there."""

    def rows(self, table: Table) -> dict[str, Row]:
        """Its rows as they are now, by key."""

    def put(self, table: Table, key: str, row: Row | None) -> bool:
        """As an application does, write a row, or delete it; where the table refuses it, nothing is done. False where
        somebody holds the row just now."""

    def keep_open(self, table: Table, key: str, row: Row | None) -> Callable[[bool], None] | None:
        """As an application does, write a row, or delete it, in a transaction that stays open: what ends it, committed or
        not. None where somebody holds the row just now, or the table refuses it."""

    def insert(self, table: Table, key: str, name: str) -> bool:
        """As an application does, add a row whose number the table gives, unless there is one; as `put`."""

    def next_number(self, table: Table) -> int | None:
        """The next number that the table gives; None where it gives none."""

    def restore(self, table: Table) -> bool:
        """The table is made anew with the rows that it has, as from a backup. False where somebody writes to it just now."""

    def drop_triggers(self, table: Table) -> None:
        """Somebody drops the triggers of the table, for good."""

    def close(self) -> None:
        """Let go of it."""


class Relational:
    """As PostgreSQL is. `dress` gives a table that was made what its script says beside its columns; `at`: the name of the
    database, where that is not its place in effects."""

    def __init__(
        self,
        name: str,
        batch_rows: int,
        effects: Effects,
        hook: Hook,
        dress: Callable[[Database], None],
        at: str = "",
    ) -> None:
        self.database = Database(effects.lock())
        self._name, self._batch_rows, self._effects, self._hook = name, batch_rows, effects, hook
        self._dress, self.at = dress, at or name

    def store(self) -> Store:
        """A store of the engine."""
        made = RelationalTwin(
            self.database, name=self._name, hook=self._hook, effects=self._effects, lock_wait=0.5,
            on_script=lambda _: self._dress(self.database), at=self.at,
        )  # fmt: skip
        made.batch_rows = self._batch_rows
        return made

    def make(self, table: Table) -> None:
        """Make a table."""
        self.database.make(table)
        self._dress(self.database)

    def there(self, table: Table) -> bool:
        """Whether the table is there."""
        return self.database.find(table) is not None

    def rows(self, table: Table) -> dict[str, Row]:
        """The rows by key."""
        held, names = self.database.find(table), (*table.columns,)
        if held is None:
            return {}
        return {
            str(key): (*(row[name] for name in names), None, row.get(MISTYPED)) for (key,), row in held.rows.items()
        }

    def put(self, table: Table, key: str, row: Row | None) -> bool:
        """In a transaction of its own."""
        held = self.database.find(table)
        return held is None or self._alone(lambda mine: self._place(mine, held, key, _values(table, row)))

    def keep_open(self, table: Table, key: str, row: Row | None) -> Callable[[bool], None] | None:
        """Nothing that it did is seen until it is committed, and whoever wants the row waits."""
        self.database.end_idle(self._effects.elapsing())
        mine, held = Transaction(self.database), self.database.find(table)
        try:
            if held is None:
                return None
            self._place(mine, held, key, _values(table, row))
            mine.check_references()
        except (WaitError, RowRefusedError):
            return None
        self.database.open.append(mine)

        def end(commit: bool) -> None:
            self.database.open.remove(mine)
            if commit:
                self.database.commit(mine)

        return end

    def _alone(self, work: Callable[[Transaction], object]) -> bool:
        self.database.end_idle(self._effects.elapsing())
        mine = Transaction(self.database)
        try:
            work(mine)
            mine.check_references()
        except WaitError:
            return False
        except RowRefusedError:
            return True
        self.database.commit(mine)
        return True

    def insert(self, table: Table, key: str, name: str) -> bool:
        """In a transaction of its own."""
        held = self.database.find(table)
        row: dict[str, Any] = {"id": key, "name": name, "amount": None}
        return self._alone(lambda mine: held is None or mine.get(held, (key,)) is not None or mine.insert(held, row))

    def next_number(self, table: Table) -> int | None:
        """Of its sequence."""
        held = self.database.find(table)
        return next((one.last + one.called for one in held.counters), None) if held is not None else None

    def _place(self, mine: Transaction, held: Held, key: str, row: dict[str, Any] | None) -> None:
        if row is None and mine.get(held, (key,)) is None:
            return  # what another has added, and not committed, is not seen
        mine.lock(held, (key,), deletes=row is None)
        if row is None:
            mine.delete(held, (key,))
        elif not mine.update(held, (key,), row) and mine.get(held, (key,)) is None:
            mine.insert(held, row)

    def restore(self, table: Table) -> bool:
        """Under another name of the server."""
        held = self.database.find(table)
        if held is None or self.database.open:
            return False
        rows = dict(held.rows)
        self.database.drop(table)
        self.make(table)
        made = self.database.find(table)
        assert made is not None
        made.rows.update(rows)
        return True

    def drop_triggers(self, table: Table) -> None:
        """From now on it is made without them, too."""
        dress = self._dress

        def straight(database: Database) -> None:
            dress(database)
            if (held := database.find(table)) is not None:
                held.triggers.clear()

        self._dress = straight
        straight(self.database)

    def close(self) -> None:
        """It is in memory."""


class Documents:
    """As DynamoDB is."""

    def __init__(self, name: str, batch_rows: int, effects: Effects, hook: Hook) -> None:
        self.server = DocumentServer()
        self._name, self._batch_rows, self._effects, self._hook = name, batch_rows, effects, hook

    def store(self) -> Store:
        """A store of the engine."""
        made = DocumentTwin(self.server, name=self._name, hook=self._hook, effects=self._effects)
        made.batch_rows = self._batch_rows
        return made

    def make(self, table: Table) -> None:
        """Make a table."""
        DocumentTwin(self.server, effects=self._effects).create(table)

    def there(self, table: Table) -> bool:
        """Whether the table is there."""
        return table.name in self.server.tables

    def rows(self, table: Table) -> dict[str, Row]:
        """The rows by key."""
        held = self.server.tables.get(table.name)
        every = (row_of(table, item) for item in held.items.values()) if held is not None else ()
        return {row[0]: row for row in every}

    def put(self, table: Table, key: str, row: Row | None) -> bool:
        """In one request."""
        held = self.server.tables.get(table.name)
        if held is None:
            return True
        if row is None:
            held.take({table.key[0]: {"S": key}})
        else:
            held.put(item_of(table, row))
        return True

    def keep_open(self, table: Table, key: str, row: Row | None) -> Callable[[bool], None] | None:
        """It has no transactions that stay open."""
        return None

    def insert(self, table: Table, key: str, name: str) -> bool:
        """It gives no numbers."""
        raise NotImplementedError

    def next_number(self, table: Table) -> int | None:
        """It gives none."""
        return None

    def restore(self, table: Table) -> bool:
        """Under another name of the server."""
        held = self.server.tables.pop(table.name, None)
        if held is None:
            return False
        self.make(table)
        for item in held.items.values():
            self.server.tables[table.name].put(item)
        return True

    def drop_triggers(self, table: Table) -> None:
        """It has none."""

    def close(self) -> None:
        """It is in memory."""


def _values(table: Table, row: Row | None) -> dict[str, Any] | None:
    return None if row is None else {**dict(zip(table.columns, row, strict=False)), MISTYPED: row[-1]}


_TAGS = {Type.TEXT: "S", Type.NUMBER: "N"}


def row_of(table: Table, item: Item) -> Row:
    """An item as a row."""
    if len(item) <= len(table.columns):
        values = [item.get(name, {"NULL": True}) for name in table.columns]
        tags = zip(values, table.columns.values(), strict=True)
        if all("NULL" in value or _TAGS[type_] in value for value, type_ in tags):
            return (*(None if "NULL" in value else next(iter(value.values())) for value in values), None, None)
    (found,) = plain(table, pa.Table.from_batches([Layout(table).decode([item])]))
    return (*found.values(),)


def item_of(table: Table, row: Row) -> Item:
    """A row as an item."""
    values = zip(table.columns.items(), row, strict=False)
    wrong = json.loads(row[-1] or "{}")
    item = {name: {_TAGS[type_]: value} for (name, type_), value in values if value is not None}
    return {**item, **{name: {"S": value} for name, value in wrong.items()}}
