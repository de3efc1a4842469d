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


def expected(assignments: Iterable[Item], responses: Iterable[Item], mend: bool = False) -> Expected:
    """The tables after a run over everything; `mend` is the param relink."""
    before = {a["id"]["S"]: a for a in assignments}
    found = Expected(dict(before), {r["id"]["S"]: r for r in responses})
    series: dict[Series, list[Item]] = defaultdict(list)
    for row in before.values():
        key = (get(row, "clientId", "S"), get(row, "formId", "S"))
        if None not in key:
            series[key].append(row)
    wrong = {kind: wrong_links(kind, before, found.responses) for kind in ("responses", "assignments")}
    of_week: dict[tuple[Series, Decimal], list[Item]] = defaultdict(list)
    for id, row in found.responses.items():
        placed = get(row, "assignmentId", "S") in before and not (mend and id in wrong["responses"])
        if missing(row, "recurringWeek") or placed:
            continue
        week = number(row, "recurringWeek")
        if week is None or week < 1 or week != week.to_integral_value():
            found.findings.add(("responses", row["id"]["S"], "bad_week"))
            continue
        of_week[(get(row, "clientId", "S"), get(row, "formId", "S")), week].append(row)
    bases = {key: base for key, rows in series.items() if (base := choose_base(found, rows)) is not None}
    link(found, series, bases, of_week, mend)
    for key, base in bases.items():
        add_weeks(found, series[key], base, before)
    for id, code in wrong["responses"].items():
        if code != "link_dangling" or id not in found.linked:
            found.findings.add(("responses", id, code))
    found.findings |= {("weeks", id, code) for id, code in wrong["assignments"].items()}
    for row in before.values():
        look_at(found, row, bases.get((get(row, "clientId", "S"), get(row, "formId", "S"))))
    return found


def wrong_links(kind: str, assignments: dict[str, Item], responses: dict[str, Item]) -> dict[str, str]:
    """What is wrong with the links of one of the tables, by id."""
    rows, others = (responses, assignments) if kind == "responses" else (assignments, responses)
    name, back = ("assignmentId", "responseId") if kind == "responses" else ("responseId", "assignmentId")
    wrong = {}
    for id, row in rows.items():
        leads_to = get(row, name, "S")
        if not leads_to:
            continue
        if leads_to not in others:
            wrong[id] = "link_dangling"
            continue
        other = others[leads_to]
        response, assignment = (row, other) if kind == "responses" else (other, row)
        if any(get(row, part, "S") != get(other, part, "S") for part in ("clientId", "formId")):
            wrong[id] = "link_elsewhere"
        elif not missing(response, "recurringWeek") and week_of(assignment) != number(response, "recurringWeek"):
            wrong[id] = "link_wrong_week"
        elif get(other, back, "S") != id:
            wrong[id] = "link_one_sided"
    return wrong


def week_of(assignment: Item) -> Decimal | None:
    """A base without a week is of week 1."""
    if missing(assignment, "recurringWeek"):
        return Decimal(1) if get(assignment, "isRecurring", "BOOL") else None
    return number(assignment, "recurringWeek")


def look_at(found: Expected, row: Item, base: Item | None) -> None:
    """Status, week and due date of an assignment that was there."""
    id = row["id"]["S"]
    if get(row, "status", "S") == "completed" and not get(row, "responseId", "S"):
        found.findings.add(("weeks", id, "bad_status"))
    if missing(row, "recurringWeek"):
        return
    week = number(row, "recurringWeek")
    total = number(row, "totalWeeks")
    if total is None and base is not None:
        total = number(base, "totalWeeks")
    whole = week is not None and week >= 1 and week == week.to_integral_value()
    if week is None or not whole or (total is not None and week > max(Decimal(1), total // 1)):
        found.findings.add(("weeks", id, "week_out_of_range"))
    if week is not None and whole and base is not None and week < 1_000_000:
        due = later(get(base, "dueDate", "S"), week - 1)
        if due is not None and instant(get(row, "dueDate", "S")) != instant(due):
            found.findings.add(("weeks", id, "due_date_off"))


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
    mend: bool,
) -> None:
    early = (datetime.min.replace(tzinfo=UTC), Decimal(-1))
    wanted: dict[str, Item] = {}
    """The assignment that each response is to have, by the response's id."""
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
        if there is not None:
            wanted[id] = found.assignments[there]
            continue
        assert base is not None
        due = later(get(base, "dueDate", "S"), week - 1)
        if due is None or week > 520:
            found.findings.add(("responses", id, "bad_due_date" if due is None else "too_many_weeks"))
            continue
        wanted[id] = copy_of(base, week, due)
        found.added.add(wanted[id]["id"]["S"])
        if week > total_weeks(base):
            found.findings.add(("responses", id, "week_past_total"))
    refused = 1
    while refused:  # one that is carried by another's assignment may go there only if that one goes
        carried = {id: get(row, "responseId", "S") for id, row in wanted.items()}
        taken = {i for i, c in carried.items() if c not in (None, "", i) and not (mend and c in wanted)}
        found.findings |= {("responses", id, "link_conflict") for id in taken}
        refused = len(taken)
        wanted = {id: row for id, row in wanted.items() if id not in taken}
    ids = {row["id"]["S"] for row in wanted.values()}
    for id, row in list(found.assignments.items()):
        carries = get(row, "responseId", "S")
        if mend and carries in wanted and wanted[carries]["id"]["S"] != id and id not in ids:
            left = {name: value for name, value in row.items() if name not in NOT_COPIED}
            found.assignments[id] = {**left, "status": {"S": "pending"}}
            found.updated.add(id)
    for id, row in wanted.items():
        complete(found, row, found.responses[id])


def complete(found: Expected, row: Item, winner: Item) -> None:
    id, target = winner["id"]["S"], dict(row)
    if get(target, "responseId", "S") not in (None, "", id):
        target = {name: value for name, value in target.items() if name not in NOT_COPIED}
    if target["id"]["S"] in found.assignments:
        found.updated.add(target["id"]["S"])
    if found.responses[id].get("assignmentId") != target["id"]:
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
    if last > 520:
        found.findings.add(("weeks", base["id"]["S"], "too_many_weeks"))
        return
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
