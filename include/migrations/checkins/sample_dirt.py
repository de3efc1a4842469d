"""The sample's dirty rows: every case that the contract names, with ids that say what they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Item = dict[str, dict[str, Any]]
"""A row as boto3 has it: {"id": {"S": "…"}, …}; binary as bytes."""
Changes = dict[str, dict[str, Any] | None]
"""Attributes of a row to set, or to leave out (None)."""
Rows = Iterator[tuple[str, Item]]
"""Table name and row."""

RESPONSES, ASSIGNMENTS, FORMS, CLIENTS = "form-responses", "check-in-assignments", "forms", "clients"
NULL: dict[str, Any] = {"NULL": True}
DUE = "2024-02-26T09:30:00.1234567+02:00"
AT = "2024-03-05T07:08:09.7654321+02:00"
EVERY_TYPE: Changes = {
    "coachId": {"S": "coach-1"},
    "weight": {"N": "1.50"},
    "photo": {"B": b"\x00\x01\xff"},
    "reminders": {"L": [{"S": ""}, {"N": "38000000000000000000000000000000000001"}, NULL, {"L": []}]},
    "settings": {"M": {"b": {"N": "2.0"}, "a": {"M": {"deep": {"SS": ["z", "a"]}, "nothing": NULL}}}},
    "tags": {"SS": ["b", "a"]},
    "numbers": {"NS": ["3", "1.10", "-2"]},
    "muted": {"BOOL": False},
    "nothing": NULL,
    'dots.and "quotes"/~ and 😀': {"S": "named oddly, with a bell\x07 and \u2028"},
}


def s(text: str) -> dict[str, Any]:
    """A string."""
    return {"S": text}


def n(number: str | int) -> dict[str, Any]:
    """A number, by its digits."""
    return {"N": str(number)}


def _row(id: str, attributes: Changes, changes: Changes) -> Item:
    return {name: value for name, value in {"id": s(id), **attributes, **changes}.items() if value is not None}


def assignment(id: str, client: str, form: str, **changes: dict[str, Any] | None) -> Item:
    """A row of `check-in-assignments`: a base of four weeks unless it says otherwise."""
    attributes: Changes = {
        "clientId": s(client), "formId": s(form), "isRecurring": {"BOOL": True}, "recurringWeek": n(1),
        "totalWeeks": n(4), "status": s("pending"), "dueDate": s(DUE), "title": s("Weekly check-in"),
    }  # fmt: skip
    return _row(id, attributes, changes)


def response(id: str, client: str, form: str, week: str | int | None, **changes: dict[str, Any] | None) -> Item:
    """A row of `form-responses`."""
    attributes: Changes = {
        "clientId": s(client), "formId": s(form), "recurringWeek": None if week is None else n(week),
        "score": n("87.5"), "answers": {"M": {"mood": n(4), "note": s("fine"), "photo": {"B": b"\xff"}}},
        "submittedAt": s(AT),
    }  # fmt: skip
    return _row(id, attributes, changes)


def dirty() -> Rows:
    """Every dirty row."""
    for case in (_bases, _due_dates, _existing, _responses, _duplicates, _placed, _conflicts, _types):
        yield from case(f"client-{case.__name__.strip('_')}")


def _bases(client: str) -> Rows:
    """Which assignment is the base, and how many weeks it has."""
    yield ASSIGNMENTS, assignment("base-every-type", client, "every-type", **EVERY_TYPE)
    yield ASSIGNMENTS, assignment("base-completed", client, "completed", status=s("completed"), responseId=s("gone"),
                                  score=n("90.0"), completedAt=s(AT))  # fmt: skip
    for name, due in (
        ("b", "2024-02-26T09:00:00Z"),
        ("a", "2024-02-26T10:30:00.0000000+02:00"),
        ("c", "2024-02-26T08:30:00.00Z"),
    ):
        yield ASSIGNMENTS, assignment(f"two-bases-{name}", client, "two-bases", dueDate=s(due))
    for name in ("y", "x"):
        yield ASSIGNMENTS, assignment(f"same-due-{name}", client, "same-due")
    for name, digit in (("a", "8"), ("b", "7")):  # apart by a seventh digit
        yield (
            ASSIGNMENTS,
            assignment(f"digit-{name}", client, "digit", dueDate=s(f"2024-02-26T09:30:00.123456{digit}Z")),
        )
    yield ASSIGNMENTS, assignment("no-week-recurring", client, "no-week", recurringWeek=None)
    yield RESPONSES, response("no-week-1", client, "no-week", 1)
    yield RESPONSES, response("no-week-2", client, "no-week", 2, score=None)
    yield ASSIGNMENTS, assignment("null-week-recurring", client, "null-week", recurringWeek=NULL)
    yield ASSIGNMENTS, assignment("rank-2", client, "rank", recurringWeek=None, dueDate=s("2020-01-01"))
    yield ASSIGNMENTS, assignment("rank-1", client, "rank")
    yield ASSIGNMENTS, assignment("once", client, "once", isRecurring={"BOOL": False}, recurringWeek=None)
    yield RESPONSES, response("once-1", client, "once", 1)
    for name, weeks in (
        ("zero", n("0")),
        ("minus", n("-3")),
        ("fraction", n("3.9")),
        ("one", n("1.0")),
        ("none", None),
    ):
        yield ASSIGNMENTS, assignment(f"weeks-{name}", client, f"weeks-{name}", totalWeeks=weeks)
        yield RESPONSES, response(f"weeks-{name}-2", client, f"weeks-{name}", 2)


def _due_dates(client: str) -> Rows:
    """Every notation of a due date, and those that are none."""
    dates = (
        "2024-02-26", "2024-12-30T23:59:59.9999999Z", "2024-02-26T09:30", "2024-02-26T00:00:00.000-05:30",
        "20240226", "2024-057", "2024-W52-7T10:00:00+01:00", "0001-01-01T00:00:00Z",
    )  # fmt: skip
    for number, date in enumerate(dates):
        yield ASSIGNMENTS, assignment(f"due-{number}", client, f"due-{number}", dueDate=s(date))
        yield RESPONSES, response(f"due-{number}-3", client, f"due-{number}", 3)
    bad: tuple[str | None, ...] = ("soon", "", "2024-02-30", "9999-12-30T00:00:00Z", None)
    for number, text in enumerate(bad):
        yield (
            ASSIGNMENTS,
            assignment(f"bad-due-{number}", client, f"bad-due-{number}", dueDate=None if text is None else s(text)),
        )
        yield RESPONSES, response(f"bad-due-{number}-1", client, f"bad-due-{number}", 1)
    yield RESPONSES, response("bad-due-2-2", client, "bad-due-2", 2)


def _existing(client: str) -> Rows:
    """Weeks that have an assignment already."""
    yield ASSIGNMENTS, assignment("some", client, "some")
    yield (
        ASSIGNMENTS,
        assignment("some-3-b", client, "some", recurringWeek=n("3.0"), status=s("overdue"), title=s("moved")),
    )
    yield ASSIGNMENTS, assignment("some-3-a", client, "some", recurringWeek=n(3), dueDate=s("2030-01-01"), score=n(12))
    yield RESPONSES, response("some-r3", client, "some", 3, score=None)
    yield RESPONSES, response("some-r2", client, "some", 2)
    yield ASSIGNMENTS, assignment("orphan-week-2", client, "orphan", recurringWeek=n(2), isRecurring=None)
    yield RESPONSES, response("orphan-r2", client, "orphan", 2)
    yield RESPONSES, response("orphan-r3", client, "orphan", 3)
    yield RESPONSES, response("orphan-r1", client, "orphan", 1)
    # the same form of another client has nothing to do with it
    yield RESPONSES, response("stranger", "another-client", "some", 2)


def _responses(client: str) -> Rows:
    """Weeks of responses."""
    yield ASSIGNMENTS, assignment("plain", client, "plain", dueDate=s("2024-02-26"), **EVERY_TYPE)
    yield RESPONSES, response("plain-none", client, "plain", None)
    yield RESPONSES, response("plain-null", client, "plain", None, recurringWeek=NULL)
    for name, week in (
        ("zero", "0"),
        ("minus", "-1"),
        ("half", "2.5"),
        ("tiny", "2.00000000000000000000000000000000001"),
    ):
        yield RESPONSES, response(f"plain-{name}", client, "plain", week)
    yield RESPONSES, response("plain-text", client, "plain", None, recurringWeek=s("2"))
    yield RESPONSES, response("plain-1", client, "plain", "1.00", score=n("12345678901234567890123456789012345678"))
    yield RESPONSES, response("plain-2", client, "plain", 2, score=None)
    yield RESPONSES, response("plain-9", client, "plain", 9)
    yield RESPONSES, response("plain-far", client, "plain", "99999999999999999999999999999999999999")
    yield RESPONSES, response("plain-later", client, "plain", "9999999")


def _duplicates(client: str) -> Rows:
    """Several responses of one week: the latest as an instant, then the largest id."""
    yield ASSIGNMENTS, assignment("dup", client, "dup", totalWeeks=n(6))
    times = ("2024-03-05T08:00:00.1234567+02:00", "2024-03-05T06:00:00.1234568Z", "2024-03-05T07:59:59+02:00")
    for number, at in enumerate(times):
        yield RESPONSES, response(f"dup-2-{number}", client, "dup", 2, submittedAt=s(at))
    for name in ("a", "c", "b"):
        yield RESPONSES, response(f"dup-3-{name}", client, "dup", "3", assignmentId=s("gone") if name == "a" else None)
    yield RESPONSES, response("dup-4-none", client, "dup", 4, submittedAt=None)
    yield RESPONSES, response("dup-4-bad", client, "dup", 4, submittedAt=s("zz"))
    yield RESPONSES, response("dup-4-good", client, "dup", 4, submittedAt=s("1999-01-01"))
    for name in ("a", "b"):
        yield RESPONSES, response(f"dup-past-{name}", client, "dup", 12)
        yield RESPONSES, response(f"dup-baseless-{name}", client, "baseless", 2)


def _placed(client: str) -> Rows:
    """Responses that are placed already are kept, wherever their assignment is."""
    yield ASSIGNMENTS, assignment("placed", client, "placed")
    yield ASSIGNMENTS, assignment("placed-2", client, "placed", recurringWeek=n(2), responseId=s("placed-r2"))
    yield RESPONSES, response("placed-r2", client, "placed", 2, assignmentId=s("placed-2"))
    yield RESPONSES, response("placed-r2-late", client, "placed", 2, submittedAt=s("2025-01-01T00:00:00Z"))
    yield RESPONSES, response("placed-elsewhere", client, "placed", 3, assignmentId=s("plain"))
    yield RESPONSES, response("placed-zero", client, "placed", 0, assignmentId=s("placed"))
    yield RESPONSES, response("placed-gone", client, "placed", 4, assignmentId=s("gone"))
    yield RESPONSES, response("dangling", client, "placed", None, assignmentId=s("gone"))


def _conflicts(client: str) -> Rows:
    """Assignments that carry a response's id."""
    yield ASSIGNMENTS, assignment("conflict", client, "conflict", responseId=s("another"))
    yield RESPONSES, response("conflict-r1", client, "conflict", 1)
    yield ASSIGNMENTS, assignment("half", client, "half", responseId=s("half-r1"), status=s("completed"), score=n(3))
    yield RESPONSES, response("half-r1", client, "half", 1)
    yield ASSIGNMENTS, assignment("older", client, "older", responseId=s("older-r1"))
    yield RESPONSES, response("older-r1", client, "older", 1)
    yield RESPONSES, response("older-r1-late", client, "older", 1, submittedAt=s("2025-01-01T00:00:00Z"))
    yield ASSIGNMENTS, assignment("blank", client, "blank", responseId=s(""))
    yield RESPONSES, response("blank-r1", client, "blank", 1, assignmentId=s(""))


def _types(client: str) -> Rows:
    """Attributes of another type than the tables should have."""
    yield (
        ASSIGNMENTS,
        assignment("typed", client, "typed", score=s("ninety"), completedAt=n(5), muted=n(1), isRecurring=s("yes")),
    )
    yield RESPONSES, response("typed-r1", client, "typed", 1, assignmentId=n(7), score=n("3.10"))
    yield RESPONSES, response("typed-r2", client, "typed", 2, score=s("high"), submittedAt=n(20240305))
    yield ASSIGNMENTS, assignment("text-week", client, "text-week", recurringWeek=s("1"))
    yield RESPONSES, response("text-week-r1", client, "text-week", 1)
    yield ASSIGNMENTS, assignment("no-client", client, "no-client", clientId=None)
    yield RESPONSES, response("no-client-r1", client, "no-client", 1, clientId=None)
