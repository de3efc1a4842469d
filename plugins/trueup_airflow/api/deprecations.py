"""Who still calls what is deprecated: to be asked before its Sunset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import datetime

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from include import cursors
from include.routes import ASK, Cursor, Limit, answer, documented
from include.trueup.ledger import CallsRow

from .. import connections
from ..pages.rights import may
from . import deprecation
from .mount import Mounted
from .usage import RECORDER

router = APIRouter()
CLIENTS = 100
"""Clients that are listed of a route."""


class Caller(BaseModel):
    """A client that called a route: a user of Airflow."""

    client: str
    calls: int
    first_called_at: datetime
    last_called_at: datetime


class Deprecated(BaseModel):
    """A deprecated route, with all calls that reached it, in every process."""

    route: str = Field(description="Method and path.")
    successor: str | None = Field(description="The route to use; null where there is none.")
    deprecated_since: datetime
    sunset: datetime = Field(description="From then on the route may be gone.")
    calls: int
    last_called_at: datetime | None = Field(description="Null if it was never called.")
    clients: list[Caller] = Field(description=f"Whoever called it last first, {CLIENTS} at most.")
    more_clients: int = Field(description="How many clients are not listed.")


class Deprecations(BaseModel):
    """A page of deprecated routes, in the order of their names."""

    deprecations: list[Deprecated]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


@router.get(
    "/v2/deprecations",
    response_model=Deprecations,
    responses=documented(*ASK),
    operation_id="get_deprecations",
    tags=["description"],
)
def get_deprecations(request: Request, user: GetUserDep, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """How often, by whom and when each deprecated route was called last: calls that were answered, with a 404 too. Other
    processes' calls are there some seconds later. Routes of migrations that you may not read are left out."""
    every: Sequence[Mounted] = request.app.state.mounted
    mine = {each.migration_id for each in every if may(user, "GET", each.migration_id)}
    if every and not mine:
        raise HTTPException(403, "You may read no migration that has routes.")
    after = cursors.read(cursor, str) if cursor is not None else ""
    routes = [each for each in every if each.migration_id in mine and deprecation.is_old(each.path)]
    routes = sorted((each for each in routes if each.name > after), key=lambda each: each.name)
    shown = routes[:limit]
    called = _called([each.name for each in shown])
    successors = {each.name for each in every}
    page = Deprecations(
        deprecations=[_described(each, called.get(each.name, []), successors) for each in shown],
        next_cursor=cursors.written(shown[-1].name) if len(routes) > limit else None,
    )
    return answer(page.model_dump(mode="json"))


def _called(routes: Iterable[str]) -> dict[str, list[CallsRow]]:
    RECORDER.enter()
    ledger = connections.ledger()
    by_route: dict[str, list[CallsRow]] = {}
    for row in ledger.usage.of(routes) if ledger.is_upgraded() else RECORDER.counted():
        by_route.setdefault(row.route, []).append(row)
    return by_route


def _described(route: Mounted, called: Sequence[CallsRow], every: Set[str]) -> Deprecated:
    newer = deprecation.newer(route.name)
    return Deprecated(
        route=route.name,
        successor=newer if newer in every else None,
        deprecated_since=deprecation.DEPRECATED,
        sunset=deprecation.SUNSET,
        calls=sum(row.calls for row in called),
        last_called_at=max((row.last_at for row in called), default=None),
        clients=[
            Caller(client=row.client, calls=row.calls, first_called_at=row.first_at, last_called_at=row.last_at)
            for row in called[:CLIENTS]
        ],
        more_clients=max(len(called) - CLIENTS, 0),
    )
