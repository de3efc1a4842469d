"""A KPI's links and figures as the legacy tables give them, by the rules of the migration (README.md), under the same ids.

Rows are DynamoDB JSON (an attribute is {type: value}) without null attributes. What the migration rejects is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from include.trueup.declare.migration import Table, Type

from .migration import ACTUALS, LINKS, MILESTONES, READINGS

Item = Mapping[str, Mapping[str, Any]]
"""A row in DynamoDB JSON."""
_TYPES = {Type.TEXT: "S", Type.NUMBER: "N", Type.BOOLEAN: "BOOL"}
_TAKEN = ("person_id", "strategy_id")
"""Names that mean something new in kpi-links."""
FALSE = {"BOOL": False}


def text(row: Item, name: str) -> str | None:
    """The attribute, if it is a text that is not empty."""
    value: str | None = row.get(name, {}).get("S")
    return value or None


def without_nulls(row: Item) -> Item:
    """The row without its null attributes: null and missing are one."""
    return {name: value for name, value in row.items() if "NULL" not in value}


def fits(row: Item, table: Table) -> bool:
    """Whether the row has a tenant and a KPI, and every named attribute has its type."""
    typed = all(_TYPES[kind] in row.get(name, {_TYPES[kind]: None}) for name, kind in table.columns.items())
    return typed and text(row, "tenant_id") is not None and text(row, "kpi_id") is not None


def _extra(row: Item, table: Table) -> dict[str, Mapping[str, Any]]:
    return {name: value for name, value in row.items() if name not in table.columns}


@dataclass(frozen=True, kw_only=True)
class Legacy:
    """The legacy rows that say what there is of a KPI: its own row, if its tenant has one; the people of the tenant who are
    the users that may own it; its links; and its figures, by table. `held`: the ids of figures that an earlier table holds
    too, by table."""

    kpi: Item | None
    people: Sequence[Item]
    links: Sequence[Item]
    figures: Mapping[str, Sequence[Item]]
    held: Mapping[str, Set[str]]


def links(legacy: Legacy) -> list[dict[str, Mapping[str, Any]]]:
    """Rules 1, 5 and 8: the KPI's new links, in the order of rule 2."""
    owner = text(legacy.kpi, "owner_id") if legacy.kpi else None
    made = []
    for row in legacy.links:
        if not fits(row, LINKS) or row.get("goal_id") == {"S": ""}:  # no index can hold an empty text
            continue
        user = owner or text(row, "created_by")
        people = [person["id"]["S"] for person in legacy.people if user and text(person, "linked_user_id") == user]
        link = {name: row[name] for name in LINKS.columns if name in row}
        if person := min(people, default=user):
            link["person_id"] = {"S": person}
        extra = _extra(row, LINKS)
        if any(name in extra for name in _TAKEN):
            taken = {name: extra.pop(name) for name in (*_TAKEN, "legacy_extra") if name in extra}
            extra["legacy_extra"] = {"M": taken}
        made.append({**link, **extra})
    return sorted(made, key=place)


def place(link: Item) -> tuple[bool, bool, Decimal, str]:
    order = link.get("display_order", {}).get("N")
    primary = link.get("is_primary", FALSE)["BOOL"]
    return not primary, order is None, Decimal(order or 0), link["id"]["S"]


def figures(
    legacy: Legacy, of: Sequence[Item], dated: Callable[[list[str]], Set[str]]
) -> list[dict[str, Mapping[str, Any]]]:
    """Rules 2 to 8: the new rows of every figure, one for each of these links. `dated` gives those of the texts that are
    ISO 8601 dates or timestamps."""
    made = []
    for kind in KINDS:
        rows = [row for row in legacy.figures.get(kind.table.name, ()) if fits(row, kind.table)]
        good = dated([row[kind.date]["S"] for row in rows if kind.date in row])
        for row in rows:
            if row.get(kind.date, {}).get("S") not in good:
                continue
            id, name = row["id"]["S"], kind.table.name
            for place, link in enumerate(of):
                keeps = place == 0 and id not in legacy.held.get(name, frozenset())
                own = id if keeps else str(uuid5(NAMESPACE_URL, f"{name}/{id}/{link['id']['S']}"))
                made.append({**kind.figure(row), "id": {"S": own}, "kpi_link_id": link["id"]})
    return made


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What becomes of a legacy table's columns (rules 5 to 7): `named` by new name the old one, `fixed` the same in every
    row."""

    table: Table
    date: str
    named: Mapping[str, str]
    fixed: Mapping[str, Mapping[str, Any]]

    def figure(self, row: Item) -> dict[str, Mapping[str, Any]]:
        """The new row, except its keys."""
        made = {new: row[old] for new, old in self.named.items() if old in row} | dict(self.fixed)
        made |= {"tenant_id": row["tenant_id"], "legacy_id": row["id"], "legacy_table": {"S": self.table.name}}
        extra = _extra(row, self.table)
        return {**made, "legacy_extra": {"M": extra}} if extra else made


def _same(names: str, **others: str) -> dict[str, str]:
    return {**{name: name for name in names.split()}, **others}


MEASURED = {"data_category": {"S": "Actual"}, "actual_subtype": {"S": "Measured"}}
KINDS: tuple[Kind, ...] = (
    Kind(
        table=MILESTONES,
        date="milestone_date",
        named=_same(
            "label confidence_level rationale created_by created_at updated_by updated_at",
            post_value="target_value",
            post_date="milestone_date",
            recorded_by="created_by",
            recorded_at="created_at",
        ),
        fixed={
            "data_category": {"S": "Target"},
            "target_subtype": {"S": "Expected"},
            "data_source": {"S": "Manual"},
            **dict.fromkeys(("is_manual_override", "triggers_replan", "replan_threshold_exceeded"), FALSE),
        },
    ),
    Kind(
        table=ACTUALS,
        date="measurement_date",
        named=_same(
            "original_value is_manual_override override_comment data_source source_reference_id triggers_replan"
            " replan_threshold_exceeded auto_adjustment_applied recorded_by recorded_at",
            post_value="actual_value",
            post_date="measurement_date",
            created_by="recorded_by",
            created_at="recorded_at",
        ),
        fixed=MEASURED,
    ),
    Kind(
        table=READINGS,
        date="reading_date",
        named=_same(
            "original_value",
            post_value="value",
            post_date="reading_date",
            measured_period_start_date="period_start",
            is_manual_override="is_adjusted",
            override_comment="adjustment_reason",
            data_source="source",
            source_reference_id="external_id",
            recorded_by="entered_by",
            recorded_at="entered_at",
            created_by="entered_by",
            created_at="entered_at",
        ),
        fixed={**MEASURED, **dict.fromkeys(("triggers_replan", "replan_threshold_exceeded"), FALSE)},
    ),
)
