"""A run that somebody deleted in Airflow while it waited for a person keeps its place from no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from include.embedded import postgres
from include.trueup.errors import StatusError, TargetHeldError
from tests.dags import states
from tests.dags.tasks import Tasks


def airflow_says(**of: Any) -> str:
    """What Airflow's own API server answers a task that asks for the state of a run which is not there."""
    from airflow.sdk.api.client import ServerResponseError
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    try:
        client: Any = InProcessTestSupervisor._api_client()  # type: ignore[no-untyped-call]
        return str(client.dag_runs.get_state(**of).state)
    except ServerResponseError as error:  # as the supervisor hands it to the task
        status = error.response.status_code
        detail = {"status_code": status, "message": str(error), "detail": error.response.json()}
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail)) from error


def asking(run: Tasks, answer: Any) -> Tasks:
    """The run, whose tasks are answered so when they ask for the state of another."""
    run._context["ti"].get_dagrun_state = answer
    return run


def test_a_run_that_was_deleted_while_it_waited_gives_up_its_place(
    postgres_server: postgres.Server,
    ledger_template: str,
    tmp_path: Path,
    airflow_database: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(**_: Any) -> str:
        raise ConnectionError("the API server does not answer")

    small = states.Small(postgres_server, tmp_path / "place", ledger_template)
    with states.connected(small.place, store=lambda _: small.database.store):
        waiting = small.forward("a")
        for id in waiting.order[: waiting.order.index("approve")]:
            waiting.do(id)
        with pytest.raises(TargetHeldError):  # it is at work still
            asking(small.forward("b"), airflow_says).do("preflight")
        waiting.do("approve", answer=False)
        with pytest.raises(TargetHeldError, match="waits for a person"):
            asking(small.forward("b"), gone).do("preflight")
        monkeypatch.setenv("TRUEUP_HOLDER", "make run")
        with pytest.raises(TargetHeldError, match="waits for a person"):
            asking(small.forward("b"), airflow_says).do("preflight")
        monkeypatch.delenv("TRUEUP_HOLDER")
        small.all(asking(small.forward("b"), airflow_says))
        assert small.held() == small.database.should()
        with pytest.raises(StatusError, match="another run took over its targets"):
            waiting.do("create_tables")
