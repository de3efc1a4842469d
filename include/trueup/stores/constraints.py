"""What a table keeps its rows by: unique indexes, foreign keys, and what its columns can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Unique:
    """A unique index over declared columns, besides the primary key. `nulls_equal`: two rows with null are not apart."""

    name: str
    columns: tuple[str, ...]
    nulls_equal: bool


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A foreign key that points at a table: `constraint` of `table`, whose `columns` refer to the columns `refers_to`.
    `takes_along`: what the deletion of a row does to those that refer to it (CASCADE, SET NULL, SET DEFAULT), empty where
    it is refused; `empties`: what a change of those columns does to what refers to them, where it loses that (SET NULL, SET
    DEFAULT). `own`: the table refers to itself."""

    constraint: str
    table: str
    columns: tuple[str, ...]
    refers_to: tuple[str, ...]
    takes_along: str
    own: bool
    empties: str = ""

    @property
    def name(self) -> str:
        """Table and constraint."""
        return f"{self.table}.{self.constraint}"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the columns of a table that is there can hold: `columns` are the types of declared ones, as the store writes
    them with their length or precision, and `not_null` those of them that may not be null."""

    columns: Mapping[str, str] = field(default_factory=dict)
    not_null: tuple[str, ...] = ()
