"""Errors as problem details (RFC 9457): every answer that is not a success is one, and none says more than its reader may know."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import psycopg
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from include.routes import MEDIA_TYPE, ProblemError
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.rows.values import json_text

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 10
_NAMED = "urn:problem-type:trueup:"
# PostgreSQL: there is no such table or view; no such function. DynamoDB: no such table.
_MISSING = ("42P01", "42883", "ResourceNotFound")
_CANCELLED = "57014"
# PostgreSQL: login and database name are wrong. DynamoDB: who asks is not known, or may not.
_LOCKED_OUT = (
    "28",
    "3D",
    "AccessDenied",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignature",
    "MissingAuthenticationToken",
    "NoCredentials",
    "UnrecognizedClient",
)


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The answer for a problem; without `kind` of type about:blank, with the status's own title."""
    content = {
        "type": f"{_NAMED}{kind}" if kind else "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **more,
    }
    return Response(json_text(content), status, dict(headers or {}), MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Have the application answer with problems, whatever is raised in it."""
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(ProblemError)(_answered)
    app.exception_handler(StoreUnavailableError)(_unavailable)
    app.exception_handler(StoreRejectedError)(_rejected)
    app.exception_handler(AirflowNotFoundException)(_unconnected)
    app.exception_handler(AirflowRuntimeError)(_unconnected)


def unexpected(request: Request, error: Exception) -> Response:
    """The answer for an error that nobody foresaw; its words go to the log alone."""
    log.error("%s %s broke off", request.method, request.url.path, exc_info=error)
    return problem(
        request, 500, ("Something went wrong here. The API server's log says what; tell its operators the time.")
    )


async def _refused(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if error.status_code == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    return problem(request, error.status_code, str(error.detail), headers=headers)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    wrong = [
        {"parameter": str(each["loc"][-1]), "in": str(each["loc"][0]), "detail": each["msg"]} for each in error.errors()
    ]
    detail = "; ".join(f"{each['parameter']}: {each['detail']}" for each in wrong)
    return problem(request, 422, detail, kind="invalid-request", title="The request is not valid", errors=wrong)


async def _answered(request: Request, error: ProblemError) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status == 503 else {}
    return problem(
        request, error.status, error.detail, kind=error.kind, title=error.title, headers=headers, **error.more
    )


async def _unavailable(request: Request, error: StoreUnavailableError) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return _later(request, "A database that this needs does not answer, or is too busy. Ask again later.")


async def _unconnected(request: Request, error: Exception) -> Response:
    log.error("%s %s: Airflow gives no connection: %s", request.method, request.url.path, error)
    return _later(
        request, "Airflow could not give a connection that this needs; the API server's log names it. Set it."
    )


async def _rejected(request: Request, error: StoreRejectedError) -> Response:
    code = _code(error)
    if code == _CANCELLED:
        return await _unavailable(request, StoreUnavailableError(str(error)))
    if code.startswith(_LOCKED_OUT) or (not code and isinstance(error.__cause__, psycopg.OperationalError)):
        log.error("%s %s: %s", request.method, request.url.path, error)
        return _later(
            request,
            "A database that this needs does not let this server in; the API server's log says why. Its operators have to"
            " correct the connection.",
        )
    if code in _MISSING:
        log.warning("%s %s: %s", request.method, request.url.path, error)
        return _later(
            request, ("The tables that this reads do not exist yet: the migration's DAG makes them. Run it first.")
        )
    return unexpected(request, error)


def _code(error: StoreRejectedError) -> str:
    """What the store says that it is: PostgreSQL's SQLSTATE (none where no connection was made), DynamoDB's error."""
    return str(getattr(error, "code", None) or getattr(error.__cause__, "sqlstate", None) or "")


def _later(request: Request, detail: str) -> Response:
    wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem(request, 503, detail, kind="store-unavailable", title="A store is not available", headers=wait)
