"""What the services read of KPIs: one KPI with its links, each with its targets and actuals."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from include.routes import (
    DEPRECATION_HEADERS,
    FIND,
    Number,
    Open,
    PartitionKey,
    ProblemError,
    Stores,
    StoresDep,
    answer,
    documented,
    read,
)

from .legacy_form import as_legacy
from .migration import READ_FROM, migration
from .serving import KpiNotFoundError, Row, get_kpi

router = APIRouter()


class Figure(Open):
    """A target or an actual of a KPI, with whatever else the legacy row had (`legacy_extra`). What is null is left out."""

    id: str
    kpi_link_id: str
    post_value: Number | None = None
    post_date: str


class Link(Open):
    """A link of the KPI to a goal and a person, with its figures by date."""

    id: str
    kpi_id: str
    goal_id: str | None = None
    person_id: str | None = None
    targets: list[Figure]
    actuals: list[Figure]


class Kpi(BaseModel):
    """A KPI of a tenant."""

    kpi: Open | None = Field(description="The KPI itself; null where only links of it are left.")
    links: list[Link] = Field(description="The primary link first, then by display order.")


class LegacyRow(Open):
    """A row of a legacy table, with all its attributes. What is null is left out."""

    id: str
    tenant_id: str
    kpi_id: str


class LegacyKpi(BaseModel):
    """A KPI of a tenant as the legacy tables have it: rows that are linked, by date."""

    kpi: Open | None = Field(description="The KPI itself; null where only links of it are left.")
    links: list[LegacyRow]
    milestones: list[LegacyRow]
    actuals: list[LegacyRow]
    readings: list[LegacyRow]


@router.get(
    "/v2/tenants/{tenant_id}/kpis/{kpi_id}",
    response_model=Kpi,
    responses=documented(*FIND),
    tags=["KPIs"],
    operation_id="get_kpi_v2",
)
@read
def get_tenant_kpi(tenant_id: PartitionKey, kpi_id: PartitionKey, stores: StoresDep) -> Response:
    """A KPI with its links, each with its targets and actuals. Which tables are read is the setting
    `kpi_linking.read_from`: the answer is the same. Legacy tables without an index on kpi_id are scanned, one request at
    a time; the next one gets 503 and Retry-After."""
    return answer(_kpi(stores, tenant_id, kpi_id))


@router.get(
    "/v1/tenants/{tenant_id}/kpis/{kpi_id}",
    response_model=LegacyKpi,
    responses=documented(*FIND, headers=DEPRECATION_HEADERS),
    tags=["KPIs"],
    operation_id="get_kpi_v1",
)
@read
def get_tenant_kpi_as_legacy(tenant_id: PartitionKey, kpi_id: PartitionKey, stores: StoresDep) -> Response:
    """A KPI with its rows as the legacy tables have them. Deprecated: use /v2/tenants/{tenant_id}/kpis/{kpi_id}."""
    return answer(as_legacy(_kpi(stores, tenant_id, kpi_id)))


def _kpi(stores: Stores, tenant_id: str, kpi_id: str) -> Row:
    read_from = stores.settings(migration)[READ_FROM]
    with stores.dynamodb("kpi_dynamodb") as store:
        try:
            return get_kpi(store, tenant_id, kpi_id, "new" if read_from == "new" else "legacy")
        except KpiNotFoundError as error:
            raise ProblemError(404, "no-such-kpi", "The tenant has no such KPI", f"{error}.") from None
