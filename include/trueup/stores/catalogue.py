"""What a store knows of a table that nobody has declared yet: from it a declaration is written (`make new`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..declare.migration import Type


@dataclass(frozen=True, kw_only=True)
class Known:
    """A column: its logical `type` (None where none takes it), `exact` type in the store's own words, whether it is never
    null, and how the table `sets` it where nothing is given (generated, identity, default, or not at all: '').
    `share`: in which share of the rows that were looked at it was there; 1 where the store has columns. `made_by`: what
    makes its type in a database that has it not yet, in the store's own language ('' where every one has it, or None where
    that cannot be said)."""

    name: str
    type: Type | None
    exact: str
    not_null: bool = False
    sets: str = ""
    share: float = 1.0
    made_by: str | None = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A constraint as it stands in a CREATE TABLE, or an `index` as a statement without its name and table (`CREATE INDEX
    USING …`), and the columns that it is about."""

    says: str
    columns: tuple[str, ...]
    index: bool = False


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A foreign key by its name, as it stands in an ALTER TABLE; `to`: the table that it refers to, '' the table itself, for which
    `{table}` stands in it."""

    name: str
    says: str
    to: str
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What makes another table like one, beside the names and types of columns: what follows a column's type (DEFAULT …),
    constraints and indexes, foreign keys, comments on the table and its columns; and what is `left_out` of that, each with the reason."""

    columns: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    references: tuple[Reference, ...] = ()
    comment: str = ""
    comments: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """A table as its store knows it: the columns of its primary key (none of a view), all its columns in their order, and
    how many rows were `looked_at` to know them; 0 where the store says it itself. `place`: the name in its parts, such as
    schema and table, without quotes. `identified`: where there is no primary key, the columns of a unique index that are
    never null; none where nothing keeps rows apart. `kind`: what it is, in words; `empty`: whether it has no row; `triggers`: what it does
    besides when rows are written to it, in words. `likeness`: what makes another table like it."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Known, ...]
    looked_at: int = 0
    place: tuple[str, ...] = ()
    identified: tuple[str, ...] = ()
    kind: str = "table"
    empty: bool = False
    triggers: tuple[str, ...] = ()
    likeness: Likeness = field(default_factory=Likeness)
