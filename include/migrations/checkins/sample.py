"""The sample: series of check-ins such as a coaching practice has, made from a seed, every dirty case among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

from .sample_dirt import ASSIGNMENTS, CLIENTS, FORMS, RESPONSES, Item, assignment, dirty, n, response, s

if TYPE_CHECKING:
    from include.trueup.stores.dynamodb import DynamoDBStore

SEED = 20251120
TABLES = (RESPONSES, ASSIGNMENTS, FORMS, CLIENTS)
CLIENTS_PER_BLOCK = 60
FORMS_IN_USE = 5
WRITERS = 8
INDEX = "client-form-index"
_ZONES = ("Z", "+00:00", "+02:00", "-05:00")


def rows(seed: int = SEED, scale: int = 1) -> dict[str, list[Item]]:
    """The whole sample: the rows of each table as boto3 takes them, by table. Always the same for one seed and scale;
    about 800 rows a block."""
    tables: dict[str, list[Item]] = {table: [] for table in TABLES}
    for table, item in generate(seed, scale):
        tables[table].append(item)
    return tables


def generate(seed: int = SEED, scale: int = 1) -> Iterator[tuple[str, Item]]:
    """The same rows one by one, as (table name, row)."""
    for form in range(FORMS_IN_USE):
        yield FORMS, {"id": s(f"form-{form}"), "title": s(f"Check-in {form}")}
    for block in range(scale):
        yield from _ordinary(Random(f"{seed}/{block}"), block)
    yield from dirty()


def fill(resolve: Callable[[str], DynamoDBStore]) -> dict[str, int]:
    """Create the tables where they are missing and put the sample's rows that are missing; the sample's rows, by table.
    A row that is there is left as it is. `resolve` gives the store behind a connection id."""
    client = resolve("checkins_dynamodb").client
    sample = rows()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda table: _create(client, table), TABLES))
        each = [(table, item) for table, items in sample.items() for item in items]
        list(pool.map(lambda one: _put_missing(client, *one), each))
    return {table: len(items) for table, items in sample.items()}


def _create(client: Any, table: str) -> None:
    index = {
        "IndexName": INDEX,
        "KeySchema": [
            {"AttributeName": "clientId", "KeyType": "HASH"},
            {"AttributeName": "formId", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    indexed = table == ASSIGNMENTS
    names = ("id", "clientId", "formId") if indexed else ("id",)
    with suppress(client.exceptions.ResourceInUseException):  # it is there already: all that is asked for
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [index]} if indexed else {}),
        )
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def _put_missing(client: Any, table: str, item: Item) -> None:
    with suppress(client.exceptions.ConditionalCheckFailedException):  # the row is there, and stays as it is
        client.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(id)")


def _ordinary(random: Random, block: int) -> Iterator[tuple[str, Item]]:
    """The clean rows of a block: clients, each with a few series, part of whose weeks are answered."""
    for number in range(CLIENTS_PER_BLOCK):
        client = f"client-{block:03}-{number:03}"
        yield CLIENTS, {"id": s(client), "name": s(f"Client {number}")}
        for form in random.sample(range(FORMS_IN_USE), random.randint(1, 3)):
            yield from _series(random, client, f"form-{form}")


def _series(random: Random, client: str, form: str) -> Iterator[tuple[str, Item]]:
    weeks = random.randint(3, 12)
    time = f"{random.randint(0, 23):02}:{random.randint(0, 59):02}:00.{random.randint(0, 9_999_999):07}"
    zone = random.choice(_ZONES)
    due = f"2024-{random.randint(1, 12):02}-{random.randint(1, 28):02}T{time}{zone}"
    base = f"{client}/{form}"
    yield ASSIGNMENTS, assignment(base, client, form, totalWeeks=n(weeks), dueDate=s(due), coachId=s("coach-7"))
    for week in range(1, weeks + 1):
        if week > 1 and random.random() < 0.15:
            yield ASSIGNMENTS, assignment(f"{base}/{week}", client, form, recurringWeek=n(week), totalWeeks=n(weeks))
        if random.random() < 0.5:
            at = f"2024-{random.randint(1, 12):02}-{random.randint(1, 28):02}T{time}{zone}"
            score = n(f"{random.randint(0, 99)}.{random.randint(1, 9)}") if random.random() < 0.9 else None
            yield RESPONSES, response(f"{base}/r{week}", client, form, week, submittedAt=s(at), score=score)
