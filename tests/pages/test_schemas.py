"""The page that says where the databases of a migration of schemas are."""

from __future__ import annotations

from typing import Any

import pytest

from include.embedded import postgres
from include.embedded.settings import connection_variable, postgres_connection
from include.migrations.platform_schema import sample
from include.migrations.platform_schema.migration import migration
from tests.harness import run_sql
from tests.samples import Samples

from .conftest import PAGES

URL = f"{PAGES}/data/dags/platform_schema/schemas"


@pytest.fixture
def uris(monkeypatch: pytest.MonkeyPatch, postgres_server: postgres.Server, samples: Samples) -> dict[str, str]:
    """Both databases at phase 0, known to Airflow."""
    made = samples.databases(sample, migration.connections)
    for conn_id, uri in made.items():
        given = postgres_connection(str(postgres_server.socket_dir), uri.split("?")[0].rsplit("/", 1)[1])
        monkeypatch.setenv(connection_variable(conn_id), given)
    return made


def test_phase_revisions_between_phases_and_a_database_that_does_not_answer(
    viewer: Any, uris: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = viewer.get(URL).json()
    assert (found["there"], found["phase"], found["known"]) == (True, 0, True)
    auth, specs = found["databases"]
    assert (auth["id"], auth["heads"], auth["phase"], auth["until"]) == ("auth", ["auth_0000"], 0, 2)
    assert (specs["heads"], specs["phase"], specs["until"]) == (["specs_0000"], 0, 0)
    assert specs["place"].startswith("postgres:")
    assert [(s["revision"], s["phase"], s["done"]) for s in auth["steps"]] == [
        ("auth_0000", 0, True),
        ("auth_0003", 3, False),
        ("auth_0006", 6, False),
    ]
    assert [p["number"] for p in found["phases"]] == [*range(7)]

    run_sql(uris["socrates_specs_postgres"], "UPDATE alembic_version SET version_num = 'specs_0005a'")
    found = viewer.get(URL).json()
    assert (found["phase"], found["known"]) == (None, True)
    assert found["databases"][1]["between"] == [4, 5]
    assert found["databases"][1]["phase"] is None

    run_sql(uris["socrates_specs_postgres"], "UPDATE alembic_version SET version_num = 'nobody knows'")
    found = viewer.get(URL).json()
    assert "at revision nobody knows, which its history does not have" in found["databases"][1]["error"]
    away = '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "schema": "specs", "login": "u", "password": "s3cret"}'
    monkeypatch.setenv(connection_variable("socrates_specs_postgres"), away)
    found = viewer.get(URL).json()
    assert (found["phase"], found["known"], found["databases"][0]["phase"]) == (None, False, 0)
    assert "127.0.0.1:1/specs: could not look at its revision" in found["databases"][1]["error"]
    assert "s3cret" not in str(found)


def test_a_dag_that_changes_no_schemas_has_no_such_page(viewer: Any) -> None:
    found = viewer.get(f"{PAGES}/data/dags/kpi_linking/schemas").json()
    assert (found["there"], found["databases"]) == (False, [])
