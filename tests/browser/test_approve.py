"""A person reads the plan's numbers, rejects one plan and approves another, and opens the report that names the decision."""

from __future__ import annotations

from playwright.sync_api import expect

from include.console import outcome
from include.trueup.run import run_id as ledger_id
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore

from .airflow_pages import AirflowPages, Server
from .conftest import Shot, SignIn

DAG = "kpi_linking"


def test_a_rejected_plan_fails_and_writes_nothing(
    admin: AirflowPages, server: Server, kpi_store: DynamoDBStore, shot: Shot
) -> None:
    before = kpi_store.client.list_tables()["TableNames"]
    run_id = admin.form(DAG).start()
    admin.open_question(DAG, run_id)
    assert admin.decide("Reject", "the wrong tenant") == 200
    admin.open_run(DAG, run_id)
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Failed"
    shot(admin.page, "rejected")
    assert kpi_store.client.list_tables()["TableNames"] == before
    report = Workspace(server.workspace).run(ledger_id(DAG, run_id)).read_json("report.json")
    assert report["approval"]["decision"] == "rejected"
    assert report["approval"]["comment"] == "the wrong tenant"


def test_an_approved_plan_is_applied_proven_and_its_report_says_who_approved(
    admin: AirflowPages, viewer: AirflowPages, sign_in: SignIn, server: Server, shot: Shot
) -> None:
    run_id = admin.form(DAG).start()
    viewer.open_question(DAG, run_id)
    assert viewer.decide("Approve") == 403
    expect(viewer.page.get_by_text("You do not have permission to perform this action.")).to_be_visible()

    approver = sign_in("ursula")
    approver.open_question(DAG, run_id)
    expect(approver.page.get_by_role("cell", name="purposepath-kpi-links")).to_be_visible()
    shot(approver.page, "approve", readme=True)
    assert approver.decide("Approve", "checked with <b>finance</b>") == 200
    approver.open_run(DAG, run_id)
    assert approver.wait_for_state(run_id, "Success", "Failed") == "Success"
    found = outcome.read(Workspace(server.workspace), DAG, run_id)
    assert found is not None
    assert found.passed

    approver.open_run(DAG, run_id, "plugin/migration")
    frame = approver.frame()
    expect(frame.get_by_text("checked with <b>finance</b>")).to_be_visible()
    shot(approver.page, "proven", readme=True)
    with approver.page.context.expect_page() as opened:
        frame.get_by_role("link", name="Open report").click()
    report = opened.value
    expect(report.get_by_text("ursula").first).to_be_visible()
    expect(report.get_by_text("checked with <b>finance</b>")).to_be_visible()
    shot(report, "report", readme=True)

    # every row, beside its legacy row; and what became of one in all runs
    frame.get_by_role("tab", name="Rows").click()
    expect(frame.get_by_test_id("fans")).to_contain_text("more than one row")
    frame.get_by_test_id("rows-phase").select_option("milestones")
    expect(frame.get_by_test_id("rows-total")).to_contain_text("rows")
    row = frame.get_by_test_id("row").first
    row.locator("summary").click()
    expect(row.get_by_test_id("beside")).to_contain_text("carried")
    expect(row.get_by_test_id("came")).to_contain_text("Read back as planned")
    shot(approver.page, "rows")
    row.get_by_role("link", name="What became of the legacy row").click()
    expect(frame.get_by_test_id("lens-run").first.get_by_test_id("lens-source")).to_contain_text("Written")
