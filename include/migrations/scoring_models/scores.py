"""Scores in pages, each page found by the last key of the one before (no offset: rows may come meanwhile)."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from uuid import UUID

from include.routes import ProblemError
from include.trueup.rows.values import json_text, json_value

from .versions import VERSIONS

if TYPE_CHECKING:
    from include.trueup.stores.postgres import Connection

AS_RECORDED = "as_recorded"
MAX_LIMIT = 1_000
_RECORDED = "SELECT * FROM response_scores_as_recorded"
_UNDER = """SELECT s.*, r.survey_id, r.submitted_at
    FROM response_scores_under(%(model)s) s JOIN survey_responses r ON r.id = s.response_id"""
_PAGE = """
SELECT response_id::text, jsonb_build_object(
    'response_id', response_id, 'survey_id', survey_id, 'scoring_model_version', scoring_model_version,
    'submitted_at', (to_jsonb(submitted_at AT TIME ZONE 'UTC') #>> '{{}}') || '+00:00',
    'index_score', index_score, 'band', band, 'dimension_scores', dimension_scores)::text
FROM ({scores}) scores
WHERE (%(survey_id)s::uuid IS NULL OR survey_id = %(survey_id)s::uuid)
    AND (%(after)s::uuid IS NULL OR response_id > %(after)s::uuid)
ORDER BY response_id
LIMIT %(rows)s
"""


def known() -> str:
    """The versions of the scoring model, as words."""
    return ", ".join(each.version for each in VERSIONS)


def page(connection: Connection, model: str, survey_id: UUID | None, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page: model, scores, next_cursor. Raises `ProblemError` for an unknown model or a cursor of another list."""
    if model != AS_RECORDED and model not in (each.version for each in VERSIONS):
        versions = [each.version for each in VERSIONS]
        detail = f"There is no scoring model {model!r}; there are {known()}, and {AS_RECORDED}."
        raise ProblemError(422, "unknown-model", "There is no such scoring model", detail, known_versions=versions)
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
