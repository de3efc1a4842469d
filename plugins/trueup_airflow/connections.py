"""From Airflow's connections to the engine's stores, ledger and workspace. Secrets stay in the connections."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from include.trueup.errors import OptionsError

if TYPE_CHECKING:
    from include.trueup.ledger import Ledger
    from include.trueup.run.workspace import Workspace
    from include.trueup.stores import Store
    from include.trueup.stores.parameters import Ask

LEDGER = "trueup_ledger"
WORKSPACE = "trueup_workspace"
WORKSPACE_URI = "TRUEUP_WORKSPACE"
"""Environment variable: the workspace, a folder that every worker sees or s3://bucket/prefix."""


@cache
def store(conn_id: str) -> Store:
    """The store behind a connection, made once in this process. Raises as `open_store` does."""
    return open_store(conn_id)


def open_store(conn_id: str) -> Store:
    """The store behind a connection, as it is now: type `aws` is DynamoDB, `postgres` is PostgreSQL.

    Raises `OptionsError` for another type, Airflow's own error for a connection that does not exist, and as `hooks` does."""
    kind = BaseHook.get_connection(conn_id).conn_type
    if kind == "aws":
        from include.trueup.stores.dynamodb import DynamoDBStore

        from .hooks import dynamodb_client

        return DynamoDBStore(dynamodb_client(conn_id))
    if kind == "postgres":
        from include.trueup.stores.postgres import PostgresStore

        return PostgresStore(_asking(conn_id))
    raise OptionsError(
        f"connection {conn_id!r} is of type {kind!r}; Trueup's stores are 'aws' (DynamoDB) and 'postgres'"
    )


def database(conn_id: str) -> Ask:
    """What gives libpq's parameters of the database behind a connection of type `postgres`, as they are at each connect.
    Raises `OptionsError` for another type."""
    kind = BaseHook.get_connection(conn_id).conn_type
    if kind != "postgres":
        raise OptionsError(f"connection {conn_id!r} is of type {kind!r}; it must be 'postgres'")
    return _asking(conn_id)


def _asking(conn_id: str) -> Ask:
    from .hooks import postgres_parameters

    return partial(postgres_parameters, conn_id)


@cache
def ledger() -> Ledger:
    """The ledger behind the connection `trueup_ledger`. Raises as `database` does."""
    from include.trueup.ledger import Ledger

    return Ledger(database(LEDGER))


def book() -> Ledger | None:
    """The same; None before the first run has made its tables."""
    opened = ledger()
    return opened if opened.is_set_up() else None


@cache
def workspace() -> Workspace:
    """The workspace that `TRUEUP_WORKSPACE` names; on S3, with the credentials of connection `trueup_workspace` if
    its address says nothing else. Raises `OptionsError` when it is not set."""
    from include.trueup.run.workspace import Workspace

    uri = os.environ.get(WORKSPACE_URI)
    if not uri:
        raise OptionsError(
            f"set {WORKSPACE_URI} to the folder (or s3://bucket/prefix) where snapshots, plans and reports lie"
        )
    if "://" not in uri:
        return Workspace(uri)
    connection = BaseHook.get_connection(WORKSPACE)
    extra = connection.extra_dejson
    s3 = {
        "access_key": connection.login,
        "secret_key": connection.password,
        "session_token": extra.get("aws_session_token"),
        "region": extra.get("region_name"),
        "endpoint_override": extra.get("endpoint_url"),
        "role_arn": extra.get("role_arn"),
    }
    return Workspace(uri, {name: value for name, value in s3.items() if value})
