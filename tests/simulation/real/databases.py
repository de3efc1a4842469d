"""What is behind a connection in a history that is played against real servers, as the parent sees it: past the proxies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import psycopg
from botocore.exceptions import ClientError
from psycopg import sql

from include.trueup.declare.migration import Table
from include.trueup.stores import Store
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.stores.postgres import PostgresStore

from ..databases import Row, item_of, row_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WAITS = "20ms"
"""How long an application waits for a row that somebody holds, before others have their turn."""

_WRITES = "SELECT FROM pg_locks JOIN pg_database ON oid = database WHERE datname = current_database() AND locktype = 'advisory'"
"""Transactions of the engine that write hold such locks."""


class RealRelational:
    """A database of PostgreSQL. `create`: the script that makes the target."""

    def __init__(self, database: psycopg.Connection, create: str) -> None:
        self._database, self._create = database, create

    def store(self) -> Store:
        """Nothing of it is reached: each process makes its own."""
        return PostgresStore("")

    def make(self, table: Table) -> None:
        """Make a table, as the target is made."""
        self._database.execute(self._create.replace("persons", table.name, 1).encode())

    def there(self, table: Table) -> bool:
        """Whether the table is there."""
        found = self._database.execute("SELECT to_regclass(%s)", [table.name]).fetchone()
        return found is not None and found[0] is not None

    def rows(self, table: Table) -> dict[str, Row]:
        """The rows by key."""
        names = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in table.columns)
        try:
            found = self._database.execute(
                sql.SQL("SELECT {} FROM {} ORDER BY id").format(names, sql.Identifier(table.name))
            ).fetchall()
        except psycopg.errors.UndefinedTable:
            return {}
        return {row[0]: _row(row) for row in found}

    def put(self, table: Table, key: str, row: Row | None) -> bool:
        """In a transaction of its own; one that waits for a row is taken back."""
        name = sql.Identifier(table.name)
        delete = sql.SQL("DELETE FROM {} WHERE id = %s").format(name)
        upsert = sql.SQL(
            "INSERT INTO {} (id, name, amount) VALUES (%s, %s, %s) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, amount = excluded.amount"
        ).format(name)
        try:
            with self._database.transaction():
                self._database.execute(f"SET LOCAL lock_timeout = '{WAITS}'".encode())
                if row is None:
                    self._database.execute(delete, [key])
                else:
                    wrong = json.loads(row[-1] or "{}")
                    self._database.execute(upsert, [*row[:2], wrong.get("amount", row[2])])
        except psycopg.errors.LockNotAvailable:
            return False
        except (psycopg.errors.IntegrityError, psycopg.errors.UndefinedTable):
            return True
        return True

    def keep_open(self, table: Table, key: str, row: Row | None) -> Callable[[bool], None] | None:
        """No history that is played here has such an application."""
        return None

    def insert(self, table: Table, key: str, name: str) -> bool:
        """In a transaction of its own, as `put`."""
        into = sql.SQL("INSERT INTO {} (id, name) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING")
        try:
            with self._database.transaction():
                self._database.execute(f"SET LOCAL lock_timeout = '{WAITS}'".encode())
                if (
                    self._database.execute(
                        sql.SQL("SELECT FROM {} WHERE id = %s").format(sql.Identifier(table.name)), [key]
                    ).fetchone()
                    is None
                ):
                    self._database.execute(into.format(sql.Identifier(table.name)), [key, name])
        except psycopg.errors.LockNotAvailable:
            return False
        except (psycopg.errors.IntegrityError, psycopg.errors.UndefinedTable):
            return True
        return True

    def next_number(self, table: Table) -> int | None:
        """Of its sequence."""
        found = self._database.execute("SELECT pg_get_serial_sequence(%s, 'amount')", [table.name]).fetchone()
        if found is None or found[0] is None:
            return None
        state = self._database.execute(f"SELECT last_value + is_called::int FROM {found[0]}".encode()).fetchone()
        return None if state is None else int(state[0])

    def restore(self, table: Table) -> bool:
        """Under another number of the catalogue, which is what tells tables from each other."""
        with self._database.transaction():
            if not self.there(table) or self._database.execute(_WRITES).fetchone() is not None:
                return False
            name = sql.Identifier(table.name)
            self._database.execute(sql.SQL("CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE {}").format(name))
            self._database.execute(sql.SQL("DROP TABLE {}").format(name))
            self.make(table)
            self._database.execute(sql.SQL("INSERT INTO {} TABLE kept").format(name))
        return True

    def close(self) -> None:
        """The servers stay."""


class RealDocuments:
    """A DynamoDB engine."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def store(self) -> Store:
        """Nothing of it is reached: each process makes its own."""
        return DynamoDBStore(self._client)

    def make(self, table: Table) -> None:
        """Make a table."""
        DynamoDBStore(self._client).create(table)

    def there(self, table: Table) -> bool:
        """Whether the table is there."""
        return table.name in self._client.list_tables()["TableNames"]

    def rows(self, table: Table) -> dict[str, Row]:
        """The rows by key."""
        try:
            found = self._client.scan(TableName=table.name, ConsistentRead=True)["Items"]
        except ClientError:
            return {}
        every = [row_of(table, cast(dict[str, dict[str, Any]], item)) for item in found]
        return {row[0]: row for row in sorted(every, key=lambda row: str(row[0]))}

    def put(self, table: Table, key: str, row: Row | None) -> bool:
        """In one request."""
        try:
            if row is None:
                self._client.delete_item(TableName=table.name, Key={table.key[0]: {"S": key}})
            else:
                self._client.put_item(TableName=table.name, Item=item_of(table, row))
        except self._client.exceptions.ResourceNotFoundException:
            pass
        return True

    def keep_open(self, table: Table, key: str, row: Row | None) -> Callable[[bool], None] | None:
        """No history that is played here has such an application."""
        return None

    def insert(self, table: Table, key: str, name: str) -> bool:
        """It gives no numbers."""
        raise NotImplementedError

    def next_number(self, table: Table) -> int | None:
        """It gives none."""
        return None

    def restore(self, table: Table) -> bool:
        """It is deleted and made again."""
        if not self.there(table):
            return False
        items = self._client.scan(TableName=table.name, ConsistentRead=True)["Items"]
        self._client.update_table(TableName=table.name, DeletionProtectionEnabled=False)
        self._client.delete_table(TableName=table.name)
        self.make(table)
        for item in items:
            self._client.put_item(TableName=table.name, Item=item)
        return True

    def close(self) -> None:
        """The servers stay."""


def _row(row: tuple[str | None, ...]) -> Row:
    """A row as the engine has it: a number that is none is no value of its type."""
    if row[2] == "NaN":
        return (*row[:2], None, None, '{"amount":"NaN"}')
    return (*row, None, None)
