"""A KPI with its figures, from the tables that the switch says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.migrations.kpi_linking import sample, serving
from include.migrations.kpi_linking.migration import NEW_LINKS, migration
from include.trueup.rows.values import json_text, json_value
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import few_rows, items
from tests.samples import Samples

from .conftest import Client, exact

URL = "/trueup/api/v2/tenants/{}/kpis/{}"


@pytest.fixture
def kpis(samples: Samples, connections: Any, viewer: Any) -> Any:
    """The migrated sample behind kpi_dynamodb."""
    with samples.migrated(migration, sample, few_rows) as migrated:
        connections("kpi_dynamodb", migrated.store.client.meta.endpoint_url)
        yield migrated.store


def owners(answer: Any) -> set[str]:
    """The tenants of the KPI and of every row of it."""
    links = answer["links"]
    figures = [figure for link in links for figure in (*link["targets"], *link["actuals"])]
    assert figures
    return {row["tenant_id"] for row in (*links, *figures, *([answer["kpi"]] if answer["kpi"] else []))}


def test_the_tables_are_those_that_the_switch_says_and_the_answer_is_the_same(
    viewer: Any, kpis: DynamoDBStore, turn: Callable[[str, str], None], signed_in: Client
) -> None:
    link = items(kpis, NEW_LINKS.name)[0]
    tenant_id, kpi_id = link["tenant_id"]["S"], link["kpi_id"]["S"]
    url = URL.format(tenant_id, kpi_id)
    legacy = viewer.get(url)
    assert legacy.status_code == 200
    assert link["id"]["S"] in {each["id"] for each in exact(legacy)["links"]}
    assert exact(legacy) == json_value(json_text(serving.get_kpi(kpis, tenant_id, kpi_id)))
    with serving._alone():
        busy = viewer.get(url)
        assert (busy.status_code, busy.headers["Retry-After"]) == (503, "10")
    unknown = viewer.get(URL.format("another tenant", kpi_id))
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:problem-type:trueup:no-such-kpi")
    assert viewer.get(URL.format("t" * 3000, kpi_id)).status_code == 422
    assert signed_in().get(url).status_code == 401
    # a KPI that two tenants have links of: each sees its own rows alone
    tenants = {
        each["tenant_id"]["S"] for each in items(kpis, NEW_LINKS.name) if each["kpi_id"]["S"] == "kpi-collides~0"
    }
    assert len(tenants) == 2
    told = {each: viewer.get(URL.format(each, "kpi-collides~0")) for each in tenants}
    assert {each: owners(exact(answer)) for each, answer in told.items()} == {each: {each} for each in tenants}
    assert [exact(answer)["kpi"] is None for answer in told.values()].count(True) == 1, "one of them has links only"
    old = viewer.get(url.replace("v2", "v1"))
    assert old.headers["deprecation"]
    turn("kpi_linking", "dual")
    turn("kpi_linking", "new")
    with serving._alone():
        assert viewer.get(url).text == legacy.text
        for each, answer in told.items():
            assert viewer.get(URL.format(each, "kpi-collides~0")).text == answer.text
        assert viewer.get(url.replace("v2", "v1")).text == old.text
