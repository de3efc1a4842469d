"""The description of the API: complete, and for those who are signed in."""

from __future__ import annotations

import re
from typing import Any

from fastapi.routing import APIRoute

from .conftest import Client, client_of

ROUTES = {
    "/v1/clients/{client_id}/assignments",
    "/v1/results/{session_id}",
    "/v1/scores",
    "/v1/tenants/{tenant_id}/kpis/{kpi_id}",
    "/v2/deprecations",
    "/v2/results/{session_id}",
    "/v2/clients/{client_id}/assignments",
    "/v2/clients/{client_id}/assignments/{id}/responses",
    "/v2/tenants/{tenant_id}/kpis/{kpi_id}",
    "/v2/scores",
    "/v2/documents/search",
    "/v2/scores/distribution",
    "/v2/migrations/{id}/rows",
    "/v2/switches/{migration_id}",
    "/openapi.json",
}


def test_it_describes_every_route_its_errors_and_how_to_sign_in(viewer: Any) -> None:
    document = viewer.get("/trueup/api/openapi.json").json()
    assert set(document["paths"]) == ROUTES
    assert {scheme["type"] for scheme in document["components"]["securitySchemes"].values()} == {"oauth2", "http"}
    for path, methods in document["paths"].items():
        assert methods.keys() <= {"get", "post", "put"}, path
        for method in methods.values():
            assert method["security"], path
            assert method["description"], path
            problems = {status for status in method["responses"] if int(status) >= 400}
            assert {"401", "403", "405", "500"} <= problems
            for status in problems:
                assert set(method["responses"][status]["content"]) == {"application/problem+json"}, (path, status)
            assert method.get("deprecated", False) is path.startswith("/v1/")
            done = method["responses"].get("200") or method["responses"]["201"]
            assert done["content"]["application/json"]["schema"], path
    old = document["paths"]["/v1/results/{session_id}"]["get"]["responses"]
    for response in old.values():
        assert {"Deprecation", "Sunset", "Link"} <= set(response["headers"])
    assert "Retry-After" in old["503"]["headers"]
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_no_route_answers_without_a_token(signed_in: Client, application: Any) -> None:
    from trueup_airflow.api.app import app

    nobody = client_of(application)
    walked = [route for route in app.routes if isinstance(route, APIRoute)]
    assert {route.path for route in walked} >= {*ROUTES, "/docs", "/docs/{name}"}
    for route in walked:
        for method in route.methods:
            for path in (route.path, re.sub(r"\{\w+\}", "docs.js", route.path)):
                answer = nobody.request(method, f"/trueup/api{path}")
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
    assert len([route for route in app.routes if not isinstance(route, APIRoute)]) == 0


def test_the_page_loads_nothing_from_elsewhere_and_is_for_those_who_are_signed_in(application: Any) -> None:
    person = client_of(application, "vera", "viewer")
    person.cookies.set("_token", person.headers.pop("Authorization").removeprefix("Bearer "))
    page = person.get("/trueup/api/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'; style-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 4
    for each in (*loaded, "docs/LICENSE"):
        file = person.get(f"/trueup/api/{each}")
        assert (file.status_code, file.headers["cache-control"]) == (200, "private, max-age=3600"), each
    assert "Apache License" in file.text
    for name in ("nothing.js", "..%2fdocs.py", "..%5cdocs.py"):
        assert person.get(f"/trueup/api/docs/{name}").status_code == 404
    assert person.get("/trueup/api/redoc").status_code == 404
