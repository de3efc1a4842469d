"""Version 1, deprecated: results as the legacy tables have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter
from fastapi.responses import Response

from . import deprecation
from .answers import DEPRECATION_HEADERS, FIND, documented, may_read, text
from .results import results_of
from .shapes import ExplodedResults

router = APIRouter(prefix="/v1")


@router.get(
    "/results/{session_id}",
    dependencies=[may_read("scoring_results")],
    response_model=ExplodedResults,
    responses=documented(*FIND, headers=DEPRECATION_HEADERS),
    deprecated=True,
    tags=["results"],
    operation_id="get_results_v1",
)
def get_results_exploded(session_id: UUID, user: GetUserDep) -> Response:
    """The results of a session as rows of five tables. Deprecated: use /v2/results/{session_id}."""
    deprecation.warn(str(user.get_name()), "v1/results")
    return text(exploded(results_of(session_id)))


def exploded(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The rows that the legacy tables have of a payload; of `profiles`, all but the timestamps, which it has not."""
    key = {"session_id": payload["session"]["id"]}
    return {
        "session": payload["session"],
        "profile": payload["profile"],
        "types": [{**key, **row} for row in payload["types"]],
        "functions": [{**key, **row} for row in payload["functions"]],
        "state": {**key, **payload["state"]} if payload["state"] else None,
    }
