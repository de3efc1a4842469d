"""The application: its routes, what every answer carries, and its description."""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import JsonValue
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.routes import Problem, documented

from . import deprecation, deprecations, docs, metrics, rows, stores, switches
from .mount import mount
from .problems import handle_problems, unexpected

_DESCRIPTION = """What Trueup's migrations moved, for the services that read it. Version 1 is deprecated: it works until its Sunset.

Every error is a problem as RFC 9457 has it. Numbers are exact decimals: read them into a decimal type. What may be read
is a matter of the right to read the migration's DAG in Airflow; tokens come from Airflow's `POST /auth/token`."""
_HEADERS = {
    "Cache-Control": "no-store",  # what people answered is for nobody's cache
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Answers:
    """Gives every answer its headers, those of version 1 also where they are errors, and warns of calls of version 1;
    an unforeseen error becomes a problem here, inside, so that it has them too. `superseded`: see `deprecation`."""

    def __init__(self, app: ASGIApp, superseded: tuple[str, ...] = ()) -> None:
        self.app, self.superseded = app, superseded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        metrics.SUMS.begin()
        base = scope.get("root_path", "")
        path = scope["path"].removeprefix(base)
        more = deprecation.headers(base, path, self.superseded) if deprecation.is_old(path) else {}
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers.update(more)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if message["status"] != 422:  # the route was not reached
                    deprecation.tell_of_noted(scope)
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        except Exception as error:
            if begun:
                raise
            request = Request(scope)
            await unexpected(request, error)(scope, receive, with_headers)


def build() -> FastAPI:
    """The application. Its description, and the page of it, are for those who are signed in; FastAPI's own pages load
    scripts from elsewhere."""
    app = FastAPI(title="Trueup", version="2", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.stores = stores.STORES
    handle_problems(app)
    app.include_router(rows.router)
    app.include_router(switches.router)
    app.include_router(deprecations.router)
    app.include_router(docs.router)
    app.state.mounted = mount(app)
    superseded = deprecation.superseded(each.path for each in app.state.mounted)
    app.add_middleware(Answers, superseded=superseded)

    @app.get(
        "/openapi.json", responses=documented(401, 403, 405, 500), operation_id="get_openapi", tags=["description"]
    )
    def get_description(request: Request, _: GetUserDep) -> dict[str, JsonValue]:
        """This description."""
        return {**description(app), "servers": [{"url": request.scope.get("root_path") or "/"}]}

    return app


def description(app: FastAPI) -> dict[str, JsonValue]:
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes, openapi_version="3.1.0"
        )
        made["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        app.openapi_schema = made
    return app.openapi_schema


app = build()
