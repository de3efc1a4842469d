"""The migrations that ship, forward from their dirty samples and back: every table that they write is as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from include.project import load_migration, migration_ids
from include.trueup.declare.migration import Migration, Table
from include.trueup.run import LAST
from include.trueup.stores import Store
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, store_at
from tests.samples import Samples, Size, few, whole

pytestmark = pytest.mark.timeout(600)  # three whole runs each

ELSEWHERE = {"scoring_results_reverse"}
"""It goes back over what scoring_results moved, so its sample alone is nothing: `test_scoring_results_reverse.py` has it."""
CASES = {
    id: found for id in migration_ids() if id not in ELSEWHERE and isinstance(found := load_migration(id), Migration)
}
"""Every migration of rows that there is, so that a new one is tried, too; its sample lies beside it."""


def _sample(id: str) -> tuple[Any, Size | None]:
    """The module that fills the sample, and of what size, if it is one of DynamoDB."""
    size = few if all(each.endswith("_dynamodb") for each in CASES[id].connections) else None
    return import_module(f"include.migrations.{id}.sample"), size


def _before(samples: Samples, migration: Migration, sample: Any, size: Size | None) -> dict[str, Any]:
    """The rows of each target as the sample has them."""
    if size is None:
        return {t.id: _rows(PostgresStore(samples.database(sample)), t.table) for t in migration.targets}
    with samples.engine(sample, size) as engine:
        return {t.id: _rows(store_at(engine.endpoint), t.table) for t in migration.targets}


def _rows(store: Store, table: Table) -> list[dict[str, Any]]:
    """Every row of the table in canonical form; none if there is no table."""
    if store.describe(table) is None:
        return []
    rows = [row for batch in store.read(table, 0, 1) for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: [str(row[name]) for name in table.key])


@pytest.mark.parametrize("id", CASES)
def test_back_to_exactly_what_was_there(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, id: str
) -> None:
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "home"))  # where vectors are remembered
    migration, (sample, size) = CASES[id], _sample(id)
    before = _before(samples, migration, sample, size)
    with samples.migrated(migration, sample, size or whole) as first:
        store, ledger, workspace = first.store, first.ledger, first.workspace
        found: Callable[[str], Store] = lambda _: store  # noqa: E731
        there = {t.id: _rows(store, t.table) for t in migration.targets}
        assert there != before
        back = run_of(migration, ledger, workspace, found, "back", segments=1)
        verdict = walk(replace(back, dag_id=f"{id}_rollback", undoes=LAST))
        assert verdict.headline.startswith("Rolled back")
        assert " 0 left alone because somebody changed them since" in verdict.headline
        assert {t.id: _rows(store, t.table) for t in migration.targets} == before
        assert ledger.entered("first").status == "rolled_back"
        # and forward again: nothing looks as if somebody else had written it
        again = run_of(migration, ledger, workspace, found, "again", partitions=1, segments=1)
        walk(again)
        assert {t.id: _rows(store, t.table) for t in migration.targets} == there
        codes = {f["code"] for f in again.folder.read_json("report.json")["findings"]}
        assert not codes & {"drift", "deleted_since"}
