"""The sample: legacy tables such as a few years of use leave behind, made from a seed, every dirty case among them.

A block is about 12,500 rows over the six tables, of tenants of its own; the scale is the number of blocks.
"""

from __future__ import annotations

import logging
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from include.trueup.errors import StoreUnavailableError

from .sample_dirt import dirty
from .sample_rows import ACTUALS, KPIS, LINKS, MILESTONES, NULL, PEOPLE, READINGS, Item, boolean, n, s

if TYPE_CHECKING:
    from include.trueup.stores.dynamodb import DynamoDBStore

log = logging.getLogger(__name__)

SEED = 20251120
TABLES = (LINKS, MILESTONES, ACTUALS, READINGS, KPIS, PEOPLE)
TENANTS = {"acorn": 40, "birch": 25, "cedar": 15, "douglas": 12, "elm": 8}
"""Tenants of a block and their share of its KPIs."""
KPIS_PER_BLOCK = 900
PEOPLE_PER_BLOCK = 300
WRITERS = 8
"""Requests at once while the tables are filled."""

_ZONES = ("Z", "+00:00", "+02:00", "-05:00", "+05:30")
_LABELS = ("Q1", "Q2", "Half-year", "Year end", "Stretch")
_SOURCES = ("Manual", "Import", "Api", "Calculated")
Thing = TypeVar("Thing")


def rows(seed: int = SEED, scale: int = 1) -> dict[str, list[Item]]:
    """The whole sample, in memory: the rows of each table in DynamoDB-JSON, by table name. Always the same for one
    seed and scale; more than 10,000 rows at scale 1, of which under 5 % are rejected."""
    tables: dict[str, list[Item]] = {table: [] for table in TABLES}
    for table, item in generate(seed, scale):
        tables[table].append(item)
    return tables


def generate(seed: int = SEED, scale: int = 1) -> Iterator[tuple[str, Item]]:
    """The same rows one by one, as (table name, row), with one block in memory at a time: 80 blocks are 1 M rows."""
    for block in range(scale):
        yield from _ordinary(Random(f"{seed}/{block}"), block)
        yield from dirty(block)


def fill(resolve: Callable[[str], DynamoDBStore]) -> dict[str, int]:
    """Create the legacy tables where they are missing and put the sample's rows that are missing; the sample's rows, by
    table. A row that is there is left as it is, so that filling again changes nothing, whatever was edited meanwhile.

    `resolve` gives the store behind a connection id.
    """
    client = resolve("kpi_dynamodb").client
    sample = rows()
    with ThreadPoolExecutor(WRITERS) as pool:
        made = dict(zip(TABLES, pool.map(lambda table: _create(client, table), TABLES), strict=True))
        chunks = [(table, chunk, made[table]) for table, items in sample.items() for chunk in _chunks(items, 100)]
        put = sum(pool.map(lambda chunk: _put_missing(client, *chunk), chunks))
    log.info("sample: %s rows put, %s were there", f"{put:,}", f"{sum(map(len, sample.values())) - put:,}")
    return {table: len(items) for table, items in sample.items()}


def _create(client: Any, table: str) -> bool:
    """Whether the table had to be made."""
    made = True
    try:
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except client.exceptions.ResourceInUseException:
        made = False
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return made


def _put_missing(client: Any, table: str, items: Sequence[Item], empty: bool) -> int:
    """Put those of at most 100 rows whose id is not there; how many that were. `empty`: none can be there."""
    present = set() if empty else _present(client, table, [{"id": item["id"]} for item in items])
    missing = [item for item in items if item["id"]["S"] not in present]
    for chunk in _chunks(missing, 25):
        puts: dict[str, Any] = {table: [{"PutRequest": {"Item": as_boto3_has_it(item)}} for item in chunk]}
        for pause in _pauses(table):
            if not (puts := client.batch_write_item(RequestItems=puts).get("UnprocessedItems") or {}):
                break
            time.sleep(pause)
    return len(missing)


def _present(client: Any, table: str, keys: list[Item]) -> set[str]:
    """Which of at most 100 ids the table has."""
    present: set[str] = set()
    wanted: dict[str, Any] = {table: {"Keys": keys, "ProjectionExpression": "id", "ConsistentRead": True}}
    for pause in _pauses(table):
        answer = client.batch_get_item(RequestItems=wanted)
        present |= {item["id"]["S"] for item in answer["Responses"].get(table, [])}
        if not (wanted := answer.get("UnprocessedKeys") or {}):
            break
        time.sleep(pause)
    return present


def as_boto3_has_it(item: Item) -> Item:
    """The row with binary as bytes, which DynamoDB-JSON writes in base64."""
    return {name: _with_bytes(value) for name, value in item.items()}


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {kind: b64decode(content)}
        case "BS":
            return {kind: [b64decode(text) for text in content]}
        case "L":
            return {kind: [_with_bytes(inner) for inner in content]}
        case "M":
            return {kind: as_boto3_has_it(content)}
        case _:
            return value


def _pauses(table: str) -> Iterator[float]:
    """The seconds to wait after each of ten tries, growing. Raises `StoreUnavailableError` after the last."""
    for attempt in range(10):
        yield 0.05 * 2**attempt
    raise StoreUnavailableError(
        f"table {table!r} left rows unprocessed ten times while the sample was put; fill it again"
    )


