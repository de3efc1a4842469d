"""What the services read of scores: each response's, under any version of the scoring model."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from include.routes import ASK, DEPRECATION_HEADERS, Cursor, Instant, Limit, Number, StoresDep, answer, documented, read

from . import scores

router = APIRouter()


class Score(BaseModel):
    """A response's score under one version of the scoring model, which it names."""

    response_id: UUID
    survey_id: UUID | None
    submitted_at: Instant | None
    scoring_model_version: str | None = Field(description="Null only for a response from before the first model.")
    index_score: Number | None
    band: str | None
    dimension_scores: Any


class Scores(BaseModel):
    """A page of scores, by response_id."""

    model: str = Field(description="The version that was asked for, or as_recorded.")
    scores: list[Score]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class LegacyScore(BaseModel):
    """A response's score as it was recorded, as `survey_responses` has it."""

    id: UUID
    survey_id: UUID | None
    submitted_at: Instant | None
    dimension_scores: Any
    index_score: Number | None
    band: str | None


class LegacyScores(BaseModel):
    """A page of scores, by id."""

    scores: list[LegacyScore]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class Count(BaseModel):
    """How many responses of a period or a survey have a band."""

    period: str | None = Field(description="The month (YYYY-MM, UTC), or the survey's id; null where there is none.")
    band: str | None
    version: str | None
    responses: int


class Distribution(BaseModel):
    """Bands under a version of the scoring model, beside those that were recorded: the same responses in both."""

    model: str = Field(description="The version that was asked for, or as_recorded.")
    by: Literal["month", "survey"]
    rows: list[Count]
    as_recorded: list[Count]


Model = Annotated[
    str,
    Query(description=f"A version of the scoring model ({scores.known()}), or {scores.AS_RECORDED}.", max_length=100),
]
SurveyId = Annotated[UUID | None, Query(description="Only responses of this survey.")]


@router.get(
    "/v2/scores",
    response_model=Scores,
    responses=documented(*ASK),
    tags=["scores"],
    operation_id="get_scores_v2",
)
@read
def get_scores(
    stores: StoresDep,
    model: Model = scores.AS_RECORDED,
    survey_id: SurveyId = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Each response's score under a version of the scoring model: as it was recorded under that version, or as it was
    scored again. Without a version, or with as_recorded, each under the version that it was recorded under."""
    with stores.postgres("survey_postgres") as connection:
        return answer(scores.page(connection, model, survey_id, limit, cursor))


@router.get(
    "/v1/scores",
    response_model=LegacyScores,
    responses=documented(*ASK, headers=DEPRECATION_HEADERS),
    tags=["scores"],
    operation_id="get_scores_v1",
)
@read
def get_scores_as_legacy(
    stores: StoresDep, survey_id: SurveyId = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Each response's score as it was recorded, without the version of the model. Deprecated: use /v2/scores."""
    with stores.postgres("survey_postgres") as connection:
        return answer(scores.as_legacy(scores.page(connection, scores.AS_RECORDED, survey_id, limit, cursor)))


@router.get(
    "/v2/scores/distribution",
    response_model=Distribution,
    responses=documented(*ASK),
    tags=["scores"],
    operation_id="get_scores_distribution_v2",
)
@read
def get_distribution(
    stores: StoresDep,
    model: Model = scores.AS_RECORDED,
    by: Annotated[Literal["month", "survey"], Query(description="What a row is of.")] = "month",
) -> Response:
    """How many responses are in each band, by month of submission or by survey, under a version of the scoring model: every
    response counts, those that no run has scored again are scored for the answer. Beside it, as they were recorded."""
    with stores.postgres("survey_postgres") as connection:
        return answer(scores.distribution(connection, model, by))
