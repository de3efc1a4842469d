"""Scores in pages, each page found by the last key of the one before (no offset: rows may come meanwhile)."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from include.routes import ProblemError
from include.trueup.rows.values import json_text, json_value

from .versions import VERSIONS

if TYPE_CHECKING:
    from include.trueup.stores.postgres import Connection

AS_RECORDED = "as_recorded"
MAX_LIMIT = 1_000
_RECORDED = "response_scores_as_recorded"
_UNDER = "response_scores_under(%(model)s)"
_PAGE = """
SELECT page.id::text, jsonb_build_object(
    'response_id', page.id, 'survey_id', page.survey_id, 'scoring_model_version', scoring_model_version,
    'submitted_at', (to_jsonb(page.submitted_at AT TIME ZONE 'UTC') #>> '{{}}') || '+00:00',
    'index_score', index_score, 'band', band, 'dimension_scores', dimension_scores)::text
FROM (
    SELECT id, survey_id, submitted_at FROM survey_responses
    WHERE (%(survey_id)s::uuid IS NULL OR survey_id = %(survey_id)s::uuid)
        AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid)
    ORDER BY id
    LIMIT %(rows)s
) page
CROSS JOIN LATERAL (SELECT * FROM {scores} every WHERE every.response_id = page.id OFFSET 0) scores
ORDER BY page.id
"""
"""Each version has one row a response, so the responses of the page are found first, and only they are scored:
OFFSET keeps the planner from scoring them all and joining then."""
_PERIODS = {
    "month": "to_char(date_trunc('month', r.submitted_at AT TIME ZONE 'UTC'), 'YYYY-MM')",
    "survey": "r.survey_id::text",
}
_DISTRIBUTION = """
SELECT {period} AS period, scores.band, scores.scoring_model_version, count(*)
FROM {scores} scores JOIN survey_responses r ON r.id = scores.response_id GROUP BY 1, 2, 3 ORDER BY 1 NULLS LAST, 3, 2 NULLS LAST
"""


def known() -> str:
    """The versions of the scoring model, as words."""
    return ", ".join(each.version for each in VERSIONS)


def page(connection: Connection, model: str, survey_id: UUID | None, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page: model, scores, next_cursor. Raises `ProblemError` for an unknown model or a cursor of another list."""
    _check(model)
    query = _PAGE.format(scores=_RECORDED if model == AS_RECORDED else _UNDER)
    after = None if cursor is None else _read(cursor, model, survey_id)
    asked = {"model": model, "survey_id": survey_id, "after": after, "rows": limit + 1}
    found = connection.execute(query.encode(), asked).fetchall()
    more = len(found) > limit
    return {
        "model": model,
        "scores": [json_value(row) for _, row in found[:limit]],
        "next_cursor": _written(found[limit - 1][0], model, survey_id) if more else None,
    }


def distribution(connection: Connection, model: str, by: Literal["month", "survey"]) -> dict[str, Any]:
    """How many responses are in each band, by month of submission (UTC) or by survey: under a model, and as recorded.
    Raises `ProblemError` for an unknown model."""
    _check(model)

    def counted(scores: str) -> list[dict[str, Any]]:
        found = connection.execute(_DISTRIBUTION.format(period=_PERIODS[by], scores=scores).encode(), {"model": model})
        names = ("period", "band", "version", "responses")
        return [dict(zip(names, row, strict=True)) for row in found]

    recorded = counted(_RECORDED)
    return {
        "model": model,
        "by": by,
        "rows": recorded if model == AS_RECORDED else counted(_UNDER),
        "as_recorded": recorded,
    }


def _check(model: str) -> None:
    if model != AS_RECORDED and model not in (each.version for each in VERSIONS):
        versions = [each.version for each in VERSIONS]
        detail = f"There is no scoring model {model!r}; known are {known()}, and {AS_RECORDED}."
        raise ProblemError(422, "unknown-model", "There is no such scoring model", detail, known_versions=versions)


def _written(after: str, model: str, survey_id: UUID | None) -> str:
    return urlsafe_b64encode(json_text([after, model, survey_id]).encode()).decode().rstrip("=")


def _read(cursor: str, model: str, survey_id: UUID | None) -> UUID:
    try:
        after, *asked = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        found = UUID(after)
    except (binascii.Error, ValueError, TypeError, AttributeError):
        asked, found = [], UUID(int=0)
    if asked != [model, survey_id and str(survey_id)]:
        raise ProblemError(
            422,
            "cursor-of-another-list",
            "The cursor does not belong to this list",
            "Give a next_cursor as it was, with the model and survey_id of the page that it came with; or begin without.",
        )
    return found
