"""Airflow's own web application in this process, with the pages in it, and a real run of kpi_linking behind them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.embedded.settings import postgres_connection
from include.migrations.kpi_linking import sample
from include.migrations.kpi_linking.migration import migration
from include.trueup.ledger import Ledger
from include.trueup.report import data_docs
from include.trueup.run import Files, run_id
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.dags.conftest import airflow_database, connections, dag_bag
from tests.harness import new_database, run_of, store_at
from tests.samples import Samples, few

__all__ = ["airflow_database", "connections", "dag_bag"]

RUN = "manual__2026-11-20T10:00:00+00:00"
EMPTY = "manual__2026-11-20T11:00:00+00:00"
PAGES = "/trueup/pages"
HOSTILE = "<script>alert(1)</script>\"'&\u202e\u0000\n=1+1"
Client = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A run that has ended: where its ledger and its workspace are."""

    ledger_uri: str
    workspace: Workspace
    id: str


@pytest.fixture(scope="session")
def airflow_runs(dag_bag: Any) -> None:
    """Every DAG of this project, and two runs of kpi_linking, in Airflow's database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import update

    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(dag_bag, "dags-folder", None)
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
    for id, state in ((RUN, DagRunState.SUCCESS), (EMPTY, DagRunState.QUEUED)):
        dag = SerializedDagModel.get_dag("kpi_linking")
        assert dag is not None
        dag.create_dagrun(
            run_id=id,
            run_after=datetime.now(UTC),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=state,
        )


@pytest.fixture(scope="session")
def application(airflow_runs: None) -> Any:
    """Airflow's application."""
    from airflow.api_fastapi.app import cached_app

    return cached_app(apps="core")


@pytest.fixture(scope="session")
def signed_in(application: Any) -> Client:
    """A client by role: `signed_in("viewer")`; `signed_in(None)` is one who has no right; `signed_in()` is anonymous."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    def client(*role: str | None) -> Any:
        made = TestClient(application, raise_server_exceptions=False)
        if role:
            token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="vera", role=role[0]))
            made.headers["Authorization"] = f"Bearer {token}"
        return made

    return client


@pytest.fixture(scope="session")
def evidence(postgres_server: postgres.Server, samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A run of kpi_linking over the sample, with a row that wants to be markup, and with Data Docs."""
    uri = new_database(postgres_server)
    ledger = Ledger(uri)
    ledger.upgrade()
    workspace = Workspace(str(tmp_path_factory.mktemp("pages")))
    id = run_id("kpi_linking", RUN)
    with samples.engine(sample, few) as engine:
        store = store_at(engine.endpoint)
        hostile = {"id": HOSTILE.replace("\0", ""), "tenant_id": "t", "kpi_id": "no such KPI", "label": "x" * 5000}
        hostile |= {"milestone_date": "2025-01-01", "created_by": "u", "created_at": "2025-01-01T00:00:00Z"}
        item = {name: {"S": text} for name, text in hostile.items()} | {"target_value": {"N": "1"}}
        store.client.put_item(TableName="purposepath-kpi-milestones", Item=item)
        walk(run_of(migration, ledger, workspace, lambda _: store, id), triggered_by="ada")
    ledger.close()
    data_docs.build(Files(workspace.run(id)))
    return Evidence(ledger_uri=uri, workspace=workspace, id=id)


@pytest.fixture
def behind(
    connections: Any, monkeypatch: pytest.MonkeyPatch, postgres_server: postgres.Server
) -> Iterator[Callable[[str, Workspace], None]]:
    """Lead the pages to a ledger and a workspace."""
    from trueup_airflow import connections as module
    from trueup_airflow.pages import evidence as kept
    from trueup_airflow.pages import where

    def forget() -> None:
        where.forget()
        for cached in (module.ledger, module.workspace, kept._ended):
            cached.cache_clear()

    def lead(ledger_uri: str, workspace: Workspace) -> None:
        forget()
        database = ledger_uri.split("?")[0].rsplit("/", 1)[1]
        monkeypatch.setenv("AIRFLOW_CONN_TRUEUP_LEDGER", postgres_connection(str(postgres_server.socket_dir), database))
        monkeypatch.setenv("TRUEUP_WORKSPACE", workspace.uri)

    yield lead
    forget()


@pytest.fixture
def viewer(signed_in: Client, evidence: Evidence, behind: Callable[[str, Workspace], None]) -> Any:
    """A client that may look, with the run's evidence behind the pages."""
    behind(evidence.ledger_uri, evidence.workspace)
    return signed_in("viewer")


@pytest.fixture
def scratch_run(evidence: Evidence, behind: Callable[[str, Workspace], None], tmp_path: Path) -> Path:
    """The run's folder in a workspace of its own, to be filled by the test; the ledger is the real run's."""
    workspace = Workspace(str(tmp_path / "mine"))
    behind(evidence.ledger_uri, workspace)
    folder = tmp_path / "mine" / "runs" / evidence.id
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(
        json.dumps({"sha256": "0" * 64, "created_at": "2026-11-20T10:00:00Z", "phases": []})
    )
    return folder
