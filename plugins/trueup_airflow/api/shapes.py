"""The shapes of the answers, for the API's description. Numbers are JSON numbers with all their digits."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]
"""Exact: 1.5 is never 1.4999999999999999; read it into a decimal type, not into a float."""
Instant = Annotated[str, Field(description="ISO 8601, in UTC.")]


class _Open(BaseModel):
    """A shape that may have members which are not listed here: columns that a table has besides."""

    model_config = ConfigDict(extra="allow")


class SessionRow(_Open):
    """An assessment session."""

    id: UUID
    status: str | None
    started_at: Instant | None
    completed_at: Instant | None


class Profile(_Open):
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


class Assignment(_Open):
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
