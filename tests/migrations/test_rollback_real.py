"""The migrations that ship, forward from their dirty samples and back: every table that they write is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from include.trueup.ledger import Ledger
from include.trueup.model import Migration, Table
from include.trueup.run import LAST
from include.trueup.steps import walk
from include.trueup.stores import Store
from include.trueup.stores.postgres import PostgresStore
from include.trueup.workspace import Workspace
from tests.engines import run_of, store_at
from tests.samples import Samples, few

pytestmark = pytest.mark.timeout(600)  # three whole runs each

CASES: dict[str, tuple[Any, Any, bool]] = {
    "kpi_linking": (kpi_linking, kpi_linking_sample, False),
    "checkins": (checkins, checkins_sample, False),
    "scoring_results": (scoring_results, scoring_results_sample, True),
    "scoring_models": (scoring_models, scoring_models_sample, True),
    "knowledge_embeddings": (knowledge_embeddings, knowledge_embeddings_sample, True),
}


@contextmanager
def _store(samples: Samples, sample: Any, in_postgres: bool) -> Iterator[Store]:
    """A store with the sample."""
    if in_postgres:
        yield PostgresStore(samples.database(sample))
        return
    with samples.engine(sample, few) as engine:
        yield store_at(engine.endpoint)


def _rows(store: Store, table: Table) -> list[dict[str, Any]]:
    """Every row of the table in canonical form; none if there is no table."""
    if store.describe(table) is None:
        return []
    rows = [row for batch in store.read(table, 0, 1) for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: [str(row[name]) for name in table.key])


@pytest.mark.parametrize("id", CASES)
def test_back_to_exactly_what_was_there(
    samples: Samples,
    ledger: Ledger,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    id: str,
) -> None:
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "home"))  # where vectors are remembered
    module, sample, in_postgres = CASES[id]
    migration: Migration = module.migration
    with _store(samples, sample, in_postgres) as store:
        found: Callable[[str], Store] = lambda _: store  # noqa: E731
        before = {t.id: _rows(store, t.table) for t in migration.targets}
        walk(run_of(migration, ledger, workspace, found, "there", partitions=1, segments=1))
        there = {t.id: _rows(store, t.table) for t in migration.targets}
        assert there != before
        back = run_of(migration, ledger, workspace, found, "back", segments=1)
        verdict = walk(replace(back, dag_id=f"{id}_rollback", undoes=LAST))
        assert verdict["headline"].startswith("Rolled back")
        assert " 0 kept because they were touched since" in verdict["headline"]
        assert {t.id: _rows(store, t.table) for t in migration.targets} == before
        assert (ledger.run("there") or {})["status"] == "rolled_back"
        # and forward again: nothing looks as if somebody else had written it
        again = run_of(migration, ledger, workspace, found, "again", partitions=1, segments=1)
        walk(again)
        assert {t.id: _rows(store, t.table) for t in migration.targets} == there
        codes = {f["code"] for f in again.folder.read_json("report.json")["findings"]}
        assert not codes & {"drift", "deleted_since"}
