"""The migrations that ship, forward from their dirty samples and back: every table that they write is as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.migrations.checkins import migration as checkins
from include.migrations.checkins import sample as checkins_sample
from include.migrations.knowledge_embeddings import migration as knowledge_embeddings
from include.migrations.knowledge_embeddings import sample as knowledge_embeddings_sample
from include.migrations.kpi_linking import migration as kpi_linking
from include.migrations.kpi_linking import sample as kpi_linking_sample
from include.migrations.scoring_models import migration as scoring_models
from include.migrations.scoring_models import sample as scoring_models_sample
from include.migrations.scoring_results import migration as scoring_results
from include.migrations.scoring_results import sample as scoring_results_sample
from include.trueup.declare.migration import Migration, Table
from include.trueup.run import LAST
from include.trueup.stores import Store
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, store_at
from tests.samples import Samples, Size, few, whole

pytestmark = pytest.mark.timeout(600)  # three whole runs each

CASES: dict[str, tuple[Any, Any, Size | None]] = {
    "kpi_linking": (kpi_linking, kpi_linking_sample, few),
    "checkins": (checkins, checkins_sample, few),
    "scoring_results": (scoring_results, scoring_results_sample, None),
    "scoring_models": (scoring_models, scoring_models_sample, None),
    "knowledge_embeddings": (knowledge_embeddings, knowledge_embeddings_sample, None),
}
"""Where the sample is, and of what size if it is one of DynamoDB."""


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
    module, sample, size = CASES[id]
    migration: Migration = module.migration
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
