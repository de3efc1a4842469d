"""From Airflow's connections to the engine's stores, ledger and workspace. Secrets stay in the connections."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook, Connection

from include.trueup.errors import OptionsError

if TYPE_CHECKING:
    from include.trueup.ledger import Ledger
    from include.trueup.run.workspace import Workspace
    from include.trueup.stores import Store

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

    Raises `OptionsError` for another type, and Airflow's own error for a connection that does not exist.
    """
    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type == "aws":
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

        from include.trueup.stores.dynamodb import DynamoDBStore

        return DynamoDBStore(AwsBaseHook(aws_conn_id=conn_id, client_type="dynamodb").get_conn())
    if connection.conn_type == "postgres":
        from include.trueup.stores.postgres import PostgresStore

        return PostgresStore(postgres_uri(connection))
    raise OptionsError(
        f"connection {conn_id!r} is of type {connection.conn_type!r}; Trueup's stores are 'aws' (DynamoDB) and 'postgres'"
    )


def database_uri(conn_id: str) -> str:
    """The libpq URI of the database behind a connection of type `postgres`. Raises `OptionsError` for another type."""
    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type != "postgres":
        raise OptionsError(
            f"connection {conn_id!r} is of type {connection.conn_type!r}; schemas are changed in 'postgres'"
        )
    return postgres_uri(connection)


@cache
def ledger() -> Ledger:
    """The ledger behind the connection `trueup_ledger`."""
    from include.trueup.ledger import Ledger

    return Ledger(postgres_uri(BaseHook.get_connection(LEDGER)))


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


def postgres_uri(connection: Connection) -> str:
    """The connection as a libpq URI. The host goes into the query, where a socket's folder may stand too; of the
    extra, what libpq knows."""
    known = ("sslmode", "sslrootcert", "sslcert", "sslkey", "options", "connect_timeout", "target_session_attrs")
    query = {"host": connection.host, "port": connection.port, **{k: connection.extra_dejson.get(k) for k in known}}
    user = quote(connection.login or "", safe="")
    password = f":{quote(connection.password, safe='')}" if connection.password else ""
    database = quote(connection.schema or "", safe="")
    return (
        f"postgresql://{user}{password}@/{database}?{urlencode({k: v for k, v in query.items() if v}, quote_via=quote)}"
    )
