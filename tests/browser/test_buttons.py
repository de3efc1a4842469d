"""What the pages offer is pressed: a failed step tried again, a plan applied and rejected with a comment, the failed days of a
range tried again, and its plans applied with one approval."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from include.migrations.checkins import sample, sample_dirt
from include.migrations.checkins.sample_dirt import ASSIGNMENTS, RESPONSES, assignment, n, response, s
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import items, store_at

from .airflow_pages import RUN_SECONDS, AirflowPages, Server
from .conftest import Shot

DAG = "checkins"
PAGES = "/trueup/pages"
LONG = RUN_SECONDS * 1000
CLIENT, FORM = "client-1", "weekly"


@pytest.fixture
def store(server: Server) -> DynamoDBStore:
    """The DynamoDB behind checkins_dynamodb, without any of its tables."""
    found = store_at(server.connection("checkins_dynamodb")["extra"]["endpoint_url"])
    for table in set(sample.TABLES) & set(found.client.list_tables()["TableNames"]):
        found.client.delete_table(TableName=table)
        found.client.get_waiter("table_not_exists").wait(TableName=table)
    return found


def _fill(store: DynamoDBStore) -> None:
    """A series of four weeks with answers for the first two, each given on a day of its own."""
    for table in sample.TABLES:
        sample._create(store.client, table)
    store.client.put_item(TableName=ASSIGNMENTS, Item=assignment("base", CLIENT, FORM))
    for week, day in ((1, "2024-03-04"), (2, "2024-03-05")):
        _answer(store, week, day)
    store.client.put_item(TableName=sample_dirt.FORMS, Item={"id": s(FORM)})


def _answer(store: DynamoDBStore, week: int, day: str, said: int | None = None) -> None:
    row = response(f"answer-{week}", CLIENT, FORM, said or week, submittedAt=s(f"{day}T09:00:00Z"))
    store.client.put_item(TableName=RESPONSES, Item={**row, "recurringWeek": n(week if said is None else said)})


def _approve(page: Page, comment: str) -> None:
    page.get_by_test_id("comment").fill(comment)
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as answered:
        page.get_by_test_id("decide-approve").click()
    assert answered.value.ok


def _alone(page: Page, dag_id: str, run_id: str) -> None:
    """The run's page without Airflow's frame."""
    page.goto(f"{PAGES}/run?dag_id={dag_id}&run_id={quote(run_id, safe='')}")


def test_a_failed_step_is_tried_again_and_what_it_plans_is_applied_and_rejected(
    admin: AirflowPages, store: DynamoDBStore, shot: Shot
) -> None:
    page = admin.page
    asked = quote(json.dumps({"mode": "plan"}))
    page.goto(f"{PAGES}/start?dag_id={DAG}#{asked}")
    expect(page.get_by_test_id("field-mode")).to_have_value('"plan"')
    page.get_by_test_id("start").click()
    _alone(page, DAG, admin.run_id())
    expect(page.get_by_test_id("verdict")).to_contain_text("make sample MIGRATION=checkins", timeout=LONG)
    retry = page.get_by_test_id("offer-retry")
    expect(retry).to_be_visible()
    shot(page, "failed-at-preflight")
    _fill(store)
    retry.click()

    apply = page.get_by_test_id("offer-apply")
    expect(apply).to_be_visible(timeout=LONG)
    apply.click()
    page.get_by_test_id("start").click()
    _alone(page, DAG, admin.run_id())
    comment = page.get_by_test_id("comment")
    expect(comment).to_be_visible(timeout=LONG)
    comment.fill("not <b>this</b> week")
    page.get_by_test_id("decide-reject").click()
    decision = page.get_by_test_id("approval")
    expect(decision).to_contain_text("Rejected", timeout=LONG)
    expect(decision).to_contain_text("not <b>this</b> week")
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "failed", timeout=LONG)
    expect(page.locator("[data-testid^=offer-]")).to_have_count(0)
    shot(page, "rejected-on-its-page")
    assert [row["id"]["S"] for row in items(store, ASSIGNMENTS)] == ["base"]


def test_the_failed_days_are_tried_again_and_the_range_is_applied_with_one_approval(
    admin: AirflowPages, store: DynamoDBStore, shot: Shot
) -> None:
    page = admin.page
    _fill(store)
    _answer(store, 2, "2024-03-05", said=0)
    asked = {"dag_id": DAG, "from_date": "2024-03-04T00:00:00Z", "to_date": "2024-03-05T00:00:00Z"}
    conf = {"mode": "plan", "max_reject_share": 0, "max_rejects": 0}
    asked_for = page.request.post("/api/v2/backfills", data={**asked, "dag_run_conf": conf, "max_active_runs": 1})
    assert asked_for.ok, asked_for.text()
    number = asked_for.json()["id"]
    page.goto(f"{PAGES}/backfills?dag_id={DAG}")
    first, second = (page.get_by_test_id(f"backfill-{number}").get_by_test_id(f"day-2024-03-0{n}") for n in (4, 5))
    expect(second).to_have_attribute("data-state", "failed", timeout=LONG)
    expect(first).to_have_attribute("data-state", "planned")
    expect(page.get_by_test_id(f"found-{number}")).to_contain_text("bad_week")
    shot(page, "a-day-failed")
    _answer(store, 2, "2024-03-05")
    page.get_by_test_id(f"retry-{number}").click()
    expect(page.get_by_test_id(f"said-{number}")).to_contain_text("1 day cleared")
    expect(second).to_have_attribute("data-state", "planned", timeout=LONG)

    page.get_by_text("Apply these plans").first.click()
    apply = page.get_by_test_id(f"apply-{number}")
    expect(apply).to_be_enabled(timeout=LONG)
    shot(page, "apply-these-plans")
    apply.click()
    expect(page.get_by_test_id(f"said-{number}")).to_contain_text("its first day asks for approval")
    made = page.request.get("/api/v2/backfills", params={"dag_id": DAG, "order_by": "-id"}).json()["backfills"][0]
    assert made["max_active_runs"] == 1  # else any day may be the first that asks
    newest = page.locator("[data-testid^=backfill-]").first
    waits = newest.get_by_test_id("day-2024-03-04")
    expect(waits).to_have_attribute("data-state", "waiting for approval", timeout=LONG)
    days = page.url
    page.goto(str(waits.get_by_role("link").get_attribute("href")))
    _alone(page, DAG, admin.run_id())
    expect(page.get_by_test_id("for-range")).to_contain_text("One answer for all days")
    _approve(page, "both days")
    page.goto(days)
    second = newest.get_by_test_id("day-2024-03-05")
    expect(newest.get_by_test_id("day-2024-03-04")).to_have_attribute("data-state", "proven", timeout=LONG)
    # the first day has added weeks that the second had planned, so its plan is another now, and it asks itself
    expect(second).to_have_attribute("data-state", "waiting for approval", timeout=LONG)
    page.goto(str(second.get_by_role("link").get_attribute("href")))
    _alone(page, DAG, admin.run_id())
    _approve(page, "the rest")
    page.goto(days)
    expect(second).to_have_attribute("data-state", "proven", timeout=LONG)
    page.goto(f"{PAGES}/history?dag_id={DAG}")
    expect(page.get_by_test_id("backfill-card").get_by_test_id("day-2024-03-05")).to_contain_text("Proven")
    assert all("responseId" in row for row in items(store, ASSIGNMENTS) if row["recurringWeek"]["N"] in ("1", "2"))
