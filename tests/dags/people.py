"""People who answer what a run asks, by Airflow's own API, while the run waits in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

SECONDS = 120


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

    def answer() -> None:
        who, deadline = client("USER"), time.monotonic() + SECONDS
        while not stop.wait(0.2) and time.monotonic() < deadline:
            open_ = who.get(f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails", params={"response_received": False}).json()
            for detail in open_["hitl_details"]:
                asked.append(detail)
                ti = detail["task_instance"]
                path = f"/api/v2/dags/{dag_id}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/-1/hitlDetails"
                body = {"chosen_options": [choice], "params_input": {"comment": comment, **more}}
                assert who.patch(path, json=body).status_code == 200
                return

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()
