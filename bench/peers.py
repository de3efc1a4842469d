"""The two ways in which such a migration is written by hand, with boto3's resource in its default settings.

Both follow the rules of KPI linking for clean rows (persons, first link, fan-out, derived ids), so that their result is
the engine's. Neither takes a backup, looks at what the target holds, checks what it writes, or could go on where it was
killed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import boto3
from boto3.dynamodb import conditions

from include.migrations.kpi_linking.migration import (
    ACTUALS,
    KPIS,
    LINKS,
    MILESTONES,
    NEW_DATA,
    NEW_LINKS,
    PEOPLE,
    READINGS,
)

from .data import KEY, PEOPLE_BY_USER, REGION, SECRET

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBServiceResource

Row = dict[str, Any]
"""A row as boto3's resource gives it: strings, `Decimal`, booleans, None."""


def connect(endpoint: str) -> DynamoDBServiceResource:
    """boto3's resource on an endpoint, in its default settings."""
    return boto3.resource(
        "dynamodb", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )


def loop(dynamo: DynamoDBServiceResource) -> int:
    """(a) The original document's loop: for each row its look-ups, by index, and a put each. The rows put."""
    kpis, people = dynamo.Table(KPIS.name), dynamo.Table(PEOPLE.name)
    new_links, new_data = dynamo.Table(NEW_LINKS.name), dynamo.Table(NEW_DATA.name)
    put = 0
    for old in _scan(dynamo, LINKS.name):
        kpi = kpis.get_item(Key={"id": old["kpi_id"]}).get("Item")
        user = _user(old, kpi if kpi and kpi["tenant_id"] == old["tenant_id"] else None)
        by_user = conditions.Key("linked_user_id").eq(user)
        found: list[Row] = people.query(IndexName=PEOPLE_BY_USER, KeyConditionExpression=by_user)["Items"]
        persons = [person["id"] for person in found if person["tenant_id"] == old["tenant_id"]]
        new_links.put_item(Item=new_link(old, min(persons, default=user)))
        put += 1
    taken: set[str] = set()
    for table in MADE:
        ids = set()
        for row in _scan(dynamo, table):
            ids.add(row["id"])
            by_kpi = conditions.Key("kpi_id").eq(row["kpi_id"])
            of_kpi: list[Row] = new_links.query(IndexName="kpi_id-index", KeyConditionExpression=by_kpi)["Items"]
            links = sorted((link for link in of_kpi if link["tenant_id"] == row["tenant_id"]), key=place)
            for new in new_rows(table, row, [link["id"] for link in links], taken):
                new_data.put_item(Item=new)
                put += 1
        taken |= ids
    return put


def script(dynamo: DynamoDBServiceResource) -> int:
    """(b) A careful script: look-ups from dictionaries, puts by `batch_writer`. The rows put."""
    kpis = {(kpi["tenant_id"], kpi["id"]): kpi for kpi in _scan(dynamo, KPIS.name)}
    person_of: dict[tuple[str, str], str] = {}
    for person in _scan(dynamo, PEOPLE.name):
        if user := person.get("linked_user_id"):
            key = (person["tenant_id"], user)
            person_of[key] = min(person["id"], person_of.get(key, person["id"]))
    links_of: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    put = 0
    with dynamo.Table(NEW_LINKS.name).batch_writer() as batch:
        for old in _scan(dynamo, LINKS.name):
            user = _user(old, kpis.get((old["tenant_id"], old["kpi_id"])))
            new = new_link(old, person_of.get((old["tenant_id"], user), user))
            batch.put_item(Item=new)
            put += 1
            links_of[new["tenant_id"], new["kpi_id"]].append(place(new))
    ids_of = {kpi: [id for *_, id in sorted(places)] for kpi, places in links_of.items()}
    taken: set[str] = set()
    with dynamo.Table(NEW_DATA.name).batch_writer() as batch:
        for table in MADE:
            ids = set()
            for row in _scan(dynamo, table):
                ids.add(row["id"])
                for new in new_rows(table, row, ids_of.get((row["tenant_id"], row["kpi_id"]), []), taken):
                    batch.put_item(Item=new)
                    put += 1
            taken |= ids
    return put


