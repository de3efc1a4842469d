"""Whole runs of the small migration on the twins: stores, ledger and workspace in memory, the engine's own code between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.trueup.declare.migration import Migration
from include.trueup.run import Run
from include.trueup.walk import walk
from tests.harness import run_of
from tests.simulation.twins import Effect, LedgerTwin, RelationalTwin, WorkspaceTwin
from tests.simulation.twins.rows import Row
from tests.small import declare


class Small:
    """People in memory, and runs of the small migration over them. `effects` are those that were told."""

    def __init__(self, folder: Path, people: int = 5) -> None:
        self.effects: list[Effect] = []
        self.migration: Migration = declare(folder)
        self.store = RelationalTwin(hook=self.hook)
        self.store.batch_rows = 2
        self.ledger = LedgerTwin(hook=self.hook)
        self.workspace = WorkspaceTwin(folder / "workspace", hook=self.hook)
        (source,), (target,) = self.migration.sources, self.migration.targets
        self.people, self.target = self.store.database.make(source.table), target.table
        for n in range(people):
            self.put(n, f"name {n}")

    def hook(self, effect: Effect) -> None:
        self.effects.append(effect)

    def put(self, n: int, name: str | None) -> None:
        self.people.rows[f"p{n:02}",] = {"id": f"p{n:02}", "name": name, "amount": str(n), "seen_at": n}

    def persons(self) -> dict[Any, Row]:
        held = self.store.database.find(self.target)
        return {} if held is None else held.rows

    def run(self, id: str, **options: Any) -> Run:
        return run_of(self.migration, self.ledger, self.workspace, lambda _: self.store, id, **options)

    def status(self, id: str) -> str:
        return str(self.ledger.entered(id).status)


@pytest.fixture
def small(workspace_folder: Path) -> Iterator[Small]:
    made = Small(workspace_folder)
    yield made
    made.ledger.close()


def test_a_migration_goes_through_all_steps_and_back_on_the_twins(small: Small) -> None:
    small.put(7, None)
    walk(small.run("first"))
    assert small.status("first") == "proven"
    assert {key: row["name"] for key, row in small.persons().items()} == {(f"p{n:02}",): f"NAME {n}" for n in range(5)}
    assert small.store.database.scripts == [small.migration.targets[0].create.read_text()]  # type: ignore[union-attr]
    small.put(1, "other")
    small.put(5, "new")
    walk(small.run("second"))
    assert small.status("second") == "proven"
    assert [small.persons()[f"p{n:02}",]["name"] for n in (1, 5)] == ["OTHER", "NEW"]
    back = replace(small.run("back"), dag_id="small_rollback", undoes="second")
    walk(replace(back, options=replace(back.options, partitions=None)))
    assert small.status("second") == "rolled_back"
    assert {key: row["name"] for key, row in small.persons().items()} == {(f"p{n:02}",): f"NAME {n}" for n in range(5)}
    told = Counter((effect.place, effect.kind, effect.when) for effect in small.effects)
    assert {kind for place, kind, _ in told if place == "store"} >= {
        "read",
        "add",
        "change",
        "remove",
        "commit",
        "create",
    }
    for (place, kind, when), count in told.items():
        if kind != "commit":
            assert told[place, kind, "after" if when == "before" else "before"] == count, (place, kind)
