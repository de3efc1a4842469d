"""What the benchmark migrates: the clean rows of KPI linking's sample, and the tables that they go to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import orjson

from include.migrations.kpi_linking import sample
from include.migrations.kpi_linking.migration import KPIS, NEW_DATA, NEW_LINKS, PEOPLE
from include.trueup.declare.migration import Table
from include.trueup.stores.dynamodb.items import Item
from include.trueup.stores.dynamodb.wire import Wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION, KEY, SECRET = "us-east-1", "local", "local"
"""An engine on this machine takes any."""
PEOPLE_BY_USER = "linked_user_id-index"
"""The index of the people table by which the original document's loop finds the person of a user."""
TARGETS: tuple[Table, ...] = (NEW_LINKS, NEW_DATA)
DRIVING_ROWS_PER_BLOCK = 10_000
"""Links, milestones, actuals and readings of a block of the sample, at least."""
PUTS_PER_REQUEST = 25

_LOOK_UPS = (KPIS.name, PEOPLE.name)


def rows(driving: int) -> Iterator[tuple[str, Item]]:
    """The sample's clean rows, as (table name, row in DynamoDB JSON), of as many KPIs as have `driving` rows (links,
    milestones, actuals and readings) or a few more. A prefix of what a larger number gives.

    Its dirty rows, one in a hundred, are left out: a script knows what to do with clean ones only.
    """
    given = 0
    for table, item in sample.generate(scale=driving // DRIVING_ROWS_PER_BLOCK + 1):
        if item.get("tenant_id", {}).get("S", "").partition("-")[0] not in sample.TENANTS:
            continue
        if table == KPIS.name and given >= driving:
            return
        given += table not in _LOOK_UPS
        yield table, item


def client(endpoint: str) -> DynamoDBClient:
    """A plain boto3 client on an engine's endpoint."""
    return boto3.client(
        "dynamodb", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )


def fill(endpoint: str, driving: int, *, targets: bool) -> dict[str, int]:
    """Make the legacy tables and put their rows; the rows put, by table. `targets`: make the new tables too."""
    dynamodb = client(endpoint)
    for table in sample.TABLES:
        _create(dynamodb, table, {PEOPLE_BY_USER: ("linked_user_id",)} if table == PEOPLE.name else {})
    for target in TARGETS if targets else ():
        _create(dynamodb, target.name, {index.name: index.key for index in target.indexes})
    wire, put = Wire(dynamodb), dict.fromkeys(sample.TABLES, 0)
    waiting: dict[str, list[Item]] = defaultdict(list)

    def send(table: str) -> None:
        puts = [{"PutRequest": {"Item": item}} for item in waiting.pop(table)]
        answer = wire.call("BatchWriteItem", table, orjson.dumps({"RequestItems": {table: puts}}))
        assert not answer.get("UnprocessedItems"), "an engine in memory takes every row that it is given"
        put[table] += len(puts)

    for table, item in rows(driving):
        waiting[table].append(item)
        if len(waiting[table]) == PUTS_PER_REQUEST:
            send(table)
    for table in list(waiting):
        send(table)
    return put


def _create(dynamodb: Any, table: str, indexes: dict[str, tuple[str, ...]]) -> None:
    def schema(key: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(key, ("HASH", "RANGE"), strict=False)]

    keyed = sorted({"id", *(name for key in indexes.values() for name in key)})
    every = {"Projection": {"ProjectionType": "ALL"}}
    made = [{"IndexName": name, "KeySchema": schema(key), **every} for name, key in indexes.items()]
    dynamodb.create_table(
        TableName=table,
        KeySchema=schema(("id",)),
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keyed],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": made} if made else {}),
    )