def new_link(old: Row, person: str) -> Row:
    """The new link of a legacy one."""
    return _without_nulls({**old, "person_id": person})


def place(link: Row) -> tuple[Any, ...]:
    """What a KPI's links are sorted by to find the first; the last of it is the id."""
    order = link.get("display_order")
    return not link.get("is_primary"), order is None, order or 0, link["id"]


def new_rows(table: str, row: Row, links: Sequence[str], taken: Iterable[str]) -> Iterator[Row]:
    """The rows of kpi-data of a legacy row, one for each of its KPI's links (ids, the first one first). `taken`: ids of
    earlier tables."""
    made = _without_nulls(
        {"tenant_id": row["tenant_id"], **MADE[table](row), "legacy_table": table, "legacy_id": row["id"]}
    )
    for number, link in enumerate(links):
        own = number == 0 and row["id"] not in taken
        id = row["id"] if own else str(uuid5(NAMESPACE_URL, f"{table}/{row['id']}/{link}"))
        yield {"id": id, "kpi_link_id": link, **made}


def _target(row: Row) -> Row:
    return {
        "data_category": "Target",
        "target_subtype": "Expected",
        "post_value": row.get("target_value"),
        "post_date": row.get("milestone_date"),
        "label": row.get("label"),
        "confidence_level": row.get("confidence_level"),
        "rationale": row.get("rationale"),
        "is_manual_override": False,
        "data_source": "Manual",
        "triggers_replan": False,
        "replan_threshold_exceeded": False,
        "recorded_by": row.get("created_by"),
        "recorded_at": row.get("created_at"),
        "created_by": row.get("created_by"),
        "created_at": row.get("created_at"),
        "updated_by": row.get("updated_by"),
        "updated_at": row.get("updated_at"),
    }


def _actual(row: Row) -> Row:
    return {
        "data_category": "Actual",
        "actual_subtype": "Measured",
        "post_value": row.get("actual_value"),
        "post_date": row.get("measurement_date"),
        "original_value": row.get("original_value"),
        "is_manual_override": row.get("is_manual_override"),
        "override_comment": row.get("override_comment"),
        "data_source": row.get("data_source"),
        "source_reference_id": row.get("source_reference_id"),
        "triggers_replan": row.get("triggers_replan"),
        "replan_threshold_exceeded": row.get("replan_threshold_exceeded"),
        "auto_adjustment_applied": row.get("auto_adjustment_applied"),
        "recorded_by": row.get("recorded_by"),
        "recorded_at": row.get("recorded_at"),
        "created_by": row.get("recorded_by"),
        "created_at": row.get("recorded_at"),
    }


def _reading(row: Row) -> Row:
    return {
        "data_category": "Actual",
        "actual_subtype": "Measured",
        "post_value": row.get("value"),
        "post_date": row.get("reading_date"),
        "measured_period_start_date": row.get("period_start"),
        "original_value": row.get("original_value"),
        "is_manual_override": row.get("is_adjusted"),
        "override_comment": row.get("adjustment_reason"),
        "data_source": row.get("source"),
        "source_reference_id": row.get("external_id"),
        "triggers_replan": False,
        "replan_threshold_exceeded": False,
        "recorded_by": row.get("entered_by"),
        "recorded_at": row.get("entered_at"),
        "created_by": row.get("entered_by"),
        "created_at": row.get("entered_at"),
    }


MADE = {MILESTONES.name: _target, ACTUALS.name: _actual, READINGS.name: _reading}
"""Of each legacy table that becomes kpi-data, in order: what its rows become, but for keys."""


def _user(link: Row, kpi: Row | None) -> str:
    user: str = (kpi or {}).get("owner_id") or link["created_by"]
    return user


def _without_nulls(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


def _scan(dynamo: DynamoDBServiceResource, name: str) -> Iterator[Row]:
    """Every row of a table, page by page."""
    table = dynamo.Table(name)
    start: dict[str, Any] = {}
    while True:
        page = table.scan(ConsistentRead=True, **start)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
