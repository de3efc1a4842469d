"""A film-strip of every page: light and dark, wide, narrow and at 150 %; each reads well to a screen reader, and none is wider
than its window. Pictures go to `strip/` among the artifacts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from include import project
from include.migrations.platform_schema import sample
from include.trueup.report import data_docs
from include.trueup.run import Files, run_id
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from trueup_airflow.pages.shell import TITLES

from .airflow_pages import RUN_SECONDS, AirflowPages, Server
from .conftest import ARTIFACTS, SignIn

DAG = "kpi_linking"
SCHEMAS = "platform_schema"
OF = {"schemas": SCHEMAS}
"""Views that are of another kind of migration."""
TABS = ("plan", "rows", "gates", "proof", "findings")


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a page is looked at: the window in CSS pixels, by how much it is zoomed, light or dark."""

    size: Mapping[str, int]
    dark: bool = False
    zoom: float = 1


LOOKS = {
    "wide": Look(size={"width": 1440, "height": 900}),
    "dark": Look(size={"width": 1440, "height": 900}, dark=True),
    "zoomed": Look(size={"width": 960, "height": 600}, zoom=1.5),
    "narrow": Look(size={"width": 400, "height": 800}),
    "narrow-dark": Look(size={"width": 400, "height": 800}, dark=True),
}


def _newest(server: Server, dag_id: str) -> list[str]:
    runs = server.api._call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=-id&limit=50")["dag_runs"]
    return [run["dag_run_id"] for run in runs]


@pytest.fixture(scope="module")
def schema_runs(server: Server) -> Iterator[dict[str, str]]:
    """A run on schemas that has gone up, and one that waits with its plan to go down; by a name, Airflow's ids."""

    def store(conn_id: str) -> PostgresStore:
        said = server.connection(conn_id)
        return PostgresStore(f"host={said['host']} user={said['login']} dbname={said['schema']}")

    def over(run: str, *states: str) -> str:
        deadline = time.monotonic() + RUN_SECONDS
        while (state := _state(server, run)) not in states:
            assert time.monotonic() < deadline, state
            time.sleep(0.5)
        return state

    server.wait_for_dag(SCHEMAS)
    sample.fill(store)
    up = server.api.trigger(SCHEMAS, {"target_phase": 2, "approval": False, "realign": True})
    assert over(up, "success", "failed") == "success"
    down = server.api.trigger(SCHEMAS, {"target_phase": 0})
    assert over(down, "waits", "success", "failed") == "waits"
    yield {"schema-up": up, "schema-down": down}
    time.sleep(5)  # an answer that comes sooner may be lost (`pages/questions.py`)
    path = f"/api/v2/dags/{SCHEMAS}/dagRuns/{quote(down)}/taskInstances/approve/-1/hitlDetails"
    server.api._call("PATCH", path, {"chosen_options": ["Reject"], "params_input": {}})
    assert over(down, "success", "failed") == "failed"


def _state(server: Server, run: str) -> str:
    """The run's state; `waits` where a person is asked."""
    tasks = {each["task_id"]: each["state"] for each in server.api.task_instances(SCHEMAS, run)}
    return "waits" if tasks.get("approve") == "awaiting_input" else server.api.run_state(SCHEMAS, run)


def _docs(server: Server) -> str:
    """Where the Data Docs are of the newest run that has results; they are built."""
    project.load_expectations()
    for run in _newest(server, DAG):
        files = Files(Workspace(server.workspace).run(run_id(DAG, run)))
        if any(True for _ in files.native()):
            data_docs.build(files)
            return f"data/dags/{DAG}/runs/{quote(run, safe='')}/docs"
    raise AssertionError("no run has results of Great Expectations")


