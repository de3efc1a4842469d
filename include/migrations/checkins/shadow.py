"""Before the switch is turned: both ways of listing side by side for every client, and every link that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.trueup.cutover.comparison import Compared, Comparison

from .serving import ASSIGNMENTS, RESPONSES, scanned

if TYPE_CHECKING:
    from include.trueup.stores.dynamodb import DynamoDBStore

FEW = 5
"""Links that are wrong, of which a message names so many."""


def compare(store: DynamoDBStore, asked: Mapping[str, Any]) -> Compared:  # noqa: ARG001 - every client is compared
    """List the assignments of every client both ways; each table is scanned once.

    A difference has `key` (the client), and `different`: the ids of assignments that differ or that one way alone gives."""
    from .serving import compare as lists

    result = Compared()
    for each in lists(store):
        result.compared += 1
        if not each.same:
            result.differences.append({"key": each.client_id, "different": [*each.different]})
    return result


def bad_links(store: DynamoDBStore) -> tuple[int, tuple[str, ...]]:
    """How many links of both tables are wrong now, and the first of them: the rule is that of links.sql."""
    assignments = {row["id"]: row for row in scanned(store, ASSIGNMENTS, _ASKED)}
    responses = {row["id"]: row for row in scanned(store, RESPONSES, _ASKED)}
    bad = [
        *(f"response {id}" for id in _wrong(responses, "assignmentId", assignments, "responseId", responses)),
        *(f"assignment {id}" for id in _wrong(assignments, "responseId", responses, "assignmentId", responses)),
    ]
    return len(bad), tuple(sorted(bad)[:FEW])


_ASKED = ("id", "clientId", "formId", "recurringWeek", "isRecurring", "assignmentId", "responseId")
Rows = Mapping[str, Mapping[str, Any]]


def _wrong(rows: Rows, link: str, others: Rows, back: str, responses: Rows) -> Iterator[str]:
    for id, row in rows.items():
        leads_to = row.get(link)
        if not isinstance(leads_to, str) or not leads_to:
            continue
        other = others.get(leads_to)
        response, assignment = (row, other) if rows is responses else (other, row)
        if (
            other is None
            or response is None
            or assignment is None
            or any(_text(row, name) != _text(other, name) for name in ("clientId", "formId"))
            or ("recurringWeek" in response and response["recurringWeek"] != _week(assignment))
            or other.get(back) != id
        ):
            yield id


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _week(assignment: Mapping[str, Any]) -> Any:
    if "recurringWeek" in assignment:
        return assignment["recurringWeek"]
    return 1 if assignment.get("isRecurring") is True else None


comparison = Comparison(
    id="checkins_shadow",
    title="Check-ins: shadow comparison",
    owner="coaching",
    doc=(Path(__file__).parent / "SHADOW.md").read_text(encoding="utf-8"),
    connection="checkins_dynamodb",
    compare=compare,  # type: ignore[arg-type]  # a store behind that connection is a DynamoDBStore
    migration="checkins",
)
