"""Reading a KPI: the legacy tables, by the rules, give what the new tables hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.migrations.kpi_linking import sample, serving
from include.migrations.kpi_linking.migration import KPIS, LINKS, NEW_LINKS, migration
from include.migrations.kpi_linking.serving import KpiNotFoundError, ReadFrom, ScanUnderWayError, get_kpi
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import few_rows, items
from tests.samples import Samples

WAYS: tuple[ReadFrom, ReadFrom] = ("legacy", "new")


@pytest.fixture
def store(samples: Samples) -> Iterator[DynamoDBStore]:
    """The sample's legacy tables, and what a run has made of them."""
    with samples.migrated(migration, sample, few_rows) as migrated:
        yield migrated.store


def test_both_ways_give_the_same_of_every_kpi(store: DynamoDBStore) -> None:
    asked = {
        (row["tenant_id"]["S"], row[named]["S"])
        for table, named in ((KPIS, "id"), (LINKS, "kpi_id"), (NEW_LINKS, "kpi_id"))
        for row in items(store, table.name)
        if all(row.get(name, {}).get("S") for name in ("tenant_id", named))
    }
    assert len(asked) > 40
    answers: dict[ReadFrom, Any] = {}
    for tenant_id, kpi_id in sorted(asked):
        for read_from in WAYS:
            try:
                answers[read_from] = get_kpi(store, tenant_id, kpi_id, read_from)
            except KpiNotFoundError:
                answers[read_from] = {}
        assert answers["legacy"] == answers["new"], (tenant_id, kpi_id)
    with pytest.raises(KpiNotFoundError, match="has no KPI 'nothing'"):
        get_kpi(store, "nobody", "nothing")


def test_one_legacy_table_is_scanned_at_a_time(store: DynamoDBStore) -> None:
    links = items(store, NEW_LINKS.name)
    tenant_id, kpi_id = links[0]["tenant_id"]["S"], links[0]["kpi_id"]["S"]
    with serving._alone(), pytest.raises(ScanUnderWayError):
        get_kpi(store, tenant_id, kpi_id)
    with serving._alone():
        assert get_kpi(store, tenant_id, kpi_id, "new")["links"]
