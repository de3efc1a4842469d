"""The description of the API: complete, and for those who are signed in."""

from __future__ import annotations

from typing import Any

from .conftest import Client

ROUTES = {
    "/v1/results/{session_id}",
    "/v2/results/{session_id}",
    "/v2/clients/{client_id}/assignments",
    "/v2/tenants/{tenant_id}/kpis/{kpi_id}",
    "/v2/scores",
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
        assert methods.keys() <= {"get", "put"}, path
        for method in methods.values():
            assert method["security"], path
            assert method["description"], path
            problems = {status for status in method["responses"] if int(status) >= 400}
            assert {"401", "403", "405", "500"} <= problems
            for status in problems:
                assert set(method["responses"][status]["content"]) == {"application/problem+json"}, (path, status)
            assert method.get("deprecated", False) is path.startswith("/v1/")
            assert method["responses"]["200"]["content"]["application/json"]["schema"], path
    old = document["paths"]["/v1/results/{session_id}"]["get"]["responses"]
    for response in old.values():
        assert {"Deprecation", "Sunset", "Link"} <= set(response["headers"])
    assert "Retry-After" in old["503"]["headers"]
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_it_is_for_those_who_are_signed_in_and_there_are_no_pages(signed_in: Client, viewer: Any) -> None:
    assert signed_in().get("/trueup/api/openapi.json").status_code == 401
    for page in ("docs", "redoc"):
        assert viewer.get(f"/trueup/api/{page}").status_code == 404
