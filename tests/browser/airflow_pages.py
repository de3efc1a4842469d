"""Airflow's pages as a person uses them: what they are called there, in one place."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, unquote

from playwright.sync_api import ConsoleMessage, FrameLocator, Page, Response, expect

from include.embedded.airflow_api import AirflowApi
from include.embedded.settings import connection_variable

ACTION_MS = 40_000
"""How long a page may take to show what a person waits for."""
RUN_SECONDS = 900
"""How long a run may take until it is over, or waits for somebody."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A stack that is up: its address, its REST API as admin, each user's password, its workspace and connections."""

    url: str
    api: AirflowApi
    passwords: Mapping[str, str]
    workspace: str
    connections: Mapping[str, str]

    def connection(self, conn_id: str) -> dict[str, Any]:
        """What Airflow's connection says."""
        found: dict[str, Any] = json.loads(self.connections[connection_variable(conn_id)])
        return found

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until Airflow has read the DAG's file."""
        deadline = time.monotonic() + 90
        while not self.api.has_dag(dag_id):
            assert time.monotonic() < deadline, f"no DAG {dag_id}: {self.api.import_errors()}"
            time.sleep(0.5)


class AirflowPages:
    """A page of the browser at Airflow, and what a person does there. `errors`: what broke in its scripts."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self.server = page, server
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        page.on("console", self._heard)

    def _heard(self, said: ConsoleMessage) -> None:
        """What is fetched ahead must be what a script asks for, or it is fetched twice."""
        if "preload" in said.text and "/trueup/pages/data/" in said.text:
            self.errors.append(f"{self.page.url}: {said.text}")

    def sign_in_by_form(self, user: str, password: str) -> None:
        """Fill in and send the form that Airflow shows to whom it does not know."""
        self.page.locator("input[name=username]").fill(user)
        self.page.locator("input[name=password]").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def open_dag(self, dag_id: str) -> None:
        """Go to the DAG's page."""
        self.page.goto(f"/dags/{dag_id}")
        expect(self.page.get_by_role("button", name="Trigger").first).to_be_visible()

    def open_run(self, dag_id: str, run_id: str, tab: str = "") -> None:
        """Go to the page of a run, or to a tab of it: `plugin/migration`, `required_actions`, …"""
        self.page.goto(f"/dags/{dag_id}/runs/{quote(run_id, safe='')}/{tab}".rstrip("/"))

    def form(self, dag_id: str) -> TriggerForm:
        """Open the DAG's page and its form."""
        self.open_dag(dag_id)
        self.page.get_by_role("button", name="Trigger").first.click()
        made = TriggerForm(self.page)
        expect(made.dialog.locator("[name^=element_], [id^=element_]").first).to_be_attached()
        return made

    def wait_for_state(self, run_id: str, *states: str, seconds: float = RUN_SECONDS) -> str:
        """Wait until the run, whose page is open, has one of these states (`Success`, `Failed`, …); the state."""
        dag_id = self.page.url.split("/dags/")[1].split("/")[0]
        deadline = time.monotonic() + seconds
        while (state := self.server.api.run_state(dag_id, run_id).capitalize()) not in states:
            assert time.monotonic() < deadline, f"{run_id} is {state}\n{self._where(dag_id, run_id)}"
            self.page.wait_for_timeout(500)
        heading = self.page.get_by_role("heading", name=run_id).locator("xpath=..")
        expect(heading).to_have_text(re.compile(f"{state}$"))
        return state

    def _where(self, dag_id: str, run_id: str) -> str:
        """How far the run is: each task's state, and what those that are not over have logged."""
        tasks = self.server.api.task_instances(dag_id, run_id)
        lines = [f"{t['task_id']}[{t['map_index']}] {t['state']} {t['start_date']} {t['end_date']}" for t in tasks]
        for at_work in (t for t in tasks if t["state"] in ("running", "up_for_retry", "failed")):
            path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{at_work['task_id']}"
            log = self.page.request.get(f"{path}/logs/{at_work['try_number']}?map_index={at_work['map_index']}")
            lines += [f"{at_work['task_id']}:", log.text()[-4000:]]
        return "\n".join(lines)

    def unfinished(self) -> str:
        """How far each run is that is not over, for whoever reads why a test failed."""
        asked = self.page.request.get("/api/v2/dags/~/dagRuns?state=running&state=queued&limit=20")
        runs = asked.json()["dag_runs"] if asked.ok else []
        return "\n".join(
            f"{r['dag_id']} {r['dag_run_id']} {r['state']} {r['conf']}\n{self._where(r['dag_id'], r['dag_run_id'])}"
            for r in runs
        )

    def run_id(self) -> str:
        """The run whose page is open, or that a form has led to."""
        self.page.wait_for_url(re.compile(r"/runs/|[?&]run_id="))
        return unquote(re.split(r"/runs/|[?&]run_id=", self.page.url)[1].split("/")[0])

    def frame(self) -> FrameLocator:
        """What the tab or page of Trueup shows that is open."""
        return self.page.frame_locator("iframe")

    def open_question(self, dag_id: str, run_id: str) -> None:
        """Go to the run's task `approve` and wait until it asks."""
        self.page.goto(f"/dags/{dag_id}/runs/{quote(run_id, safe='')}/tasks/approve")
        question = self.page.get_by_role("link", name=re.compile("^Required Action"))
        expect(self.page.get_by_text("Awaiting Input").first).to_be_visible(timeout=RUN_SECONDS * 1000)
        question.click()
        expect(self.page.get_by_role("button", name="Approve")).to_be_visible()
        # as long as a person reads, at least: an answer that comes sooner may be lost to Airflow 3.3.2's scheduler, which then
        # asks again (`pages/questions.py`)
        self.page.wait_for_timeout(5_000)

    def decide(self, choice: str, comment: str | None = None) -> int:
        """Answer the question that is open with `Approve` or `Reject`; the status of the server's answer."""
        if comment is not None:
            self.page.locator("[name=element_comment]").fill(comment)
        button = self.page.get_by_role("button", name=choice)
        expect(button).to_be_enabled()

        def decided(answer: Response) -> bool:
            return answer.request.method == "PATCH" and answer.url.endswith("/hitlDetails")

        with self.page.expect_response(decided) as info:
            button.click()
        return info.value.status


