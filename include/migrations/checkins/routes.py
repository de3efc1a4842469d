"""What the services read of check-ins: a client's assignments."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel

from include.routes import ASK, Number, Open, PartitionKey, StoresDep, answer, documented, read

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
    switch = switched(stores.settings(migration))
    with stores.dynamodb("checkins_dynamodb") as store:
        found = get_assignments(store, client_id, switch)
    return answer({"client_id": client_id, "assignments": found})
