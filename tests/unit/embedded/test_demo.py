"""Samples and the demo: in which order, into which stores, and what to do next."""

from __future__ import annotations

import pytest

from include.embedded import samples
from include.embedded.demo import to_try
from include.embedded.samples import Samples
from include.project import migration_ids
from include.trueup.errors import OptionsError


def test_a_migration_comes_after_those_that_its_sample_needs() -> None:
    order = list(Samples.of(migration_ids()).modules)
    assert sorted(order) == migration_ids()
    assert order.index("platform_schema") < order.index("knowledge_embeddings")


def test_alone_it_needs_nobody() -> None:
    assert list(Samples.of(["knowledge_embeddings"]).modules) == ["knowledge_embeddings"]


def test_one_that_does_not_exist_is_said() -> None:
    with pytest.raises(OptionsError, match="no migration 'kpi_linkin'"):
        Samples.of(["kpi_linkin"])


def test_a_sample_is_put_into_no_store_of_ones_own() -> None:
    samples.elsewhere(frozenset({"a", "b"}), frozenset({"a"}))
    with pytest.raises(OptionsError, match=r"b points to no embedded store.*make down"):
        samples.elsewhere(frozenset({"a"}), frozenset({"a", "b"}))


@pytest.mark.parametrize(
    ("migration_id", "undo"), [("kpi_linking", "kpi_linking_rollback"), ("platform_schema", "phase")]
)
def test_the_demo_ends_on_a_page_with_three_things_to_try(migration_id: str, undo: str) -> None:
    page = "http://localhost:1/dags/x/runs/y/plugin/migration"
    said = to_try(migration_id, page)
    assert page in said[1]
    assert [line[:5] for line in said[-3:]] == ["  1. ", "  2. ", "  3. "]
    assert undo in said[-2]
