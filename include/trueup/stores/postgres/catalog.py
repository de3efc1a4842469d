"""A table as PostgreSQL has it, and how that differs from what is declared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ...errors import StoreRejectedError
from ...model import Index, Table
from .. import Description
from .columns import Column, fits
from .session import Session

QUERY = (Path(__file__).parent / "catalog.sql").read_text()
"""Gives what `shape_of` takes; $1 is the schema, $2 the table."""


@dataclass(frozen=True, kw_only=True)
class StoredIndex:
    """An index. `complete`: valid, over every row, and of columns only."""

    name: str
    primary: bool
    complete: bool
    key: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A table, view or foreign table. `stored`: its rows lie in one file of its own, where a row is found by its place
    (`ctid`). `estimated_rows` is the planner's, negative where there is none."""

    schema: str
    name: str
    oid: int
    stored: bool
    estimated_rows: float
    columns: dict[str, Column]
    indexes: tuple[StoredIndex, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key's columns, in order; empty if there is none."""
        return next((index.key for index in self.indexes if index.primary), ())

    def undeclared(self, table: Table) -> list[Column]:
        """The columns that the declaration does not name."""
        return [column for name, column in self.columns.items() if name not in table.columns]

    def differences(self, table: Table) -> tuple[str, ...]:
        """In words, where key, columns or indexes are not as declared."""
        return tuple(self._differences(table))

    def _differences(self, table: Table) -> Iterator[str]:
        if self.key != table.key:
            yield f"the primary key is {_listed(self.key) or 'missing'}, declared is {_listed(table.key)}"
        for name, type_ in table.columns.items():
            column = self.columns.get(name)
            if column is None:
                if name not in table.added:
                    yield f"there is no column {name!r}"
            elif not fits(type_, column):
                yield f"column {name!r} is {column.cast}, declared is {type_}"
        for index in table.indexes:
            yield from self._index_differences(index)

    def _index_differences(self, index: Index) -> Iterator[str]:
        named = next((one for one in self.indexes if one.name == index.name), None)
        if named is not None and (named.key != index.key or not named.complete):
            state = "" if named.complete else ", partial or not valid"
            yield f"index {index.name!r} is on {_listed(named.key)}{state}, declared is {_listed(index.key)}"
        if named is None and not any(one.complete and one.key[: len(index.key)] == index.key for one in self.indexes):
            yield f"there is no index on {_listed(index.key)} ({index.name!r})"

    def describe(self, table: Table) -> Description:
        """The same in the store's own words."""
        return Description(
            name=table.name,
            key=self.key,
            indexes=tuple(index.name for index in self.indexes if not index.primary),
            estimated_rows=int(self.estimated_rows) if self.estimated_rows >= 0 else None,
            differences=self.differences(table),
            undeclared=tuple(column.name for column in self.undeclared(table)),
        )


def schema_and_name(table: Table) -> tuple[str, str]:
    """`schema.table` in two; without a schema it is `public`, whatever the connection's search_path, so that one name
    is one table for every worker."""
    schema, dot, name = table.name.partition(".")
    return (schema, name) if dot else ("public", schema)


def find(session: Session, table: Table) -> Shape | None:
    """The table as it is, or None if there is none."""
    schema, name = schema_and_name(table)
    found = session.fetch(QUERY, pa.record_batch({"schema": [schema], "name": [name]}))
    return shape_of(table, found["shape"][0].as_py()) if found.num_rows else None


def require(session: Session, table: Table) -> Shape:
    """The table as it is. Raises `StoreRejectedError` if there is none, or if a declared column is not there."""
    shape = find(session, table)
    if shape is None:
        raise StoreRejectedError(f"{session.place}: there is no table {table.name}. Check its name and the connection.")
    if missing := [name for name in table.columns if name not in shape.columns and name not in table.added]:
        raise StoreRejectedError(
            f"{session.place}: table {table.name} has no column {_listed(missing)}. Correct the declaration."
        )
    return shape


def require_writable(session: Session, table: Table) -> Shape:
    """The same for a table that is written: key and types of the columns must be as declared, too."""
    shape = require(session, table)
    if missing := [name for name in table.added if name not in shape.columns]:
        raise StoreRejectedError(
            f"{session.place}: table {table.name} has no column {_listed(missing)} yet. Add it first."
        )
    indexes_apart = Table(name=table.name, connection=table.connection, key=table.key, columns=table.columns)
    if differences := shape.differences(indexes_apart):
        raise StoreRejectedError(
            f"{session.place}: table {table.name} is not what is declared: {'; '.join(differences)}."
            " Correct the declaration or the table; nothing was written."
        )
    return shape


def shape_of(table: Table, answer: str) -> Shape:
    """The shape that `QUERY` answered with."""
    schema, name = schema_and_name(table)
    found = json.loads(answer)
    return Shape(
        schema=schema,
        name=name,
        oid=found["oid"],
        stored=found["stored"],
        estimated_rows=found["estimated_rows"],
        columns={one["name"]: Column(**one) for one in found["columns"]},
        indexes=tuple(StoredIndex(**{**one, "key": tuple(one["key"])}) for one in found["indexes"]),
    )


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(repr(name) for name in names)
