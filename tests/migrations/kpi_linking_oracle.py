"""What the new tables should hold, by section 1 of the data contracts alone: no engine, no SQL, plain dictionaries.

It is written to be read beside the contract, slowly and rule by rule, so that it can say who is right.
"""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

Item = dict[str, dict[str, Any]]
"""A row in DynamoDB-JSON: {"id": {"S": "…"}, …}."""

GOAL_LINKS = "purposepath-goal-kpi-links"
MILESTONES = "purposepath-kpi-milestones"
ACTUALS = "purposepath-kpi-actuals"
READINGS = "purposepath-kpi-readings"
KPIS = "purposepath-kpis"
PEOPLE = "purposepath-people"

NAMED: dict[str, dict[str, str]] = {
    GOAL_LINKS: {
        "id": "S", "tenant_id": "S", "goal_id": "S", "kpi_id": "S", "threshold_pct": "N", "link_type": "S", "weight": "N",
        "display_order": "N", "is_primary": "BOOL", "created_by": "S", "created_at": "S", "updated_by": "S", "updated_at": "S",
    },
    MILESTONES: {
        "id": "S", "tenant_id": "S", "kpi_id": "S", "target_value": "N", "milestone_date": "S", "label": "S",
        "confidence_level": "N", "rationale": "S", "created_by": "S", "created_at": "S", "updated_by": "S", "updated_at": "S",
    },
    ACTUALS: {
        "id": "S", "tenant_id": "S", "kpi_id": "S", "actual_value": "N", "measurement_date": "S", "original_value": "N",
        "is_manual_override": "BOOL", "override_comment": "S", "data_source": "S", "source_reference_id": "S",
        "triggers_replan": "BOOL", "replan_threshold_exceeded": "BOOL", "auto_adjustment_applied": "BOOL", "recorded_by": "S",
        "recorded_at": "S",
    },
    READINGS: {
        "id": "S", "tenant_id": "S", "kpi_id": "S", "value": "N", "reading_date": "S", "period_start": "S",
        "is_adjusted": "BOOL", "adjustment_reason": "S", "original_value": "N", "source": "S", "external_id": "S",
        "entered_by": "S", "entered_at": "S",
    },
    KPIS: {"id": "S", "tenant_id": "S", "owner_id": "S", "name": "S"},
    PEOPLE: {"id": "S", "tenant_id": "S", "linked_user_id": "S"},
}  # fmt: skip
"""The table of legacy tables: each attribute and its type."""

Named = dict[str, dict[str, Any] | None]
"""A new row's attributes, None where the legacy row has none."""

FALSE, TRUE = {"BOOL": False}, {"BOOL": True}


@dataclass
class Expected:
    """`links` and `data`: the two new tables, by id. `findings`: (phase, key, code). `rejected`: the code, by
    (legacy table, id)."""

    links: dict[str, Item] = field(default_factory=dict)
    data: dict[str, Item] = field(default_factory=dict)
    findings: set[tuple[str, str, str]] = field(default_factory=set)
    rejected: dict[tuple[str, str], str] = field(default_factory=dict)


def expected(legacy: dict[str, list[Item]]) -> Expected:
    """What a run over the whole legacy tables, into new tables that are empty, should end with."""
    result = Expected()
    tables = {name: [_without_nulls(row) for row in legacy.get(name, [])] for name in NAMED}
    _links(tables, result)
    links_of = defaultdict(list)
    for link in result.links.values():
        links_of[text(link, "tenant_id"), text(link, "kpi_id")].append(link)
    for links in links_of.values():
        links.sort(key=_link_order)
    taken: set[str] = set()
    for phase, table in (("milestones", MILESTONES), ("actuals", ACTUALS), ("readings", READINGS)):
        _data(phase, table, tables[table], links_of, taken, result)
        taken |= {row["id"]["S"] for row in tables[table]}
    return result


