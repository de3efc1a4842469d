"""The tasks of one DAG run, called one at a time as Airflow calls them, in any order that people ask for; and places that
they work in, which are kept as they are at some point and brought back."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import psycopg
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import set_current_context

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.steps import APPROVE
from tests.harness import run_sql
from trueup_airflow.dags.approval import RANGE, SHOWN, Approval


class Tasks:
    """A run of a DAG, by Airflow's name of it. `parts`: the arguments of the tasks that are mapped, by task."""

    def __init__(self, dag: DAG, run_id: str, parts: Mapping[str, list[dict[str, Any]]], **params: Any) -> None:
        self.dag, self.run_id, self._parts = dag, run_id, parts
        self.order = [task.task_id for task in dag.topological_sort()]  # type: ignore[no-untyped-call]
        self.states: dict[str, str] = {}
        self.returned: dict[str, Any] = {}
        self.asked: list[Any] = []
        asked = {**{name: dag.params[name] for name in dag.params if name not in params}, **params}
        dag_run = SimpleNamespace(
            dag_id=dag.dag_id, run_id=run_id, run_type="manual", run_after=datetime.now(UTC), triggering_user_name="ada"
        )
        ti = SimpleNamespace(
            get_task_states=lambda **_: {run_id: dict(self.states)},
            get_dagrun_state=lambda **_: "running",
            xcom_pull=lambda task_ids, key="return_value": self.returned.get(
                task_ids if key == "return_value" else f"{task_ids}/{key}"
            ),
            xcom_push=lambda key, value: self.returned.update({f"{APPROVE}/{key}": value}),
        )
        self._context: Any = {"dag_run": dag_run, "params": asked, "ti": ti, "task_instance": ti}

    def do(self, id: str, *, answer: bool = True, **fields: str) -> None:
        """The task, until it ends; a question is answered with yes, or not at all (`fields` in place of what was shown). What
        it raises is raised."""
        self.states[id] = "failed"
        with set_current_context(self._context), suppress(AirflowSkipException):
            self.returned[id] = self._done(id, answer, fields)
        self.states[id] = "success"

    def _done(self, id: str, answer: bool, fields: Mapping[str, str]) -> Any:
        task: Any = self.dag.task_dict[id]
        if isinstance(task, Approval):
            return self._ask(task, answer, fields)
        do = task.python_callable
        if id == "turn":
            return do(self.returned.get("preflight"), self.returned.get("approve"))  # None of one that returned nothing
        return [do(**part) for part in self._parts.get(id, [{}])][-1]

    def _ask(self, task: Approval, answer: bool, fields: Mapping[str, str]) -> Any:
        asked: list[Any] = []
        task.params = ParamsDict()  # those of an earlier question are gone
        with patch.object(HITLOperator, "execute", lambda self, _: asked.append(self)):
            given = task.execute(self._context)
        self.asked += asked
        if not asked or not answer:
            return given
        shown = {**{name: task.params[name] for name in (SHOWN, RANGE) if name in task.params}, **fields}
        event = {"chosen_options": ["Approve"], "params_input": {"comment": None, **shown}}
        return task.execute_complete(self._context, {**event, "responded_by_user": {"name": "ada"}})

    def do_from(self, first: str, *, leave_out: str | None = None) -> tuple[str, Exception] | None:
        """This task and those behind it, as Airflow goes on: one that fails ends it, and only the report and the verdict
        follow. The task that failed, and its error. `leave_out`: a task that somebody marked as done."""
        failed: tuple[str, Exception] | None = None
        for id in self.order[self.order.index(first) :]:
            if id == leave_out:
                self.states[id] = "success"
                self.returned.pop(id, None)
            elif failed is None or id in ("report", "verdict"):
                try:
                    self.do(id)
                except Exception as error:  # whatever it is, the table says
                    failed = failed or (id, error)
            else:
                self.states[id] = "upstream_failed"
        return failed

    def mark_failed(self, id: str) -> None:
        """Somebody marks the task as failed: only the report and the verdict follow."""
        self.states[id] = "failed"
        if id != "verdict" and "report" in self.order:
            self.do_from("verdict" if id == "report" else "report")


class Place:
    """A ledger, a workspace and databases, kept under names and brought back as they were: each database under its own name
    and number."""

    def __init__(self, server: postgres.Server, folder: Path, ledger_uri: str, *uris: str) -> None:
        self._server, self._folder, self.uris = server, folder, (ledger_uri, *uris)
        self.ledger = Ledger(ledger_uri)
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        self.workspace = Workspace(str(self.work / "workspace"))
        self._kept: dict[str, list[tuple[str, int, str]]] = {}

    def keep(self, name: str) -> None:
        """Keep everything as it is now."""
        self.ledger.close()
        kept = []
        for uri in self.uris:
            database = uri.split("?")[0].rsplit("/", 1)[1]
            copy = f"{database}_kept_{len(self._kept)}"
            oid = run_sql(uri, "SELECT oid::bigint FROM pg_database WHERE datname = current_database()")[0][0]
            self._sql(f"CREATE DATABASE {copy} TEMPLATE {database}")
            kept.append((database, oid, copy))
        shutil.copytree(self.work, self._folder / "kept" / name)
        self._kept[name] = kept

    def bring_back(self, name: str) -> None:
        """Make everything what it was."""
        self.ledger.close()
        for database, oid, copy in self._kept[name]:
            self._sql(
                f"DROP DATABASE IF EXISTS {database} WITH (FORCE)",
                f"CREATE DATABASE {database} OID {oid} TEMPLATE {copy}",
            )
        shutil.rmtree(self.work)
        shutil.copytree(self._folder / "kept" / name, self.work)

    def _sql(self, *statements: str) -> None:
        with psycopg.connect(self._server.uri(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
