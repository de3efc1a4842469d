"""The cards of the migrations: which of many runs they go by."""

from __future__ import annotations

from typing import Any

import pytest

from include.trueup.ledger import Status

from .conftest import PAGES
from .invented import DAG, Invented, invented

__all__ = ["invented"]


def test_a_card_goes_by_the_last_run_also_where_that_was_triggered_long_ago(
    invented: Invented, signed_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trueup_airflow.pages import index

    monkeypatch.setattr(index, "NEWEST", 1)

    def card() -> Any:
        migrations = signed_in("viewer").get(f"{PAGES}/data/migrations").json()["migrations"]
        return next(one for one in migrations if one["dag_id"] == DAG)

    invented.run("first", Status.FAILED)
    invented.run("later", Status.FAILED)
    assert card()["proof"] is None
    invented.run("first", Status.PROVEN)
    assert card()["proof"] is not None
