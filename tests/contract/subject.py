"""What the contract suite needs of a store under test, beside the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.declare.names import EXTRA, MISTYPED
from include.trueup.stores import Fence, Store, arrow_schema

Row = dict[str, Any]
"""A row by column, its values as Arrow gives them to Python: numbers and JSON are text."""


class Subject(Protocol):
    """A store on a real engine. Every table it declares has a name of its own."""

    @property
    def store(self) -> Store:
        """The store."""

    @property
    def secret(self) -> str:
        """What must appear in no message and no name: the password or key that the store was opened with."""

    @property
    def types(self) -> tuple[Type, ...]:
        """The column types that the store has."""

    def table(self, columns: Mapping[str, Type], key: tuple[str, ...], indexes: tuple[Index, ...] = ()) -> Table:
        """A declaration with a new name; nothing is created."""

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert or replace rows past the store, as another program would. Numbers are kept in the notation given."""

    def json(self, value: Any) -> str:
        """The canonical JSON text of this store for a plain Python value."""


def arrow(table: Table, rows: Sequence[Row]) -> pa.Table:
    """Rows in canonical form; columns that are left out are null."""
    whole = [dict.fromkeys([*table.columns, EXTRA, MISTYPED]) | row for row in rows]
    return pa.Table.from_pylist(whole, schema=arrow_schema(table))


def by_key(table: Table, rows: pa.Table) -> dict[tuple[Any, ...], Row]:
    """Rows by their key; a key that is there twice is an error."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows.to_pylist():
        key = tuple(row[name] for name in table.key)
        assert key not in found, f"{key} is there twice"
        found[key] = row
    return found


def stored(subject: Subject, table: Table, segments: int = 1) -> dict[tuple[Any, ...], Row]:
    """Every row that the store reads from the table, by key."""
    batches = [batch for part in range(segments) for batch in subject.store.read(table, part, segments)]
    return by_key(table, pa.Table.from_batches(batches, schema=arrow_schema(table)))


def asked(work: Callable[[], object]) -> list[float]:
    """How often the ledger is asked for the right to write where this is done by a fence: what it said how many seconds ago would do."""
    found: list[float] = []
    fence = Fence(check=lambda: None, confirm=found.append, epochs={"t": 1}, part="apply 0", tries=1, lasts=60)
    with fence.active():
        work()
    return found
