"""Reading a KPI: the legacy tables, by the rules, give what the new tables hold."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from include.migrations.kpi_linking import sample, serving, shadow
from include.migrations.kpi_linking.legacy_form import as_legacy
from include.migrations.kpi_linking.migration import (
    ACTUALS,
    KPIS,
    LINKS,
    MILESTONES,
    NEW_DATA,
    NEW_LINKS,
    PEOPLE,
    READINGS,
    migration,
)
from include.migrations.kpi_linking.serving import KpiNotFoundError, ReadFrom, ScanUnderWayError, get_kpi
from include.migrations.kpi_linking.shadow import compare
from include.migrations.plain import plain_row
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import Item, few_rows, items
from tests.samples import Samples

from .kpi_linking_oracle import expected

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
    tables = {"links": LINKS, "milestones": MILESTONES, "actuals": ACTUALS, "readings": READINGS}
    legacy = {table.name: items(store, table.name) for table in (*tables.values(), KPIS, PEOPLE)}
    rejected, seen = expected(legacy).rejected, set[tuple[str, str]]()
    known = {(name, row["id"]["S"]): plain_row(row) for name, rows in legacy.items() for row in rows}
    for tenant_id, kpi_id in sorted(asked):
        for read_from in WAYS:
            try:
                answers[read_from] = get_kpi(store, tenant_id, kpi_id, read_from)
            except KpiNotFoundError:
                answers[read_from] = {}
        assert answers["legacy"] == answers["new"], (tenant_id, kpi_id)
        for name, rows in as_legacy(answers["new"]).items() if answers["new"] else ():
            if name in tables:
                of = {(tables[name].name, row["id"]): row for row in rows}
                assert of == {key: known[key] for key in of}
                assert len(of) == len(rows)
                assert not seen & of.keys()
                seen |= of.keys()
    assert seen == {key for key in known if key[0] in {t.name for t in tables.values()}} - rejected.keys()
    with pytest.raises(KpiNotFoundError, match="has no KPI 'nothing'"):
        get_kpi(store, "nobody", "nothing")


def test_an_answer_is_as_the_contract_says(store: DynamoDBStore) -> None:
    kpis = {(row["tenant_id"]["S"], row["id"]["S"]) for row in items(store, KPIS.name)}
    links: dict[tuple[str, str], list[Item]] = {}
    for link in items(store, NEW_LINKS.name):
        links.setdefault((link["tenant_id"]["S"], link["kpi_id"]["S"]), []).append(link)
    # links in the order of rule 2, figures by date and id
    kpi, several = max(links.items(), key=lambda each: len(each[1]))
    got = get_kpi(store, *kpi)["links"]
    order = [
        (link.get("is_primary") is not True, link.get("display_order", Decimal("Infinity")), link["id"]) for link in got
    ]
    assert order == sorted(order)
    assert {id for *_, id in order} == {link["id"]["S"] for link in several}
    figures = [figures for link in got for figures in (link["targets"], link["actuals"])]
    assert max(map(len, figures)) > 1
    for each in figures:
        assert [(f["post_date"], f["id"]) for f in each] == sorted((f["post_date"], f["id"]) for f in each)
    assert {f["data_category"] for link in got for f in link["targets"]} <= {"Target"}
    # null where only links are left; of a tenant that has neither, nothing
    gone = min(links.keys() - kpis)
    assert [get_kpi(store, *gone, way)["kpi"] for way in WAYS] == [None, None]
    for way in WAYS:
        with pytest.raises(KpiNotFoundError):
            get_kpi(store, f"not {kpi[0]}", kpi[1], way)


def test_of_requests_that_scan_there_is_one_at_a_time(store: DynamoDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    links = items(store, NEW_LINKS.name)
    tenant_id, kpi_id = links[0]["tenant_id"]["S"], links[0]["kpi_id"]["S"]
    scan, refused = serving._scan, list[str]()

    def meanwhile(store: DynamoDBStore, table: str, *of: Any) -> Any:
        found = scan(store, table, *of)
        if not refused or refused[-1] != table:  # another one comes, after each of the scans of the first
            refused.append(table)
            with pytest.raises(ScanUnderWayError):
                get_kpi(store, tenant_id, kpi_id)
        return found

    monkeypatch.setattr(serving, "_scan", meanwhile)
    assert get_kpi(store, tenant_id, kpi_id)["links"]
    assert len(refused) == 5, "links, three tables of figures, and people"
    monkeypatch.undo()
    with serving._alone():
        assert get_kpi(store, tenant_id, kpi_id, "new")["links"]


def test_a_table_with_an_index_is_not_scanned(store: DynamoDBStore) -> None:
    links = items(store, NEW_LINKS.name)
    kpi = links[0]["tenant_id"]["S"], links[0]["kpi_id"]["S"]
    scanned = get_kpi(store, *kpi)
    tables = {table.name: "kpi_id" for table in (LINKS, MILESTONES, ACTUALS, READINGS)} | {
        PEOPLE.name: "linked_user_id"
    }
    for table, named in tables.items():
        index: Any = {
            "IndexName": f"{named}-index",
            "KeySchema": [{"AttributeName": named, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        store.client.update_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": named, "AttributeType": "S"}],
            GlobalSecondaryIndexUpdates=[{"Create": index}],
        )
    with serving._alone():
        assert get_kpi(store, *kpi) == scanned


def test_the_shadow_finds_what_differs_and_nothing_else(store: DynamoDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = compare(store, {"share": 1})
    assert everything.differences == []
    assert everything.compared > 40
    assert 0 < compare(store, {"share": 0.3}).compared < everything.compared * 0.6
    assert compare(store, {"share": 0}).compared == 0

    links, data = items(store, NEW_LINKS.name), items(store, NEW_DATA.name)
    changed, gone = data[0], next(link for link in links if link["id"] != data[0]["kpi_link_id"])
    stray = {**links[0], "id": {"S": "a stray link"}, "tenant_id": {"S": "nobody"}}
    store.client.put_item(TableName=NEW_DATA.name, Item={**changed, "post_value": {"N": "0.125"}})
    store.client.delete_item(TableName=NEW_LINKS.name, Key={"id": gone["id"]})
    store.client.put_item(TableName=NEW_LINKS.name, Item=stray)
    monkeypatch.setattr(shadow, "_AT_ONCE", 400)  # what is more than fits in memory is parted by KPI
    found = compare(store, {"share": 1}).differences
    (of_value,) = [d for d in found if str(d["path"]).endswith("post_value")]
    assert (of_value["new"], of_value["legacy"]) == ("0.125", changed["post_value"]["N"])
    assert next(d for d in found if d["key"] == f"nobody/{stray['kpi_id']['S']}")["legacy"] is None
    keys = {d["key"] for d in found}
    assert keys == {
        of_value["key"],
        f"{gone['tenant_id']['S']}/{gone['kpi_id']['S']}",
        f"nobody/{stray['kpi_id']['S']}",
    }
    # where everything differs, it ends: a switch is not turned on what it has seen
    monkeypatch.setattr(shadow, "MOST", 2)
    ended = compare(store, {"share": 1})
    assert (len(ended.differences), ended.whole) == (2, False)
