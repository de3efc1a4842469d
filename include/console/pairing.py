"""Of two tables behind connections, what can be brought from the one into the other; what cannot is refused with the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ..trueup.declare import Table, Type
from ..trueup.declare.defaults import id_of
from ..trueup.declare.names import RELATIONS, one_of
from ..trueup.errors import OptionsError
from ..trueup.stores import Catalogue, Known
from ..trueup.stores.postgres.catalog import schema_and_name

_ID = re.compile(r"[a-z][a-z0-9_]{0,55}")
_CASTS = {"money": "numeric", "oid": "bigint", "money[]": "numeric[]::text"}
"""What a view casts a type to that no type carries; all others, to text."""
_TAKEN_APART = "take it out of ignores, and say in rows.sql what of _extra becomes a column"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A table behind a connection: `connection:table`."""

    connection: str
    table: str

    @property
    def is_dynamodb(self) -> bool:
        """By the name of its connection, as everywhere outside of Airflow."""
        return "dynamodb" in self.connection

    @classmethod
    def of(cls, text: str, otherwise: str = "") -> Place:
        """From `connection:table`, or from `table` alone, which is behind the connection `otherwise`. Raises `OptionsError`."""
        connection, colon, table = text.partition(":")
        if not colon:
            connection, table = otherwise, text
        if not connection or not table:
            raise OptionsError(f"{text!r} says no table: write connection:table, as in crm_postgres:customers")
        return cls(connection=connection, table=table)


def relation_id(table: str, otherwise: str) -> str:
    """The id that a table's name gives, or could give: one of the engine's own names, or none at all, is no id."""
    made = id_of(table)
    return made if _ID.fullmatch(made) and made not in RELATIONS else f"{otherwise}_{made}".strip("_")[:60]


def _cast(column: Known) -> str:
    carried = f"{column.name}::{_CASTS.get(column.exact, 'text')}"
    return f"declare a view of the table that casts it ({carried}), or give the column another type"


def named(columns: str) -> tuple[str, ...]:
    """The columns of a key, or those that change, with blanks between them; each once."""
    return tuple(dict.fromkeys(columns.split()))


def readable(legacy: Catalogue, given: tuple[str, ...] = ()) -> Catalogue:
    """The source, keyed by what tells its rows apart, or by the columns that are `given`. Raises `OptionsError` where nothing
    does, or nothing can be read."""
    if legacy.kind == "foreign table":
        raise OptionsError(
            f"{legacy.name} is a foreign table, whose rows lie on another server and cannot be read in one state: name that"
            " server's own table, by a connection to it"
        )
    key = given or legacy.key or legacy.identified
    types = {c.name: c for c in legacy.columns}
    if unknown := [name for name in key if name not in types]:
        raise OptionsError(f"KEY: {legacy.name} has no column {unknown[0]!r}; {one_of(unknown[0], types)}")
    if given and "view" not in legacy.kind and {*given} not in ({*legacy.key}, {*legacy.identified}):
        raise OptionsError(
            f"KEY={' '.join(given)}: nothing keeps rows of {legacy.name} apart by that, and it is a {legacy.kind}, of which a key is not"
            " counted: make a unique index over these columns, NOT NULL, or leave KEY out"
        )
    if no_type := [types[name] for name in key if types[name].type is None]:
        raise OptionsError(
            f"{legacy.name}: the key column {no_type[0].name!r} is {no_type[0].exact}, which no type carries: {_cast(no_type[0])}"
        )
    if key:
        return replace(legacy, key=key)
    if "view" in legacy.kind:
        raise OptionsError(
            f"{legacy.name} is a {legacy.kind}, and no catalogue says which of its columns tell its rows apart: say them, as KEY=id or"
            " KEY='region id'; each run counts that they do"
        )
    raise OptionsError(
        f"{legacy.name} has no primary key, and no unique index over columns that are NOT NULL, so its rows cannot be told"
        f" apart. Give it one (ALTER TABLE {legacy.name} ADD PRIMARY KEY (…), or ADD COLUMN … GENERATED ALWAYS AS IDENTITY PRIMARY"
        " KEY), or declare"
        " by hand a view of it in which some columns are a key"
    )


