"""Points of the pages that need no run of their own: of the newest run that is there, and of scripts that are given a case."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from .airflow_pages import AirflowPages, Server

DAG = "kpi_linking"
PAGES = "/trueup/pages"
STEP = {"task_id": "links.apply", "group": "links", "name": "apply", "state": "running", "started_at": None}
WRITING = {"phase": "links", "title": "Links", "rows": 2_000, "total": 4_399, "removes": 0, "conflicts": 0}
WRITING |= {"retries": 0, "limit": None, "rate": 11_485, "left": 0.2}


@pytest.fixture
def page(admin: AirflowPages, server: Server) -> Page:
    """The page of the newest run that has ended well."""
    path = f"/api/v2/dags/{DAG}/dagRuns?order_by=-id&limit=1&state=success"
    (run,) = server.api._call("GET", path)["dag_runs"]
    admin.page.goto(f"{PAGES}/run?dag_id={DAG}&run_id={quote(run['dag_run_id'], safe='')}")
    expect(admin.page.get_by_test_id("verdict")).to_be_visible()
    return admin.page


def _shown(page: Page, module: str, call: str, given: dict[str, Any]) -> str:
    """The text of what a module makes of a case."""
    script = f"async (given) => {{ const made = await import('{PAGES}/static/{module}'); return {call}.textContent; }}"
    return str(page.evaluate(script, given))


def test_a_rejected_row_is_opened_from_its_finding(page: Page) -> None:
    page.get_by_role("tab", name="Findings").click()
    page.get_by_test_id("filter-severity").select_option("reject")
    # the rows move up when the answer is there: a click before that goes to another
    expect(page.locator("#panel-findings [aria-busy]")).to_have_count(0)
    finding = page.get_by_test_id("finding").filter(has_text="Open the rejected row").first
    key = str(finding.locator("td.key code").text_content())
    finding.get_by_test_id("open-row").click()
    expect(page.get_by_role("tab", name="Rows")).to_have_attribute("aria-selected", "true")
    row = page.get_by_test_id("row").first
    expect(row).to_contain_text(key)
    row.locator("summary").click()
    expect(row.get_by_test_id("whole-row").locator("dd").first).to_be_visible()


def test_who_stands_still_is_said_to(page: Page) -> None:
    ago = str(page.evaluate("new Date(Date.now() - 27000).toISOString()"))
    run = {"ended": False, "steps": [STEP], "waits": [], "revisions": [], "applied": [{**WRITING, "last_at": ago}]}
    said = _shown(page, "steps.js", "made.progress(given)", run)
    assert "2,000 of 4,399 rows" in said
    assert "stalled for 27 s" in said or "stalled for 28 s" in said
    assert "its task runs, and has entered no batch since" in said
    assert "rows/s" not in said
    assert "left" not in said


def test_a_question_about_costs_has_them(page: Page) -> None:
    question = {"task_id": "approve_cost", "part": -1, "subject": "Embed?", "since": None, "may_answer": True}
    question |= {"plan_sha256": "0" * 64, "gives": {}, "options": ["Approve", "Reject"]}
    call = "made.decide(given.question, {cost: given.cost})"
    said = _shown(page, "decide.js", call, {"question": question, "cost": {"texts": "3,000", "price": "0.06 USD"}})
    assert "texts3,000" in said
    assert "price0.06 USD" in said
