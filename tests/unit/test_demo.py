"""The demo: in which order it shows migrations."""

from __future__ import annotations

import pytest

from include.embedded.demo import Demo
from include.project import migration_ids
from include.trueup.errors import OptionsError


def test_a_migration_comes_after_those_that_its_sample_needs() -> None:
    order = list(Demo.of(migration_ids()).fills)
    assert sorted(order) == migration_ids()
    assert order.index("platform_schema") < order.index("knowledge_embeddings")


def test_alone_it_needs_nobody() -> None:
    assert list(Demo.of(["knowledge_embeddings"]).fills) == ["knowledge_embeddings"]


def test_one_that_does_not_exist_is_said() -> None:
    with pytest.raises(OptionsError, match="no migration 'kpi_linkin'"):
        Demo.of(["kpi_linkin"])
