"""What the routes of both versions share: who may read, how an answer is written, and how it is described."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends
from fastapi.responses import Response

from include.trueup.rows import json_text

from .problems import MEDIA_TYPE

ASK = (401, 403, 405, 422, 500, 503)
"""The statuses of what asks for a list."""
FIND = (401, 403, 404, 405, 422, 500, 503)
"""The statuses of what asks for one thing, which may not be there."""
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_OWN_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "How to authenticate: Bearer."},
    405: {"Allow": "The methods that are allowed."},
    503: {"Retry-After": "Seconds after which to ask again."},
}
DEPRECATION_HEADERS = {
    "Deprecation": "Since when this is deprecated: @ and the seconds since 1970 (RFC 9745).",
    "Sunset": "When this may be gone: an HTTP date (RFC 8594).",
    "Link": 'Where the same is in version 2, rel="successor-version".',
}


def may_read(dag_id: str) -> Any:
    """The dependency of a route that only those may call who may read the DAG; others get 401 or 403."""
    return Depends(requires_access_dag("GET", param_dag_id=dag_id))


def text(content: Any) -> Response:
    """The answer 200 with this content as JSON, every digit of its numbers kept; bytes become base64."""
    return Response(json_text(_plain(content)), media_type="application/json")


def documented(*statuses: int, headers: Mapping[str, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """The description of a route's answers: 200, and a problem for each of the statuses. `headers` are on all of them."""
    said: dict[int | str, dict[str, Any]] = {200: {"headers": _described(headers or {})}}
    for status in statuses:
        every = {**(headers or {}), **_OWN_HEADERS.get(status, {})}
        said[status] = {
            "description": HTTPStatus(status).phrase,
            "content": _PROBLEM,
            "headers": _described(every),
        }
    return said


def _described(headers: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"description": meant, "schema": {"type": "string"}} for name, meant in headers.items()}


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return b64encode(value).decode()
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list():
            return [_plain(member) for member in value]
        case _:
            return value
