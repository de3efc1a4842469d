"""People who answer what a run asks, by Airflow's own API, while the run waits in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

SECONDS = 120
waiting: list[Callable[[], None]] = []
"""Whoever may answer while dag.test() waits; it is asked each time."""


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
    questions as they were asked. The answer is given whenever dag.test() waits, and so never between a task that asks
    and dag.test()'s own note that it waits, which would overwrite the answer and wait for ever."""
    asked: list[dict[str, Any]] = []
    who = client("USER")
    deadline = time.monotonic() + SECONDS

    def answer() -> None:
        if asked:
            return
        path = f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails"
        for detail in _right(who.get(path, params={"response_received": False}))["hitl_details"]:
            asked.append(detail)
            ti = detail["task_instance"]
            path = f"/api/v2/dags/{dag_id}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/-1/hitlDetails"
            _right(who.patch(path, json={"chosen_options": [choice], "params_input": {"comment": comment, **more}}))
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{dag_id} has asked nothing for {SECONDS} s")

    waiting.append(answer)
    try:
        yield asked
    finally:
        waiting.remove(answer)


def _right(response: Any) -> Any:
    assert response.status_code == 200, response.text
    return response.json()
