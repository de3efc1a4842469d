"""A person signs in, starts a plan from the form, and watches it to its end; one who may only look is refused."""

from __future__ import annotations

from playwright.sync_api import expect

from include.console import outcome
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore

from .airflow_pages import AirflowPages, Server
from .conftest import Shot, SignIn


def test_signing_in_leads_to_where_one_wanted_to_go(sign_in: SignIn, server: Server, shot: Shot) -> None:
    nobody = sign_in(None)
    nobody.page.goto("/dags/kpi_linking")
    expect(nobody.page.locator("input[name=password]")).to_be_visible()
    nobody.sign_in_by_form("ursula", "guessed")
    expect(nobody.page.get_by_text("Invalid credentials")).to_be_visible()
    nobody.sign_in_by_form("ursula", server.passwords["ursula"])
    expect(nobody.page.get_by_role("heading", name="KPI linking")).to_be_visible()
    assert nobody.page.url.endswith("/dags/kpi_linking")
    shot(nobody.page, "signed-in")


def test_a_plan_started_from_the_form_runs_to_its_end_and_writes_nothing(
    admin: AirflowPages, server: Server, kpi_store: DynamoDBStore, shot: Shot
) -> None:
    before = kpi_store.client.list_tables()["TableNames"]
    form = admin.form("kpi_linking")
    form.choose("mode", "Plan")
    shot(admin.page, "form")
    run_id = form.start()
    admin.wait_for_state(run_id, "Running")
    shot(admin.page, "running")
    assert admin.wait_for_state(run_id, "Success", "Failed") == "Success"
    shot(admin.page, "planned")
    found = outcome.read(Workspace(server.workspace), "kpi_linking", run_id)
    assert found is not None
    assert found.passed
    assert kpi_store.client.list_tables()["TableNames"] == before


def test_a_viewer_is_refused(viewer: AirflowPages, shot: Shot) -> None:
    runs = len(_runs(viewer))
    form = viewer.form("kpi_linking")  # Airflow shows the form to everybody, and refuses what comes of it
    assert form.send() == 403
    expect(viewer.page.get_by_text("You do not have permission to perform this action.")).to_be_visible()
    shot(viewer.page, "viewer-refused")
    answer = viewer.page.request.post("/api/v2/dags/kpi_linking/dagRuns", data={"logical_date": None, "conf": {}})
    assert answer.status == 403
    assert len(_runs(viewer)) == runs


def _runs(pages: AirflowPages) -> list[object]:
    found: list[object] = pages.page.request.get("/api/v2/dags/kpi_linking/dagRuns").json()["dag_runs"]
    return found
