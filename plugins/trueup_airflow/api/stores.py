"""The stores behind the API, by Airflow connection, and the switches that say how to read them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from include.trueup import switch
from include.trueup.errors import StoreRejectedError
from trueup_airflow import connections

if TYPE_CHECKING:
    import psycopg

    from include.trueup.model import Migration
    from include.trueup.stores import Store
    from include.trueup.stores.dynamodb import DynamoDBStore

_KEPT_SECONDS = 60  # so that a connection which is changed in Airflow is used a minute later, without a restart
_STATEMENT_TIMEOUT = "20s"


@contextmanager
def postgres(conn_id: str) -> Iterator[psycopg.Connection]:
    """A connection for reading, closed at the end of the block. Raises `StoreUnavailableError`, `StoreRejectedError`."""
    from include.trueup.stores.postgres import PostgresStore

    store = _store(conn_id)
    if not isinstance(store, PostgresStore):
        raise StoreRejectedError(f"connection {conn_id!r} leads to {store.kind}; make it one of type 'postgres'")
    with store.connect() as connection:
        connection.read_only = True
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [_STATEMENT_TIMEOUT])
        yield connection


@contextmanager
def dynamodb(conn_id: str) -> Iterator[DynamoDBStore]:
    """A DynamoDB store. Raises `StoreUnavailableError` and `StoreRejectedError` for errors of DynamoDB in the block."""
    from include.trueup.stores.dynamodb import DynamoDBStore

    store = _store(conn_id)
    if not isinstance(store, DynamoDBStore):
        raise StoreRejectedError(f"connection {conn_id!r} leads to {store.kind}; make it one of type 'aws'")
    with store.connect():
        yield store


def settings(migration: Migration) -> Mapping[str, str | bool]:
    """What the migration's switch says now. Raises `StoreUnavailableError` when the ledger does not answer."""
    return switch.settings(connections.ledger(), migration)


def forget() -> None:
    """Look connections up again at the next request."""
    _made.cache_clear()


def _store(conn_id: str) -> Store:
    return _made(conn_id, int(time.monotonic() / _KEPT_SECONDS))


@lru_cache(maxsize=8)
def _made(conn_id: str, _: int) -> Store:
    return connections.store.__wrapped__(conn_id)
