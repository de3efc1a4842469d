"""A person cuts over to both shapes, undoes the run, and is refused a cutover that nothing proves."""

from __future__ import annotations

import re

from playwright.sync_api import FrameLocator, expect

from include.console import outcome
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import items

from .airflow_pages import RUN_SECONDS, AirflowPages, Server
from .conftest import Shot

DAG = "kpi_linking"
TARGETS = ("purposepath-kpi-links", "purposepath-kpi-data")


def _run(pages: AirflowPages, dag_id: str, **fields: bool | str) -> str:
    form = pages.form(dag_id)
    for param, given in fields.items():
        if isinstance(given, str):
            form.write(param, given)
        else:
            form.turn(param, given)
    run_id = form.start()
    pages.open_run(dag_id, run_id)
    return run_id


def _answer(frame: FrameLocator, choice: str, comment: str) -> None:
    """Answer the question on the page that shows what it is about."""
    expect(frame.get_by_test_id("wait-approval")).to_be_visible(timeout=RUN_SECONDS * 1000)
    frame.get_by_test_id("comment").fill(comment)
    frame.get_by_test_id(f"decide-{choice}").click()


def test_cut_over_and_undo(admin: AirflowPages, server: Server, kpi_store: DynamoDBStore, shot: Shot) -> None:
    run_id = _run(admin, DAG, approval=False)  # the last proof must be of whole tables
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Success"

    admin.page.goto(f"/dags/{DAG}/plugin/migration-cutover")
    expect(admin.frame().get_by_test_id("switch")).to_have_attribute("data-state", "legacy")
    frame = admin.frame()
    expect(frame.get_by_test_id("comparison")).to_have_attribute("data-state", "none")
    expect(frame.get_by_test_id("way-dual")).to_have_attribute("data-refused", "yes")
    run_id = _run(admin, f"{DAG}_shadow")
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Success"
    admin.page.goto(f"/dags/{DAG}/plugin/migration-cutover")
    expect(frame.get_by_test_id("comparison")).to_have_attribute("data-state", "agrees")
    expect(frame.get_by_test_id("way-dual")).to_have_attribute("data-refused", "no")
    shot(admin.page, "cutover")
    frame.get_by_role("link", name="Cut over to dual …").click()
    expect(frame.get_by_test_id("field-to")).to_have_value('"dual"')
    expect(frame.get_by_test_id("field-why")).to_have_value("")
    frame.get_by_test_id("field-why").fill("proven twice")
    frame.get_by_test_id("start").click()
    _answer(frame, "approve", "the report is clean")
    verdict = frame.get_by_test_id("verdict")
    expect(verdict).to_contain_text("The switch was turned from legacy to dual", timeout=RUN_SECONDS * 1000)
    expect(verdict).to_contain_text("proven twice. the report is clean")
    shot(admin.page, "turned")
    admin.page.goto("/plugin/migrations")
    listed = admin.frame().get_by_test_id(f"migration-{DAG}")
    expect(listed.get_by_text("dual").first).to_be_visible()
    shot(admin.page, "migrations")

    there = sum(len(items(kpi_store, table)) for table in TARGETS)
    admin.page.goto(f"/dags/{DAG}/plugin/migration-rollback")
    frame.get_by_role("link", name="Roll back this run …").click()
    expect(frame.get_by_test_id("field-run")).to_have_value(re.compile(".+"))
    shot(admin.page, "rollback-form")
    frame.get_by_test_id("start").click()
    expect(frame.get_by_test_id("removes")).to_contain_text("will be deleted", timeout=RUN_SECONDS * 1000)
    shot(admin.page, "rollback-question")
    _answer(frame, "approve", "wrong month")
    expect(frame.get_by_text("Rolled back").first).to_be_visible(timeout=RUN_SECONDS * 1000)
    run_id = admin.run_id()
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Success"
    found = outcome.read(Workspace(server.workspace), f"{DAG}_rollback", run_id)
    assert found is not None
    assert found.passed
    assert sum(len(items(kpi_store, table)) for table in TARGETS) < there
    shot(admin.page, "rolled-back")
    admin.page.goto(f"/dags/{DAG}/plugin/migration-rollback")
    expect(admin.frame().get_by_test_id("rollbacks").get_by_text("Undone").first).to_be_visible()
    shot(admin.page, "rollbacks")


def test_what_is_not_proven_is_not_cut_over(admin: AirflowPages, shot: Shot) -> None:
    run_id = _run(admin, f"{DAG}_cutover", why="to see it refused", approval=False)
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Failed"
    admin.page.goto(f"/dags/{DAG}_cutover/runs/{run_id}/tasks/preflight")
    expect(admin.page.get_by_text("the switch of kpi_linking is not turned").first).to_be_visible()
    admin.open_run(f"{DAG}_cutover", run_id, "plugin/migration")
    expect(admin.frame().get_by_text("The switch was not turned").first).to_be_visible()
    expect(admin.frame().get_by_text("the last run is a rollback").first).to_be_visible()
    shot(admin.page, "cutover-refused")
