"""By keyboard alone, from the list of migrations to the report: what a person presses, and where the focus then is.

Nothing here points, clicks or sets the focus: each key goes to whatever has it.
"""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from include.console import outcome
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore

from .airflow_pages import RUN_SECONDS, AirflowPages, Server
from .conftest import Shot
from .test_buttons import _fill, store

__all__ = ["store"]

DAG = "checkins"
LONG = RUN_SECONDS * 1000
SEEN = """() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  return {
    lost: at === document.body,
    outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 && style.outlineColor !== "rgba(0, 0, 0, 0)",
    inWindow: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""


def _at(page: Page) -> str:
    """What has the focus, as a screen reader has it: `link "Open report"`. It can be seen that it does."""
    seen: dict[str, Any] = page.evaluate(SEEN)
    if seen["lost"]:
        return ""
    said = page.locator("*:focus").aria_snapshot().split("\n")[0].removeprefix("- ")
    assert seen["outline"], f"nothing shows that {said} has the focus"
    assert seen["inWindow"], f"{said} has the focus, and is out of sight"
    return said


def _tab(page: Page, to: str, *, key: str = "Tab", most: int) -> str:
    """Press the key until the focus is at what is called so, at most so many times; what it is."""
    passed: list[str] = []
    for _ in range(most):
        page.keyboard.press(key)
        if re.search(to, said := _at(page)):
            return said
        passed.append(said)
    raise AssertionError(f"{most} times {key}, and never at {to}: {passed}")


def test_from_the_list_to_the_report_by_keyboard_alone(
    admin: AirflowPages, server: Server, store: DynamoDBStore, shot: Shot
) -> None:
    page, press = admin.page, admin.page.keyboard.press
    _fill(store)
    page.goto("/trueup/pages/")
    expect(page.get_by_test_id(f"migration-{DAG}")).to_be_visible()
    _tab(page, '^searchbox "Filter migrations"', most=3)
    page.keyboard.type(DAG)
    expect(page.get_by_test_id("migrations").get_by_role("listitem")).not_to_have_count(0)
    # a run that another test has seen proven may still be at its last task: Airflow's run goes on
    start = page.get_by_test_id(f"migration-{DAG}").get_by_role("link", name=re.compile("^(Run|Plan) …"))
    expect(start).to_be_visible(timeout=LONG)
    _tab(page, '^link "(Run|Plan) …', most=20)  # past the days of a backfill, where there was one
    press("Enter")

    expect(page.get_by_test_id("start-form")).to_be_visible()
    mode = page.get_by_test_id("field-mode")
    _tab(page, '^combobox "Mode', most=8)
    press("Home")
    first = mode.input_value()
    press("End")
    expect(mode).not_to_have_value(first)
    press("Home" if first == '"apply"' else "End")
    expect(mode).to_have_value('"apply"')
    _tab(page, '^checkbox "A person approves', most=4)
    expect(page.locator("*:focus")).to_be_checked()
    press("Space")
    expect(page.locator("*:focus")).not_to_be_checked()
    press("Space")
    _tab(page, '^button "Start the run"', most=10)
    shot(page, "keyboard-form")
    press("Enter")

    run_id = admin.run_id()
    assert "/trueup/pages/run?" in page.url  # on its own it stays on its own
    expect(page.get_by_test_id("comment")).to_be_visible(timeout=LONG)
    for at_once in ("where", "comment", "total-add"):  # without scrolling
        expect(page.get_by_test_id(at_once)).to_be_in_viewport()
    expect(page.get_by_test_id("step-validate")).to_be_hidden()
    expect(page).to_have_title(re.compile("^Check-ins – Waiting for approval"))
    listed = page.request.get("/trueup/pages/data/migrations").json()["migrations"]
    assert listed[0]["state"] == "waiting for approval"
    _tab(page, '^textbox "Comment', most=8)
    page.keyboard.type("read by ")
    page.wait_for_timeout(5_000)  # as a person who reads; the page asks for news meanwhile
    assert _at(page).startswith('textbox "Comment')
    page.keyboard.type("keyboard")
    _tab(page, '^button "Approve"', most=1)
    _tab(page, '^button "Reject"', most=1)
    _tab(page, '^textbox "Comment', key="Shift+Tab", most=2)
    shot(page, "keyboard-decide")
    _tab(page, '^button "Approve"', most=1)
    press("Enter")
    answered = page.locator("#said")  # the buttons have gone with the question
    expect(answered).to_be_focused()
    assert _at(page)
    expect(answered).to_contain_text("Answered: Approve")

    expect(page.get_by_test_id("verdict")).to_contain_text("Proven", timeout=LONG)
    written, steps = page.get_by_test_id("progress").bounding_box(), page.get_by_test_id("steps").bounding_box()
    assert written
    assert steps
    assert written["y"] < steps["y"]
    _tab(page, "^.*Steps", most=40)
    press("Enter")
    expect(page.get_by_test_id("step-validate")).to_be_visible()
    names = page.get_by_test_id("steps").get_by_role("link").all_text_contents()
    assert len(names) == len({*names}) > 10  # none is called as another
    press("Space")
    expect(page.get_by_test_id("step-validate")).to_be_hidden()
    _tab(page, '^tab "Plan', most=4)
    press("ArrowRight")
    assert _at(page).startswith('tab "Rows')
    expect(page.get_by_test_id("rows-total")).to_be_visible()
    press("End")
    assert _at(page).startswith('tab "Findings')
    press("Home")
    assert _at(page).startswith('tab "Plan')
    _tab(page, '^link "Open report"', key="Shift+Tab", most=20)
    shot(page, "keyboard-proven")
    with page.context.expect_page() as opened:
        press("Enter")
    report = opened.value
    expect(report.get_by_text("read by keyboard").first).to_be_visible()
    report.keyboard.press("Tab")
    assert _at(report)
    found = outcome.read(Workspace(server.workspace), DAG, run_id)
    assert found is not None
    assert found.passed
