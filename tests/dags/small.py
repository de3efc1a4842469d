"""A small sample of kpi_linking, for runs of its DAGs that are not about the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from include.migrations.kpi_linking import sample
from tests.samples import Samples, tiny

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def small_engine(samples: Samples) -> Iterator[str]:
    """The endpoint of an engine whose legacy tables hold the first rows of the sample."""
    with samples.engine(sample, tiny) as engine:
        yield engine.endpoint


def run(dag_id: str, **conf: Any) -> Any:
    """One run of a DAG of kpi_linking in this process. dag.test() leaves the conf of one run in the DAG's params, so
    every run gets a DAG of its own."""
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(str(ROOT / "dags" / "kpi_linking.py")).dags[dag_id]
    if dag_id == "kpi_linking":
        conf = {"partitions": 1, "segments": 1, "max_reject_share": 1, **conf}
    return dag.test(run_conf=conf)


def states(dag_run: Any) -> dict[str, set[str]]:
    """The states of the instances of each task."""
    found: dict[str, set[str]] = {}
    for instance in dag_run.get_task_instances():
        found.setdefault(instance.task_id, set()).add(str(instance.state))
    return found