def check_writable(existing: Catalogue) -> None:
    """Raise `OptionsError` where rows cannot be written to what is there."""
    if existing.kind not in ("table", "partitioned table"):
        raise OptionsError(
            f"{existing.name} is a {existing.kind}, and only a table can be written: name the table behind it"
        )
    if not existing.key:
        raise OptionsError(
            f"{existing.name} has no primary key, by which its rows would be written and found again: ALTER TABLE {existing.name}"
            " ADD PRIMARY KEY (…), over columns that are never null"
        )
    for c in existing.columns:
        if c.type is None and c.not_null and not c.sets:
            raise OptionsError(
                f"{existing.name}: the column {c.name!r} is never null, has no default, and is {c.exact}, which no type carries, so no"
                " row can be added: give it a default, or another type"
            )
    types = {c.name: c for c in existing.columns}
    for name in existing.key:
        if types[name].type is None or types[name].sets == "generated":
            why = "GENERATED" if types[name].sets == "generated" else types[name].exact
            raise OptionsError(
                f"{existing.name}: the key column {name!r} is {why}, so Trueup cannot write it: give the table another key"
            )


def not_carried(legacy: Catalogue) -> list[str]:
    """What is left to its author about columns that no type carries, in words."""
    return [
        f"migration.py: {c.name} of {legacy.name} is {c.exact}, which no type carries, and is left out: "
        + (_TAKEN_APART if legacy.looked_at else _cast(c))
        for c in legacy.columns
        if c.type is None
    ]


def like(goes_to: Place, legacy: Catalogue) -> Catalogue:
    """A table that is to be made as another one is. Raises `OptionsError` where DynamoDB has no such key."""
    if not goes_to.is_dynamodb:
        return _alike(goes_to.table, legacy)
    columns = tuple(replace(c, sets="") for c in carried(legacy))
    if len(legacy.key) > 2:
        raise OptionsError(
            f"{legacy.name} has the key {', '.join(legacy.key)}, and a key of DynamoDB has two attributes at most: make the"
            f" table {goes_to.table} with a key of your own first, and say in rows.sql what it is made from"
        )
    kept = (replace(c, type=_OF_DYNAMODB.get(c.type, c.type) if c.type else None) for c in columns)
    return Catalogue(name=goes_to.table, key=legacy.key, columns=tuple(kept))


def _alike(table: str, legacy: Catalogue) -> Catalogue:
    """The table of PostgreSQL, with what the other has of defaults, constraints, indexes and comments, as far as its columns come
    along; a column that the other generates is one that is not to be written."""
    says = {**legacy.likeness.columns}
    for name in legacy.key:  # which is written
        says[name] = "" if says.get(name, "").startswith(GENERATED) else says.get(name, "")
    columns = tuple(
        replace(c, sets="generated" if says.get(c.name, "").startswith(GENERATED) else "") for c in carried(legacy)
    )
    names = {c.name for c in columns}
    rules = tuple(rule for rule in legacy.likeness.rules if {*rule.columns} <= names)
    left = [f"{r.says}: no type carries a column of it" for r in legacy.likeness.rules if r not in rules]
    references = tuple(each for each in legacy.likeness.references if {*each.columns} <= names)
    left += [f"{r.says}: no type carries a column of it" for r in legacy.likeness.references if r not in references]
    likeness = replace(
        legacy.likeness, columns=says, rules=rules, references=references, left_out=(*legacy.likeness.left_out, *left)
    )
    return Catalogue(name=table, key=legacy.key, columns=columns, place=parts(table), likeness=likeness)


GENERATED = "GENERATED ALWAYS AS ("
"""What a generated column's words begin with."""
_OF_DYNAMODB = {Type.INTEGER: Type.NUMBER, Type.FLOAT: Type.NUMBER} | dict.fromkeys(
    (Type.TIMESTAMP, Type.DATETIME, Type.DATE), Type.TEXT
)
"""What stands in DynamoDB for a type that it has not: times as ISO 8601 text."""


def parts(table: str) -> tuple[str, ...]:
    """Schema and table of a name of PostgreSQL."""
    return schema_and_name(Table(name=table, connection="", key=("id",), columns={"id": Type.TEXT}))


def to_write(existing: Catalogue, legacy: Catalogue) -> Catalogue:
    """What of a table is to be written: not what it alone can set, nor what it sets itself where the source has no such column."""
    given = {c.name for c in carried(legacy)}
    columns = (c for c in existing.columns if c.sets != "generated" and (not c.sets or c.name in given))
    return replace(existing, columns=tuple(columns))


def carried(catalogue: Catalogue) -> tuple[Known, ...]:
    return tuple(c for c in catalogue.columns if c.type is not None)
