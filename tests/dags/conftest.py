"""A real Airflow in this process: its settings are made before anything imports it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.embedded.settings import dynamodb_connection
from tests.dags import people

ROOT = Path(__file__).parent.parent.parent
HOME = Path(tempfile.mkdtemp(prefix="trueup-airflow-"))
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "0",  # the alarm that it would set is pytest's, which would be lost
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(HOME / "logs"),
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__API_AUTH__JWT_SECRET": "only for tests, and sixty-four characters long, as SHA-512 wants it",
}
for folder in (ROOT, ROOT / "plugins"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's metadata database, made."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(autouse=True, scope="session")
def impatient() -> Iterator[None]:
    """dag.test() sleeps a second whenever no task is ready, after each skipped task for one: half of a small run. People
    answer while it waits."""
    sleep = time.sleep

    def shorter(seconds: float) -> None:
        waits = sys._getframe(1).f_code.co_filename.endswith("sdk/definitions/dag.py")
        if waits:
            for answer in list(people.waiting):
                answer()
        sleep(seconds / 50 if waits else seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", shorter)
        yield


@pytest.fixture(autouse=True, scope="session")
def synced_once() -> Iterator[None]:
    """dag.test() reads every DAG of the folder and enters it into the database, at every call: half of a small run."""
    from airflow.dag_processing import dagbag

    read, sync, synced = dagbag.BundleDagBag, dagbag.sync_bag_to_db, set()

    def read_once(*, bundle_name: str, **more: Any) -> Any:
        return None if bundle_name in synced else read(bundle_name=bundle_name, **more)

    def sync_once(bag: Any, bundle_name: str, *more: Any) -> None:
        if bag is not None:
            sync(bag, bundle_name, *more)
            synced.add(bundle_name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dagbag, "BundleDagBag", read_once)
        patch.setattr(dagbag, "sync_bag_to_db", sync_once)
        yield


@pytest.fixture(autouse=True, scope="session")
def sound_schemas() -> Iterator[None]:
    """A param looks whether its schema is a sound one each time that it looks at its value, a hundred times in a run: a
    fifth of a small run. Here each schema is looked at once."""
    from jsonschema import Draft202012Validator

    look, sound = Draft202012Validator.check_schema, set[str]()

    def look_once(schema: Any, *more: Any, **options: Any) -> None:
        if (text := json.dumps(schema, sort_keys=True, default=repr)) not in sound:
            look(schema, *more, **options)
            sound.add(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft202012Validator, "check_schema", look_once)
        yield


@pytest.fixture(scope="session")
def dag_bag(airflow_database: None) -> Any:
    """Every DAG of this project, as Airflow parses them."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(ROOT / "dags"))


@pytest.fixture
def connections(
    monkeypatch: pytest.MonkeyPatch, postgres_server: postgres.Server, ledger_uri: str, workspace_folder: Path
) -> Iterator[Any]:
    """Give Airflow a connection: `connections("kpi_dynamodb", endpoint)`; ledger and workspace are there."""
    from trueup_airflow import connections as module

    def forget() -> None:
        for cached in (module.store, module.ledger, module.workspace):
            cached.cache_clear()

    def connect(conn_id: str, endpoint: str) -> None:
        forget()
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", dynamodb_connection(endpoint))

    forget()
    database = ledger_uri.split("?")[0].rsplit("/", 1)[1]
    given = {"conn_type": "postgres", "host": str(postgres_server.socket_dir), "login": "postgres", "schema": database}
    monkeypatch.setenv("AIRFLOW_CONN_TRUEUP_LEDGER", json.dumps(given))
    monkeypatch.setenv("TRUEUP_WORKSPACE", str(workspace_folder))
    yield connect
    forget()
