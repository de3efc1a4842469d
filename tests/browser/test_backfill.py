"""A person asks for three days in the form, and three runs each migrate and prove their own."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from playwright.sync_api import expect

from include.console import outcome
from include.trueup.run.workspace import Workspace

from .airflow_pages import RUN_SECONDS, AirflowPages, Server
from .conftest import Shot

DAG = "kpi_linking"


def test_three_days_are_three_runs_each_proven(admin: AirflowPages, server: Server, shot: Shot) -> None:
    form = admin.form(DAG)
    form.backfill(date(2024, 3, 4), date(2024, 3, 6))
    form.turn("approval", False)
    shot(admin.page, "backfill-form")
    form.start()
    runs = _finished(admin)
    assert [(run["data_interval_start"][:10], run["state"]) for run in runs] == [
        ("2024-03-04", "success"),
        ("2024-03-05", "success"),
        ("2024-03-06", "success"),
    ]
    for run in runs:
        found = outcome.read(Workspace(server.workspace), DAG, run["dag_run_id"])
        assert found is not None
        assert found.passed
    admin.open_run(DAG, runs[-1]["dag_run_id"])
    admin.wait_for_state(runs[-1]["dag_run_id"], "Success")
    shot(admin.page, "backfilled")
    admin.page.goto(f"/dags/{DAG}/plugin/migration-backfills")
    for day in (4, 5, 6):
        expect(admin.frame().get_by_test_id(f"day-2024-03-0{day}")).to_have_attribute("data-state", "proven")
    shot(admin.page, "backfilled-days")


def _finished(pages: AirflowPages) -> list[dict[str, Any]]:
    """The runs of the backfill, the first day first, once all have ended."""
    deadline = time.monotonic() + 2 * RUN_SECONDS
    while True:
        asked = pages.page.request.get(f"/api/v2/dags/{DAG}/dagRuns?run_type=backfill&order_by=logical_date").json()
        runs: list[dict[str, Any]] = asked["dag_runs"]
        if len(runs) == 3 and all(run["state"] in ("success", "failed") for run in runs):
            return runs
        assert time.monotonic() < deadline, [(run["dag_run_id"], run["state"]) for run in runs]
        pages.page.wait_for_timeout(1000)
