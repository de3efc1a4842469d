"""DynamoDB engines and runs for the tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from include.embedded import dynamodb
from include.migrations.kpi_linking import sample
from include.trueup.ledger import Ledger
from include.trueup.model import Migration
from include.trueup.run import Options, Run
from include.trueup.stores import Store
from include.trueup.stores.dynamodb import DynamoDBStore, client
from include.trueup.workspace import Workspace

HOME = Path(os.environ.get("TRUEUP_HOME") or Path(__file__).parent.parent / ".trueup")
Item = dict[str, Any]


@contextmanager
def fastest_engine() -> Iterator[dynamodb.Engine]:
    """dynoxide where this platform has it, else ministack; in memory, empty."""
    binary = dynamodb.find_dynoxide(HOME)
    port = dynamodb.free_port()
    with dynamodb.dynoxide(port, binary) if binary else dynamodb.ministack(port, None) as engine:
        yield engine


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
def few_rows() -> Iterator[None]:
    """While the block runs, the sample of kpi_linking has a fifth of its ordinary rows, and all of its dirt."""
    with patch.object(sample, "KPIS_PER_BLOCK", 150), patch.object(sample, "PEOPLE_PER_BLOCK", 60):
        yield


def run_of(
    migration: Migration,
    ledger: Ledger,
    workspace: Workspace,
    store: Callable[[str], Store],
    id: str = "run",
    holder: str | None = None,
    **options: Any,
) -> Run:
    """A run of a migration, in one part, and with rejects as a sample of few rows has them, unless told otherwise."""
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


def items(store: DynamoDBStore, table: str) -> list[Item]:
    """Every row of a table as the engine has it, read by boto3 alone."""
    pages = store.client.get_paginator("scan").paginate(
        TableName=table, ConsistentRead=True, PaginationConfig={"PageSize": 500}
    )
    return [item for page in pages for item in page["Items"]]
