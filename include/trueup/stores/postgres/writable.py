"""Whether a table can be written as planned: what it does by itself, and what stands in the way, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from psycopg import sql

from ...declare.migration import Table
from .. import Description, Limits, Unique
from .catalog import Shape, schema_and_name
from .effects import INSERT, UPDATE, Effects
from .session import Session
from .stamps import ANOTHER

MOST_COLUMNS = 790
"""A changed row is staged twice over, as it was and as it is to be, and no table of PostgreSQL has 1,600 columns."""
_NO_TEMP = "role {!r} may not make temporary tables, which rows are staged in"
_SET_BY = {
    "database": "for the database",
    "user": "for the role",
    "database user": "for the role in this database",
    "client": "in the options of the connection",
}
_WHY = {
    "generated": "GENERATED",
    "identity": "GENERATED AS IDENTITY",
    "default": "has a DEFAULT",
    "": "named in Target.sets",
}


def described(shape: Shape, effects: Effects, table: Table) -> Description:
    """The table's description, with what is of interest of a target."""
    undeclared = {column.name for column in shape.undeclared(table)} - {c.name for c in shape.extras(table)}
    sets = {name: _WHY[shape.columns[name].sets] for name in shape.columns if name in undeclared}
    unique = (
        Unique(name=index.name, columns=index.key, nulls_equal=index.nulls_equal)
        for index in shape.indexes
        if index.unique and index.complete and not index.primary and {*index.key} <= {*table.columns}
    )
    return replace(
        shape.describe(table),
        identity=str(shape.oid),
        unwritable=tuple(_unwritable(shape, effects, table)),
        unaddable=tuple(_unaddable(shape, table)),
        generated=tuple(
            name for name in table.columns if name in shape.columns and shape.columns[name].sets == "generated"
        ),
        irremovable=tuple(_rights(shape, effects, ("DELETE",))),
        sets=sets | dict.fromkeys(set(table.sets) & {*shape.columns}, _WHY[""]),
        triggers=tuple(map(str, effects.triggers)),
        stamps={
            name: str(trigger)
            for name, trigger in effects.stamps.items()
            if name in shape.columns and shape.columns[name].exact in ANOTHER
        },
        fills=tuple(column.name for column in shape.extras(table) if column.sets),
        unique=tuple(unique),
        references=effects.references,
        limits=Limits(
            columns={name: shape.columns[name].exact for name in table.columns if name in shape.columns},
            not_null=tuple(name for name in table.columns if name in shape.columns and shape.columns[name].not_null),
        ),
    )


def _unwritable(shape: Shape, effects: Effects, table: Table) -> Iterator[str]:
    if shape.kind not in ("r", "p"):
        yield "it is not a table, and only a table can be written"
        return
    if len(table.columns) > MOST_COLUMNS:
        yield f"{len(table.columns):,} columns are declared, and Trueup can write {MOST_COLUMNS} at most"
    yield from _unwritable_key(effects)
    if effects.unlogged:
        yield (
            "it is UNLOGGED, or has a partition that is: PostgreSQL empties such a table after a crash, and no standby has its "
            f"rows: ALTER TABLE {sql.Identifier(shape.schema, shape.name).as_string(None)} SET LOGGED"
        )
    if rules := [name for name, event in effects.rules if event in (INSERT, UPDATE)]:
        yield (
            f"rule {', '.join(rules)} rewrites what is inserted or updated: drop it, or write to the table behind it"
        )
    if effects.read_only is not None:
        yield _reads_only(effects.read_only, shape.role)
    yield from _unwritable_columns(shape, table)
    yield from _rights(shape, effects, ("SELECT", "INSERT", "UPDATE"))
    if not effects.may.get("TEMP", True):
        database = sql.Identifier(effects.database).as_string(None)
        role = sql.Identifier(shape.role).as_string(None)
        yield f"{_NO_TEMP.format(shape.role)}: GRANT TEMPORARY ON DATABASE {database} TO {role}"
    for sequence in effects.sequences:
        if sequence.column in table.columns and not sequence.may:
            yield (
                f"role {shape.role!r} may not advance the sequence of column {sequence.column!r}: GRANT UPDATE ON SEQUENCE"
                f" {sequence.name} TO {sql.Identifier(shape.role).as_string(None)}"
            )


