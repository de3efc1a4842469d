"""People who answer what a run asks, by Airflow's own API, while the run waits in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

SECONDS = 120
failed: list[Exception] = []
"""Why nobody answers any more: whoever waits for an answer raises it."""


@cache
def client(role: str | None) -> Any:
    """A client of Airflow's whole API, signed in as somebody of that role (`VIEWER` … `ADMIN`), or as nobody."""
    from airflow.api_fastapi.app import cached_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    app = cached_app(apps="core")
    headers = {}
    if role:
        user = SimpleAuthManagerUser(username=role.lower(), role=role)
        headers["Authorization"] = "Bearer " + get_auth_manager().generate_jwt(user)
    return TestClient(app, headers=headers)


@contextmanager
def answering(
    dag_id: str, choice: str, comment: str | None = None, **more: str | None
) -> Iterator[list[dict[str, Any]]]:
    """While the block runs, the next question of the DAG is answered, with more fields of its form if given; gives the
    questions as they were asked."""
    asked: list[dict[str, Any]] = []
    stop = threading.Event()
    who = client("USER")  # here, since two threads that import Airflow's models at once may both fail
    failed.clear()

    def answer() -> None:
        deadline = time.monotonic() + SECONDS
        while not stop.wait(0.2):
            path = f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails"
            for detail in _right(who.get(path, params={"response_received": False}))["hitl_details"]:
                asked.append(detail)
                ti = detail["task_instance"]
                path = f"/api/v2/dags/{dag_id}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/-1/hitlDetails"
                _right(who.patch(path, json={"chosen_options": [choice], "params_input": {"comment": comment, **more}}))
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} has asked nothing for {SECONDS} s")

    def answer_or_say() -> None:
        try:
            answer()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=answer_or_say, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()


def _right(response: Any) -> Any:
    assert response.status_code == 200, response.text
    return response.json()
