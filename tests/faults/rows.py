"""Rows of the tables that the DynamoDB fault tests use, and what an engine holds of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from include.trueup.declare.migration import Table
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.contract.subject import Row, by_key
from tests.harness import store_at

from .proxy import Proxy

TIMEOUT = 0.25
"""Seconds after which the store under test gives up waiting for an answer."""


def row(number: int, **values: object) -> Row:
    """A row of the fixture `table`."""
    return {"id": f"id-{number:03}", "label": f"label {number}", "amount": "1.5", "more": '{"a":{"N":"1"}}', **values}


def stored(endpoint: str, table: Table) -> dict[tuple[Any, ...], Row]:
    """What the engine holds, asked without the proxy."""
    batches = list(store_at(endpoint).read(table, 0, 1))
    return by_key(table, pa.Table.from_batches(batches)) if batches else {}


def store_behind(proxy: Proxy) -> DynamoDBStore:
    """A store behind the proxy that gives up on an answer soon."""
    return store_at(proxy.endpoint, read_timeout=TIMEOUT, connect_timeout=TIMEOUT)
