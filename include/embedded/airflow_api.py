"""The few calls of Airflow's REST API that the launcher makes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..trueup.errors import StoreUnavailableError, TerminalError

_PAGE = 100  # Airflow's own limit
_SECONDS = 30.0
# Requests go to this machine; a proxy that the environment names is not for them.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class AirflowRefusedError(TerminalError):
    """Airflow refused a request. `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class AirflowApi:
    """Airflow's REST API at `url` (`http://127.0.0.1:<port>`), called as `user`."""

    url: str
    user: str = "admin"
    password: str = ""
    _token: str = field(default="", init=False, repr=False)

    def health(self) -> dict[str, str | None]:
        """The health of each of Airflow's components, by name: `healthy`, `unhealthy`, or None where there is none.

        Raises `StoreUnavailableError` while the API server does not answer."""
        answer = self._call("GET", "/api/v2/monitor/health", signed=False)
        return {component: state["status"] for component, state in answer.items()}

    def warm_up(self) -> None:
        """Have Airflow build the API that tasks talk to. It does so at the first request, which takes seconds of
        computing; left to the first task, that is time in which the task waits, and may give up waiting."""
        self._call("GET", "/execution/health", signed=False)

    def has_dag(self, dag_id: str) -> bool:
        """Whether Airflow has parsed a DAG of that id."""
        try:
            self._call("GET", f"/api/v2/dags/{quote(dag_id)}")
        except AirflowRefusedError as error:
            if error.status == 404:
                return False
            raise
        return True

    def import_errors(self) -> list[str]:
        """What is wrong with DAG files that could not be imported: `<file>: <stack trace>`."""
        errors = self._call("GET", f"/api/v2/importErrors?limit={_PAGE}")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip()}" for error in errors]

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a manual run without a data interval; gives its run id. Raises `AirflowRefusedError` for a bad conf."""
        body = {"logical_date": None, "conf": conf}
        return str(self._call("POST", f"/api/v2/dags/{quote(dag_id)}/dagRuns", body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return str(self._call("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every task instance of a run, mapped ones each, as Airflow describes them."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances?limit={_PAGE}&offset="
        instances: list[dict[str, Any]] = []
        while True:
            page = self._call("GET", f"{path}{len(instances)}")
            instances += page["task_instances"]
            if len(instances) >= page["total_entries"] or not page["task_instances"]:
                return instances

    def returned(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
        """What a task that ended well returned, as JSON values; None if nothing."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task_id)}"
        try:
            return self._call("GET", f"{path}/xcomEntries/return_value?map_index={map_index}")["value"]
        except AirflowRefusedError as error:
            if error.status == 404:
                return None
            raise

    def _call(self, verb: str, path: str, body: object = None, *, signed: bool = True) -> Any:
        headers = {"Content-Type": "application/json"}
        if signed:
            headers["Authorization"] = f"Bearer {self._signed_in()}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=verb, data=data, headers=headers)
        try:
            with _open(request, timeout=_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:2000]
            raise AirflowRefusedError(f"Airflow answered {error.code} to {verb} {path}: {detail}", error.code) from None
        except OSError as error:
            raise StoreUnavailableError(f"Airflow at {self.url} does not answer: {error}") from error

    def _signed_in(self) -> str:
        if not self._token:
            body = {"username": self.user, "password": self.password}
            self._token = self._call("POST", "/auth/token", body, signed=False)["access_token"]
        return self._token
