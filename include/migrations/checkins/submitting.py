"""What the check-ins API writes: a new series of assignments, and a response, linked to its assignment both ways.

Whatever is written is written together, on the condition that nothing of it is there yet and that what it depends on is as it
was read: a request that is refused has written nothing, and one that is sent again finds its own work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from include.migrations.plain import typed
from include.trueup.errors import StoreUnavailableError
from include.trueup.rows.values import json_text

from .serving import (
    ASSIGNMENTS,
    RESPONSES,
    Assignment,
    base_of,
    in_order,
    item_of,
    missing_week,
    of_client,
    raw_item,
    responses_of,
    week_of,
    weeks_of,
)

if TYPE_CHECKING:
    from include.trueup.stores.dynamodb import DynamoDBStore

TRIES = 5
"""How often what somebody changed meanwhile is read again."""
AT_ONCE = 100
"""Rows of one transaction: DynamoDB takes no more."""
_ABSENT = object()


class RefusedError(Exception):
    """Nothing was written: `kind` is missing (there is no such assignment), exists or taken, in the words of the message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _ChangedError(Exception):
    """What a write depends on is not as it was read."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series that is to be begun: its form, its weeks, when the first one is due (ISO 8601), and whatever else the
    assignments are to have (`more`). `id`: the base's, else one that follows from client and form."""

    form_id: str
    total_weeks: int
    due_date: str
    id: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A response as a client submits it. Without an `id` it gets a new one, without `submitted_at` it is of now."""

    answers: Mapping[str, Any]
    id: str | None = None
    score: Decimal | None = None
    submitted_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A response with its assignment, and whether it is `new` or was there already, the same."""

    response: Assignment
    assignment: Assignment
    new: bool


def begin(store: DynamoDBStore, client_id: str, series: Series, pre_created: bool) -> list[Assignment]:
    """Add the base of a series, and where weeks are `pre_created` all that it has none of yet; what was added, by week.

    The base is written last, with the last weeks: a call that was broken off is made again. Raises `RefusedError`
    (exists) where the series has a base, or an id is taken."""
    stored = of_client(store, client_id, series.form_id)
    if (base_there := base_of(stored)) is not None:
        raise RefusedError("exists", f"the series of form {series.form_id} has a base already, {base_there['id']}")
    own = f"check-in-assignments/{json_text([client_id, series.form_id])}"
    base: Assignment = {
        "isRecurring": True,
        **series.more,
        "id": series.id or str(uuid5(NAMESPACE_URL, own)),
        "clientId": client_id,
        "formId": series.form_id,
        "recurringWeek": Decimal(1),
        "totalWeeks": Decimal(series.total_weeks),
        "status": "pending",
        "dueDate": series.due_date,
    }
    base = {name: value for name, value in base.items() if value is not None}
    made = [base]
    if pre_created:
        have = {week_of(row) for row in stored}
        made += [week for week in weeks_of(base) if week["recurringWeek"] not in have]
    *parts, last = [made[1:][n : n + AT_ONCE - 1] for n in range(0, max(1, len(made) - 1), AT_ONCE - 1)]
    for part in parts:
        _put(store, part, base)
    _put(store, [*last, base], base)
    return in_order(made)


def _put(store: DynamoDBStore, rows: Sequence[Assignment], base: Assignment) -> None:
    """Write rows that are not there, or are the same, all of them in one transaction; the base must not be there."""
    for _ in range(TRIES):
        try:
            _together(store, [_new(ASSIGNMENTS, row) for row in rows])
            return
        except _ChangedError:
            stored = {row["id"]: item_of(store, ASSIGNMENTS, row["id"]) for row in rows}
            for row in rows:
                if stored[row["id"]] is not None and (stored[row["id"]] != row or row is base):
                    raise RefusedError("exists", f"there is an assignment {row['id']} already") from None
            rows = [row for row in rows if stored[row["id"]] is None]
            if not rows:
                return
    raise StoreUnavailableError(f"{ASSIGNMENTS}: others write the same rows; ask again later")


def submit(store: DynamoDBStore, client_id: str, assignment_id: str, given: Submission, pre_created: bool) -> Submitted:
    """Store a response, link it to the assignment both ways, and complete that; an assignment that is generated and not stored
    yet is stored with it. The same again (id and content) is the same.

    Raises `RefusedError`: missing, where the client has no such assignment; exists, where its week has another response;
    taken, where a response of that id is there with other content."""
    given_at = given.submitted_at or datetime.now(UTC).isoformat().replace("+00:00", "Z")
    response_id = given.id or str(uuid4())
    for _ in range(TRIES):
        stored = item_of(store, ASSIGNMENTS, assignment_id)
        base = None
        assignment = stored
        if stored is None:
            pair = missing_week(of_client(store, client_id), assignment_id)
            if pair is None and item_of(store, ASSIGNMENTS, assignment_id) is not None:
                continue  # somebody has stored it between the two reads
            base, assignment = pair if pair is not None else (None, None)
        if assignment is None or assignment.get("clientId") != client_id:
            raise RefusedError("missing", f"client {client_id} has no assignment {assignment_id}")
        response: Assignment = {
            "id": response_id,
            "clientId": client_id,
            "formId": assignment.get("formId"),
            "recurringWeek": _week(assignment),
            "assignmentId": assignment_id,
            "score": given.score,
            "answers": dict(given.answers),
            "submittedAt": given_at,
        }
        response = {name: value for name, value in response.items() if value is not None}
        same = _same(store, response, assignment, given)
        if same is not None:
            return same
        _refuse_second(store, response, assignment, generated=not pre_created)
        completed = {
            **assignment,
            **({"recurringWeek": Decimal(1)} if response.get("recurringWeek") == 1 else {}),
            "responseId": response_id,
            "status": "completed",
            "completedAt": given_at,
            **({"score": given.score} if given.score is not None else {}),
        }
        try:
            _together(store, [_new(RESPONSES, response), *_completion(store, base, stored, completed)])
        except _ChangedError:
            continue
        return Submitted(response=response, assignment=completed, new=True)
    raise StoreUnavailableError(f"assignment {assignment_id}: others write it; ask again later")


