"""What a request to the check-ins API brings, in what shape."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from include.migrations.plain import UnfitError, typed
from include.routes import ProblemError
from include.trueup.errors import UnreadableValueError
from include.trueup.rows.values import canonical_bytes, json_text, json_value

from .dates import instant
from .serving import MOST_WEEKS

OWN = ("clientId", "recurringWeek", "status", "responseId", "score", "completedAt")
"""Attributes of an assignment that the service sets."""
_MOST_BYTES = {"assignment": 30_000, "response": 350_000}
"""How much a row may take: an assignment is written a hundred at a time, and DynamoDB holds 400 KB a row."""
Shape = TypeVar("Shape", bound=BaseModel)


def _dated(text: str) -> str:
    if instant(text) is None:
        raise ValueError("not an ISO 8601 date or timestamp")
    return text


def _within(most: int) -> AfterValidator:
    def within(text: str) -> str:
        if len(text.encode()) > most:
            raise ValueError(f"longer than {most:,} bytes")
        return text

    return AfterValidator(within)


def brings(shape: type[BaseModel]) -> dict[str, Any]:
    """The description of what a request brings along."""
    schema = shape.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _decimal(value: Any) -> Any:
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


Exact = Annotated[Decimal, BeforeValidator(_decimal), WithJsonSchema({"type": "number"})]
Weeks = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(ge=1, le=MOST_WEEKS, multiple_of=1),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_WEEKS}),
]
Date = Annotated[str, AfterValidator(_dated)]
Key = Annotated[str, Field(min_length=1), _within(2048)]
FormId = Annotated[str, Field(min_length=1), _within(1024)]


class NewSeries(BaseModel):
    """A series that is to be begun. Whatever else is given, its assignments get."""

    model_config = ConfigDict(extra="allow", strict=True)

    formId: FormId  # noqa: N815
    totalWeeks: Weeks  # noqa: N815
    dueDate: Date = Field(description="When week 1 is due: an ISO 8601 date or timestamp.")  # noqa: N815
    id: Key | None = Field(
        None, description="The id of the assignment of week 1; without it one that client and form give."
    )


class NewResponse(BaseModel):
    """A response that a client submits."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Key | None = Field(None, description="An id of your own makes it safe to send the request again.")
    answers: dict[str, Any]
    score: Exact | None = None
    submittedAt: Date | None = Field(None, description="ISO 8601; now, where it is not given.")  # noqa: N815


def shaped(shape: type[Shape], body: bytes) -> Shape:
    """What a request brings, in that shape, its numbers exact. Raises `ProblemError` (422)."""
    try:
        given = json_value(canonical_bytes(body.decode()).decode())
        typed(given)
    except UnfitError as error:
        raise invalid([{"pointer": error.pointer, "detail": error.detail}]) from error
    except (UnicodeDecodeError, ValueError, UnreadableValueError, RecursionError) as error:
        raise invalid([{"pointer": "", "detail": f"it is not JSON: {error}"[:300]}]) from error
    most = _MOST_BYTES["assignment" if shape is NewSeries else "response"]
    if (size := len(json_text(given).encode())) > most:
        raise invalid([{"pointer": "", "detail": f"it takes {size:,} bytes, and may take {most:,}"}])
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        wrong = [{"pointer": "".join(f"/{part}" for part in e["loc"]), "detail": e["msg"]} for e in error.errors()]
        raise invalid(wrong) from error


def invalid(wrong: list[dict[str, str]]) -> ProblemError:
    detail = "; ".join(f"{each['pointer'] or 'the whole'}: {each['detail']}" for each in wrong)
    return ProblemError(422, "invalid-request", "The request is not valid", detail, errors=wrong)