def _unwritable_key(effects: Effects) -> Iterator[str]:
    if effects.deferrable_key:
        yield (
            f"its primary key ({effects.deferrable_key}) is DEFERRABLE, so PostgreSQL cannot detect a row that "
            f"is there already: make it NOT DEFERRABLE (drop constraint {effects.deferrable_key} and add it "
            "again)"
        )
    if effects.temporal_key:
        yield (
            f"its primary key ({effects.temporal_key}) is WITHOUT OVERLAPS, by which PostgreSQL cannot detect a row that is"
            " there already: make that a UNIQUE constraint, and the same columns an ordinary primary key"
        )


def _reads_only(set_by: str, role: str) -> str:
    """That the server's default is to write nothing, which somebody meant, and how to say that Trueup may."""
    named = sql.Identifier(role).as_string(None)
    return (
        "default_transaction_read_only is on, set "
        f"{_SET_BY.get(set_by, 'in the configuration of the server')}: somebody wants nothing to be written "
        "here. If Trueup may write anyway, allow it for Trueup only: in the options of its connection (-c "
        f"default_transaction_read_only=off), or ALTER ROLE {named} SET default_transaction_read_only = off"
    )


def _unwritable_columns(shape: Shape, table: Table) -> Iterator[str]:
    for name in table.sets:
        if name not in shape.columns:
            yield f"Target.sets names {name!r}, and there is no such column"


def _unaddable(shape: Shape, table: Table) -> Iterator[str]:
    for column in shape.undeclared(table):
        if column.not_null and not column.sets and column.name not in table.sets:
            yield (
                f"column {column.name!r} is NOT NULL without a default and is not declared, so no row can be added: declare"
                " it, give it a default, or name it in Target.sets if a trigger sets it"
            )


def _rights(shape: Shape, effects: Effects, wanted: tuple[str, ...]) -> Iterator[str]:
    if lacking := [right for right in wanted if not effects.may.get(right, True)]:
        name = sql.Identifier(shape.schema, shape.name).as_string(None)
        role = sql.Identifier(shape.role).as_string(None)
        yield f"role {shape.role!r} lacks the right to {', '.join(lacking)}: GRANT {', '.join(lacking)} ON {name} TO {role}"


def why_uncreatable(session: Session, table: Table) -> tuple[str, ...]:
    """In words, why a table that does not exist could not be made and written."""
    schema, _ = schema_and_name(table)
    query = sql.SQL(
        "SELECT current_user::text AS role, current_database()::text AS database,"
        " (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = {}) AS may,"
        " has_database_privilege(current_database(), 'CREATE') AS may_schema,"
        " has_database_privilege(current_database(), 'TEMP') AS may_stage, pg_is_in_recovery() AS standby,"
        " (SELECT source FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on')"
        " AS read_only"
    )
    (answer,) = session.fetch(query.format(schema)).to_pylist()
    role, database = (sql.Identifier(answer[name]).as_string(None) for name in ("role", "database"))
    reasons = []
    if answer["standby"]:
        reasons.append("the server is a standby, which only reads: give the connection the primary's address")
    if answer["read_only"] is not None:
        reasons.append(_reads_only(answer["read_only"], answer["role"]))
    if answer["may"] is False:
        named = sql.Identifier(schema).as_string(None)
        reasons.append(
            f"role {answer['role']!r} may not make a table in schema {schema}: GRANT CREATE ON SCHEMA {named} TO {role}"
        )
    if answer["may"] is None and (table.create is None or not answer["may_schema"]):
        reasons.append(f"there is no schema {schema!r}: make it")
    if not answer["may_stage"]:
        reasons.append(f"{_NO_TEMP.format(answer['role'])}: GRANT TEMPORARY ON DATABASE {database} TO {role}")
    return tuple(reasons)