def _links(tables: dict[str, list[Item]], result: Expected) -> None:
    owner_of = {(text(kpi, "tenant_id"), text(kpi, "id")): text(kpi, "owner_id") for kpi in tables[KPIS]}
    people_of = defaultdict(list)
    for person in tables[PEOPLE]:
        people_of[text(person, "tenant_id"), text(person, "linked_user_id")].append(person["id"]["S"])
    for row in tables[GOAL_LINKS]:
        id, tenant = row["id"]["S"], text(row, "tenant_id")
        if code := _reject_code(GOAL_LINKS, row):
            result.rejected[GOAL_LINKS, id] = code
            result.findings.add(("links", id, code))
            continue
        own_kpi = (tenant, text(row, "kpi_id"))
        if own_kpi not in owner_of:
            result.findings.add(("links", id, "kpi_missing"))
        user = owner_of.get(own_kpi) or text(row, "created_by")
        people = sorted(people_of[tenant, user]) if user else []
        person_id = people[0] if people else user
        if len(people) > 1:
            result.findings.add(("links", id, "ambiguous_person"))
        named, unknown = _split(GOAL_LINKS, row)
        result.findings |= {("links", name, "unknown_attribute") for name in unknown}
        if unknown.keys() & {"person_id", "strategy_id"}:
            clashing = unknown.keys() & {"person_id", "strategy_id", "legacy_extra"}
            unknown["legacy_extra"] = {"M": {name: unknown.pop(name) for name in clashing}}
        result.links[id] = _without_nulls(
            {**unknown, **named, "person_id": {"S": person_id} if person_id else {"NULL": True}}
        )


def _data(
    phase: str, table: str, rows: list[Item], links_of: dict[Any, list[Item]], taken: set[str], result: Expected
) -> None:
    """Rules 2 to 9. `taken`: the ids of all rows of earlier phases' legacy tables."""
    for row in rows:
        id = row["id"]["S"]
        date_name = {"milestones": "milestone_date", "actuals": "measurement_date", "readings": "reading_date"}[phase]
        links = links_of.get((text(row, "tenant_id"), text(row, "kpi_id")), [])
        code = _reject_code(table, row)
        if not code and not is_iso_8601(text(row, date_name)):
            code = "bad_date"
        if not code and not links:
            code = "unlinked"
        if code:
            result.rejected[table, id] = code
            result.findings.add((phase, id, code))
            continue
        named, unknown = _split(table, row)
        result.findings |= {(phase, name, "unknown_attribute") for name in unknown}
        if id in taken:
            result.findings.add((phase, id, "id_collision"))
        for place, link in enumerate(links):
            link_id = link["id"]["S"]
            derived = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{table}/{id}/{link_id}"))
            attributes = _MAPPING[phase](named) | {
                "id": {"S": id if place == 0 and id not in taken else derived},
                "tenant_id": named["tenant_id"],
                "kpi_link_id": {"S": link_id},
                "legacy_table": {"S": table},
                "legacy_id": {"S": id},
                "legacy_extra": {"M": unknown} if unknown else None,
            }
            new = _without_nulls(attributes)
            assert new["id"]["S"] not in result.data, "two rows of one id: the oracle was given impossible tables"
            result.data[new["id"]["S"]] = new


def _of_milestone(row: Item) -> Named:
    return {
        "data_category": {"S": "Target"}, "target_subtype": {"S": "Expected"}, "post_value": row.get("target_value"),
        "post_date": row["milestone_date"], "label": row.get("label"), "confidence_level": row.get("confidence_level"),
        "rationale": row.get("rationale"), "is_manual_override": FALSE, "data_source": {"S": "Manual"}, "triggers_replan": FALSE,
        "replan_threshold_exceeded": FALSE, "recorded_by": row.get("created_by"), "recorded_at": row.get("created_at"),
        "created_by": row.get("created_by"), "created_at": row.get("created_at"), "updated_by": row.get("updated_by"),
        "updated_at": row.get("updated_at"),
    }  # fmt: skip


def _of_actual(row: Item) -> Named:
    by_name = (
        "original_value", "is_manual_override", "override_comment", "data_source", "source_reference_id", "triggers_replan",
        "replan_threshold_exceeded", "auto_adjustment_applied", "recorded_by", "recorded_at",
    )  # fmt: skip
    return {name: row.get(name) for name in by_name} | {
        "data_category": {"S": "Actual"}, "actual_subtype": {"S": "Measured"}, "post_value": row.get("actual_value"),
        "post_date": row["measurement_date"], "created_by": row.get("recorded_by"), "created_at": row.get("recorded_at"),
    }  # fmt: skip


