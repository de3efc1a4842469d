"""Airflow's REST API as any client uses it: triggers, clears, marks, answers, and looks what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from include.embedded.airflow_api import AirflowApi

SECONDS = 300
DAG = "small"
T = TypeVar("T")


@dataclass(frozen=True)
class Client:
    """Somebody who is signed in."""

    api: AirflowApi

    def call(self, verb: str, path: str, body: object = None) -> Any:
        """A request below `/api/v2/dags/small`; the answer's JSON. Raises `AirflowRefusedError`."""
        return self.api._call(verb, f"/api/v2/dags/{DAG}{path}", body)

    def trigger(self, id: str, **conf: Any) -> str:
        """Start a run of that id; the id that Airflow gave it."""
        asked = {"partitions": 1, "segments": 1, "max_reject_share": 1, **conf}
        body = {"dag_run_id": id, "logical_date": None, "conf": asked}
        return str(self.call("POST", "/dagRuns", body)["dag_run_id"])

    def states(self, id: str) -> dict[str, str]:
        """The state of each task of the run."""
        found = self.call("GET", f"/dagRuns/{quote(id, safe='')}/taskInstances?limit=100")["task_instances"]
        return {ti["task_id"]: str(ti["state"]) for ti in found}

    def tries(self, id: str, task: str) -> int:
        """At which try the task is."""
        found = self.call("GET", f"/dagRuns/{quote(id, safe='')}/taskInstances?limit=100")["task_instances"]
        return max(int(ti["try_number"]) for ti in found if ti["task_id"] == task)

    def ended(self, id: str) -> str:
        """Wait until the run is over; its state."""
        path = f"/dagRuns/{quote(id, safe='')}"
        states = wait_for(lambda: {self.call("GET", path)["state"]} & {"success", "failed"}, lambda: self.states(id))
        return str(states.pop())

    def asked(self, id: str = "~") -> list[dict[str, Any]]:
        """The questions of the run, or of all runs, that nobody has answered."""
        open_ = self.call("GET", f"/dagRuns/{quote(id, safe='~')}/hitlDetails?response_received=false")["hitl_details"]
        return [detail for detail in open_ if detail["task_instance"]["state"] == "awaiting_input"]

    def question(self, id: str = "~") -> dict[str, Any]:
        """Wait until the run, or any run, asks."""
        return dict(wait_for(lambda: self.asked(id), lambda: self.states(id) if id != "~" else None)[0])

    def answer(self, question: dict[str, Any], choice: str) -> None:
        """Answer it, as it was asked."""
        run, shown = question["task_instance"]["dag_run_id"], question["params"]["plan_sha256"]
        given = {"comment": None, "plan_sha256": shown["value"] if isinstance(shown, dict) else shown}
        path = f"/dagRuns/{quote(run, safe='')}/taskInstances/approve/-1/hitlDetails"
        self.call("PATCH", path, {"chosen_options": [choice], "params_input": given})

    def through(self, id: str, choice: str) -> str:
        """Answer each question of the run until it is over; its state. Airflow may lose the try that takes an answer ("should
        not be running any more"), and the next try asks again."""
        path = f"/dagRuns/{quote(id, safe='')}"

        def over() -> set[str]:
            for question in self.asked(id):
                self.answer(question, choice)
            return {str(self.call("GET", path)["state"])} & {"success", "failed"}

        return wait_for(over, lambda: self.states(id)).pop()

    def clear(self, id: str, *tasks: str, downstream: bool = True) -> None:
        """Clear tasks of the run."""
        which = {"dag_run_id": id, "task_ids": list(tasks), "include_downstream": downstream}
        how = {"dry_run": False, "only_failed": False, "only_running": False, "reset_dag_runs": True}
        self.call("POST", "/clearTaskInstances", {**which, **how})

    def delete(self, id: str) -> None:
        """End the run as failed, if it is not over, and delete it."""
        path = f"/dagRuns/{quote(id, safe='')}"
        self.call("PATCH", path, {"state": "failed"})
        with suppress(ValueError):  # it answers with no JSON
            self.call("DELETE", path)

    def mark(self, id: str, task: str, state: str) -> None:
        """Mark a task of the run as `success` or `failed`."""
        self.call("PATCH", f"/dagRuns/{quote(id, safe='')}/taskInstances/{task}", {"new_state": state})


def wait_for(true: Callable[[], T], told: Callable[[], Any] = lambda: None) -> T:
    """What `true` gives, once that is something; `told` says how far it is where that takes too long."""
    deadline = time.monotonic() + SECONDS
    while not (found := true()):
        assert time.monotonic() < deadline, told()
        time.sleep(0.5)
    return found