def _pages(server: Server, key: str) -> dict[str, str]:
    """Every page by a name, below the root of the pages; the view comes first in the name."""
    found = {"migrations": "", "lens": f"lens?{urlencode({'dag_id': DAG, 'key': key})}"}
    for view in set(TITLES) - {"migrations", "run", "turn", "start", "lens"}:
        found[view] = f"{view}?dag_id={OF.get(view, DAG)}"
    found["expectation"] += "&gate=plan&result=counts&rule=counts.add_up"
    for tail in ("", "_rollback", "_cutover"):
        found[f"start{tail}"] = f"start?dag_id={DAG}{tail}"
        view = "turn" if tail == "_cutover" else "run"
        for run in _newest(server, DAG + tail)[:1]:
            found[f"{view}{tail}"] = f"run?dag_id={DAG}{tail}&run_id={quote(run, safe='')}"
    found |= {f"run-{tab}": f"{found['run']}#{tab}" for tab in TABS if "run" in found}
    return found


def _open(pages: AirflowPages, address: str) -> None:
    pages.page.goto("about:blank")  # a fragment alone would load nothing anew
    pages.page.goto(f"/trueup/pages/{address}")
    if "/docs/" in address:
        return
    expect(pages.page.locator("#view")).to_have_attribute("aria-busy", "false")
    expect(pages.page.get_by_test_id("error")).to_have_count(0)
    tab = address.partition("#")[2]
    if tab in TABS:
        expect(pages.page.get_by_test_id(f"panel-{tab}")).to_be_visible()
    pages.page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("name", LOOKS)
def test_every_page_reads_well(
    name: str, sign_in: SignIn, server: Server, a_key: str, schema_runs: Mapping[str, str]
) -> None:
    look = LOOKS[name]
    pages = sign_in("admin", dark=look.dark, size=look.size, zoom=look.zoom)
    strip = ARTIFACTS / "strip"
    strip.mkdir(parents=True, exist_ok=True)
    addresses = _pages(server, a_key)
    for each, run in schema_runs.items():
        addresses[f"run-{each}"] = f"run?dag_id={SCHEMAS}&run_id={quote(run, safe='')}"
    docs = _docs(server)
    addresses |= {f"docs-{page}": f"{docs}/{page}.html" for page in ("index", "01-results", "01-expectations")}
    assert {address.split("-")[0].split("_")[0] for address in addresses} >= {*TITLES, "docs"} - {"turn"}
    wrong: dict[str, Any] = {}
    for page, address in addresses.items():
        _open(pages, address)
        pages.page.screenshot(path=strip / f"{page}-{name}.png", full_page=True, animations="disabled")
        wide = pages.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            wrong[page] = f"{wide} pixels wider than its window"
        if "/docs/" in address:  # in their sandbox no script runs, so Axe looks at the same page without it
            content = pages.page.request.get(f"/trueup/pages/{address}").text()
            pages.page.goto("about:blank")
            pages.page.set_content(content)
        if broken := Axe().run(pages.page).response["violations"]:
            wrong[page] = [(v["id"], [n["html"][:300] for n in v["nodes"]]) for v in broken]
    assert not wrong


def test_a_run_on_schemas_shows_what_it_will_run_lock_and_take(
    admin: AirflowPages, schema_runs: Mapping[str, str]
) -> None:
    run = quote(schema_runs["schema-down"], safe="")
    _open(admin, f"run?dag_id={SCHEMAS}&run_id={run}")
    tabs = admin.page.get_by_role("tab").locator("visible=true")
    assert [tab.split()[0] for tab in tabs.all_text_contents()] == ["Plan", "Gates"]
    steps = admin.page.get_by_test_id("schema-steps")
    for told in ("specs_0001", "table user_rules (0 rows)", "user_rules (AccessExclusiveLock)", "Dropping a table"):
        expect(steps).to_contain_text(told)
    steps.get_by_text("SQL of specs_0001 down").click()
    expect(steps.get_by_text("DROP TABLE user_rules")).to_be_visible()
    _open(admin, "")
    expect(admin.page.get_by_test_id(f"migration-{SCHEMAS}")).to_contain_text("it waits for approval")
