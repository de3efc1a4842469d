"""A sample that one phase migrates, that of scoring_results, for runs of its DAGs that are not about the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.embedded.settings import postgres_connection
from include.migrations.scoring_results import sample
from tests.harness import run_sql
from tests.samples import Samples

ROOT = Path(__file__).parent.parent.parent
DAG = "scoring_results"


def database(samples: Samples, server: postgres.Server, environment: pytest.MonkeyPatch) -> str:
    """The URI of a database with the sample, which Airflow's connection leads to."""
    uri = samples.database(sample)
    name = uri.split("?")[0].rsplit("/", 1)[1]
    environment.setenv("AIRFLOW_CONN_SCORING_POSTGRES", postgres_connection(server.socket_dir, name))
    return uri


def target(uri: str) -> list[tuple[Any, ...]]:
    """The rows of the target, some of which the sample has there."""
    return run_sql(uri, "SELECT * FROM scoring_results ORDER BY session_id")


def run(dag_id: str, **conf: Any) -> Any:
    """One run of a DAG of a migration of rows in this process. dag.test() leaves the conf of one run in the DAG's params, so
    every run gets a DAG of its own."""
    from airflow.dag_processing.dagbag import DagBag

    file = dag_id.removesuffix("_cutover").removesuffix("_rollback")
    dag = DagBag(str(ROOT / "dags" / f"{file}.py")).dags[dag_id]
    if "max_reject_share" in dag.params and file == dag_id:
        conf = {"partitions": 1, "segments": 1, "max_reject_share": 1, **conf}
    return dag.test(run_conf=conf)


def states(dag_run: Any) -> dict[str, set[str]]:
    """The states of the instances of each task."""
    found: dict[str, set[str]] = {}
    for instance in dag_run.get_task_instances():
        found.setdefault(instance.task_id, set()).add(str(instance.state))
    return found


def refusals(workspace: str | Path) -> list[tuple[str, str, str | None]]:
    """Why turns were refused, the first one first: at which step, in words, by whom."""
    # by when they were written, since `at` says no less than a second
    files = sorted(Path(workspace).glob("runs/*/refused.json"), key=lambda file: file.stat().st_mtime_ns)
    found = [json.loads(file.read_text()) for file in files]
    return [(each["step"], each["reason"], each["by"]) for each in found]
