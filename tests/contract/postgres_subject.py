"""PostgreSQL under the contract suite."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.rows.values import canonical_json
from include.trueup.stores import Store
from include.trueup.stores.postgres import PostgresStore
from tests.harness import new_database

from .subject import Row

_names = itertools.count()


class PostgresSubject:
    """A `Subject` on a PostgreSQL database."""

    secret = "a-secret-password"
    types = tuple(Type)

    def __init__(self, uri: str) -> None:
        self.uri = uri.replace("postgres@", f"postgres:{self.secret}@")
        self.store: Store = PostgresStore(self.uri)

    def table(self, columns: Mapping[str, Type], key: tuple[str, ...], indexes: tuple[Index, ...] = ()) -> Table:
        """A declaration with a new name. Indexes are in the schema, not in the table: each gets a schema of its own."""
        schema = f"contract_{next(_names)}"
        with psycopg.connect(self.uri) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        return Table(name=f"{schema}.t", connection="contract", key=key, columns=columns, indexes=indexes)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert or replace rows by psycopg."""
        with psycopg.connect(self.uri) as connection:
            for row in rows:
                name = sql.Identifier(*table.name.split("."))
                columns = [sql.Identifier(column) for column in table.columns]
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE ({}) = ({})").format(
                        name,
                        sql.SQL(", ").join(sql.Identifier(key) for key in table.key),
                        sql.SQL(", ").join(sql.Literal(row[key]) for key in table.key),
                    )
                )
                connection.execute(
                    sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                        name, sql.SQL(", ").join(columns), sql.SQL(", ").join(sql.Placeholder() for _ in columns)
                    ),
                    [row.get(column) for column in table.columns],
                )

    def json(self, value: Any) -> str:
        """Plain JSON."""
        return canonical_json(json.dumps(value))


@contextmanager
def embedded(request: pytest.FixtureRequest) -> Iterator[PostgresSubject]:
    """A subject on a database of the session's PostgreSQL."""
    yield PostgresSubject(new_database(request.getfixturevalue("postgres_server"), kept=True))
