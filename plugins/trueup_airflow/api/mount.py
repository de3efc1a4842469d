"""Puts the routes that migrations bring into the application, each behind the check that it asks for.

A route that says neither that it reads nor that it writes is not mounted, nor is any other that breaks the rules: the
log names it. A migration whose routes cannot be loaded has none; the others are served.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from include import project
from include.routes import Access, access

from . import deprecation
from .access import checks

log = logging.getLogger(__name__)

_READING = {"GET", "HEAD"}


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """A route of a migration that is mounted; `name`: method and path."""

    name: str
    path: str
    migration_id: str


def mount(app: FastAPI) -> list[Mounted]:
    """Mount the routes of all migrations that have a routes.py, in the order of the migrations' ids."""
    mounted: list[Mounted] = []
    for migration_id in project.with_routes():
        try:
            routes = list(project.load_routes(migration_id).router.routes)
        except Exception:
            log.exception("none of the routes of %s is mounted: its routes.py cannot be loaded", migration_id)
            continue
        for route in routes:
            mounted += _mount(app, migration_id, route)
    return mounted


def _mount(app: FastAPI, migration_id: str, route: BaseRoute) -> list[Mounted]:
    if not isinstance(route, APIRoute):
        log.error("%r of %s is not mounted: it is not a route of a FastAPI router", route, migration_id)
        return []
    mark = access(route.endpoint)
    reason = _refusal(route, mark, {each for mounted in _routes(app) for each in _addresses(mounted)})
    if mark is None or reason:
        methods = ", ".join(sorted(route.methods))
        log.error("%s %s of %s (%s) is not mounted: %s", methods, route.path, migration_id, route.name, reason)
        return []
    dependencies = checks(mark, migration_id)
    old = deprecation.is_old(route.path)
    if old:
        dependencies.append(Depends(_noted(route.path)))
    alone = APIRouter()
    alone.routes.append(route)
    app.include_router(alone, dependencies=dependencies, deprecated=old or None)
    return [
        Mounted(name=f"{method} {route.path}", path=route.path, migration_id=migration_id) for method in route.methods
    ]


def _refusal(route: APIRoute, mark: Access | None, taken: Set[tuple[str, str]]) -> str | None:
    """Why the route is not mounted; None if it is."""
    if mark is None:
        return "it is marked neither @read nor @write"
    if not route.path.startswith(("/v1/", "/v2/")):
        return "its path begins with neither /v1/ nor /v2/"
    if mark is Access.READ and (more := route.methods - _READING):
        return f"it is marked @read, but answers {', '.join(sorted(more))}"
    if _addresses(route) & taken:
        return "another route has that path"
    return None


def _routes(app: FastAPI) -> list[APIRoute]:
    return [route for route in app.routes if isinstance(route, APIRoute)]


def _addresses(route: APIRoute) -> set[tuple[str, str]]:
    """What the route answers: methods and path, whatever the path's parameters are called."""
    path = re.sub(r"\{\w+", "{", route.path)
    return {(method, path) for method in route.methods}


def _noted(path: str) -> Any:
    """The dependency of a deprecated route that notes who called it."""

    def noted(request: Request, user: GetUserDep) -> None:
        deprecation.note(request.scope, str(user.get_name()), f"{request.method} {path}")

    return noted
