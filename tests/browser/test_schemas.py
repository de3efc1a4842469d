"""A run on schemas: its plan is read, approved and carried out, revision by revision, on its page."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

from playwright.sync_api import expect

from .airflow_pages import RUN_SECONDS, AirflowPages
from .conftest import Shot

DAG = "platform_schema"
PAGES = "/trueup/pages"
LONG = RUN_SECONDS * 1000


def test_the_plan_of_schemas_is_read_approved_and_run_revision_by_revision(admin: AirflowPages, shot: Shot) -> None:
    page = admin.page
    asked = quote(json.dumps({"mode": "plan", "target_phase": 1}))
    page.goto(f"{PAGES}/start?dag_id={DAG}#{asked}")
    page.get_by_test_id("start").click()
    page.goto(f"{PAGES}/run?dag_id={DAG}&run_id={quote(admin.run_id(), safe='')}")
    again = page.get_by_test_id("offer-run")
    expect(again).to_be_visible(timeout=LONG)
    steps = page.get_by_test_id("schema-steps")
    expect(steps).to_contain_text("user_rules")
    steps.locator("summary").last.click()
    expect(steps.locator("pre").last).to_contain_text("CREATE TABLE")
    shot(page, "schema-plan")

    again.click()
    expect(page.get_by_test_id("field-target_phase")).to_have_value(re.compile("1"))
    page.get_by_test_id("start").click()
    page.goto(f"{PAGES}/run?dag_id={DAG}&run_id={quote(admin.run_id(), safe='')}")
    expect(page.get_by_test_id("comment")).to_be_visible(timeout=LONG)
    expect(page.get_by_test_id("schema-steps")).to_contain_text("user_rules")
    shot(page, "schema-question")
    page.get_by_test_id("decide-approve").click()
    done = page.get_by_test_id("revisions-done")
    expect(done).to_be_visible(timeout=LONG)
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "proven", timeout=LONG)
    expect(page.locator("[data-testid^=revision-]").last).to_have_attribute("data-state", "done")
    shot(page, "schema-done")
    page.goto(f"{PAGES}/schemas?dag_id={DAG}")
    expect(page.get_by_test_id("phase")).to_contain_text("Every database is at phase 1")
