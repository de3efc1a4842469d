"""The KPI linking sample on a DynamoDB engine of its own, per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.migrations.kpi_linking import sample
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import fastest_engine, store_at
from tests.samples import Samples, few


@pytest.fixture
def empty_kpi_store() -> Iterator[DynamoDBStore]:
    """A DynamoDB with nothing in it."""
    with fastest_engine() as engine:
        yield store_at(engine.endpoint)


@pytest.fixture
def kpi_store(samples: Samples) -> Iterator[DynamoDBStore]:
    """A DynamoDB with the six legacy tables, filled with a small sample that has every dirty case."""
    with samples.engine(sample, few) as engine:
        yield store_at(engine.endpoint)


@pytest.fixture
def whole_kpi_store(samples: Samples) -> Iterator[DynamoDBStore]:
    """The same, with the whole sample."""
    with samples.engine(sample) as engine:
        yield store_at(engine.endpoint)
