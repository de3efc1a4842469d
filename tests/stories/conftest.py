"""A real Airflow in this process: its DAGs are run as in tests/dags, its API is asked as in tests/api."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import application, connect_postgres, signed_in, viewer
from tests.dags.conftest import airflow_database, connections, dag_bag, impatient, sound_schemas, synced_once
from tests.dags.people import answering
from tests.dags.small import run

__all__ = [
    "airflow_database",
    "application",
    "connect_postgres",
    "connections",
    "dag_bag",
    "impatient",
    "signed_in",
    "sound_schemas",
    "synced_once",
    "viewer",
]

Approved = Callable[..., str]


@pytest.fixture
def approved() -> Approved:
    """Trigger a DAG, approve what it asks, and give the state in which its run ends."""

    def go(dag_id: str, **conf: Any) -> str:
        with answering(dag_id, "Approve", "read it") as asked:
            state = str(run(dag_id, **conf).state)
        assert asked, f"{dag_id} asked nobody"
        return state

    return go


@pytest.fixture
def cut_over(approved: Approved) -> Approved:
    """Turn the switch of a migration by its DAG: `cut_over("checkins", "new")`; how that run ended."""

    def go(migration_id: str, to: str, **conf: Any) -> str:
        return approved(f"{migration_id}_cutover", to=to, why="the story", **conf)

    return go
