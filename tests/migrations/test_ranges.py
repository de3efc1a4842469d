"""A range of days: the budget for rejects is over all of them that are planned, where the run says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.run import Mode, Window
from include.trueup.run.workspace import Workspace

from .test_budgets import Runs

FIRST = datetime(2025, 1, 1, tzinfo=UTC)


def window(day: int, days: int = 4) -> Window:
    """Of so many people: one was seen each day."""
    return Window(start=FIRST + timedelta(days=day), end=FIRST + timedelta(days=day + days))


@pytest.fixture
def runs(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Runs:
    made = Runs(postgres_server, 12, ledger, workspace, tmp_path)
    made.database.sql("UPDATE people SET name = NULL WHERE id = 'p01'")
    return made


def test_a_small_day_is_judged_with_the_others_of_its_range(runs: Runs) -> None:
    within: dict[str, Any] = {"range": window(0, 12), "range_budget": True}
    alone = runs.refused(window=window(0))
    assert "1 of 4 source rows is rejected (25.0%): no_name 1 (phase copy, such as p01)" in alone
    assert "or judge all days of the backfill together (range_budget)" in alone

    first = runs.refused(window=window(0), **within)  # nothing is known of the others yet
    assert "1 of 4 source rows of the 1 day of the range that is planned is rejected (25.0%)" in first
    for day in (0, 4, 8):
        runs(window=window(day), mode=Mode.PLAN, **within)  # it is counted, and judged when it is applied
    over = runs.refused(window=window(0), max_reject_share=0.08, **within)
    assert "1 of 12 source rows of the 3 days of the range that are planned is rejected (8.3%)" in over
    report = runs(window=window(0), max_reject_share=0.1, **within)
    assert report["plan"]["phases"][0]["rejected"] == 1
    (judged,) = (e for g in report["gates"] for e in g["expectations"] if e["rule"] == "budget.share")
    assert (judged["passed"], judged["observed"], judged["unexpected"]) == (True, "8.3%: 1 of 12", None)
    assert set(runs.database.persons()) == {"p00", "p02", "p03"}


def test_what_is_outside_the_range_does_not_widen_its_budget(runs: Runs) -> None:
    within: dict[str, Any] = {"range": window(0, 8), "range_budget": True, "max_reject_share": 0.1}
    for day in (4, 8):
        asked = {"range": window(8), "range_budget": True} if day == 8 else within
        runs(window=window(day), mode=Mode.PLAN, **asked)
    assert "1 of 8 source rows of the 2 days of the range that are planned is rejected (12.5%)" in runs.refused(
        window=window(0), **within
    )