class TriggerForm:
    """The form of a DAG, open. Fields are named by their param's id."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.dialog = page.get_by_role("dialog")

    def choose(self, param: str, label: str) -> None:
        """Choose one of a list, by its label or the beginning of it."""
        self.dialog.locator(f"#element_{param}").get_by_role("combobox").click()
        self._page.get_by_role("option", name=re.compile(f"^{re.escape(label)}")).click()

    def write(self, param: str, text: str) -> None:
        """Write into a field of text, which is empty until then."""
        field = self.dialog.locator(f"[name=element_{param}]")
        expect(field).to_have_value("")
        field.fill(text)

    def turn(self, param: str, on: bool) -> None:
        """Turn a switch on or off."""
        field = self.dialog.locator(f"input[name=element_{param}]")
        if field.is_checked() != on:
            self.dialog.locator("label", has=self._page.locator(f"input[name=element_{param}]")).click()
        expect(field).to_be_checked(checked=on)

    def backfill(self, first: date, last: date) -> None:
        """Ask for a run for each day from the first to the last, inclusive."""
        self.dialog.get_by_text("Backfill", exact=True).click()
        for number, day in enumerate((first, last)):
            self.dialog.get_by_test_id("datetime-input").nth(number).click()
            typed = self._page.get_by_placeholder("YYYY/MM/DD").locator("visible=true")
            typed.fill(f"{day:%Y/%m/%d}")
            typed.press("Enter")
            self._page.get_by_placeholder("HH:mm").locator("visible=true").fill("00:00")
            self._page.keyboard.press("Escape")
            expect(typed).to_have_count(0)  # it fades; until then there are two of them, once the next is open
        expect(self.dialog.get_by_text(f"{(last - first).days + 1} runs will be triggered")).to_be_visible()
        # what the form below says is sent only so (Airflow 3.3.2), though no run is there whose params it would override
        self.dialog.get_by_text("Override parameters on existing runs").click()

    def send(self) -> int:
        """Press the button; the status of the server's answer."""
        return self._send().status

    def start(self) -> str:
        """Press the button; the id of the run, or of the backfill, that the server made."""
        answer = self._send()
        assert answer.ok, f"{answer.status}: {answer.text()}"
        made = answer.json()
        return str(made.get("dag_run_id") or made["id"])

    def _send(self) -> Response:
        def started(answer: Response) -> bool:
            return answer.request.method == "POST" and answer.url.endswith(("/dagRuns", "/backfills"))

        with self._page.expect_response(started) as info:
            self.dialog.get_by_role("button", name=re.compile("^(Trigger|Run Backfill)$")).click()
        return info.value
