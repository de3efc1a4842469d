"""One row of each legacy table in DynamoDB-JSON, ordinary unless it says otherwise. For the sample and for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = dict[str, dict[str, Any]]
"""A row in DynamoDB-JSON: {"id": {"S": "…"}, …}."""

LINKS = "purposepath-goal-kpi-links"
MILESTONES = "purposepath-kpi-milestones"
ACTUALS = "purposepath-kpi-actuals"
READINGS = "purposepath-kpi-readings"
KPIS = "purposepath-kpis"
PEOPLE = "purposepath-people"

MADE = "2024-05-06T07:08:09.1234567+02:00"
USER = "user-of-nobody"

Changes = Mapping[str, dict[str, Any] | None]
"""Attributes of a row to set, or to leave out (None)."""


def s(text: str) -> dict[str, Any]:
    """A string."""
    return {"S": text}


def n(number: str | int) -> dict[str, Any]:
    """A number, by its digits."""
    return {"N": str(number)}


def boolean(value: bool) -> dict[str, Any]:
    """A boolean."""
    return {"BOOL": value}


NULL: dict[str, Any] = {"NULL": True}


def _row(id: str, changes: Changes, **attributes: dict[str, Any]) -> Item:
    return {name: value for name, value in {"id": s(id), **attributes, **changes}.items() if value is not None}


def link(id: str, tenant: str, kpi: str, changes: Changes | None = None) -> Item:
    """A row of `purposepath-goal-kpi-links`."""
    return _row(
        id,
        changes or {},
        tenant_id=s(tenant),
        kpi_id=s(kpi),
        goal_id=s(f"goal-of-{kpi}"),
        link_type=s("primary"),
        display_order=n(1),
        is_primary=boolean(True),
        created_by=s(USER),
        created_at=s(MADE),
    )


def milestone(id: str, tenant: str, kpi: str, changes: Changes | None = None) -> Item:
    """A row of `purposepath-kpi-milestones`."""
    return _row(
        id,
        changes or {},
        tenant_id=s(tenant),
        kpi_id=s(kpi),
        target_value=n(100),
        milestone_date=s("2024-12-31"),
        created_by=s(USER),
        created_at=s(MADE),
    )


def actual(id: str, tenant: str, kpi: str, changes: Changes | None = None) -> Item:
    """A row of `purposepath-kpi-actuals`."""
    return _row(
        id,
        changes or {},
        tenant_id=s(tenant),
        kpi_id=s(kpi),
        actual_value=n(97),
        measurement_date=s("2024-06-30"),
        is_manual_override=boolean(False),
        data_source=s("Manual"),
        triggers_replan=boolean(False),
        replan_threshold_exceeded=boolean(False),
        recorded_by=s(USER),
        recorded_at=s(MADE),
    )


def reading(id: str, tenant: str, kpi: str, changes: Changes | None = None) -> Item:
    """A row of `purposepath-kpi-readings`."""
    return _row(
        id,
        changes or {},
        tenant_id=s(tenant),
        kpi_id=s(kpi),
        value=n(95),
        reading_date=s("2024-06-30T00:00:00.0000000+00:00"),
        is_adjusted=boolean(False),
        source=s("Import"),
        entered_by=s(USER),
        entered_at=s(MADE),
    )


def kpi(id: str, tenant: str, owner: str | None) -> Item:
    """A row of `purposepath-kpis`."""
    return _row(id, {"owner_id": None if owner is None else s(owner)}, tenant_id=s(tenant), name=s(f"KPI {id}"))


def person(id: str, tenant: str, user: str | None) -> Item:
    """A row of `purposepath-people`."""
    return _row(id, {"linked_user_id": None if user is None else s(user)}, tenant_id=s(tenant))
