"""What the routes of all migrations share: what a route asks of its caller, the stores behind it, and its answers.

A migration that serves what it moved has a `routes.py` with a FastAPI router, named `router`. A route's address begins
with /v1/ (deprecated) or /v2/, and its function says `@read` or `@write`. Whoever mounts the routes checks by that
whether the caller may, and gives the application its `state.stores`.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from .trueup.cutover import switch
from .trueup.errors import StoreRejectedError
from .trueup.rows.values import json_text

if TYPE_CHECKING:
    from .trueup.declare.migration import Migration
    from .trueup.ledger import Ledger
    from .trueup.stores import Store
    from .trueup.stores.dynamodb import DynamoDBStore
    from .trueup.stores.postgres import Connection, Pool, PostgresStore

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_MARK = "__trueup_access__"


class Access(Enum):
    """What a route asks of its caller: to be one who may read the migration's DAG, or who may write its runs."""

    READ = "read"
    WRITE = "write"


def read(endpoint: Endpoint) -> Endpoint:
    """This route reads."""
    setattr(endpoint, _MARK, Access.READ)
    return endpoint


def write(endpoint: Endpoint) -> Endpoint:
    """This route writes."""
    setattr(endpoint, _MARK, Access.WRITE)
    return endpoint


def access(endpoint: Callable[..., Any]) -> Access | None:
    """What the route's function says; None if it says nothing."""
    mark: Access | None = getattr(endpoint, _MARK, None)
    return mark


# ── the stores behind a route ──

_KEPT_SECONDS = 60  # so that a connection which is changed in Airflow is used a minute later, without a restart
_STATEMENT_TIMEOUT = "20s"


class Stores:
    """The stores behind the routes, by the id of their connection, and the switches that say how to read them. A store is
    kept for a minute at most: `open_store` makes it anew, so that a connection that was changed is seen. Of each
    PostgreSQL database this process keeps a few connections, each for a minute, too."""

    def __init__(self, open_store: Callable[[str], Store], ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger
        self._made = lru_cache(maxsize=8)(lambda conn_id, _minute: open_store(conn_id))
        self._pools: dict[str, Pool] = {}

    @contextmanager
    def postgres(self, conn_id: str, *, writes: bool = False) -> Iterator[Connection]:
        """A kept connection with one transaction, committed at the end of the block: for reading, unless `writes`. Raises
        `StoreUnavailableError`, also where none is free for some seconds, and `StoreRejectedError`."""
        from .trueup.stores.postgres import Pool

        store = self._postgres(conn_id)
        # of two that are made at once, one is kept
        pool = self._pools.get(conn_id) or self._pools.setdefault(conn_id, Pool(lambda: self._postgres(conn_id).open()))
        with store.connect(pool) as connection:
            connection.read_only = not writes
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [_STATEMENT_TIMEOUT])
            yield connection

    @contextmanager
    def dynamodb(self, conn_id: str) -> Iterator[DynamoDBStore]:
        """A DynamoDB store. Raises `StoreUnavailableError` and `StoreRejectedError` for errors of DynamoDB in the
        block."""
        from .trueup.stores.dynamodb import DynamoDBStore

        store = self._store(conn_id)
        if not isinstance(store, DynamoDBStore):
            raise StoreRejectedError(f"connection {conn_id!r} is of type {store.kind}; make it one of type 'aws'")
        with store.connect():
            yield store

    def settings(self, migration: Migration) -> Mapping[str, str | bool]:
        """What the migration's switch says now. Raises `StoreUnavailableError` when the ledger does not answer."""
        return switch.settings(self._ledger(), migration)

    def forget(self) -> None:
        """Look connections up again at the next request, and close those that are kept."""
        self._made.cache_clear()
        while self._pools:
            self._pools.popitem()[1].close()

    def _postgres(self, conn_id: str) -> PostgresStore:
        from .trueup.stores.postgres import PostgresStore

        store = self._store(conn_id)
        if not isinstance(store, PostgresStore):
            raise StoreRejectedError(f"connection {conn_id!r} is of type {store.kind}; make it one of type 'postgres'")
        return store

    def _store(self, conn_id: str) -> Store:
        return self._made(conn_id, int(time.monotonic() / _KEPT_SECONDS))


