"""A person cuts over to both shapes, undoes the run, and is refused a cutover that nothing proves."""

from __future__ import annotations

from playwright.sync_api import expect

from include.console import outcome
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import items

from .airflow_pages import AirflowPages, Server
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


def test_cut_over_and_undo(admin: AirflowPages, server: Server, kpi_store: DynamoDBStore, shot: Shot) -> None:
    run_id = _run(admin, DAG, approval=False)  # the last proof must be of whole tables
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Success"

    admin.page.goto(f"/dags/{DAG}/plugin/migration-cutover")
    expect(admin.frame().get_by_test_id("switch")).to_have_attribute("data-state", "legacy")
    expect(admin.frame().get_by_test_id("comparison")).to_have_attribute("data-state", "none")
    expect(admin.frame().get_by_test_id("way-dual")).to_have_attribute("data-refused", "yes")
    run_id = _run(admin, f"{DAG}_shadow")
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Success"
    admin.page.goto(f"/dags/{DAG}/plugin/migration-cutover")
    expect(admin.frame().get_by_test_id("comparison")).to_have_attribute("data-state", "agrees")
    expect(admin.frame().get_by_test_id("way-dual")).to_have_attribute("data-refused", "no")
    run_id = _run(admin, f"{DAG}_cutover", why="proven twice")
    admin.open_question(f"{DAG}_cutover", run_id)
    expect(admin.page.get_by_text("legacy → dual")).to_be_visible()
    shot(admin.page, "cutover")
    assert admin.decide("Approve", "the report is clean") == 200
    admin.open_run(f"{DAG}_cutover", run_id)
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Success"
    admin.open_run(f"{DAG}_cutover", run_id, "plugin/migration")
    expect(admin.frame().get_by_text("The switch was turned from legacy to dual")).to_be_visible()
    shot(admin.page, "turned")
    admin.page.goto("/plugin/migrations")
    listed = admin.frame().get_by_test_id(f"migration-{DAG}")
    expect(listed.get_by_text("dual").first).to_be_visible()
    shot(admin.page, "migrations")

    there = sum(len(items(kpi_store, table)) for table in TARGETS)
    run_id = _run(admin, f"{DAG}_rollback")
    admin.open_question(f"{DAG}_rollback", run_id)
    shot(admin.page, "rollback-question")
    assert admin.decide("Approve", "wrong month") == 200
    admin.open_run(f"{DAG}_rollback", run_id)
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Success"
    found = outcome.read(Workspace(server.workspace), f"{DAG}_rollback", run_id)
    assert found is not None
    assert found.passed
    assert sum(len(items(kpi_store, table)) for table in TARGETS) < there
    admin.open_run(f"{DAG}_rollback", run_id, "plugin/migration")
    expect(admin.frame().get_by_text("Rolled back").first).to_be_visible()
    shot(admin.page, "rolled-back")
    admin.page.goto(f"/dags/{DAG}/plugin/migration-rollback")
    expect(admin.frame().get_by_test_id("rollbacks").get_by_text("Took back").first).to_be_visible()
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
