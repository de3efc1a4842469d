"""Scores in pages, and how they are distributed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from include import cursors
from include.routes import ProblemError
from include.trueup.rows.values import json_value

from .versions import VERSIONS

if TYPE_CHECKING:
    from include.trueup.stores.postgres import Connection

AS_RECORDED = "as_recorded"
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
    survey = None if survey_id is None else str(survey_id)
    after = None if cursor is None else cursors.read(cursor, UUID, model, survey)
    asked = {"model": model, "survey_id": survey_id, "after": after, "rows": limit + 1}
    rows = connection.execute(query.encode(), asked).fetchall()
    more = len(rows) > limit
    return {
        "model": model,
        "scores": [json_value(row) for _, row in rows[:limit]],
        "next_cursor": cursors.written(rows[limit - 1][0], model, survey) if more else None,
    }


def as_legacy(page: Mapping[str, Any]) -> dict[str, Any]:
    """A page with each score as `survey_responses` has it."""
    kept = ("survey_id", "submitted_at", "dimension_scores", "index_score", "band")
    rows = [{"id": row["response_id"], **{name: row[name] for name in kept}} for row in page["scores"]]
    return {"scores": rows, "next_cursor": page["next_cursor"]}


def distribution(connection: Connection, model: str, by: Literal["month", "survey"]) -> dict[str, Any]:
    """How many responses are in each band, by month of submission (UTC) or by survey: under a model, and as recorded.
    Raises `ProblemError` for an unknown model."""
    _check(model)

    def counted(scores: str) -> list[dict[str, Any]]:
        rows = connection.execute(_DISTRIBUTION.format(period=_PERIODS[by], scores=scores).encode(), {"model": model})
        names = ("period", "band", "version", "responses")
        return [dict(zip(names, row, strict=True)) for row in rows]

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