async def _stores(request: Request) -> Stores:
    stores: Stores = request.app.state.stores
    return stores


StoresDep = Annotated[Stores, Depends(_stores)]
"""The type of a route's parameter that is given the application's stores."""


# ── errors ──

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A problem as RFC 9457 has it. Further members depend on the type: `errors` (what is wrong with the request) and
    `known_versions` (of scoring models)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        "about:blank", description="What kind of problem it is; about:blank where the status says it all."
    )
    title: str = Field(description="The kind of problem, in words that do not change from case to case.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="This case of it, and what to do about it.")
    instance: str = Field(description="The path that was asked for.")


class ProblemError(Exception):
    """A problem that a route finds. `kind` ends its type, `more` are its further members."""

    def __init__(self, status: int, kind: str, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.kind, self.title, self.detail, self.more = status, kind, title, detail, more


MOST_BYTES = 1_048_576
"""What a request may bring along."""


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise ProblemError(
                413,
                "too-large",
                "The request is too large",
                f"A request may bring {MOST_BYTES:,} bytes along, not more.",
            )
    return bytes(content)


BodyDep = Annotated[bytes, Depends(_body)]
"""The type of a route's parameter that is given what the request brings along, as it came."""


# ── answers, and how they are described ──

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
_TAGGED = {"ETag": "Of this answer: give it back as If-None-Match.", "Cache-Control": "private, no-cache."}
DEPRECATION_HEADERS = {
    "Deprecation": "Since when this is deprecated: @ and the seconds since 1970 (RFC 9745).",
    "Sunset": "When this may be gone: an HTTP date (RFC 8594).",
    "Link": 'Where the same is in version 2, rel="successor-version".',
}
"""The headers of version 1, for `documented`."""

Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]
"""Exact: 1.5 is never 1.4999999999999999; read it into a decimal type, not into a float."""
Instant = Annotated[str, Field(description="ISO 8601, in UTC.")]


Limit = Annotated[int, Query(description="How many at most.", ge=1, le=100)]
Cursor = Annotated[
    str | None,
    Query(description="next_cursor of the page before, with the same other parameters.", max_length=1_000),
]
"""The parameters of a list; `include.cursors` writes and reads cursors."""

_KEY_BYTES = 2048  # DynamoDB's limit for a partition key


def _fits_a_key(name: str) -> str:
    if len(name.encode(errors="replace")) > _KEY_BYTES:
        raise ValueError(f"longer than {_KEY_BYTES} bytes")
    return name


PartitionKey = Annotated[str, Path(min_length=1), AfterValidator(_fits_a_key)]
"""The type of a part of a route's address that is the partition key of a DynamoDB table or index."""


class Open(BaseModel):
    """A shape that may have members which are not listed there: columns that a table has besides."""

    model_config = ConfigDict(extra="allow")


def answer(content: Any, status: int = 200) -> Response:
    """The answer with this content as JSON, every digit of its numbers kept; bytes become base64."""
    return Response(json_text(_plain(content)), status, media_type="application/json")


def tagged(request: Request, content: Any) -> Response:
    """The same with an ETag, or 304 where the caller has that answer already (If-None-Match)."""
    made = answer(content)
    tag = f'"{sha256(made.body).hexdigest()}"'
    # weak: the server may compress the same answer
    headers = {"ETag": f"W/{tag}", "Cache-Control": "private, no-cache"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    made.headers.update(headers)
    return made


def documented(*statuses: int, headers: Mapping[str, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """The description of a route's answers: 200, and a problem for each of the statuses; with 304, it is made by `tagged`.
    `headers` are on all of them."""
    tag = _TAGGED if 304 in statuses else {}
    responses: dict[int | str, dict[str, Any]] = {200: {"headers": _described({**(headers or {}), **tag})}}
    if tag:
        responses[304] = {"description": "The caller has it already", "headers": _described({**(headers or {}), **tag})}
    for status in (status for status in statuses if status != 304):
        every = {**(headers or {}), **_OWN_HEADERS.get(status, {})}
        responses[status] = {
            "description": HTTPStatus(status).phrase,
            "content": _PROBLEM,
            "headers": _described(every),
        }
    return responses


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
