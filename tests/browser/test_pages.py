"""The pages from the card to the proof, by keyboard alone: start, decide, watch; what a viewer is
not offered; and what a screen reader, a small screen and production get to see."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from include.console import outcome
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import items

from .airflow_pages import RUN_SECONDS, AirflowPages, Server
from .conftest import NARROW, Shot, SignIn

DAG = "kpi_linking"
PAGES = "/trueup/pages"


def _focused(page: Page) -> str:
    """What has the focus within our page: its test id, or its id; empty where it is elsewhere."""
    ours = next((frame for frame in page.frames if PAGES in frame.url), None)
    asked = "document.hasFocus() && document.activeElement && (document.activeElement.dataset.testid || document.activeElement.id) || ''"
    return "" if ours is None else str(ours.evaluate(asked))


def _tab_to(page: Page, wanted: str, key: str = "Tab") -> None:
    """Come to what it is by that key alone, as a person without a mouse does."""
    seen = []
    for _ in range(200):
        if (now := _focused(page)) == wanted:
            return
        seen.append(now)
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not come to {wanted}: {seen}")


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
    """Tab, Shift-Tab, Enter, Space and the letters of a comment; nothing is focused but by them."""
    page, frame, keys = admin.page, admin.frame(), admin.page.keyboard
    _something_to_add(kpi_store)
    page.goto("/plugin/migrations")
    card = frame.get_by_test_id(f"migration-{DAG}")
    expect(card.get_by_text("Brings four legacy DynamoDB tables")).to_be_visible()
    expect(card.get_by_test_id("place-kpi_dynamodb")).to_contain_text("dynamodb://127.0.0.1:")
    _tab_to(page, f"dag-{DAG}")  # one of the last of the card, and back to the first
    _tab_to(page, f"run-{DAG}", "Shift+Tab")
    shot(page, "card")
    keys.press("Enter")
    expect(frame.get_by_test_id("start-form")).to_be_visible()
    _tab_to(page, "start")
    keys.press("Space")
    run_id = _begun(page)

    expect(frame.get_by_test_id("comment")).to_be_visible(timeout=RUN_SECONDS * 1000)
    _tab_to(page, "comment")
    keys.type("the plan that I ")
    polls: list[int] = []
    page.on("response", lambda answer: polls.append(answer.status) if f"/data/dags/{DAG}/runs/" in answer.url else None)
    page.wait_for_timeout(5000)  # as a person who thinks: the page asks for news meanwhile
    assert 304 in polls  # and while there are none, gets no full answer
    keys.type("read")
    expect(frame.get_by_test_id("comment")).to_have_value("the plan that I read")
    shot(page, "decide")
    keys.press("Tab")
    assert _focused(page) == "decide-approve"
    keys.press("Shift+Tab")
    assert _focused(page) == "comment"
    _tab_to(page, "decide-approve")
    keys.press("Space")
    expect(frame.get_by_test_id("progress")).to_be_visible(timeout=RUN_SECONDS * 1000)
    assert _focused(page) == "said"  # it is not lost with the question
    _tab_to(page, "steps-summary")
    keys.press("Enter")
    expect(frame.get_by_test_id("step-verdict")).to_be_visible()
    shot(page, "watching")
    expect(frame.get_by_test_id("verdict")).to_contain_text("Proven", timeout=RUN_SECONDS * 1000)
    assert _focused(page) == "steps-summary"  # through all updates
    expect(frame.get_by_test_id("step-verdict")).to_be_visible()
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
        expect(vera.page.get_by_test_id("may-not-start")).to_be_visible()
