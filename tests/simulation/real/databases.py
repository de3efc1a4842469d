"""What is behind a connection in a history that is played against real servers, as the parent sees it: past the proxies."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import psycopg
from botocore.exceptions import ClientError
from psycopg import sql

from include.trueup.declare.migration import Table
from include.trueup.stores import Store
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.stores.postgres import PostgresStore

from .. import scripts
from ..databases import Row, item_of, row_of
from ..history import Setup

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WAITS = b"SET LOCAL lock_timeout = '20ms'"
"""How long an application waits for a row that somebody holds, before others have their turn."""

_WRITES = "SELECT FROM pg_locks JOIN pg_database ON oid = database WHERE datname = current_database() AND locktype = 'advisory'"
"""Transactions of the engine that write hold such locks."""
_REFUSED = (psycopg.errors.IntegrityError, psycopg.errors.DataError, psycopg.errors.UndefinedTable)
"""What an application meets that writes what the table does not take, or where there is none."""


class RealRelational:
    """A database of PostgreSQL. `uri`: where applications open connections of their own. `setup` says what the target is."""

    def __init__(self, database: psycopg.Connection, uri: str, setup: Setup) -> None:
        self._database, self._uri, self._setup = database, uri, setup
        self._open: list[psycopg.Connection] = []

    def store(self) -> Store:
        """Nothing of it is reached: each process makes its own."""
        return PostgresStore(self._uri)

    def make(self, table: Table) -> None:
        """Make a table, as the target of that name is made."""
        self._database.execute(scripts.table_sql(self._setup, table.name).encode())
        self._dress(table)

    def _dress(self, table: Table) -> None:
        for statement in scripts.dress_sql(self._setup) if table.name == scripts.DRESSED else ():
            self._database.execute(statement.encode())

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
        return self._alone(lambda: _place(self._database, table, key, row))

    def keep_open(self, table: Table, key: str, row: Row | None) -> Callable[[bool], None] | None:
        """On a connection of its own."""
        connection = psycopg.connect(self._uri)
        try:
            _place(connection, table, key, row)
        except psycopg.errors.Error as error:
            connection.close()
            if isinstance(error, (psycopg.errors.LockNotAvailable, *_REFUSED)):
                return None
            raise
        self._open.append(connection)

        def end(commit: bool) -> None:
            self._open.remove(connection)
            if commit:
                connection.commit()
            connection.close()

        return end

    def _alone(self, work: Callable[[], object]) -> bool:
        try:
            with self._database.transaction():
                work()
        except psycopg.errors.LockNotAvailable:
            return False
        except _REFUSED:
            return True
        return True

    def insert(self, table: Table, key: str, name: str) -> bool:
        """In a transaction of its own, as `put`."""
        of = sql.Identifier(table.name)

        def work() -> None:
            self._database.execute(_WAITS)
            if self._database.execute(sql.SQL("SELECT FROM {} WHERE id = %s").format(of), [key]).fetchone() is None:
                self._database.execute(sql.SQL("INSERT INTO {} (id, name) VALUES (%s, %s)").format(of), [key, name])

        return self._alone(work)

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
            writes = self._open or self._database.execute(_WRITES).fetchone() is not None
            if writes or not self.there(table):
                return False
            name = sql.Identifier(table.name)
            self._database.execute(sql.SQL("CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE {}").format(name))
            self._database.execute(sql.SQL("DROP TABLE {} CASCADE").format(name))
            self._database.execute(scripts.table_sql(self._setup, table.name).encode())
            self._database.execute(sql.SQL("INSERT INTO {} TABLE kept").format(name))
            self._dress(table)
        return True

    def drop_triggers(self, table: Table) -> None:
        """Whoever connects from now on makes it without, too."""
        self._setup = replace(self._setup, trigger="")
        self._database.execute(
            sql.SQL("ALTER DATABASE {} SET {} = 'yes'").format(
                sql.Identifier(self._database.info.dbname), sql.Identifier(*scripts.STRAIGHT.split("."))
            )
        )
        if self.there(table):
            self._database.execute(
                sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(
                    sql.Identifier(scripts.BENDS), sql.Identifier(table.name)
                )
            )

    def close(self) -> None:
        """The server stays."""
        for connection in self._open:
            connection.close()


def _place(connection: psycopg.Connection, table: Table, key: str, row: Row | None) -> None:
    """Write a row, or delete it, in the transaction that is open, or begins."""
    of = sql.Identifier(table.name)
    connection.execute(_WAITS)
    if row is None:
        connection.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(of), [key])
        return
    wrong, names = json.loads(row[-1] or "{}"), [*table.columns]
    values = {name: wrong.get(name, value) for name, value in zip(names, row, strict=False)}
    sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in names[1:])
    there = sql.SQL("SELECT FROM {} WHERE id = %s").format(of)
    changed = connection.execute(
        sql.SQL("UPDATE {} SET {} WHERE id = %s").format(of, sets), [*[*values.values()][1:], key]
    )
    if not changed.rowcount and connection.execute(there, [key]).fetchone() is None:
        columns, places = map(sql.Identifier, names), [sql.Placeholder()] * len(names)
        into = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        connection.execute(into.format(of, sql.SQL(", ").join(columns), sql.SQL(", ").join(places)), [*values.values()])


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

    def drop_triggers(self, table: Table) -> None:
        """It has none."""

    def close(self) -> None:
        """The servers stay."""


def _row(row: tuple[str | None, ...]) -> Row:
    """A row as the engine has it: a number that is none is no value of its type."""
    if row[-1] == "NaN":
        return (*row[:2], None, None, '{"amount":"NaN"}')
    return (*row, None, None)
