"""Airflow's own web application in this process, with the plugin in it, over real stores that hold the samples.

Every answer that a test gets is compared with what the API's description says of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from include.embedded import postgres
from include.embedded.settings import postgres_connection
from include.migrations.checkins import sample as checkins_sample
from include.migrations.checkins.migration import migration as checkins_migration
from include.migrations.scoring_models import sample as models_sample
from include.migrations.scoring_models.migration import migration as scoring_models
from include.migrations.scoring_results import sample as results_sample
from include.trueup.ledger import Ledger, SwitchState
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.dags.conftest import airflow_database, connections
from tests.harness import new_database, run_of, store_at
from tests.samples import Samples

from .described import Described

__all__ = ["airflow_database", "connections"]

Client = Callable[..., Any]
Connect = Callable[[str, str], None]


@pytest.fixture(scope="session")
def application(airflow_database: None) -> Any:
    """Airflow's application."""
    from airflow.api_fastapi.app import cached_app

    return cached_app(apps="core")


def client_of(application: Any, name: str | None = None, role: str | None = None) -> Any:
    """A client of an application: anonymous without a name, one who has no right without a role."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    made = TestClient(application, raise_server_exceptions=False)
    if name:
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))
        made.headers["Authorization"] = f"Bearer {token}"
    return made


@pytest.fixture(scope="session")
def signed_in(application: Any) -> Client:
    """A client by name and role: `signed_in("vera", "viewer")`; without a name, anonymous; without a role, one who has
    no right. Its answers are compared with the description."""
    described = Described(client_of(application, "admin", "admin").get("/trueup/api/openapi.json").json())

    def watched(name: str | None = None, role: str | None = None) -> Any:
        made = client_of(application, name, role)
        made.event_hooks = {"response": [described.check]}
        return made

    return watched


@pytest.fixture
def viewer(signed_in: Client, connections: Any) -> Iterator[Any]:
    """A client that may read every DAG."""
    from trueup_airflow.api import deprecation, stores, usage

    stores.forget()
    deprecation.ONCE.forget()
    usage.RECORDER.forget()
    yield signed_in("vera", "viewer")
    usage.RECORDER.forget()
    stores.forget()


@pytest.fixture
def connect_postgres(monkeypatch: pytest.MonkeyPatch, postgres_server: postgres.Server) -> Connect:
    """Lead a connection to a database: `connect_postgres("scoring_postgres", uri)`."""

    def connect(conn_id: str, uri: str) -> None:
        database = uri.split("?")[0].rsplit("/", 1)[1]
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", postgres_connection(postgres_server.socket_dir, database))

    return connect


@pytest.fixture(scope="session")
def results_uri(samples: Samples) -> str:
    """The sample of scoring_results, the unified table made, and in it the one row that the sample has there."""
    return samples.database(results_sample)


@pytest.fixture
def results(results_uri: str, connect_postgres: Connect, viewer: Any) -> str:
    """The sample behind scoring_postgres."""
    connect_postgres("scoring_postgres", results_uri)
    return results_uri


@pytest.fixture(scope="session")
def surveys_uri(
    postgres_server: postgres.Server, ledger_template: str, samples: Samples, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The sample of scoring_models, stamped, and scored again under 1.1.0."""
    uri = samples.database(models_sample)
    ledger = Ledger(new_database(postgres_server, like=ledger_template))
    workspace = Workspace(str(tmp_path_factory.mktemp("workspace")))
    walk(run_of(scoring_models, ledger, workspace, lambda _: PostgresStore(uri), params={"rescore_to": "1.1.0"}))
    ledger.close()
    return uri


@pytest.fixture
def surveys(surveys_uri: str, connect_postgres: Connect, viewer: Any) -> str:
    """The stamped sample behind survey_postgres."""
    connect_postgres("survey_postgres", surveys_uri)
    return surveys_uri


@pytest.fixture(scope="session")
def checkins_engine(samples: Samples) -> Iterator[tuple[str, DynamoDBStore]]:
    """A DynamoDB with the sample of checkins, with the index that the migration adds: its endpoint, and a store on it."""
    with samples.engine(checkins_sample) as engine:
        store = store_at(engine.endpoint)
        store.create(checkins_migration.target("responses").table)
        yield engine.endpoint, store


@pytest.fixture
def checkins(checkins_engine: tuple[str, DynamoDBStore], connections: Any, viewer: Any) -> DynamoDBStore:
    """The sample behind checkins_dynamodb."""
    endpoint, store = checkins_engine
    connections("checkins_dynamodb", endpoint)
    return store


@pytest.fixture
def turn(ledger: Ledger) -> Callable[[str, str], None]:
    """Turn the switch of a migration, a step at a time: `turn("checkins", "dual")`."""

    def to(migration_id: str, state: str) -> None:
        ledger.switches.turn(
            migration_id,
            SwitchState(state),
            by="vera",
            why="a test",
            run_id=f"{migration_id}-{state}",
            proof_run_id=None,
        )

    return to


def exact(answer: Any) -> Any:
    """The content of an answer, its numbers with all their digits."""
    return json.loads(answer.text, parse_float=Decimal)
