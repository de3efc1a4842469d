"""A film-strip of every page: light and dark, wide, narrow and at 150 %; each reads well to a screen reader, and none is wider
than its window. Pictures go to `strip/` among the artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from trueup_airflow.pages.shell import TITLES

from .airflow_pages import AirflowPages, Server
from .conftest import ARTIFACTS, SignIn

DAG = "kpi_linking"
OF = {"schemas": "platform_schema"}
"""Views that are of another kind of migration."""
TABS = ("plan", "rows", "judged", "proof", "findings")


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
    expect(pages.page.locator("#view")).to_have_attribute("aria-busy", "false")
    expect(pages.page.get_by_test_id("error")).to_have_count(0)
    pages.page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("name", LOOKS)
def test_every_page_reads_well(name: str, sign_in: SignIn, server: Server, a_key: str) -> None:
    look = LOOKS[name]
    pages = sign_in("admin", dark=look.dark, size=look.size, zoom=look.zoom)
    strip = ARTIFACTS / "strip"
    strip.mkdir(parents=True, exist_ok=True)
    addresses = _pages(server, a_key)
    assert {address.split("-")[0].split("_")[0] for address in addresses} >= set(TITLES) - {"turn"}
    wrong: dict[str, Any] = {}
    for page, address in addresses.items():
        _open(pages, address)
        pages.page.screenshot(path=strip / f"{page}-{name}.png", full_page=True, animations="disabled")
        wide = pages.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            wrong[page] = f"{wide} pixels wider than its window"
        if broken := Axe().run(pages.page).response["violations"]:
            wrong[page] = [(v["id"], [n["html"][:300] for n in v["nodes"]]) for v in broken]
    assert not wrong
