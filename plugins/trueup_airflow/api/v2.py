"""Version 2: unified results, assignments, and scores under any version of the scoring model."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import AfterValidator

from include.migrations.checkins import migration as checkins
from include.migrations.checkins.serving import get_assignments, switched

from . import scores, stores
from .answers import ASK, FIND, documented, may_read, text
from .results import results_of
from .shapes import Assignments, Scores, UnifiedResults

router = APIRouter(prefix="/v2")
_KEY_BYTES = 2048  # DynamoDB's limit for a partition key


def _fits_a_key(name: str) -> str:
    if len(name.encode(errors="replace")) > _KEY_BYTES:
        raise ValueError(f"longer than {_KEY_BYTES} bytes")
    return name


ClientId = Annotated[str, Path(min_length=1), AfterValidator(_fits_a_key)]
Model = Annotated[
    str,
    Query(description=f"A version of the scoring model ({scores.known()}), or {scores.AS_RECORDED}.", max_length=100),
]
SurveyId = Annotated[UUID | None, Query(description="Only responses of this survey.")]
Limit = Annotated[int, Query(description="Scores a page.", ge=1, le=scores.MAX_LIMIT)]
Cursor = Annotated[
    str | None,
    Query(description="next_cursor of the page before, with the same model and survey_id.", max_length=500),
]


@router.get(
    "/results/{session_id}",
    dependencies=[may_read("scoring_results")],
    response_model=UnifiedResults,
    responses=documented(*FIND),
    tags=["results"],
    operation_id="get_results_v2",
)
def get_results_unified(session_id: UUID) -> Response:
    """The results of a session as one payload."""
    return text(results_of(session_id))


@router.get(
    "/clients/{client_id}/assignments",
    dependencies=[may_read("checkins")],
    response_model=Assignments,
    responses=documented(*ASK),
    tags=["check-ins"],
    operation_id="get_assignments_v2",
)
def get_client_assignments(client_id: ClientId) -> Response:
    """A client's assignments. A client that nobody knows has none."""
    switch = switched(stores.settings(checkins.migration))
    with stores.dynamodb("checkins_dynamodb") as store:
        found = get_assignments(store, client_id, switch)
    return text({"client_id": client_id, "assignments": found})


@router.get(
    "/scores",
    dependencies=[may_read("scoring_models")],
    response_model=Scores,
    responses=documented(*ASK),
    tags=["scores"],
    operation_id="get_scores_v2",
)
def get_scores(
    model: Model = scores.AS_RECORDED, survey_id: SurveyId = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Each response's score under a version of the scoring model: as it was recorded under that version, or as it was
    scored again. Without a version, or with as_recorded, each under the version that it was recorded under."""
    with stores.postgres("survey_postgres") as connection:
        return text(scores.page(connection, model, survey_id, limit, cursor))
