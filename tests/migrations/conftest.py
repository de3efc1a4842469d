"""The KPI linking sample on a DynamoDB engine of its own, per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.migrations.kpi_linking import sample
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.engines import fastest_engine, few_rows, store_at


@pytest.fixture
def empty_kpi_store() -> Iterator[DynamoDBStore]:
    """A DynamoDB with nothing in it."""
    with fastest_engine() as engine:
        yield store_at(engine.endpoint)


@pytest.fixture
def kpi_store(empty_kpi_store: DynamoDBStore) -> DynamoDBStore:
    """A DynamoDB with the six legacy tables, filled with a small sample that has every dirty case."""
    with few_rows():
        sample.fill(lambda _: empty_kpi_store)
    return empty_kpi_store


@pytest.fixture
def whole_kpi_store(empty_kpi_store: DynamoDBStore) -> DynamoDBStore:
    """The same, with the whole sample."""
    sample.fill(lambda _: empty_kpi_store)
    return empty_kpi_store
