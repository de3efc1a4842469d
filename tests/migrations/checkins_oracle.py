"""What the check-in tables should hold, by section 4 of the data contracts alone: no engine, no SQL."""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

Item = dict[str, dict[str, Any]]
Series = tuple[str, str]
NOT_COPIED = ("responseId", "score", "completedAt")


@dataclass
class Expected:
    """Both tables by id; findings as (phase, key, code); the ids of assignments added and of responses linked."""

    assignments: dict[str, Item]
    responses: dict[str, Item]
    findings: set[tuple[str, str, str]] = field(default_factory=set)
    added: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)


def get(row: Item, name: str, kind: str) -> Any:
    return row.get(name, {}).get(kind)


def missing(row: Item, name: str) -> bool:
    return name not in row or "NULL" in row[name]


def number(row: Item, name: str) -> Decimal | None:
    text = get(row, name, "N")
    return None if text is None else Decimal(text)


NOTATIONS = (
    (r"\d{4}-\d\d-\d\d", "%Y-%m-%d"), (r"\d{8}", "%Y%m%d"), (r"\d{4}-\d{3}", "%Y-%j"), (r"\d{7}", "%Y%j"),
    (r"\d{4}-W\d\d-\d", "%G-W%V-%u"), (r"\d{4}W\d\d\d", "%GW%V%u"),
)  # fmt: skip


def taken_apart(text: str | None) -> tuple[date, str, str] | None:
    """The date, its notation, and what follows it; None for what is no ISO date."""
    day, time, rest = (text or "").partition("T")
    for pattern, notation in NOTATIONS:
        if re.fullmatch(pattern, day):
            try:
                return datetime.strptime(day, notation).replace(tzinfo=UTC).date(), notation, time + rest
            except ValueError:
                return None
    return None


def instant(text: str | None) -> tuple[datetime, Decimal] | None:
    apart = taken_apart(text)
    if apart is None:
        return None
    day, _, rest = apart
    found = re.fullmatch(r"(?:T(\d\d):(\d\d)(?::(\d\d)([.,]\d+)?)?(Z|[+-]\d\d:\d\d)?)?", rest)
    assert found, text
    hours, minutes, seconds, fraction, zone = found.groups()
    at = datetime(day.year, day.month, day.day, int(hours or 0), int(minutes or 0), int(seconds or 0), tzinfo=UTC)
    if zone and zone != "Z":
        shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        at = at - shift if zone[0] == "+" else at + shift
    return at, Decimal("0" + (fraction or "").replace(",", "."))


def later(text: str | None, weeks: int | Decimal) -> str | None:
    """The date so many weeks later, in its own notation."""
    apart = taken_apart(text)
    if apart is None:
        return None
    day, notation, rest = apart
    try:
        moved = day + timedelta(days=7 * int(weeks))
    except OverflowError:
        return None
    year = f"{moved.year:04}"
    return moved.strftime(notation.replace("%Y", year)) + rest


def derived_id(base: str, week: Any) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"check-in-assignments/{base}/week/{week}"))


def expected(assignments: Iterable[Item], responses: Iterable[Item]) -> Expected:
    """The tables after a run over everything."""
    before = {a["id"]["S"]: a for a in assignments}
    found = Expected(dict(before), {r["id"]["S"]: r for r in responses})
    series: dict[Series, list[Item]] = defaultdict(list)
    for row in before.values():
        key = (get(row, "clientId", "S"), get(row, "formId", "S"))
        if None not in key:
            series[key].append(row)
    of_week: dict[tuple[Series, Decimal], list[Item]] = defaultdict(list)
    for row in found.responses.values():
        if missing(row, "recurringWeek") or get(row, "assignmentId", "S") in before:
            continue
        week = number(row, "recurringWeek")
        if week is None or week < 1 or week != week.to_integral_value():
            found.findings.add(("responses", row["id"]["S"], "bad_week"))
            continue
        of_week[(get(row, "clientId", "S"), get(row, "formId", "S")), week].append(row)
    bases = {key: base for key, rows in series.items() if (base := choose_base(found, rows)) is not None}
    link(found, series, bases, of_week)
    for key, base in bases.items():
        add_weeks(found, series[key], base, before)
    return found


