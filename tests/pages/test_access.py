"""Who gets what: every route, by role; headers on every answer; nothing of the file system by way of an address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import EMPTY, PAGES, RUN, Client

PUBLIC = {"/static"}
OF_A_DAG = ("/history", "/cutover", "/rollback", "/backfills", "/start", "/lens", "/schemas", "/expectation")
FILES = ("report.html", "report.json", "report.md", "rejects.jsonl", "rejects.csv", "findings.csv")


def routes() -> Iterator[Any]:
    from trueup_airflow.pages.app import app

    yield from (route for route in app.routes if route.path not in PUBLIC)  # type: ignore[attr-defined]


def address(route: Any) -> str:
    filled = {"dag_id": "kpi_linking", "run_id": RUN.replace("+", "%2B"), "number": "1", "name": "index.html"}
    path = route.path.format(**filled) if "{" in route.path else route.path
    query = dict.fromkeys(OF_A_DAG, "?dag_id=kpi_linking")
    query["/run"] = f"?dag_id=kpi_linking&run_id={filled['run_id']}"
    query[f"/data/dags/{filled['dag_id']}/lens"] = "?key=x"
    query[f"/data/dags/{filled['dag_id']}/runs/{filled['run_id']}/rows/one"] = "?at=plan/links/p000.parquet:0"
    query[f"/data/dags/{filled['dag_id']}/expectation"] = "?gate=plan&result=counts&rule=counts.add_up"
    return f"{PAGES}{path}{query.get(path, '')}"


def of_a_dag(route: Any) -> bool:
    return "dag_id" in route.path or route.path in ("/run", *OF_A_DAG)


def test_there_are_routes_and_none_changes_anything(application: Any) -> None:
    found = list(routes())
    assert len(found) >= 15
    assert {method for route in found for method in route.methods} == {"GET"}


def test_every_route_asks_who_it_is_and_what_they_may(viewer: Any, signed_in: Client) -> None:
    wrong = []
    for route in routes():
        url = address(route)
        got = {
            "anonymous": signed_in().get(url).status_code,
            "no right": signed_in(None).get(url).status_code,
            **{role: signed_in(role).get(url).status_code for role in ("viewer", "user", "admin")},
        }
        # what belongs to no DAG shows those that the user may read: none
        expected = {
            "anonymous": 401,
            "no right": 403 if of_a_dag(route) else 200,
            "viewer": 200,
            "user": 200,
            "admin": 200,
        }
        if got != expected:
            wrong.append((url, got))
    assert wrong == []


def test_who_may_read_nothing_sees_no_migration(viewer: Any, signed_in: Client) -> None:
    assert signed_in(None).get(f"{PAGES}/data/migrations").json()["migrations"] == []
    assert viewer.get(f"{PAGES}/data/migrations").json()["migrations"] != []


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json"])
def test_the_app_describes_itself_to_nobody(viewer: Any, path: str) -> None:
    assert viewer.get(f"{PAGES}/{path}").status_code == 404


def test_every_answer_has_the_headers(viewer: Any, signed_in: Client) -> None:
    urls = [address(route) for route in routes()] + [f"{PAGES}/nothing"]
    for client in (viewer, signed_in()):
        for url in urls:
            headers = client.get(url).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy, url
            assert "frame-ancestors 'self'" in policy, url
            assert "unsafe" not in policy, url
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "same-origin"


def test_static_files_are_public_and_have_the_policy(signed_in: Client) -> None:
    answer = signed_in().get(f"{PAGES}/static/run.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-cache"


def test_scripts_and_styles_are_kept_by_the_browser_under_the_address_of_their_version(viewer: Any) -> None:
    page = viewer.get(f"{PAGES}/").text
    found = set(re.findall(r'(?:src|href)="(static/[^"]+)"', page))
    assert len(found) == 4  # icon, theme, styles, script
    for address in found:
        answer = viewer.get(f"{PAGES}/{address}")
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True), address
    assert "immutable" not in viewer.get(f"{PAGES}/{min(found).rpartition('/')[0]}/nothing.js").headers["cache-control"]


@pytest.mark.parametrize(
    "run",
    [
        "../kpi_linking",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%2f..%2fsecrets.json",
        "%2fetc%2fpasswd",
        "..",
        "%2e%2e",
        "%00",
        "~",
        "nothing",
    ],
)
@pytest.mark.parametrize("rest", ["", "/plan", "/findings", "/files/report.json", "/files/rejects.jsonl"])
def test_an_address_that_is_no_run_is_not_found(viewer: Any, run: str, rest: str) -> None:
    answer = viewer.get(f"{PAGES}/data/dags/kpi_linking/runs/{run}{rest}")
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "name",
    ["secrets.json", "run.json", "..%2frun.json", "report.html%00.json", "manifests%2fplan%2f000.json", "%2e%2e/x"],
)
def test_a_file_that_is_not_listed_is_not_found(viewer: Any, name: str) -> None:
    url = f"{PAGES}/data/dags/kpi_linking/runs/{RUN.replace('+', '%2B')}/files/{name}"
    assert viewer.get(url).status_code == 404


@pytest.mark.parametrize("name", ["..%2fapp.py", "%2e%2e/app.py", "../views.py", "..%5c..%5capp.py"])
def test_static_files_are_only_those(viewer: Any, name: str) -> None:
    assert viewer.get(f"{PAGES}/static/{name}").status_code == 404


def test_ids_in_a_shell_are_attributes_and_nothing_else(viewer: Any) -> None:
    answer = viewer.get(f"{PAGES}/history", params={"dag_id": '"><script>alert(1)</script>'})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert 'data-dag="&quot;&gt;&lt;script&gt;alert(1)' in answer.text


def test_a_report_runs_no_script_and_only_its_own_style(viewer: Any) -> None:
    url = f"{PAGES}/data/dags/kpi_linking/runs/{RUN.replace('+', '%2B')}/files/report.html"
    answer = viewer.get(url)
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "sandbox" in policy
    assert policy.split("style-src ")[1].startswith("'sha256-")
    assert policy.split("style-src ")[1].split(";")[0] in answer.text  # the report's own policy names the same hash
    assert "attachment" not in answer.headers.get("content-disposition", "")
    assert "attachment" in viewer.get(f"{url}?download=true").headers["content-disposition"]


@pytest.mark.parametrize("name", ["index.html", "01-results.html"])
def test_data_docs_are_in_a_sandbox_without_scripts(viewer: Any, name: str) -> None:
    url = f"{PAGES}/data/dags/kpi_linking/runs/{RUN.replace('+', '%2B')}/docs/{name}"
    answer = viewer.get(url)
    policy = [part.strip() for part in answer.headers["content-security-policy"].split(";")]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert not any(part.startswith("script-src") for part in policy)
    style = next(part for part in policy if part.startswith("style-src"))
    assert f"content=\"default-src 'none'; {style};" in answer.text
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    "name", ["..%2fplan.json", "%2e%2e/plan.json", "nothing.html", "index.html%00", ".html", "I.html"]
)
def test_data_docs_are_only_those(viewer: Any, name: str) -> None:
    url = f"{PAGES}/data/dags/kpi_linking/runs/{RUN.replace('+', '%2B')}/docs/{name}"
    assert viewer.get(url).status_code == 404


def test_a_run_without_data_docs_says_how_to_have_them(viewer: Any) -> None:
    answer = viewer.get(f"{PAGES}/data/dags/kpi_linking/runs/{EMPTY.replace('+', '%2B')}/docs/index.html")
    assert answer.status_code == 404
    assert "make data-docs RUN=" in answer.json()["detail"]


def test_who_has_the_data_already_gets_no_full_answer(viewer: Any) -> None:
    url = f"{PAGES}/data/dags/kpi_linking/runs/{RUN.replace('+', '%2B')}"
    first = viewer.get(url)
    name = first.headers["etag"]
    again = viewer.get(url, headers={"If-None-Match": name})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", name)
    assert "default-src 'none'" in again.headers["content-security-policy"]
    other = viewer.get(url, headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.json()) == (200, first.json())
