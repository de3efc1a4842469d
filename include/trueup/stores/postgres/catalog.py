"""A table as PostgreSQL has it, and how that differs from what is declared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ...declare.migration import Index, Table
from ...declare.names import one_of
from ...errors import DeclarationError, StoreRejectedError, StoreUnavailableError
from .. import Description
from .columns import Column, misfit
from .session import Session

_STANDBY = "the server is a standby, which does not know what it has not received yet: give the connection the primary's address"
_FILLING = "logical replication is still copying its rows (pg_subscription_rel): wait until it is done, or read where they come from"
_DAMAGE = (
    "zero_damaged_pages or ignore_checksum_failure is on, so the server reads a damaged page without an error, as empty or as other rows:"
    " turn it off for Trueup's role (ALTER ROLE … SET zero_damaged_pages = off)"
)
QUERY = (Path(__file__).parent / "catalog.sql").read_text()
"""Gives what `shape_of` takes; $1 is the schema, $2 the table."""


@dataclass(frozen=True, kw_only=True)
class StoredIndex:
    """An index. `complete`: valid, over every row, and of columns only; `unique`: at every statement's end;
    `nulls_equal`: null is a value like any other to it."""

    name: str
    primary: bool
    unique: bool
    complete: bool
    valid: bool = True
    nulls_equal: bool = False
    key: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A table, view or foreign table. `stored`: its rows lie in one file of its own, where a row is found by its place
    (`ctid`). `estimated_rows` is the planner's, negative where there is none. `kind` is `relkind`; `policies`: row
    security hides rows from `role`, which is ours; `elsewhere`: it is a foreign table, or has one among its parts;
    `in_recovery`: the server is a standby; `damage_hidden`: a setting has it read a damaged page as if it were whole;
    `filling`: logical replication has not copied all of its rows yet;
    `acts`: what of it may change more than what is written: `triggers`, `references` (only other rows), or nothing."""

    schema: str
    name: str
    oid: int
    kind: str
    has_children: bool
    role: str
    policies: bool
    elsewhere: bool
    in_recovery: bool
    damage_hidden: bool = False
    filling: bool = False
    acts: str
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

    def extras(self, table: Table) -> list[Column]:
        """The undeclared columns that are read as `_extra`: not those that the store sets by itself (`Table.sets`), nor
        generated ones, which say nothing that the others of the row do not."""
        left_out = ("generated", "identity", "default") if table.sets_defaults else ("generated",)
        return [c for c in self.undeclared(table) if c.sets not in left_out and c.name not in table.sets]

    def differences(self, table: Table) -> tuple[str, ...]:
        """In words, where key, columns or indexes are not as declared."""
        return tuple(self._differences(table))

    def misfits(self, table: Table) -> tuple[str, ...]:
        """In words, each declared column that does not exist or is of a type that does not fit, and what to declare."""
        return tuple(self._misfits(table))

    def _misfits(self, table: Table) -> Iterator[str]:
        for name, type_ in table.columns.items():
            column = self.columns.get(name)
            if column is None:
                if name not in table.adds:
                    yield f"there is no column {name!r}; {one_of(name, self.columns)}"
            elif (words := misfit(type_, column)) is not None:
                yield words

    @property
    def counted(self) -> bool:
        """Whether nothing in the database keeps a key unique, so that only counting can tell: of views, and of tables
        with children, whose indexes are each of one table alone."""
        return self.kind in ("v", "m") or (self.kind == "r" and self.has_children)

    def identifies(self, key: tuple[str, ...]) -> bool:
        """Whether no two rows have the same values in these columns, and none is null: by the primary key, or by a unique
        index over columns that are NOT NULL. Where that has to be `counted`, reading does it."""
        all_known = all(name in self.columns for name in key)
        if not all_known or self.counted:
            return all_known
        always = all(self.columns[name].not_null for name in key)
        return key == self.key or (always and any(i.unique and i.complete and {*i.key} == {*key} for i in self.indexes))

    def obstacles(self, table: Table) -> Iterator[str]:
        """In words, why what is read would not be all that is there, and what to do."""
        if self.in_recovery:
            yield _STANDBY
        if self.damage_hidden:
            yield _DAMAGE
        if self.filling:
            yield _FILLING
        if self.policies:
            yield (
                f"table {table.name} has row security, which would hide rows from role {self.role!r}: connect as a role"
                " that is not subject to it (BYPASSRLS, or the owner of a table that does not force it)"
            )
        if self.elsewhere:
            yield (
                f"{table.name} is a foreign table or has one among its parts, whose rows lie on another server and cannot"
                " be read in one state: give Trueup a connection to that server"
            )

    def _differences(self, table: Table) -> Iterator[str]:
        if self.key != table.key:
            yield f"the primary key is {_listed(self.key) or 'missing'}, declared is {_listed(table.key)}"
        yield from self._misfits(table)
        for index in table.indexes:
            yield from self._index_differences(index)

    def _index_differences(self, index: Index) -> Iterator[str]:
        named = next((one for one in self.indexes if one.name == index.name), None)
        if named is not None and (named.key != index.key or (named.valid and not named.complete)):
            state = "" if named.complete else ", partial or not valid"
            yield f"index {index.name!r} is on {_listed(named.key)}{state}, declared is {_listed(index.key)}"

    def missing(self, table: Table) -> tuple[Index, ...]:
        """The declared indexes that are still to be made: there is none of that name that is valid, and no other that
        begins with the columns."""
        return tuple(index for index in table.indexes if self._is_missing(index))

    def _is_missing(self, index: Index) -> bool:
        named = next((one for one in self.indexes if one.name == index.name), None)
        if named is not None:
            return not named.valid
        return not any(one.complete and one.key[: len(index.key)] == index.key for one in self.indexes)

    def describe(self, table: Table) -> Description:
        """The same in the store's own words."""
        estimate = int(self.estimated_rows) if self.estimated_rows >= 0 else None
        return Description(
            name=table.name,
            key=self.key,
            indexes=tuple(index.name for index in self.indexes if not index.primary),
            estimated_rows=estimate,
            expected_rows=estimate,
            differences=self.differences(table),
            undeclared=tuple(column.name for column in self.undeclared(table)),
            identified=self.identifies(table.key),
            misfits=self.misfits(table),
            obstacles=tuple(self.obstacles(table)),
        )


