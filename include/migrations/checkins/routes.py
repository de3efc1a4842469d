"""What the services read and write of check-ins: a client's assignments, a new series, and a response to an assignment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from include import cursors
from include.routes import (
    ASK,
    DEPRECATION_HEADERS,
    BodyDep,
    Cursor,
    Limit,
    Number,
    Open,
    PartitionKey,
    ProblemError,
    Stores,
    StoresDep,
    answer,
    documented,
    read,
    write,
)

from .dates import days_later
from .migration import migration
from .serving import USE_PRE_CREATED, IndexMissingError, get_assignments, switched
from .shapes import OWN, NewResponse, NewSeries, brings, invalid, shaped
from .submitting import RefusedError, Series, Submission, begin, submit

router = APIRouter()
SENT = (401, 403, 404, 405, 409, 413, 422, 500, 503)
"""The statuses of what writes, besides those that say that it is done."""


class Assignment(Open):
    """A check-in assignment, with whatever else the coach's application put there. What is null is left out; binary
    values are base64."""

    id: str
    clientId: str  # noqa: N815 - the table's name for it
    formId: str | None = None  # noqa: N815
    recurringWeek: Number | None = None  # noqa: N815
    status: str | None = None
    dueDate: str | None = None  # noqa: N815


class Begun(BaseModel):
    """The assignments that a series begins with, by week."""

    client_id: str
    assignments: list[Assignment]


class Assignments(Begun):
    """A page of a client's assignments, by form, week and id."""

    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class LegacyAssignments(BaseModel):
    """A client's assignments, by form, week and id."""

    clientId: str  # noqa: N815
    assignments: list[Assignment]


class CheckinResponse(Open):
    """A response, as `form-responses` has it."""

    id: str
    clientId: str  # noqa: N815
    formId: str | None = None  # noqa: N815
    recurringWeek: Number | None = None  # noqa: N815
    assignmentId: str  # noqa: N815
    submittedAt: str | None = None  # noqa: N815


class SubmittedResponse(BaseModel):
    """A response, and the assignment that it completes."""

    response: CheckinResponse
    assignment: Assignment


@router.get(
    "/v2/clients/{client_id}/assignments",
    response_model=Assignments,
    responses=documented(*ASK),
    tags=["check-ins"],
    operation_id="get_assignments_v2",
)
@read
def get_client_assignments(
    client_id: PartitionKey, stores: StoresDep, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """A client's assignments, a page at a time. A client that nobody knows has none."""
    assignments = _assignments(stores, client_id)
    if cursor is not None:
        places = {_place(each): n for n, each in enumerate(assignments, 1)}
        assignments = assignments[cursors.read(cursor, places.__getitem__, client_id) :]
    following = cursors.written(_place(assignments[limit - 1]), client_id) if len(assignments) > limit else None
    return answer({"client_id": client_id, "assignments": assignments[:limit], "next_cursor": following})


def _place(assignment: Mapping[str, Any]) -> str:
    """The assignment in a cursor: its id, however long, in a few characters."""
    return sha256(assignment["id"].encode(errors="surrogatepass")).hexdigest()


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
    with _as_problems(), stores.dynamodb("checkins_dynamodb") as store:
        return get_assignments(store, client_id, switch)


@router.post(
    "/v2/clients/{client_id}/assignments",
    response_model=Begun,
    status_code=201,
    responses={status: description for status, description in documented(*SENT).items() if status != 200},
    openapi_extra=brings(NewSeries),
    tags=["check-ins"],
    operation_id="post_assignments_v2",
)
@write
def post_client_assignments(client_id: PartitionKey, body: BodyDep, stores: StoresDep) -> Response:
    """Begin a series: its assignment of week 1, and where `checkins.use_pre_created` is on those of all its weeks at once.
    A series that has a base is not begun again (409)."""
    asked = shaped(NewSeries, body)
    more = dict(asked.model_extra or {})
    if own := sorted({*more} & {*OWN} - ({"clientId"} if more.get("clientId") == client_id else set())):
        raise invalid([{"pointer": f"/{name}", "detail": "the service sets it; leave it out"} for name in own])
    weeks = int(asked.totalWeeks)
    if days_later(asked.dueDate, 7 * (weeks - 1)) is None:
        raise invalid([{"pointer": "/dueDate", "detail": "its last week would be due past the year 9999"}])
    more.pop("clientId", None)
    switch = switched(stores.settings(migration))
    series = Series(form_id=asked.formId, total_weeks=weeks, due_date=asked.dueDate, id=asked.id, more=more)
    with _as_problems(), stores.dynamodb("checkins_dynamodb") as store:
        made = begin(store, client_id, series, switch(USE_PRE_CREATED))
    return answer({"client_id": client_id, "assignments": made}, 201)


@router.post(
    "/v2/clients/{client_id}/assignments/{id}/responses",
    response_model=SubmittedResponse,
    responses={**documented(*SENT), 201: {"description": "It is stored and linked.", "model": SubmittedResponse}},
    openapi_extra=brings(NewResponse),
    tags=["check-ins"],
    operation_id="post_responses_v2",
)
@write
def post_response(client_id: PartitionKey, id: PartitionKey, body: BodyDep, stores: StoresDep) -> Response:
    """Store a response, link it to the assignment both ways and complete that, in one transaction; a week that is generated and
    not stored yet is stored with it. The same again is 200, another one for that week 409."""
    asked = shaped(NewResponse, body)
    switch = switched(stores.settings(migration))
    given = Submission(answers=asked.answers, id=asked.id, score=asked.score, submitted_at=asked.submittedAt)
    with _as_problems(), stores.dynamodb("checkins_dynamodb") as store:
        done = submit(store, client_id, id, given, switch(USE_PRE_CREATED))
    return answer({"response": done.response, "assignment": done.assignment}, 201 if done.new else 200)


_REFUSALS = {
    "missing": (404, "no-such-assignment", "The client has no such assignment"),
    "exists": (409, "already-there", "It is there already"),
    "taken": (409, "id-taken", "The id is taken"),
}


@contextmanager
def _as_problems() -> Iterator[None]:
    """What the block refuses, as a problem."""
    try:
        yield
    except RefusedError as error:
        raise ProblemError(*_REFUSALS[error.kind], f"{error}. Nothing is written.") from error
    except IndexMissingError as error:
        raise ProblemError(
            503,
            "index-missing",
            "The index by client is missing",
            "form-responses has no index client-form-index yet, or it is still being made, so weeks cannot be generated. "
            "The migration's DAG adds it (create_tables, mode apply); ask again then.",
        ) from error
