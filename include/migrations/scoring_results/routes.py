"""What the services read of scoring results: a session's, as one payload and, in version 1, as the legacy tables have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from include.routes import (
    DEPRECATION_HEADERS,
    FIND,
    BodyDep,
    Instant,
    Number,
    Open,
    ProblemError,
    Stores,
    StoresDep,
    answer,
    documented,
    read,
    tagged,
    write,
)
from include.trueup.errors import UnreadableValueError
from include.trueup.rows.values import canonical_bytes, json_value

from .migration import migration
from .payload import Complaint, complaints, description, in_order
from .serving import COUNTER_NAMES, COUNTERS, ResultsNotFound, get_results, persist_results, read_from, write_exploded

router = APIRouter()
__all__ = ["COUNTERS", "COUNTER_NAMES", "router"]


class SessionRow(Open):
    """An assessment session."""

    id: UUID
    status: str | None
    started_at: Instant | None
    completed_at: Instant | None


class Profile(Open):
    """Every column of the session's row in `profiles` but its timestamps."""

    session_id: UUID
    type_code: str | None
    confidence: Number | None
    base_func: str | None
    creative_func: str | None
    overlay: str | None
    results_version: str


class TypeScore(BaseModel):
    """How well a type fits."""

    type_code: str
    fit: Number | None
    share: Number | None
    rank: int | None


class FunctionScore(BaseModel):
    """How strong a function is."""

    func_code: str
    strength: Number | None
    dimension: int | None


class State(BaseModel):
    """The state that was found beside the scores."""

    overlay_band: str | None
    effective_confidence: Number | None
    blocks: Any


class TypeRow(TypeScore):
    """A row of `scoring_results_types`."""

    session_id: UUID


class FunctionRow(FunctionScore):
    """A row of `scoring_results_functions`."""

    session_id: UUID


class StateRow(State):
    """The row of `scoring_results_state`."""

    session_id: UUID


class ExplodedResults(BaseModel):
    """The results of a session as version 1 has them: a row, or rows, of each of five tables."""

    session: SessionRow
    profile: Profile
    types: list[TypeRow] = Field(description="By rank, then type_code.")
    functions: list[FunctionRow] = Field(description="By func_code.")
    state: StateRow | None


class NoState(BaseModel):
    """No state was found."""

    model_config = ConfigDict(extra="forbid")


class UnifiedResults(BaseModel):
    """The results of a session: the payload of its row in `scoring_results`."""

    version: str = Field(description="The scoring version.")
    results_version: str
    profile: Profile
    types: list[TypeScore] = Field(description="By rank, then type_code.")
    functions: list[FunctionScore] = Field(description="By func_code.")
    state: State | NoState
    session: SessionRow


@router.get(
    "/v1/results/{session_id}",
    response_model=ExplodedResults,
    responses=documented(*FIND, headers=DEPRECATION_HEADERS),
    tags=["results"],
    operation_id="get_results_v1",
)
@read
def get_results_exploded(session_id: UUID, stores: StoresDep) -> Response:
    """The results of a session as rows of five tables. Deprecated: use /v2/results/{session_id}."""
    return answer(exploded(results_of(session_id, stores)))


@router.get(
    "/v2/results/{session_id}",
    response_model=UnifiedResults,
    responses=documented(304, *FIND),
    tags=["results"],
    operation_id="get_results_v2",
)
@read
def get_results_unified(session_id: UUID, request: Request, stores: StoresDep) -> Response:
    """The results of a session as one payload; 304 where the caller has them already (If-None-Match)."""
    return tagged(request, results_of(session_id, stores))


@router.put(
    "/v2/results/{session_id}",
    response_model=UnifiedResults,
    responses={
        **documented(*FIND, 409, 413),
        200: {"description": "It took the place of the results that were there."},
        201: {"description": "The session had no unified results before.", "model": UnifiedResults},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": description()}},
        }
    },
    tags=["results"],
    operation_id="put_results_v2",
)
@write
def put_results_unified(session_id: UUID, body: BodyDep, stores: StoresDep) -> Response:
    """Store the results of a session, in the legacy tables too where the switch says so. What is not as payload.schema.json
    describes it is refused, with a JSON pointer to each place (`errors`)."""
    payload = _payload(session_id, body)
    exploded = write_exploded(stores.settings(migration))
    with stores.postgres("scoring_postgres", writes=True) as connection:
        if connection.execute(b"SELECT 1 FROM assessment_sessions WHERE id = %s", [session_id]).fetchone() is None:
            raise ProblemError(
                409,
                "no-session",
                "The session does not exist",
                f"There is no assessment session {session_id}; make it first.",
            )
        try:
            created = persist_results(connection, payload, exploded)
        except connection.Error as error:
            raise _unwritable(error) from error
    return answer(in_order(payload), 201 if created else 200)


def _payload(session_id: UUID, body: bytes) -> dict[str, Any]:
    """The payload that a request brings. Raises `ProblemError` (422) where it is none, or that of another session."""
    try:
        payload = json_value(canonical_bytes(body.decode()).decode())
    except (UnicodeDecodeError, ValueError, UnreadableValueError, RecursionError) as error:
        raise _invalid((Complaint(pointer="", detail=f"it is not JSON: {error}"[:300]),)) from error
    if wrong := complaints(payload):
        raise _invalid(wrong)
    if UUID(payload["session"]["id"]) != session_id:
        raise _invalid(
            (Complaint(pointer="/session/id", detail=f"it is not the session of the address, {session_id}"),)
        )
    return dict(payload)


def _invalid(wrong: tuple[Complaint, ...]) -> ProblemError:
    detail = "; ".join(f"{each.pointer or 'the whole'}: {each.detail}" for each in wrong)
    return ProblemError(
        422, "invalid-payload", "The payload is not valid", detail, errors=[asdict(each) for each in wrong]
    )


def _unwritable(error: Exception) -> Exception:
    """What to answer where the database does not take a payload; the error itself where that is not about its values."""
    sqlstate = str(getattr(error, "sqlstate", None) or "")
    if sqlstate.startswith("22"):
        return _invalid(
            (Complaint(pointer="", detail=f"the database cannot hold a value of it (SQLSTATE {sqlstate})"),)
        )
    return error


def results_of(session_id: UUID, stores: Stores) -> dict[str, Any]:
    """The payload, read as the switch says. Raises `ProblemError` (404) where the session has no results,
    `StoreUnavailableError`, `StoreRejectedError`."""
    way = read_from(stores.settings(migration))
    with stores.postgres("scoring_postgres") as connection:
        try:
            return get_results(connection, session_id, way)
        except ResultsNotFound as error:
            raise ProblemError(404, "no-results", "The session has no results", str(error)) from error


def exploded(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The rows that the legacy tables have of a payload; of `profiles`, all except the timestamps, which it does not have."""
    key = {"session_id": payload["session"]["id"]}
    return {
        "session": payload["session"],
        "profile": payload["profile"],
        "types": [{**key, **row} for row in payload["types"]],
        "functions": [{**key, **row} for row in payload["functions"]],
        "state": {**key, **payload["state"]} if payload["state"] else None,
    }
