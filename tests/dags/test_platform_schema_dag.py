"""The DAG platform_schema: its structure, and real runs of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.embedded.settings import postgres_connection
from include.migrations.platform_schema import sample
from include.migrations.platform_schema.migration import migration
from include.trueup.errors import OptionsError
from tests.dags.people import answering
from tests.harness import run_sql
from tests.samples import Samples
from trueup_airflow.process.conf import check_conf as check

FILE = Path(__file__).parent.parent.parent / "dags" / "platform_schema.py"


@pytest.fixture
def uris(
    monkeypatch: pytest.MonkeyPatch, connections: Any, postgres_server: postgres.Server, samples: Samples
) -> dict[str, str]:
    """Both databases with the sample, known to Airflow; their URIs."""
    made = samples.databases(sample, migration.connections)
    for conn_id, uri in made.items():
        name = uri.split("?")[0].rsplit("/", 1)[1]
        given = postgres_connection(str(postgres_server.socket_dir), name)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", given)
    return made


def run(dag_bag: Any, **conf: Any) -> Any:
    # dag.test() leaves the conf of one run in the DAG's params: every run gets a DAG of its own
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(FILE)).dags["platform_schema"].test(run_conf={"approval": False, **conf})


def report(folder: Path) -> dict[str, Any]:
    (found,) = folder.glob("workspace/runs/*/report.json")
    return json.loads(found.read_text())


def states(dag_run: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for instance in dag_run.get_task_instances():
        found.setdefault(instance.task_id, set()).add(str(instance.state))
    return found


def test_the_tasks_are_those_of_the_contract_in_their_order(dag_bag: Any) -> None:
    dag = dag_bag.dags["platform_schema"]
    order = [task.task_id for task in dag.topological_sort()]
    assert order == ["preflight", "lint", "rehearse", "approve", "backup", "apply", "gate", "report", "verdict"]
    assert dag.task_dict["rehearse"].is_mapped
    assert dag.params.get_param("target_phase").schema["maximum"] == 6


def test_a_run_to_phase_3(dag_bag: Any, uris: dict[str, str], tmp_path: Path) -> None:
    dag_run = run(dag_bag, target_phase=3)
    assert dag_run.state == "success"
    assert report(tmp_path)["verdict"]["headline"].startswith("Proven: 4 revisions run, every database is at phase 3")
    assert run_sql(uris["socrates_auth_postgres"], "SELECT version_num FROM alembic_version") == [("auth_0003",)]
    assert run_sql(uris["socrates_specs_postgres"], "SELECT version_num FROM alembic_version") == [("specs_0003",)]


def test_a_person_is_asked_with_what_would_run_and_what_would_go(
    dag_bag: Any, uris: dict[str, str], tmp_path: Path
) -> None:
    with answering("platform_schema", "Approve", "read it") as asked:
        dag_run = run(dag_bag, target_phase=1, approval=True)
    assert dag_run.state == "success"
    (question,) = asked
    told = report(tmp_path)
    assert "CREATE TABLE user_rules" in question["body"]
    assert told["schema"]["sha256"] in question["body"]
    assert (told["approval"]["decision"], told["approval"]["by"]) == ("approved", "user")
    assert told["approval"]["plan_sha256"] == told["schema"]["sha256"]

    with answering("platform_schema", "Reject", "not today") as asked:
        dag_run = run(dag_bag, target_phase=0, approval=True)
    assert "Goes: table user_rules (0 rows)" in asked[0]["body"]
    assert dag_run.state == "failed"
    assert states(dag_run)["approve"] == {"failed"}
    assert run_sql(uris["socrates_specs_postgres"], "SELECT version_num FROM alembic_version") == [("specs_0001",)]


def test_where_nobody_is_asked_down_is_refused_and_a_box_is_no_approval(dag_bag: Any) -> None:
    dag = dag_bag.dags["platform_schema"]
    params = dag.params
    assert params["approval"] is True
    with pytest.raises(OptionsError, match="CONF does not fit"):
        check(dag, {"approve_down": True})
    check(dag, {"approve_down": "0" * 64})


def test_mode_plan_skips_what_changes_and_passes(dag_bag: Any, uris: dict[str, str], tmp_path: Path) -> None:
    dag_run = run(dag_bag, target_phase=1, mode="plan")
    assert dag_run.state == "success"
    assert states(dag_run)["apply"] == states(dag_run)["approve"] == {"skipped"}
    assert len(report(tmp_path)["schema"]["sha256"]) == 64
    assert states(dag_run)["rehearse"] == {"success"}
    assert report(tmp_path)["run"]["status"] == "planned"
    assert run_sql(uris["socrates_specs_postgres"], "SELECT version_num FROM alembic_version") == [("specs_0000",)]


def test_a_phase_between_is_said_by_the_verdict(dag_bag: Any, uris: dict[str, str], tmp_path: Path) -> None:
    run_sql(uris["socrates_specs_postgres"], "UPDATE alembic_version SET version_num = 'specs_0005a'")
    dag_run = run(dag_bag, target_phase=6)
    assert dag_run.state == "failed"
    assert "stands between phases" in report(tmp_path)["run"]["failed"]["error"]


def restored(**conf: Any) -> str:
    from airflow.dag_processing.dagbag import DagBag

    dag_run = DagBag(str(FILE)).dags["platform_schema_restore"].test(run_conf=conf)
    return str(dag_run.state)


def test_a_restore_of_a_run_that_nobody_knows_fails(dag_bag: Any, uris: dict[str, str]) -> None:
    dag = dag_bag.dags["platform_schema_restore"]
    with pytest.raises(OptionsError, match="CONF does not fit"):
        check(dag, {"run": "a", "database": "other"})
    assert restored(run="nobody knows", database="specs") == "failed"


@pytest.mark.slow  # four runs
def test_what_went_down_is_put_back(dag_bag: Any, uris: dict[str, str]) -> None:
    specs = uris["socrates_specs_postgres"]
    run(dag_bag, target_phase=1)
    run_sql(
        specs,
        "INSERT INTO user_rules (user_id, project_id, rule_type, definition) "
        "SELECT user_id, id, 'a\ttab', '{\"of\": 1.50}' FROM projects p LIMIT 3",
    )
    with answering("platform_schema", "Approve"):
        down = run(dag_bag, target_phase=0, approval=True)
    run(dag_bag, target_phase=1)
    assert run_sql(specs, "SELECT count(*)::int FROM user_rules") == [(0,)]
    assert restored(run=down.run_id, database="specs") == "success"
    assert run_sql(specs, "SELECT count(*)::int FROM user_rules") == [(3,)]
    assert restored(run=down.run_id, database="specs") == "failed"
