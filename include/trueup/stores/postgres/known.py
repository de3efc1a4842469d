"""What PostgreSQL knows of a table that nobody has declared yet, and what makes its types elsewhere."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from psycopg import sql

from ...declare.migration import Table, Type
from .. import Catalogue, Known
from . import catalog
from .catalog import Shape
from .columns import right_type
from .effects import effects_of
from .likeness import likeness
from .session import Session

QUERY = (Path(__file__).parent / "known.sql").read_text()
"""Gives each type that was made, and how; $1 is an array of types' names as SQL."""
NAMES = (
    "SELECT c.oid::regclass::text AS name FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND NOT c.relispartition AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) "
    "AND c.relpersistence <> 't' AND c.relnamespace::regnamespace::text NOT LIKE 'pg!_%' ESCAPE '!'"
)
"""The tables and views of the database, each by the name that finds it, without parts of others."""
_KINDS = {"p": "partitioned table", "v": "view", "m": "materialized view", "f": "foreign table"}


def catalogue(session: Session, name: str) -> Catalogue | None:
    """The table or view of that name as the catalogue has it, or None."""
    anything = Table(name=name, connection="", key=("id",), columns={"id": Type.TEXT})
    shape = catalog.find(session, anything)
    if shape is None:
        return None
    casts = _made_types(session, shape)
    columns = tuple(
        Known(
            name=c.name, type=right_type(c), exact=c.exact, sets=c.sets, made_by=casts.get(c.cast, ""),
            not_null=c.not_null or (c.refuses_null and shape.kind in "rp"),  # a view may join a row to none
        )
        for c in shape.columns.values()
    )  # fmt: skip
    triggers = tuple(map(str, effects_of(session, shape.oid).triggers))
    return Catalogue(
        name=name,
        key=shape.key,
        columns=columns,
        place=(shape.schema, shape.name),
        identified=() if shape.key else _identified(shape),
        kind=_KINDS.get(shape.kind, "table"),
        empty=_is_empty(session, shape),
        triggers=triggers,
        likeness=likeness(session, shape, {c.name: c.made_by for c in columns}, triggers),
    )


def names(session: Session) -> list[str]:
    """The names of all tables and views, as a declaration says them, sorted."""
    return sorted(session.fetch(NAMES)["name"].to_pylist())


def _identified(shape: Shape) -> tuple[str, ...]:
    """The shortest unique index, over every row, whose columns are never null."""
    keys = (i.key for i in shape.indexes if i.unique and i.complete and i.key and shape.identifies(i.key))
    return min(keys, key=len, default=())


def _is_empty(session: Session, shape: Shape) -> bool:
    if shape.kind in ("v", "f"):  # a view may take long, another server may not answer
        return False
    name = sql.Identifier(shape.schema, shape.name)
    (empty,) = session.fetch(sql.SQL("SELECT NOT EXISTS (SELECT FROM {}) AS empty").format(name))["empty"].to_pylist()
    return bool(empty)


def _made_types(session: Session, shape: Shape) -> dict[str, str | None]:
    """What makes the types of the columns that are not built in, by their names as SQL."""
    names = [column.cast for column in shape.columns.values() if not column.type]
    if not names:
        return {}
    types = session.fetch(QUERY, pa.record_batch({"names": pa.array([names], pa.list_(pa.string()))})).to_pylist()
    return {row["name"]: row["made_by"] for row in types}
