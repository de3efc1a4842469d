"""The sample: big enough, always the same, dirty in every way that the contract names, and put only where missing."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from include.migrations.kpi_linking import sample
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import items

from .kpi_linking_oracle import NAMED, by_id, expected


def test_is_the_same_every_time_and_another_for_another_seed() -> None:
    assert sample.rows() == sample.rows()
    assert sample.rows(seed=1) != sample.rows(seed=2)


def test_has_the_six_tables_and_more_than_ten_thousand_rows() -> None:
    rows = sample.rows()
    assert set(rows) == set(NAMED)
    assert sum(map(len, rows.values())) >= 10_000
    for table, found in rows.items():
        assert len(by_id(found)) == len(found), table


def test_rejects_stay_below_five_percent_in_every_table() -> None:
    rows = sample.rows()
    rejected = Counter(table for table, _ in expected(rows).rejected)
    assert len(rejected) == 4
    assert all(count < 0.05 * len(rows[table]) for table, count in rejected.items())


def test_has_every_code_several_times() -> None:
    codes = Counter(code for _, _, code in expected(sample.rows()).findings)
    assert len(codes) == 8
    assert all(count >= 2 for count in codes.values())


def test_unknown_attributes_are_of_every_type() -> None:
    rows = sample.rows()
    kinds = {
        kind
        for table, found in rows.items()
        for row in found
        for name, value in row.items()
        if name not in NAMED[table]
        for kind in value
    }
    assert kinds == {"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"}


def test_scales_by_blocks_that_share_no_id_and_come_one_by_one() -> None:
    one, two = sample.rows(), sample.rows(scale=2)
    for table in sample.TABLES:
        assert two[table][: len(one[table])] == one[table]
        assert len(by_id(two[table])) == len(two[table]) > len(one[table])
    assert len(list(islice(sample.generate(scale=10**9), 5))) == 5


def test_fill_puts_the_sample_as_it_is(whole_kpi_store: DynamoDBStore) -> None:
    for table, rows in sample.rows().items():
        there = by_id(items(whole_kpi_store, table))
        assert there == by_id(sample.as_boto3_has_it(row) for row in rows)


def test_fill_again_mends_what_is_missing_and_touches_nothing_else(whole_kpi_store: DynamoDBStore) -> None:
    first, second = sample.rows()["purposepath-kpi-actuals"][:2]
    edited = {**first, "data_source": {"S": "edited"}}
    whole_kpi_store.client.put_item(TableName="purposepath-kpi-actuals", Item=edited)
    whole_kpi_store.client.delete_item(TableName="purposepath-kpi-actuals", Key={"id": second["id"]})
    counts = sample.fill(lambda _: whole_kpi_store)
    assert counts == {table: len(rows) for table, rows in sample.rows().items()}
    there = by_id(items(whole_kpi_store, "purposepath-kpi-actuals"))
    assert there[first["id"]["S"]]["data_source"] == ("S", "edited")
    assert there[second["id"]["S"]] == by_id([second])[second["id"]["S"]]
    assert len(there) == counts["purposepath-kpi-actuals"]
