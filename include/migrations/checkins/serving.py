"""What the check-ins API answers with: a client's assignments, pre-created or generated, and whether both are the same.

A list is in the order of form, week and id; an assignment is a dictionary of plain values, its numbers exact decimals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
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

_EARLIEST = (datetime.min.replace(tzinfo=UTC), Decimal(-1))
_LATEST = (datetime.max.replace(tzinfo=UTC), Decimal(0))
_NOT_COPIED = ("responseId", "score", "completedAt")


def off(_: str) -> bool:
    """Every switch is off."""
    return False


def switched(settings: Mapping[str, str | bool]) -> Switch:
    """The switches as the migration's settings have them (`include.trueup.cutover.switch.settings`); others are off."""
    return lambda name: settings.get(name) is True


def get_assignments(store: DynamoDBStore, client_id: str, switch: Switch = off) -> list[Assignment]:
    """The client's assignments: those that are there where the switch `checkins.use_pre_created` is on, otherwise
    generated from bases and responses (which are looked for in the whole table, as they have no index by client)."""
    stored = [plain_row(item) for item in _query(store, client_id)]
    if switch(USE_PRE_CREATED):
        return _in_order(stored)
    responses = [plain_row(item) for item in _scan(store, RESPONSES, client_id)]
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
        there = {a["id"]: a for a in assignments[client_id]}
        made = {a["id"]: a for a in generated(assignments[client_id], responses.get(client_id, []), everywhere)}
        different = sorted(id for id in {**there, **made} if there.get(id) != made.get(id))
        yield Comparison(client_id=client_id, assignments=len(there), different=tuple(different))


def generated(
    stored: Iterable[Assignment], responses: Iterable[Mapping[str, Any]], elsewhere: Set[str] = frozenset()
) -> list[Assignment]:
    """One client's assignments without the help of pre-created ones: those that somebody made, and for each series the
    weeks that its base and the responses say there are. `elsewhere`: ids of other clients' assignments that exist."""
    stored = list(stored)
    there = {a["id"] for a in stored} | elsewhere
    series: dict[str, list[Assignment]] = defaultdict(list)
    for each in stored:
        series[each.get("formId", "")].append(each)
    answers = [r for r in responses if _week(r.get("recurringWeek")) is not None]
    made: list[Assignment] = []
    for form_id, every in series.items():
        base = _base(every)
        ids = {} if base is None else {_id(base, w): w for w in {_week(a.get("recurringWeek")) for a in every} if w}
        own = [a for a in every if a["id"] not in ids]
        made += own
        if base is not None:
            placed = there - ids.keys()
            open_ = [r for r in answers if r.get("formId") == form_id and r.get("assignmentId") not in placed]
            made += _weeks(base, own, open_)
    return _in_order(made)


def _weeks(base: Assignment, own: list[Assignment], answers: list[Mapping[str, Any]]) -> Iterator[Assignment]:
    have = {_week(a.get("recurringWeek")) for a in own} | {1}
    by_week: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for answer in answers:
        week = _week(answer.get("recurringWeek"))
        if week is not None:
            by_week[week].append(answer)
    total = base.get("totalWeeks")
    last = int(total) if isinstance(total, Decimal) else 1
    dated = last < 2 or days_later(base.get("dueDate"), 7 * (last - 1)) is not None
    for week in sorted({*(range(2, last + 1) if dated else ()), *by_week} - have):
        due = days_later(base.get("dueDate"), 7 * (week - 1))
        if due is None:
            continue
        copied = {name: value for name, value in base.items() if name not in _NOT_COPIED}
        made = {**copied, "id": _id(base, week), "recurringWeek": Decimal(week), "dueDate": due, "status": "pending"}
        if by_week[week]:
            made |= _completed(made["id"], by_week[week])
        yield made


def _completed(id: str, answers: list[Mapping[str, Any]]) -> Assignment:
    """What the response that counts says of an assignment: the one linked to it, else the latest."""
    linked = [r for r in answers if r.get("assignmentId") == id]
    answer = max(linked or answers, key=lambda r: (instant(r.get("submittedAt")) or _EARLIEST, r["id"]))
    said: Assignment = {"responseId": answer["id"], "status": "completed"}
    if isinstance(answer.get("submittedAt"), str):
        said["completedAt"] = answer["submittedAt"]
    if isinstance(answer.get("score"), Decimal):
        said["score"] = answer["score"]
    return said


def _base(assignments: list[Assignment]) -> Assignment | None:
    first = [a for a in assignments if _week(a.get("recurringWeek")) == 1]
    first = first or [a for a in assignments if a.get("isRecurring") is True and "recurringWeek" not in a]
    return min(first, key=lambda a: (instant(a.get("dueDate")) or _LATEST, a["id"]), default=None)


def _id(base: Assignment, week: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"check-in-assignments/{base['id']}/week/{week}"))


def _week(value: Any) -> int | None:
    return int(value) if isinstance(value, Decimal) and value >= 1 and value == value.to_integral_value() else None


def _in_order(assignments: Iterable[Assignment]) -> list[Assignment]:
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


def _query(store: DynamoDBStore, client_id: str) -> Iterator[dict[str, Any]]:
    pages = store.client.get_paginator("query").paginate(
        TableName=ASSIGNMENTS,
        IndexName=INDEX,
        KeyConditionExpression="clientId = :c",
        ExpressionAttributeValues={":c": {"S": client_id}},
    )
    return (item for page in pages for item in page["Items"])


def _scan(store: DynamoDBStore, table: str, client_id: str | None = None) -> Iterator[dict[str, Any]]:
    only: dict[str, Any] = {}
    if client_id is not None:
        only = {"FilterExpression": "clientId = :c", "ExpressionAttributeValues": {":c": {"S": client_id}}}
    pages = store.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **only)
    return (item for page in pages for item in page["Items"])


def _is_there(store: DynamoDBStore, id: str) -> bool:
    found = store.client.get_item(TableName=ASSIGNMENTS, Key={"id": {"S": id}}, ProjectionExpression="id")
    return "Item" in found
