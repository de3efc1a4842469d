"""What the check-ins API answers with: a client's assignments, pre-created or generated, and whether both are the same.

A list is in the order of form, week and id; an assignment is a dictionary of plain values, its numbers exact decimals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from include.migrations.plain import plain_row

from .dates import days_later, instant

if TYPE_CHECKING:
    from include.trueup.stores.dynamodb import DynamoDBStore

USE_PRE_CREATED = "checkins.use_pre_created"
ASSIGNMENTS, RESPONSES, INDEX = "check-in-assignments", "form-responses", "client-form-index"
Assignment = dict[str, Any]
Switch = Callable[[str], bool]
"""Whether the switch of that name is on."""

MOST_WEEKS = 520
"""Weeks of a series at most."""
_EARLIEST = (datetime.min.replace(tzinfo=UTC), Decimal(-1))
_LATEST = (datetime.max.replace(tzinfo=UTC), Decimal(0))
_NOT_COPIED = ("responseId", "score", "completedAt")


def off(_: str) -> bool:
    """Every switch is off."""
    return False


def switched(settings: Mapping[str, str | bool]) -> Switch:
    """The switches as the migration's settings have them (`include.trueup.cutover.switch.settings`); others are off."""
    return lambda name: settings.get(name) is True


class IndexMissingError(Exception):
    """There is no index by client on the responses, or it is still being made: weeks cannot be generated yet."""


def get_assignments(store: DynamoDBStore, client_id: str, switch: Switch = off) -> list[Assignment]:
    """The client's assignments: those that are there where the switch `checkins.use_pre_created` is on, otherwise
    generated from bases and responses. Raises `IndexMissingError` where these have no index by client yet."""
    stored = of_client(store, client_id)
    if switch(USE_PRE_CREATED):
        return in_order(stored)
    responses = responses_of(store, client_id)
    unknown = {r.get("assignmentId") for r in responses} - {a["id"] for a in stored}
    return generated(stored, responses, {id for id in unknown if isinstance(id, str) and id and _is_there(store, id)})


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A client's assignments both ways: how many there are, and the ids of those that differ or are in one list."""

    client_id: str
    assignments: int
    different: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether both ways give the same list."""
        return not self.different


def compare(store: DynamoDBStore) -> Iterator[Comparison]:
    """The shadow comparison: one for each client that has assignments, in the order of their ids. Reads both tables
    once, whole."""
    rows = list(_scan(store, ASSIGNMENTS))
    everywhere = {row["id"]["S"] for row in rows}
    assignments, responses = _by_client(rows), _by_client(_scan(store, RESPONSES))
    for client_id in sorted(assignments):
        stored = {a["id"]: a for a in assignments[client_id]}
        made = {a["id"]: a for a in generated(assignments[client_id], responses.get(client_id, []), everywhere)}
        different = sorted(id for id in {**stored, **made} if stored.get(id) != made.get(id))
        yield Comparison(client_id=client_id, assignments=len(stored), different=tuple(different))


def generated(
    stored: Iterable[Assignment], responses: Iterable[Mapping[str, Any]], elsewhere: Set[str] = frozenset()
) -> list[Assignment]:
    """One client's assignments without the help of pre-created ones: those that somebody made, and for each series the
    weeks that its base and the responses say there are. `elsewhere`: ids of other clients' assignments that exist."""
    stored = list(stored)
    present = {a["id"] for a in stored} | elsewhere
    series: dict[str, list[Assignment]] = defaultdict(list)
    for each in stored:
        series[each.get("formId", "")].append(each)
    answers = [r for r in responses if week_of(r) is not None]
    made: list[Assignment] = []
    for form_id, every in series.items():
        base = base_of(every)
        ids = {} if base is None else {week_id(base, w): w for w in {week_of(a) for a in every} if w}
        own = [a for a in every if a["id"] not in ids]
        made += own
        if base is not None:
            placed = present - ids.keys()
            open_ = [r for r in answers if r.get("formId") == form_id and r.get("assignmentId") not in placed]
            made += _weeks(base, own, open_)
    return in_order(made)


def weeks_of(base: Assignment) -> list[Assignment]:
    """The assignments of weeks 2 to the last of a series, pending; none where the base has too many, or dates them not."""
    return list(_weeks(base, [], []))


def missing_week(stored: Iterable[Assignment], id: str) -> tuple[Assignment, Assignment] | None:
    """Of a client's assignments: the base of the series whose week, which has no assignment, would get this id, and that
    assignment; None where there is none."""
    series: dict[str, list[Assignment]] = defaultdict(list)
    for each in stored:
        series[each.get("formId", "")].append(each)
    for every in series.values():
        base = base_of(every)
        for week in weeks_of(base) if base is not None else ():
            if week["id"] == id and week["recurringWeek"] not in {week_of(a) for a in every}:
                return (base, week) if base is not None else None
    return None


def _weeks(base: Assignment, own: list[Assignment], answers: list[Mapping[str, Any]]) -> Iterator[Assignment]:
    have = {week_of(a) for a in own} | {1}
    by_week: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for answer in answers:
        week = week_of(answer)
        if week is not None and week <= MOST_WEEKS:
            by_week[week].append(answer)
    total = base.get("totalWeeks")
    last = int(total) if isinstance(total, Decimal) else 1
    dated = last <= MOST_WEEKS and (last < 2 or days_later(base.get("dueDate"), 7 * (last - 1)) is not None)
    for week in sorted({*(range(2, last + 1) if dated else ()), *by_week} - have):
        due = days_later(base.get("dueDate"), 7 * (week - 1))
        if due is None:
            continue
        copied = {name: value for name, value in base.items() if name not in _NOT_COPIED}
        made = {
            **copied,
            "id": week_id(base, week),
            "recurringWeek": Decimal(week),
            "dueDate": due,
            "status": "pending",
        }
        if by_week[week]:
            made |= _completed(made["id"], by_week[week])
        yield made