def _of_reading(row: Item) -> Named:
    return {
        "data_category": {"S": "Actual"}, "actual_subtype": {"S": "Measured"}, "post_value": row.get("value"),
        "post_date": row["reading_date"], "measured_period_start_date": row.get("period_start"),
        "is_manual_override": row.get("is_adjusted"), "override_comment": row.get("adjustment_reason"),
        "original_value": row.get("original_value"), "data_source": row.get("source"),
        "source_reference_id": row.get("external_id"), "triggers_replan": FALSE, "replan_threshold_exceeded": FALSE,
        "recorded_by": row.get("entered_by"), "created_by": row.get("entered_by"), "recorded_at": row.get("entered_at"),
        "created_at": row.get("entered_at"),
    }  # fmt: skip


_MAPPING = {"milestones": _of_milestone, "actuals": _of_actual, "readings": _of_reading}


def text(row: Item, name: str) -> str | None:
    """The attribute where it is a string, else None."""
    return row.get(name, {}).get("S")


def _without_nulls(row: Any) -> Item:
    return {name: value for name, value in row.items() if value is not None and "NULL" not in value}


def _split(table: str, row: Item) -> tuple[Item, Item]:
    named = {name: value for name, value in row.items() if name in NAMED[table]}
    return named, {name: value for name, value in row.items() if name not in NAMED[table]}


def _reject_code(table: str, row: Item) -> str | None:
    """missing_key or bad_type: the two that links know as well."""
    for name in ("kpi_id", "tenant_id"):
        if row.get(name, {"S": ""}) == {"S": ""}:
            return "missing_key"
    for name, type_ in NAMED[table].items():
        if name in row and type_ not in row[name]:
            return "bad_type"
    return None


def _link_order(link: Item) -> tuple[bool, bool, Decimal, str]:
    order = link.get("display_order")
    return link.get("is_primary") != TRUE, order is None, Decimal(order["N"]) if order else Decimal(0), link["id"]["S"]


_ISO_8601 = re.compile(
    r"(?P<year>\d{4})(?:(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)|-?(?P<ordinal>\d{3})"
    r"|(?P<week_dash>-?)W(?P<week>\d\d)(?P=week_dash)(?P<weekday>\d))"
    r"(?:T(?P<hour>\d\d)(?:(?P<colon>:?)(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
    r"(?:Z|[+-](?P<zone_hours>\d\d)(?::?(?P<zone_minutes>\d\d))?)?)?",
    re.ASCII,
)


def is_iso_8601(value: str | None) -> bool:
    """Whether it is a date, or a date and time, of ISO 8601: calendar, ordinal or week date, extended or basic form,
    of a day that exists, in the years 0001 to 9999."""
    match = _ISO_8601.fullmatch(value or "")
    if not match:
        return False
    extended = value is not None and value[4] == "-"
    if match["colon"] is not None and (match["colon"] == ":") != extended:
        return False
    part = {name: int(digits) for name, digits in match.groupdict().items() if digits and digits.isdigit()}
    try:
        first = date(part["year"], 1, 1)
        if "ordinal" in part:
            if part["ordinal"] < 1 or (first + timedelta(part["ordinal"] - 1)).year != part["year"]:
                return False
        elif "week" in part:
            date.fromisocalendar(part["year"], part["week"], 1)
            if not 1 <= part["weekday"] <= 7:
                return False
        else:
            date(part["year"], part["month"], part["day"])
    except (ValueError, OverflowError):
        return False
    hour, rest = part.get("hour", 0), (part.get("minute", 0), part.get("second", 0), part.get("fraction", 0))
    if hour == 24 and rest != (0, 0, 0):
        return False
    return (
        hour <= 24
        and rest[0] <= 59
        and rest[1] <= 59
        and part.get("zone_hours", 0) <= 23
        and part.get("zone_minutes", 0) <= 59
    )


def comparable(item: Item) -> dict[str, Any]:
    """The row such that equal rows are equal: numbers by value, sets without order, whatever the notation."""
    return {name: _comparable(value) for name, value in item.items()}


def _comparable(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "NS":
            return kind, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return kind, frozenset(content)
        case "L":
            return kind, tuple(map(_comparable, content))
        case "M":
            return kind, comparable(content)
        case _:
            return kind, content


def by_id(rows: Iterable[Item]) -> dict[str, dict[str, Any]]:
    """Rows of a table, comparable, by their id."""
    return {row["id"]["S"]: comparable(row) for row in rows}
