"""Databases, DynamoDB engines and runs for the tests: one place for what is started, made and copied."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg import sql

from include.embedded import postgres
from include.embedded.forgetful import fastest_engine as fastest_engine
from include.embedded.forgetful import forgetful_server as forgetful_server
from include.migrations.checkins import sample as checkins
from include.migrations.kpi_linking import sample
from include.trueup.declare.migration import Migration
from include.trueup.ledger import Ledger
from include.trueup.run import Options, Run
from include.trueup.run.workspace import Workspace
from include.trueup.stores import Store
from include.trueup.stores.dynamodb import DynamoDBStore, client

HOME = Path(os.environ.get("TRUEUP_HOME") or Path(__file__).parent.parent / ".trueup")
Item = dict[str, Any]
_names = itertools.count()
_of_this_test: list[tuple[postgres.Server, str]] = []
_keeping: list[object] = []


# ── databases ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def keeping_databases() -> Iterator[None]:
    """What is made in the block is for other tests, too."""
    _keeping.append(None)
    try:
        yield
    finally:
        _keeping.pop()


def drop_databases() -> None:
    """Drop the databases of a test that has ended: their files lie in memory."""
    while _of_this_test:
        server, name = _of_this_test.pop()
        gone = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        with suppress(psycopg.OperationalError), psycopg.connect(server.uri(), autocommit=True) as connection:
            connection.execute(gone)


def new_database(server: postgres.Server, like: str | None = None, *, kept: bool = False) -> str:
    """The URI of an empty database, or of a copy of the database `like`, which nobody may be connected to. It is dropped when the
    test ends, unless it is `kept`, or made for a fixture of several tests."""
    name = f"store_{next(_names)}"
    # by files: in a server that saves nothing that takes half as long as by its log
    made = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
        sql.Identifier(name), sql.Identifier(like or "template1")
    )
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(made)
    if not kept and not _keeping:
        _of_this_test.append((server, name))
    return server.uri(name)


def run_sql(uri: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements, each in a transaction of its own, by psycopg alone; the rows of the last one."""
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


# ── DynamoDB ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def store_at(endpoint: str, **config: Any) -> DynamoDBStore:
    """A store on an engine's endpoint."""
    made = client(
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config_kwargs=config or None,
    )
    return DynamoDBStore(made)


@contextmanager
def few_rows(kpis: int = 40) -> Iterator[None]:
    """While the block runs, the samples of kpi_linking and checkins have a few of their ordinary rows, and all of their
    dirt."""
    with (
        patch.object(sample, "KPIS_PER_BLOCK", kpis),
        patch.object(sample, "PEOPLE_PER_BLOCK", kpis // 2),
        patch.object(checkins, "CLIENTS_PER_BLOCK", kpis // 4),
    ):
        yield


def items(store: DynamoDBStore, table: str) -> list[Item]:
    """Every row of a table as the engine has it, read by boto3 alone."""
    pages = store.client.get_paginator("scan").paginate(
        TableName=table, ConsistentRead=True, PaginationConfig={"PageSize": 500}
    )
    return [item for page in pages for item in page["Items"]]


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def run_of(
    migration: Migration,
    ledger: Ledger,
    workspace: Workspace,
    store: Callable[[str], Store],
    id: str = "run",
    holder: str | None = None,
    **options: Any,
) -> Run:
    """A run of a migration, in one part, and with rejects as a sample of few rows has them, unless it says otherwise."""
    asked = Options(**{"partitions": 1, "segments": 1, "max_reject_share": 0.5, **options})
    return Run(
        id=id,
        dag_id=migration.id,
        migration=migration,
        options=asked,
        ledger=ledger,
        workspace=workspace,
        store=store,
        holder=holder,
    )
