"""The pages from the first click to the proof, by keyboard alone: plan, apply that very plan, decide, watch; what a viewer is
not offered; and what a screen reader, a small screen and production get to see."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FrameLocator, Page, expect

from include.console import outcome
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import items

from .airflow_pages import RUN_SECONDS, AirflowPages, Server
from .conftest import NARROW, Shot, SignIn

DAG = "kpi_linking"
PAGES = "/trueup/pages"


def _press(page: Page, frame: FrameLocator, testid: str) -> None:
    """Come to what it is, and press Enter."""
    wanted = frame.get_by_test_id(testid)
    expect(wanted).to_be_visible()
    wanted.focus()
    expect(wanted).to_be_focused()
    page.keyboard.press("Enter")


def _begun(page: Page) -> str:
    """The id of the run that the form has led to."""
    page.wait_for_url(re.compile(r"/runs/.*/plugin/migration"))
    return page.url.split("/runs/")[1].split("/")[0].replace("%3A", ":").replace("%2B", "+")


def _something_to_add(store: DynamoDBStore) -> None:
    """One more milestone of a KPI that has links, where other tests have brought all others over."""
    if "purposepath-kpi-data" not in store.client.list_tables()["TableNames"]:
        return
    written = {row["legacy_id"]["S"] for row in items(store, "purposepath-kpi-data")}
    legacy = next(row for row in items(store, "purposepath-kpi-milestones") if row["id"]["S"] in written)
    more = {**legacy, "id": {"S": f"one more milestone, {uuid4()}"}}
    store.client.put_item(TableName="purposepath-kpi-milestones", Item=more)


def test_from_the_card_to_the_proof_by_keyboard(
    admin: AirflowPages, server: Server, kpi_store: DynamoDBStore, shot: Shot
) -> None:
    page, frame = admin.page, admin.frame()
    _something_to_add(kpi_store)
    page.goto("/plugin/migrations")
    card = frame.get_by_test_id(f"migration-{DAG}")
    expect(card.get_by_text("Brings four legacy DynamoDB tables")).to_be_visible()
    expect(card.get_by_test_id("place-kpi_dynamodb")).to_contain_text("dynamodb://127.0.0.1:")
    shot(page, "card")
    _press(page, frame, f"run-{DAG}")
    form = frame.get_by_test_id("start-form")
    expect(form).to_be_visible()
    form.get_by_test_id("field-mode").select_option(label="Plan: read and compare only; nothing is written")
    _press(page, frame, "start")
    planned = _begun(page)
    apply = frame.get_by_test_id("offer-apply")
    expect(apply).to_be_visible(timeout=RUN_SECONDS * 1000)
    expect(frame.get_by_test_id("total-add")).not_to_have_text("0")
    expect(frame.get_by_test_id("steps-summary")).to_contain_text("skipped")
    shot(page, "plan-to-apply")
    apply.focus()
    page.keyboard.press("Enter")
    expect(frame.get_by_test_id("only-this-plan")).to_be_visible()
    expect(frame.get_by_test_id("field-plan")).to_have_value(re.compile("^[0-9a-f]{64}$"))
    _press(page, frame, "start")
    page.wait_for_url(lambda url: planned not in url.replace("%3A", ":").replace("%2B", "+"))
    run_id = _begun(page)

    comment = frame.get_by_test_id("comment")
    expect(comment).to_be_visible(timeout=RUN_SECONDS * 1000)
    comment.focus()
    page.keyboard.type("the plan that I ")
    polls: list[int] = []
    page.on("response", lambda answer: polls.append(answer.status) if f"/data/dags/{DAG}/runs/" in answer.url else None)
    page.wait_for_timeout(5000)  # as a person who thinks: the page asks for news meanwhile
    assert 304 in polls  # and while there are none, gets no full answer
    expect(comment).to_be_focused()
    page.keyboard.type("read")
    expect(comment).to_have_value("the plan that I read")
    shot(page, "decide")
    page.keyboard.press("Tab")
    expect(frame.get_by_test_id("decide-approve")).to_be_focused()
    page.keyboard.press("Enter")
    expect(frame.get_by_test_id("progress")).to_be_visible(timeout=RUN_SECONDS * 1000)
    shot(page, "watching")
    expect(frame.get_by_test_id("verdict")).to_contain_text("Proven", timeout=RUN_SECONDS * 1000)
    expect(frame.get_by_test_id("approval")).to_contain_text("the plan that I read")
    expect(frame.get_by_test_id("offer-roll_back")).to_be_visible()
    found = outcome.read(Workspace(server.workspace), DAG, run_id)
    assert found is not None
    assert found.passed


def test_a_viewer_is_offered_nothing_and_every_page_reads_well(sign_in: SignIn, server: Server, shot: Shot) -> None:
    runs = server.api._call("GET", f"/api/v2/dags/{DAG}/dagRuns?order_by=-id&limit=1")["dag_runs"]
    run = f"{PAGES}/run?dag_id={DAG}&run_id={quote(runs[0]['dag_run_id'], safe='')}"
    schemas, start = f"{PAGES}/schemas?dag_id=platform_schema", f"{PAGES}/start?dag_id={DAG}"
    pages = {"migrations": f"{PAGES}/", "run": run, "schemas": schemas, "start": start}
    pages["expectation"] = f"{PAGES}/expectation?dag_id={DAG}&gate=plan&result=counts&rule=counts.add_up"
    for dark, size in ((False, {"width": 1440, "height": 900}), (True, NARROW), (False, {"width": 400, "height": 800})):
        vera = sign_in("vera", dark=dark, size=size)
        for name, address in pages.items():
            vera.page.goto(address)
            expect(vera.page.locator("#view")).to_have_attribute("aria-busy", "false")
            for kind in ("offer-", "decide-", f"run-{DAG}", f"rollback-{DAG}", f"cutover-{DAG}"):
                expect(vera.page.locator(f"[data-testid^={kind}]")).to_have_count(0)
            shot(vera.page, f"{name}-{'dark' if dark else 'light'}-{size['width']}")
            wide: int = vera.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, f"{name} is wider than its window"
            found: dict[str, Any] = Axe().run(vera.page).response
            assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == [], name
        vera.page.goto(start)
        expect(vera.page.get_by_test_id("may-not-start")).to_be_visible()
