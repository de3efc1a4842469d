"""A table as a declaration has it: its columns' logical types, its key, its indexes.

Imported from `model`, as everything that a declaration is written with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..errors import DeclarationError
from .former import renamed, takes_former
from .kinds import check_kinds
from .names import check_columns, check_tuple, one_of


class Type(StrEnum):
    """Logical type of a column; each has one canonical form, so that equal values are equal bytes.

    | type      | Arrow                | canonical form                                      | DynamoDB | Postgres          |
    |-----------|----------------------|-----------------------------------------------------|----------|-------------------|
    | TEXT      | string               | as stored                                           | S        | text, varchar, uuid, … |
    | NUMBER    | string               | plain decimal: no exponent, no trailing zeros, no -0 | N        | numeric, smallint … bigint |
    | INTEGER   | int64                |                                                     | –        | smallint … bigint |
    | FLOAT     | float64              | the double itself: -0.0 is not 0.0, NaN equals NaN  | –        | double precision, real |
    | BOOLEAN   | bool                 |                                                     | BOOL     | boolean           |
    | TIMESTAMP | timestamp[us, UTC]   |                                                     | –        | timestamptz       |
    | DATETIME  | timestamp[us]        | date and time of no time zone                       | –        | timestamp         |
    | DATE      | date32               |                                                     | –        | date              |
    | JSON      | string               | canonical JSON (`values.canonical_json`)              | M        | jsonb, json       |
    | BINARY    | binary               | as stored                                           | B        | bytea             |

    A transform sees NUMBER and JSON as VARCHAR, FLOAT as DOUBLE, DATE, DATETIME and TIMESTAMP as DATE, TIMESTAMP and
    TIMESTAMPTZ. What has no place in the type is null there, and stands in the row's `_mistyped`: NaN and infinity of a
    numeric, ±infinity of a date or time, instants from the year 294247 on.

    Every other type of PostgreSQL is TEXT, as PostgreSQL itself writes it whatever the server's settings are: char(n),
    enums, domains of text, arrays, composites, ranges, inet, bit, time, interval, xml, tsvector, geometry, hstore,
    citext, vector. `numeric`, `date`, `timestamp`, `timestamptz`, `json` and `jsonb` may be TEXT, too, and then carry all
    that they can hold as it is written: NaN, infinity, `1.50`. `money`, `oid` and types like it (their text only has a
    meaning in one database) cannot be declared. A domain is what it is made from. docs/types.md has every type.
    """

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATETIME = "datetime"
    DATE = "date"
    JSON = "json"
    BINARY = "binary"


@dataclass(frozen=True, kw_only=True)
class Index:
    """A secondary index: DynamoDB global secondary index (`key` = hash, or hash and range) or a Postgres index.

    `add` (DynamoDB): a table that is there without it gets it, when the tables are made; else such a table is refused."""

    name: str
    key: tuple[str, ...]
    add: bool = False


@takes_former(
    {
        "create_sql": "give the script to the table's Target, as create",
        "added": "give them to the table's Target, as adds",
    },
    renamed({"create_sql": "create", "added": "adds"}),
)
@dataclass(frozen=True, kw_only=True)
class Table:
    """A table in a store. `connection` is an Airflow connection id; its type decides the store.

    `name` is the name as the store has it, case as given (Postgres: `table`, or `schema.table`; a part with a dot in it
    in double quotes: `sales."order.items"`). A source may be a view. `key` are the primary key's
    columns, in order; of a source they may be those of a unique index that are NOT NULL, or of a view those that tell
    its rows apart (which is counted); `required` are further columns that may not be null.

    What follows is said with `Target`, not here: `create`, the script that makes the table; `adds`, columns that are not
    there yet, and read as null; `sets`, columns that the store sets by itself, which are neither read nor written; with
    `sets_defaults` so are columns that are not declared and have a default.
    """

    name: str
    connection: str
    key: tuple[str, ...]
    columns: Mapping[str, Type]
    indexes: tuple[Index, ...] = ()
    required: tuple[str, ...] = ()
    create: Path | None = None
    adds: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    sets_defaults: bool = False

    def __post_init__(self) -> None:
        given: object = self.key
        if isinstance(given, str):  # one column, said without its brackets
            object.__setattr__(self, "key", (given,))
        for name in ("key", "indexes", "required", "adds", "sets"):
            check_tuple(f"table {self.name!r}: {name}", getattr(self, name))
        check_kinds(f"table {self.name!r}", self)
        self._check_types()
        if len({*self.key}) < len(self.key):
            raise DeclarationError(f"table {self.name!r}: its key names a column twice: {', '.join(self.key)}")
        if not self.key:
            raise DeclarationError(f"table {self.name!r} declares no key")
        check_columns(f"table {self.name!r}", self.columns)
        for column in (*self.key, *(c for index in self.indexes for c in index.key), *self.required, *self.adds):
            if column not in self.columns:
                raise DeclarationError(
                    f"table {self.name!r}: key, index, required or added column {column!r} is not among its columns; "
                    f"{one_of(column, self.columns)}"
                )

    def _check_types(self) -> None:
        given: object = self.columns
        if not isinstance(given, Mapping):
            raise DeclarationError(
                f"table {self.name!r}: columns are given with their types, as {{'id': Type.TEXT}} or "
                "columns(text='id name', number='amount')"
            )
        for name, type_ in given.items():
            if type_ not in {*Type}:
                raise DeclarationError(
                    f"table {self.name!r}: column {name!r} has the type {type_!r}, which does not exist; "
                    f"{one_of(str(type_), Type)} (`Type` says which is for which column of a store)"
                )
        if not all(isinstance(type_, Type) for type_ in given.values()):  # in words, as `columns` takes them
            object.__setattr__(self, "columns", {name: Type(type_) for name, type_ in given.items()})