_PART = r'"(?:[^"]|"")+"|[^".][^.]*'
_NAME = re.compile(rf"(?:({_PART})\.)?({_PART})")


def schema_and_name(table: Table) -> tuple[str, str]:
    """`schema.table` in two, case as given; a part in double quotes may have dots in it, and a double quote doubled.
    Without a schema it is `public`, whatever the connection's search_path, so that one name is one table for every
    worker. Raises `DeclarationError` for anything else."""
    parts = _NAME.fullmatch(table.name)
    if parts is None:
        raise DeclarationError(
            f"table name {table.name!r}: write table or schema.table, and a part that has a dot in it in"
            ' double quotes (sales."order.items")'
        )
    schema, name = (part and _unquoted(part) for part in parts.groups())
    return schema or "public", name


def full_name(table: Table) -> str:
    """`schema.table`, one text for one table: a part that has a dot or a quote in it is in double quotes."""
    return ".".join(
        p if re.fullmatch(r'[^".]+', p) else f'"{p.replace(chr(34), chr(34) * 2)}"' for p in schema_and_name(table)
    )


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def find(session: Session, table: Table) -> Shape | None:
    """The table as it is, or None if there is none."""
    schema, name = schema_and_name(table)
    answer = session.fetch(QUERY, pa.record_batch({"schema": [schema], "name": [name]}))
    return shape_of(table, answer["shape"][0].as_py()) if answer.num_rows else None


def require(session: Session, table: Table) -> Shape:
    """The table as it is. Raises `StoreRejectedError` if there is none, or if a declared column is not there, and
    `StoreUnavailableError` where a standby answers: it may have since the preflight, by an address of several servers."""
    shape = find(session, table)
    if shape is not None and shape.in_recovery:
        raise StoreUnavailableError(f"{session.place}: {table.name} cannot be read: {_STANDBY}.")
    if shape is not None and shape.filling:
        raise StoreUnavailableError(f"{session.place}: {table.name} cannot be read: {_FILLING}.")
    if shape is not None and shape.damage_hidden:
        raise StoreRejectedError(f"{session.place}: {table.name} cannot be read: {_DAMAGE}.")
    if shape is None:
        raise StoreRejectedError(f"{session.place}: there is no table {table.name}. Check its name and the connection.")
    if missing := [name for name in table.columns if name not in shape.columns and name not in table.adds]:
        raise StoreRejectedError(
            f"{session.place}: table {table.name} has no column {_listed(missing)}. Correct the declaration."
        )
    return shape


def require_writable(session: Session, table: Table) -> Shape:
    """The same for a table that is written: key and types of the columns must be as declared, too."""
    shape = require(session, table)
    if missing := [name for name in table.adds if name not in shape.columns]:
        raise StoreRejectedError(
            f"{session.place}: table {table.name} has no column {_listed(missing)} yet. Add it first."
        )
    indexes_apart = Table(name=table.name, connection=table.connection, key=table.key, columns=table.columns)
    if differences := shape.differences(indexes_apart):
        raise StoreRejectedError(
            f"{session.place}: table {table.name} is not as declared: {'; '.join(differences)}. Correct the "
            "declaration or the table."
        )
    return shape


def shape_of(table: Table, answer: str) -> Shape:
    """The shape that `QUERY` answered with."""
    schema, name = schema_and_name(table)
    entry = json.loads(answer)
    return Shape(
        schema=schema,
        name=name,
        oid=entry["oid"],
        kind=entry["kind"],
        has_children=entry["has_children"],
        role=entry["role"],
        policies=entry["policies"],
        elsewhere=entry["elsewhere"],
        in_recovery=entry["in_recovery"],
        damage_hidden=entry["damage_hidden"],
        filling=entry["filling"],
        acts=entry["acts"],
        stored=entry["stored"],
        estimated_rows=entry["estimated_rows"],
        columns={one["name"]: Column(**one) for one in entry["columns"]},
        indexes=tuple(StoredIndex(**{**one, "key": tuple(one["key"])}) for one in entry["indexes"]),
    )


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(repr(name) for name in names)
