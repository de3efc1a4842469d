"""What the services read of check-ins: a client's assignments."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel

from include.routes import (
    ASK,
    DEPRECATION_HEADERS,
    Number,
    Open,
    PartitionKey,
    Stores,
    StoresDep,
    answer,
    documented,
    read,
)

from .migration import migration
from .serving import get_assignments, switched

router = APIRouter()


class Assignment(Open):
    """A check-in assignment, with whatever else the coach's application put there. What is null is left out; binary
    values are base64."""

    id: str
    clientId: str  # noqa: N815 - the table's name for it
    formId: str | None = None  # noqa: N815
    recurringWeek: Number | None = None  # noqa: N815
    status: str | None = None
    dueDate: str | None = None  # noqa: N815


class Assignments(BaseModel):
    """A client's assignments, by form, week and id."""

    client_id: str
    assignments: list[Assignment]


class LegacyAssignments(BaseModel):
    """A client's assignments, by form, week and id."""

    clientId: str  # noqa: N815
    assignments: list[Assignment]


@router.get(
    "/v2/clients/{client_id}/assignments",
    response_model=Assignments,
    responses=documented(*ASK),
    tags=["check-ins"],
    operation_id="get_assignments_v2",
)
@read
def get_client_assignments(client_id: PartitionKey, stores: StoresDep) -> Response:
    """A client's assignments. A client that nobody knows has none."""
    return answer({"client_id": client_id, "assignments": _assignments(stores, client_id)})


@router.get(
    "/v1/clients/{client_id}/assignments",
    response_model=LegacyAssignments,
    responses=documented(*ASK, headers=DEPRECATION_HEADERS),
    tags=["check-ins"],
    operation_id="get_assignments_v1",
)
@read
def get_client_assignments_as_legacy(client_id: PartitionKey, stores: StoresDep) -> Response:
    """A client's assignments, named as the check-in application names things. Deprecated: use
    /v2/clients/{client_id}/assignments."""
    return answer({"clientId": client_id, "assignments": _assignments(stores, client_id)})


def _assignments(stores: Stores, client_id: str) -> list[dict[str, Any]]:
    switch = switched(stores.settings(migration))
    with stores.dynamodb("checkins_dynamodb") as store:
        return get_assignments(store, client_id, switch)