def choose_base(found: Expected, rows: list[Item]) -> Item | None:
    first = [r for r in rows if number(r, "recurringWeek") == 1]
    first = first or [r for r in rows if get(r, "isRecurring", "BOOL") is True and missing(r, "recurringWeek")]
    far = (datetime.max.replace(tzinfo=UTC), Decimal(0))
    first.sort(key=lambda r: (instant(get(r, "dueDate", "S")) or far, r["id"]["S"]))
    if len(first) > 1:
        found.findings.add(("weeks", first[0]["id"]["S"], "duplicate_base"))
    return first[0] if first else None


def copy_of(base: Item, week: Decimal, due: str) -> Item:
    copied = {name: value for name, value in base.items() if name not in NOT_COPIED and "NULL" not in value}
    own = {"recurringWeek": {"N": str(int(week))}, "dueDate": {"S": due}, "status": {"S": "pending"}}
    return {**copied, **own, "id": {"S": derived_id(base["id"]["S"], int(week))}}


def total_weeks(base: Item) -> Decimal:
    return max(Decimal(1), (number(base, "totalWeeks") or Decimal(1)) // 1)


def assignment_of(week: Decimal, rows: list[Item], base: Item | None) -> str | None:
    """The id of the assignment of that week, if there is one."""
    if week == 1:
        return None if base is None else str(base["id"]["S"])
    return min((r["id"]["S"] for r in rows if number(r, "recurringWeek") == week), default=None)


def link(
    found: Expected,
    series: dict[Series, list[Item]],
    bases: dict[Series, Item],
    of_week: dict[tuple[Series, Decimal], list[Item]],
) -> None:
    early = (datetime.min.replace(tzinfo=UTC), Decimal(-1))
    for (key, week), rows in of_week.items():
        base = bases.get(key)
        there = assignment_of(week, series.get(key, []), base)
        if there is None and base is None:
            found.findings |= {("responses", r["id"]["S"], "no_base") for r in rows}
            continue
        rows.sort(key=lambda r: (instant(get(r, "submittedAt", "S")) or early, r["id"]["S"]))
        *others, winner = rows
        found.findings |= {("responses", r["id"]["S"], "duplicate_response") for r in others}
        id = winner["id"]["S"]
        if there is None:
            assert base is not None
            due = later(get(base, "dueDate", "S"), week - 1)
            if due is None:
                found.findings.add(("responses", id, "bad_due_date"))
                continue
            target = copy_of(base, week, due)
            found.added.add(target["id"]["S"])
            if week > total_weeks(base):
                found.findings.add(("responses", id, "week_past_total"))
        else:
            target = dict(found.assignments[there])
            if get(target, "responseId", "S") not in (None, "", id):
                found.findings.add(("responses", id, "link_conflict"))
                continue
            found.updated.add(there)
        found.linked.add(id)
        target |= {"responseId": {"S": id}, "status": {"S": "completed"}}
        if get(winner, "submittedAt", "S") is not None:
            target["completedAt"] = winner["submittedAt"]
        if number(winner, "score") is not None:
            target["score"] = winner["score"]
        if missing(target, "recurringWeek"):
            target["recurringWeek"] = {"N": "1"}
        found.assignments[target["id"]["S"]] = target
        found.responses[id] = {**winner, "assignmentId": target["id"]}


def add_weeks(found: Expected, rows: list[Item], base: Item, before: dict[str, Item]) -> None:
    last = total_weeks(base)
    have = {number(r, "recurringWeek") for r in rows}
    wanted = [Decimal(w) for w in range(2, int(min(last, Decimal(1000))) + 1) if Decimal(w) not in have]
    if wanted and later(get(base, "dueDate", "S"), last - 1) is None:
        found.findings.add(("weeks", base["id"]["S"], "bad_due_date"))
        return
    for week in wanted:
        made = copy_of(base, week, later(get(base, "dueDate", "S"), week - 1) or "")
        if made["id"]["S"] not in found.assignments:
            found.assignments[made["id"]["S"]] = made
            found.added.add(made["id"]["S"])


def comparable(value: dict[str, Any]) -> Any:
    """A value such that equal ones are equal: numbers by value, sets without order."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "NS":
            return kind, sorted(Decimal(c) for c in content)
        case "SS" | "BS":
            return kind, sorted(content)
        case "L":
            return kind, [comparable(c) for c in content]
        case "M":
            return kind, {name: comparable(c) for name, c in content.items()}
        case _:
            return kind, content


def by_id(rows: Iterable[Item]) -> dict[str, Any]:
    """Rows by id, comparable; top-level nulls are left out."""
    return {
        row["id"]["S"]: {name: comparable(value) for name, value in row.items() if "NULL" not in value} for row in rows
    }
