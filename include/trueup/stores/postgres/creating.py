"""Making a table, by its script or from its declaration."""

from __future__ import annotations

import psycopg
from psycopg import sql

from ...declare.migration import Table
from ...errors import StoreRejectedError
from .catalog import QUERY, Shape, schema_and_name, shape_of
from .columns import CREATED
from .indexes import make_indexes
from .session import Address, script_session


def create(address: Address, table: Table) -> bool:
    """Make the table and its indexes in one transaction; False if it was there already: then the indexes that are missing
    are made, without keeping anybody from writing.

    Raises `StoreRejectedError` if what is there, or comes out of the script, is not as declared; the script's work
    is undone then."""
    created, whole = _create(address, table)
    if not whole:
        make_indexes(address, table)
    return created


def _create(address: Address, table: Table) -> tuple[bool, bool]:
    """Whether the table was made, and whether it has its indexes."""
    schema, name = schema_and_name(table)
    with script_session(address, doing=f"create table {table.name}") as connection:
        # Two workers at once: the second waits here, and then finds the table.
        hold = sql.SQL("SELECT pg_advisory_xact_lock(hashtextextended({}, 0))").format(f"trueup create {schema}.{name}")
        connection.execute(hold)
        if (shape := _as_declared(address, connection, table)) is not None:
            return False, not shape.missing(table)
        # Of an extension of the path that was: the script may use types and functions from elsewhere.
        path = (
            "SELECT set_config('search_path', concat_ws(', ', quote_ident($1), current_setting('search_path')), true)"
        )
        connection.execute(path, [schema])
        if table.create is not None:
            connection.execute(table.create.read_bytes())
        else:
            for statement in _statements(table):
                connection.execute(statement)
        if _as_declared(address, connection, table, made=True) is None:
            raise StoreRejectedError(
                f"{address.place}: script {table.create} does not make table {schema}.{name}. Correct the script."
            )
        return True, True


def _as_declared(address: Address, connection: psycopg.Connection, table: Table, *, made: bool = False) -> Shape | None:
    """The table that is there, as declared; of one that was `made` just now, with its indexes. None: there is none."""
    row = connection.execute(QUERY.encode(), list(schema_and_name(table))).fetchone()
    if row is None:
        return None
    shape = shape_of(table, row[0])
    missing = shape.missing(table) if made else ()
    lacking = [f"there is no index on {', '.join(map(repr, index.key))} ({index.name!r})" for index in missing]
    if differences := [*shape.differences(table), *lacking]:
        raise StoreRejectedError(
            f"{address.place}: table {table.name} is not as declared: {'; '.join(differences)}. Correct the "
            "declaration, or rename the table that is there."
        )
    return shape


def _statements(table: Table) -> list[sql.Composed]:
    name = sql.Identifier(*schema_and_name(table))
    columns = [
        sql.SQL("{} {}").format(
            sql.Identifier(column), sql.SQL(CREATED[type_] + " NOT NULL" * (column in table.required))
        )
        for column, type_ in table.columns.items()
    ]
    key = sql.SQL("PRIMARY KEY ({})").format(_columns(table.key))
    statements: list[sql.Composed] = [sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join([*columns, key]))]
    statements.extend(
        sql.SQL("CREATE INDEX {} ON {} ({})").format(sql.Identifier(index.name), name, _columns(index.key))
        for index in table.indexes
    )
    return statements


def _columns(names: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)
