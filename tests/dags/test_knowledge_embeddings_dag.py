"""The DAG knowledge_embeddings: what it costs is asked about before it is computed, and then the plan."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.embedded.settings import connection_variable, postgres_connection
from include.migrations.knowledge_embeddings import minilm, sample
from tests.dags.people import answering
from tests.harness import run_sql
from tests.samples import Samples

FILE = Path(__file__).parent.parent.parent / "dags" / "knowledge_embeddings.py"
FILLED = "SELECT count(*)::int FROM knowledge_base_documents WHERE embedding_model = 'all-MiniLM-L6-v2'"


@pytest.fixture
def uri(
    monkeypatch: pytest.MonkeyPatch,
    connections: Any,
    postgres_server: postgres.Server,
    samples: Samples,
    tmp_path: Path,
) -> str:
    """Three documents, known to Airflow."""
    made = samples.database(sample)
    run_sql(
        made, "DELETE FROM knowledge_base_documents WHERE filename NOT IN ('file 2.txt', 'file 3.txt', 'file 4.txt')"
    )
    given = postgres_connection(str(postgres_server.socket_dir), made.split("?")[0].rsplit("/", 1)[1])
    monkeypatch.setenv(connection_variable("socrates_specs_postgres"), given)
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "home"))
    return made


def run(**conf: Any) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(FILE)).dags["knowledge_embeddings"].test(run_conf=conf)


def test_the_cost_stands_before_the_transform(dag_bag: Any) -> None:
    dag = dag_bag.dags["knowledge_embeddings"]
    order = [task.task_id for task in dag.topological_sort()]
    assert order[order.index("shared") + 1 : order.index("transform") + 1] == ["approve_cost", "transform"]
    assert "approve_cost" not in dag_bag.dags["knowledge_embeddings_rollback"].task_dict
    assert "approve_cost" not in dag_bag.dags["kpi_linking"].task_dict


def test_who_rejects_the_cost_pays_nothing(dag_bag: Any, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*_: Any) -> Any:
        raise AssertionError("something was embedded")

    with monkeypatch.context() as patched, answering("knowledge_embeddings", "Reject", "too dear") as asked:
        patched.setattr(minilm.MiniLM, "embed", computed)
        dag_run = run(price_per_million_tokens=3)
    assert dag_run.state == "failed"
    (question,) = asked
    assert question["task_instance"]["task_id"] == "approve_cost"
    for said in ("| texts | 3 |", "| tokens | ", "| time | about ", "at 3 a million tokens |", "Cost `"):
        assert said in question["body"]
    assert run_sql(uri, FILLED) == [(0,)]


@pytest.mark.slow  # a whole run with its two questions
def test_cost_and_plan_are_two_questions(dag_bag: Any, uri: str) -> None:
    with ExitStack() as people:
        asked = [people.enter_context(answering("knowledge_embeddings", "Approve", f"yes {n}")) for n in (1, 2)]
        dag_run = run()
    assert dag_run.state == "success"
    assert [question["task_instance"]["task_id"] for (question,) in asked] == ["approve_cost", "approve"]
    assert run_sql(uri, FILLED) == [(3,)]
