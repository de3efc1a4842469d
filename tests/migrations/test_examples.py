"""The examples of docs/how-to: each gives what its own test says, and a run of it goes there and back."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import examples
from include.console.check import problems
from include.embedded import postgres
from include.routes import Stores
from include.trueup.declare import Migration
from include.trueup.ledger import Ledger, SwitchState
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.testing import Stage, check
from include.trueup.walk import walk
from tests.harness import new_database, run_of, run_sql

FOLDER = Path(examples.__path__[0])
IDS = sorted(file.parent.name for file in FOLDER.glob("*/migration.py"))
IN_POSTGRES = sorted(file.parent.name for file in FOLDER.glob("*/sample.sql"))


def load(id: str) -> Migration:
    migration: Migration = importlib.import_module(f"examples.{id}.migration").migration
    return migration


def test_there_are_examples_and_each_can_be_run() -> None:
    assert len(IN_POSTGRES) >= 8
    assert [id for id in IDS if not (FOLDER / id / "README.md").is_file()] == []


@pytest.mark.parametrize("id", IDS)
def test_it_is_well_declared_and_gives_what_its_own_test_says(id: str) -> None:
    migration = load(id)
    assert migration.id == id
    assert problems(migration, FOLDER / id) == []
    tests = [vars(importlib.import_module(f"examples.{id}.{file.stem}")) for file in (FOLDER / id).glob("test_*.py")]
    functions = [value for module in tests for name, value in module.items() if name.startswith("test_rows")]
    assert functions
    for function in functions:
        function(*[check] * len(signature(function).parameters))


class Example:
    """An example over a database with its sample."""

    def __init__(self, id: str, uri: str, ledger: Ledger, workspace: Workspace) -> None:
        self.migration, self.uri, self.ledger, self.workspace = load(id), uri, ledger, workspace
        self.store = PostgresStore(uri)
        run_sql(uri, (FOLDER / id / "sample.sql").read_text())

    def run(self, id: str, **options: Any) -> dict[str, Any]:
        """A run; its report."""
        walk(run_of(self.migration, self.ledger, self.workspace, lambda _: self.store, id, **options))
        report: dict[str, Any] = self.workspace.run(id).read_json("report.json")
        assert report["verdict"]["status"] == "passed", report["verdict"]
        return report

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a table, by its id."""
        return run_sql(self.uri, f"SELECT * FROM {table} ORDER BY id")


@pytest.fixture
def example(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace) -> Callable[[str], Example]:
    return lambda id: Example(id, new_database(postgres_server), ledger, workspace)


@pytest.mark.parametrize("id", IN_POSTGRES)
@pytest.mark.slow
def test_a_run_of_it_goes_there_and_back(id: str, stage: Stage, there_and_back: Callable[..., None]) -> None:
    migration = load(id)
    stage.store(migration.sources[0].table.connection).script((FOLDER / id / "sample.sql").read_text())
    there_and_back(migration)


def test_a_day_is_brought_alone(example: Callable[[str], Example]) -> None:
    from datetime import UTC, datetime

    from include.trueup.run import Window

    window = example("window")
    window.run("day", window=Window(start=datetime(2026, 1, 2, tzinfo=UTC), end=datetime(2026, 1, 3, tzinfo=UTC)))
    assert [id for id, *_ in window.rows("sessions")] == [3, 4, 5]


@pytest.mark.slow
def test_live_tables_are_caught_up_and_what_the_application_wrote_is_left(example: Callable[[str], Example]) -> None:
    live = example("live_tables")
    live.run("first")
    run_sql(
        live.uri,
        "UPDATE accounts SET plan = 'paid' WHERE id IN (1, 2)",
        "UPDATE members SET tariff = 'mine' WHERE id = 2",
        "INSERT INTO accounts VALUES (21, 'New@example.com', 'free')",
    )
    assert live.run("second", max_left_alone=1)["verdict"]["exceptions"] == 1
    tariffs = {id: tariff for id, _, tariff in live.rows("members")}
    assert (tariffs[1], tariffs[2], tariffs[21]) == ("paid", "mine", "free")


@contextmanager
def _served(example: Example) -> Iterator[TestClient]:
    """Its routes, as an application without Airflow serves them."""
    app = FastAPI()
    app.state.stores = Stores(lambda _: example.store, lambda: example.ledger)
    app.include_router(importlib.import_module(f"examples.{example.migration.id}.routes").router)
    with TestClient(app) as client:
        yield client


def test_a_service_reads_the_same_before_and_after_the_turn(example: Callable[[str], Example]) -> None:
    side = example("reading_side")
    side.run("first")
    compare = importlib.import_module("examples.reading_side.shadow").compare
    assert (compare(side.store, {}).compared, compare(side.store, {}).differences) == (2, [])
    with _served(side) as client:
        first = client.get("/v2/notes/1").json()
        for state in (SwitchState.DUAL, SwitchState.NEW):
            side.ledger.switches.turn(
                "reading_side", state, by=None, why="for the test", run_id=state, proof_run_id="first"
            )
        run_sql(side.uri, "UPDATE notes SET text = 'changed' WHERE id = 2")
        assert client.get("/v2/notes/1").json() == first == {"id": 1, "text": "Shopping\nMilk"}
        assert client.get("/v2/notes/2").json()["text"] == "changed"
    assert compare(side.store, {}).differences == [{"key": "2", "old": "A thought", "new": "changed"}]