def _week(assignment: Assignment) -> Decimal | None:
    """The week that a response to the assignment is of: none, where it is of no series."""
    week = assignment.get("recurringWeek")
    if week is None:
        return Decimal(1) if assignment.get("isRecurring") is True else None
    if week_of(assignment) is None:
        raise RefusedError("exists", f"assignment {assignment['id']} is of no whole week from 1 on: correct it first")
    return Decimal(week)


def _same(store: DynamoDBStore, response: Assignment, assignment: Assignment, given: Submission) -> Submitted | None:
    """What is there already under the response's id, where it is the same; None where there is nothing."""
    stored = item_of(store, RESPONSES, response["id"]) if given.id else None
    if stored is None:
        return None
    expected = {**response, **({} if given.submitted_at else {"submittedAt": stored.get("submittedAt")})}
    if stored != expected or assignment.get("responseId") != stored["id"]:
        raise RefusedError("taken", f"there is a response {response['id']} already, and it is not the same")
    return Submitted(response=stored, assignment=assignment, new=False)


def _refuse_second(store: DynamoDBStore, response: Assignment, assignment: Assignment, *, generated: bool) -> None:
    """Raise `RefusedError` where the assignment's week has a response."""
    if held := assignment.get("responseId"):
        raise RefusedError("exists", f"assignment {assignment['id']} has a response already, {held}")
    if not generated or "recurringWeek" not in response or not isinstance(response.get("formId"), str):
        return
    for other in responses_of(store, response["clientId"], response["formId"]):
        if other.get("recurringWeek") != response["recurringWeek"]:
            continue
        linked = other.get("assignmentId")
        elsewhere = linked if isinstance(linked, str) and linked not in ("", assignment["id"]) else None
        if elsewhere is None or item_of(store, ASSIGNMENTS, elsewhere) is None:
            raise RefusedError("exists", f"week {response['recurringWeek']} has a response already, {other['id']}")


def _completion(
    store: DynamoDBStore, base: Assignment | None, stored: Assignment | None, completed: Assignment
) -> list[dict[str, Any]]:
    """The actions that make the assignment what it is then, on the condition that it is as it was."""
    if stored is None:
        assert base is not None
        like = raw_item(store, ASSIGNMENTS, base["id"]) or {}  # values that JSON has no type for are copied as they are
        kept = {name: value for name, value in like.items() if base.get(name, _ABSENT) == completed.get(name)}
        condition = _unchanged(base, ("clientId", "formId", "dueDate", "totalWeeks"))
        return [_new(ASSIGNMENTS, completed, kept), condition]
    changed = {name: value for name, value in completed.items() if stored.get(name) != value}
    sets = ", ".join(f"#s{n} = :s{n}" for n, _ in enumerate(changed))
    names = {f"#s{n}": name for n, name in enumerate(changed)}
    values = {f":s{n}": typed(value) for n, value in enumerate(changed.values())}
    check = _unchanged(stored, ("clientId", "formId", "recurringWeek", "isRecurring", "responseId"))["ConditionCheck"]
    return [
        {
            "Update": {
                **check,
                "UpdateExpression": f"SET {sets}",
                "ExpressionAttributeNames": {**check["ExpressionAttributeNames"], **names},
                "ExpressionAttributeValues": {**check["ExpressionAttributeValues"], **values},
            }
        }
    ]


def _new(table: str, row: Assignment, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The action that adds a row; `like`: attributes that are typed already."""
    item = {name: (like or {}).get(name) or typed(value) for name, value in row.items()}
    return {"Put": {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(id)"}}


def _unchanged(row: Assignment, names: Sequence[str]) -> dict[str, Any]:
    """The condition that an assignment is there and still has these attributes, and lacks those that it lacked."""
    conditions, values = ["attribute_exists(id)"], {}
    for n, name in enumerate(names):
        if name in row:
            conditions.append(f"#c{n} = :c{n}")
            values[f":c{n}"] = typed(row[name])
        else:
            conditions.append(f"(attribute_not_exists(#c{n}) OR attribute_type(#c{n}, :null))")
            values[":null"] = {"S": "NULL"}
    return {
        "ConditionCheck": {
            "TableName": ASSIGNMENTS,
            "Key": {"id": {"S": row["id"]}},
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": {f"#c{n}": name for n, name in enumerate(names)},
            "ExpressionAttributeValues": values,
        }
    }


def _together(store: DynamoDBStore, actions: list[dict[str, Any]]) -> None:
    """Write all of it or nothing. Raises `_ChangedError` where a condition does not hold, or somebody writes a row of it."""
    client: Any = store.client
    try:
        client.transact_write_items(TransactItems=actions)
    except client.exceptions.TransactionCanceledException as error:
        codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])} - {"None", None}
        if codes <= {"ConditionalCheckFailed", "TransactionConflict"}:
            raise _ChangedError from error
        raise
