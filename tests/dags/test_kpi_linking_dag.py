"""The DAG kpi_linking: its structure, and real runs of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.migrations.kpi_linking import sample
from tests.faults.proxy import READS, Proxy, read_only
from tests.harness import fastest_engine, items, store_at
from tests.migrations.kpi_linking_oracle import by_id, expected
from tests.samples import Samples, few

ROOT = Path(__file__).parent.parent.parent
LINKS, DATA = "purposepath-kpi-links", "purposepath-kpi-data"


@pytest.fixture
def endpoint(samples: Samples) -> Iterator[str]:
    with samples.engine(sample, few) as engine:
        yield engine.endpoint


def run(dag_bag: Any, **conf: Any) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    # dag.test() leaves the conf of one run in the DAG's params: every run gets a DAG of its own
    dag = DagBag(str(ROOT / "dags" / "kpi_linking.py")).dags["kpi_linking"]
    return dag.test(run_conf={"approval": False, "partitions": 1, "segments": 1, "max_reject_share": 0.5, **conf})


def states(dag_run: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for instance in dag_run.get_task_instances():
        found.setdefault(instance.task_id, set()).add(str(instance.state))
    return found


def report(folder: Path) -> dict[str, Any]:
    (found,) = folder.glob("workspace/runs/*/report.json")
    assert (found.parent / "report.html").read_text().startswith("<!")
    assert (found.parent / "report.md").read_text()
    return json.loads(found.read_text())


def test_the_tasks_are_those_of_the_design_in_their_order(dag_bag: Any) -> None:
    dag = dag_bag.dags["kpi_linking"]
    order = [task.task_id for task in dag.topological_sort()]
    wanted = ["preflight", "snapshot", "plan", "plan_gate", "create_tables"]
    wanted += [f"{p}.{s}" for p in ("links", "milestones", "actuals", "readings") for s in ("apply", "verify")]
    wanted += ["validate", "report", "verdict"]
    assert [task for task in order if task in wanted] == wanted
    assert dag.task_dict["snapshot"].is_mapped
    assert dag.task_dict["plan"].is_mapped


def test_a_run_from_dirty_sample_to_proven_target(
    dag_bag: Any, connections: Any, endpoint: str, tmp_path: Path
) -> None:
    connections("kpi_dynamodb", endpoint)
    dag_run = run(dag_bag, partitions=2, segments=2)
    assert dag_run.state == "success"
    store = store_at(endpoint)
    oracle = expected({table: items(store, table) for table in sample.TABLES})
    assert by_id(items(store, LINKS)) == by_id(oracle.links.values())
    assert by_id(items(store, DATA)) == by_id(oracle.data.values())
    assert report(tmp_path)["verdict"]["status"] == "passed"


def test_mode_plan_writes_to_no_store(dag_bag: Any, connections: Any, endpoint: str, tmp_path: Path) -> None:
    with Proxy(endpoint, read_only) as proxy:
        connections("kpi_dynamodb", proxy.endpoint)
        dag_run = run(dag_bag, mode="plan", approval=True)  # which nobody is asked for, since nothing is to be written
        assert dag_run.state == "success"
        assert {request.operation for request in proxy.requests} <= READS
    assert states(dag_run)["links.apply"] == states(dag_run)["approve"] == {"skipped"}
    facts = report(tmp_path)
    assert facts["run"]["status"] == "planned"
    assert facts["applied"] == []
    assert facts["approval"] is None


def test_mode_apply_with_the_same_credentials_is_refused_and_reported(
    dag_bag: Any, connections: Any, endpoint: str, tmp_path: Path
) -> None:
    # the same proxy as above does refuse writes: without this, the test before proves nothing
    with Proxy(endpoint, read_only) as proxy:
        connections("kpi_dynamodb", proxy.endpoint)
        dag_run = run(dag_bag)
    assert dag_run.state == "failed"
    assert states(dag_run)["report"] == {"success"}
    assert states(dag_run)["verdict"] == {"failed"}
    facts = report(tmp_path)
    assert facts["run"]["failed"]["step"] == "create_tables"
    assert "AccessDenied" in facts["run"]["failed"]["error"]
    assert facts["verdict"]["status"] == "failed"


def test_a_failing_gate_fails_the_run_and_writes_nothing(
    dag_bag: Any, connections: Any, endpoint: str, tmp_path: Path
) -> None:
    connections("kpi_dynamodb", endpoint)
    dag_run = run(dag_bag, max_rejects=1)
    assert dag_run.state == "failed"
    assert states(dag_run)["plan_gate"] == {"failed"}
    assert states(dag_run)["report"] == {"success"}
    assert LINKS not in store_at(endpoint).client.list_tables()["TableNames"]
    assert report(tmp_path)["run"]["failed"]["step"] == "plan_gate"


def test_a_missing_source_is_said(dag_bag: Any, connections: Any, tmp_path: Path) -> None:
    with fastest_engine() as engine:
        connections("kpi_dynamodb", engine.endpoint)
        dag_run = run(dag_bag)
    assert dag_run.state == "failed"
    assert "purposepath-goal-kpi-links" in report(tmp_path)["run"]["failed"]["error"]


@pytest.mark.parametrize(
    ("conf", "said"),
    [({"partitions": 0}, "partitions"), ({"mode": "drop"}, "mode"), ({"max_reject_share": 2}, "max_reject_share")],
)
def test_params_out_of_bounds_are_refused_before_anything_runs(
    dag_bag: Any, connections: Any, conf: dict[str, Any], said: str
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        run(dag_bag, **conf)
