"""The DAGs of the scoring migrations in a real Airflow: params of their own, and the shadow comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.embedded.settings import postgres_connection
from include.migrations.scoring_results import sample
from include.trueup.stores.postgres import PostgresStore
from tests.harness import run_sql
from tests.samples import Samples


@pytest.fixture
def scoring(
    postgres_server: postgres.Server, samples: Samples, connections: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, PostgresStore]:
    """The sample behind the connection scoring_postgres."""
    uri = samples.database(sample)
    database = uri.split("?")[0].rsplit("/", 1)[1]
    monkeypatch.setenv("AIRFLOW_CONN_SCORING_POSTGRES", postgres_connection(postgres_server.socket_dir, database))
    return uri, PostgresStore(uri)


def comparisons(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in (tmp_path / "workspace").rglob("comparison.json")]


def test_rescore_to_is_a_field_of_the_form_with_the_published_versions(dag_bag: Any) -> None:
    param = dag_bag.dags["scoring_models"].params.get_param("rescore_to")
    assert param.schema["enum"] == ["1.0.0", "1.1.0", "2.0.0", None]
    assert param.value is None


def test_the_shadow_fails_on_a_difference_and_reports_every_one(
    scoring: tuple[str, PostgresStore], dag_bag: Any, tmp_path: Path
) -> None:
    dag = dag_bag.dags["scoring_results_shadow"]
    assert dag.params["share"] == 1.0
    assert dag.test(run_conf={}).state == "failed"
    (found,) = comparisons(tmp_path)
    kinds = {d["path"]: d for d in found["differences"]}
    assert any(path.startswith("state") for path in kinds)  # the sample's row that was changed by hand
    assert sum(d["unified"] is None for d in found["differences"]) > 400  # not migrated yet
    from trueup_airflow import connections

    (entered,) = connections.ledger().comparisons.of("scoring_results")
    assert (entered.compared, entered.differences) == (found["compared"], len(found["differences"]))
    assert entered.whole


def test_the_shadow_passes_where_nothing_differs(
    scoring: tuple[str, PostgresStore], dag_bag: Any, tmp_path: Path
) -> None:
    run_sql(
        scoring[0],
        "DELETE FROM scoring_results",
        "DELETE FROM profiles",
    )
    assert dag_bag.dags["scoring_results_shadow"].test(run_conf={"share": 0.5}).state == "success"
    assert comparisons(tmp_path) == [{"asked": {"share": 0.5}, "compared": 0, "differences": []}]