def _completed(id: str, answers: list[Mapping[str, Any]]) -> Assignment:
    """What the response that counts says of an assignment: the one linked to it, else the latest."""
    linked = [r for r in answers if r.get("assignmentId") == id]
    answer = max(linked or answers, key=lambda r: (instant(r.get("submittedAt")) or _EARLIEST, r["id"]))
    assignment: Assignment = {"responseId": answer["id"], "status": "completed"}
    if isinstance(answer.get("submittedAt"), str):
        assignment["completedAt"] = answer["submittedAt"]
    if isinstance(answer.get("score"), Decimal):
        assignment["score"] = answer["score"]
    return assignment


def base_of(assignments: Iterable[Assignment]) -> Assignment | None:
    """The base of a series: its assignment of week 1, else a recurring one without a week; of several the one due first."""
    assignments = list(assignments)
    first = [a for a in assignments if week_of(a) == 1]
    first = first or [a for a in assignments if a.get("isRecurring") is True and "recurringWeek" not in a]
    return min(first, key=lambda a: (instant(a.get("dueDate")) or _LATEST, a["id"]), default=None)


def week_id(base: Assignment, week: int) -> str:
    """The id of the assignment that is added for a week."""
    return str(uuid5(NAMESPACE_URL, f"check-in-assignments/{base['id']}/week/{week}"))


def week_of(row: Mapping[str, Any]) -> int | None:
    """The week that a row says it is of; None where that is no whole number from 1 on."""
    value = row.get("recurringWeek")
    return int(value) if isinstance(value, Decimal) and value >= 1 and value == value.to_integral_value() else None


def in_order(assignments: Iterable[Assignment]) -> list[Assignment]:
    """By form, week and id."""

    def place(each: Assignment) -> tuple[str, Decimal, str]:
        week = each.get("recurringWeek")
        return str(each.get("formId")), week if isinstance(week, Decimal) else Decimal(0), each["id"]

    return sorted(assignments, key=place)


def _by_client(items: Iterable[dict[str, Any]]) -> dict[str, list[Assignment]]:
    rows: dict[str, list[Assignment]] = defaultdict(list)
    for row in map(plain_row, items):
        if isinstance(row.get("clientId"), str):
            rows[row["clientId"]].append(row)
    return rows


def of_client(store: DynamoDBStore, client_id: str, form_id: str | None = None) -> list[Assignment]:
    """The client's assignments (of one form), by their index."""
    return [plain_row(item) for item in _query(store, ASSIGNMENTS, client_id, form_id)]


def responses_of(store: DynamoDBStore, client_id: str, form_id: str | None = None) -> list[dict[str, Any]]:
    """The client's responses (to one form), by their index. Raises `IndexMissingError`."""
    errors: Any = store.client.exceptions
    try:
        return [plain_row(item) for item in _query(store, RESPONSES, client_id, form_id)]
    except errors.ClientError as error:
        details = error.response.get("Error", {})
        if details.get("Code") == "ValidationException" and "index" in details.get("Message", "").lower():
            raise IndexMissingError(details["Message"]) from error
        raise


def raw_item(store: DynamoDBStore, table: str, id: str) -> dict[str, Any] | None:
    """The row of that id as DynamoDB has it now; None where there is none."""
    response: Any = store.client.get_item(TableName=table, Key={"id": {"S": id}}, ConsistentRead=True)
    item: dict[str, Any] | None = response.get("Item")
    return item


def item_of(store: DynamoDBStore, table: str, id: str) -> dict[str, Any] | None:
    """The row of that id as it is now; None where there is none."""
    item = raw_item(store, table, id)
    return None if item is None else plain_row(item)


def _query(store: DynamoDBStore, table: str, client_id: str, form_id: str | None) -> Iterator[dict[str, Any]]:
    condition, values = "clientId = :c", {":c": {"S": client_id}}
    if form_id is not None:
        condition, values = f"{condition} AND formId = :f", {**values, ":f": {"S": form_id}}
    pages = store.client.get_paginator("query").paginate(
        TableName=table, IndexName=INDEX, KeyConditionExpression=condition, ExpressionAttributeValues=values
    )
    return (item for page in pages for item in page["Items"])


def scanned(store: DynamoDBStore, table: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every row of a table, with these attributes only, as plain values."""
    pages = store.client.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        ProjectionExpression=", ".join(f"#n{n}" for n, _ in enumerate(names)),
        ExpressionAttributeNames={f"#n{n}": name for n, name in enumerate(names)},
    )
    return (plain_row(item) for page in pages for item in page["Items"])


def _scan(store: DynamoDBStore, table: str) -> Iterator[dict[str, Any]]:
    pages = store.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return (item for page in pages for item in page["Items"])


def _is_there(store: DynamoDBStore, id: str) -> bool:
    response = store.client.get_item(TableName=ASSIGNMENTS, Key={"id": {"S": id}}, ProjectionExpression="id")
    return "Item" in response