def _chunks(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    return (things[i : i + size] for i in range(0, len(things), size))


def _ordinary(random: Random, block: int) -> Iterator[tuple[str, Item]]:
    """The clean rows of a block: people, KPIs, their links, and what was planned and measured for each KPI."""
    tenants = random.choices([f"{name}-{block:03}" for name in TENANTS], list(TENANTS.values()), k=KPIS_PER_BLOCK)
    users: dict[str, list[str]] = {tenant: [] for tenant in sorted(set(tenants))}
    for _ in range(PEOPLE_PER_BLOCK):
        tenant = random.choice(tenants)
        person: Item = {"id": s(_uuid(random)), "tenant_id": s(tenant)}
        if random.random() < 0.85:
            users[tenant].append(user := _uuid(random))
            person["linked_user_id"] = s(user)
        yield PEOPLE, person
    for number, tenant in enumerate(tenants):
        kpi = _uuid(random)
        team = random.choices(users[tenant] or [_uuid(random)], k=3)
        yield KPIS, {"id": s(kpi), "tenant_id": s(tenant), "owner_id": s(team[0]), "name": s(f"KPI {number}")}
        ids = {"tenant_id": s(tenant), "kpi_id": s(kpi)}
        links = random.choices((0, 1, 2, 3), (1, 69, 22, 8))[0]
        for place in range(links):
            yield LINKS, _link(random, ids, team, place)
        for _ in range(random.randint(0, 5)):
            yield MILESTONES, _milestone(random, ids, team)
        for _ in range(random.randint(0, 9)):
            yield ACTUALS, _actual(random, ids, team)
        for _ in range(random.randint(0, 7)):
            yield READINGS, _reading(random, ids, team)


def _link(random: Random, ids: Item, team: list[str], place: int) -> Item:
    return {
        "id": s(_uuid(random)),
        **ids,
        "goal_id": s(_uuid(random)),
        "link_type": s("primary" if place == 0 else "supporting"),
        "display_order": n(place + 1),
        "is_primary": boolean(place == 0),
        **_maybe(random, "threshold_pct", n(_number(random))),
        **_maybe(random, "weight", n(f"0.{random.randint(1, 99):02}")),
        "created_by": s(team[1]),
        "created_at": s(_instant(random)),
        **_maybe(random, "updated_by", s(team[2])),
        **_maybe(random, "updated_at", s(_instant(random))),
    }


def _milestone(random: Random, ids: Item, team: list[str]) -> Item:
    return {
        "id": s(_uuid(random)),
        **ids,
        "target_value": n(_number(random)),
        "milestone_date": s(_instant(random)[:10]),
        **_maybe(random, "label", s(random.choice(_LABELS))),
        **_maybe(random, "confidence_level", n(random.randint(1, 5))),
        **_maybe(random, "rationale", s("Agreed in the quarterly review.")),
        "created_by": s(team[1]),
        "created_at": s(_instant(random)),
        **_maybe(random, "updated_by", s(team[2])),
        **_maybe(random, "updated_at", s(_instant(random))),
    }


def _actual(random: Random, ids: Item, team: list[str]) -> Item:
    overridden = random.random() < 0.1
    return {
        "id": s(_uuid(random)),
        **ids,
        "actual_value": n(_number(random)),
        "measurement_date": s(_instant(random)),
        **({"original_value": n(_number(random)), "override_comment": s("Corrected by hand.")} if overridden else {}),
        "is_manual_override": boolean(overridden),
        "data_source": s(random.choice(_SOURCES)),
        **_maybe(random, "source_reference_id", s(_uuid(random))),
        "triggers_replan": boolean(random.random() < 0.1),
        "replan_threshold_exceeded": boolean(random.random() < 0.1),
        **_maybe(random, "auto_adjustment_applied", boolean(random.random() < 0.5)),
        "recorded_by": s(team[1]),
        "recorded_at": s(_instant(random)),
    }


def _reading(random: Random, ids: Item, team: list[str]) -> Item:
    adjusted = random.random() < 0.1
    return {
        "id": s(_uuid(random)),
        **ids,
        "value": n(_number(random)),
        "reading_date": s(_instant(random)),
        **_maybe(random, "period_start", s(_instant(random)[:10])),
        "is_adjusted": boolean(adjusted),
        **({"original_value": n(_number(random)), "adjustment_reason": s("Late invoices.")} if adjusted else {}),
        "source": s(random.choice(_SOURCES)),
        **_maybe(random, "external_id", s(f"ext-{random.getrandbits(40):x}")),
        "entered_by": s(team[1]),
        "entered_at": s(_instant(random)),
    }


def _maybe(random: Random, name: str, value: dict[str, Any]) -> Item:
    """An optional attribute: mostly there, else missing, now and then an explicit null."""
    chance = random.random()
    return {name: value} if chance < 0.6 else {name: NULL} if chance < 0.65 else {}


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _number(random: Random) -> str:
    return f"{random.randint(-2_000, 250_000)}.{random.randint(0, 99):02}"


def _instant(random: Random) -> str:
    """A moment of 2023 to 2025 as .NET writes it: seven fractional digits and an offset."""
    day = f"{2023 + random.getrandbits(8) % 3}-{1 + random.getrandbits(8) % 12:02}-{1 + random.getrandbits(8) % 28:02}"
    second = random.randint(0, 86_399)
    time_of_day = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{day}T{time_of_day}.{random.randint(0, 9_999_999):07}{random.choice(_ZONES)}"
