"""The routes that migrations bring: each behind the check that it asks for, and none without."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include import migrations

from .conftest import client_of
from .test_openapi import ROUTES

PEOPLE = """
from fastapi import APIRouter, WebSocket
from include.routes import StoresDep, answer, read, write

router = APIRouter()

@router.get("/v2/people")
@read
def people(stores: StoresDep):
    return answer({"stores": type(stores).__name__})

@router.put("/v2/people/{id}")
@write
def store_one(id: str):
    return answer({"id": id})

@router.get("/v1/people")
@read
def people_of_old(page: int = 1):
    return answer([])

@router.get("/v2/people/{id}")
def unsaid(id: str):
    return answer({})

@router.post("/v2/people")
@read
def reads_by_post():
    return answer({})

@router.get("/people")
@read
def elsewhere():
    return answer({})

@router.get("/v2/clients/{name}/assignments")
@read
def taken(name: str):
    return answer({})

@router.websocket("/v2/talk")
async def talk(socket: WebSocket):
    await socket.accept()

router.add_route("/v2/raw", lambda request: answer({}))
"""
NOT_MOUNTED = {
    "GET /v2/people/{id} of people (unsaid)": "it is marked neither @read nor @write",
    "POST /v2/people of people (reads_by_post)": "it is marked @read, but answers POST",
    "GET /people of people (elsewhere)": "its path begins with neither /v1/ nor /v2/",
    "GET /v2/clients/{name}/assignments of people (taken)": "another route has that path",
    "talk": "it is not a route of a FastAPI router",
    "/v2/raw": "it is not a route of a FastAPI router",
    "none of the routes of broken is mounted": "cannot be loaded",
}


@pytest.fixture
def build(application: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """What makes the application where two migrations are beside those that ship: one whose routes are as they please, one broken."""
    from trueup_airflow.api.app import build

    for name, routes in (("people", PEOPLE), ("broken", "raise ValueError('a routes.py that does not load')")):
        folder = tmp_path / name
        folder.mkdir()
        for file, content in (("__init__.py", ""), ("migration.py", ""), ("routes.py", routes)):
            (folder / file).write_text(content)
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "routes.py").write_text(PEOPLE)  # of no migration
    monkeypatch.setattr(migrations, "__path__", [*migrations.__path__, str(tmp_path)])
    yield build
    for name in [
        name for name in sys.modules if name.startswith(("include.migrations.people", "include.migrations.broken"))
    ]:
        del sys.modules[name]


def test_a_route_is_mounted_behind_what_it_says_or_not_at_all(
    build: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="trueup_airflow.api.mount"):
        built = build()
    messages = [r.getMessage() for r in caplog.records if r.name == "trueup_airflow.api.mount"]
    assert len(messages) == len(NOT_MOUNTED)
    for route, why in NOT_MOUNTED.items():
        assert [m for m in messages if route in m and why in m], route
    described = client_of(built, "vera", "viewer").get("/openapi.json").json()
    assert set(described["paths"]) == {*ROUTES, "/v1/people", "/v2/people", "/v2/people/{id}"}
    assert described["paths"]["/v1/people"]["get"]["deprecated"]
    assert set(described["paths"]["/v2/people/{id}"]) == {"put"}

    nobody, viewer, user = (client_of(built, *who) for who in ((), ("vera", "viewer"), ("ursula", "user")))
    for path, methods in described["paths"].items():
        for method in methods:
            assert nobody.request(method, path).status_code == 401, path
            if path != "/openapi.json":
                assert client_of(built, "nobody", None).request(method, path).status_code == 403, path
    assert viewer.get("/v2/people").json() == {"stores": "Stores"}
    assert viewer.put("/v2/people/1").status_code == 403
    assert user.put("/v2/people/1").json() == {"id": "1"}
    assert user.get("/v2/people/1").status_code == 405
    for path in ("/people", "/v2/raw"):
        assert user.get(path).status_code == 404


def test_a_write_by_cookie_comes_from_a_page_of_this_server(build: Callable[[], Any]) -> None:
    user = client_of(build(), "ursula", "user")
    user.cookies.set("_token", user.headers["Authorization"].removeprefix("Bearer "))
    assert user.put("/v2/people/1", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # it has a token, too
    for scheme in ("Basic eA==", "Bearer", ""):
        user.headers["Authorization"] = scheme
        assert user.put("/v2/people/1", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {}):
            answer = user.put("/v2/people/1", headers=headers)
            assert answer.status_code == 403
            assert "must come from a page of this server" in answer.json()["detail"]
        assert user.get("/v2/people").status_code == 200


def test_what_is_of_version_1_is_deprecated_without_a_word_of_its_migration(
    build: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    from trueup_airflow.api import deprecation

    built = build()
    deprecation.ONCE.forget()
    with caplog.at_level(logging.WARNING, logger="trueup_airflow.api.deprecation"):
        assert client_of(built, "nobody", None).get("/v1/people").status_code == 403
        assert client_of(built, "vera", "viewer").get("/v1/people?page=x").status_code == 422
        assert "deprecated_api" not in caplog.text  # they did not reach it
        answer = client_of(built, "vera", "viewer").get("/v1/people")
    assert answer.headers["link"] == '</v2/people>; rel="successor-version"'
    assert answer.headers["sunset"]
    assert '"asked":"v1/people","client":"vera"' in caplog.text
    deprecation.ONCE.forget()
