"""One approval for a range of days: the days that were listed go on under their hash, and any other asks again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.errors import ApprovalError
from include.trueup.run import run_id
from tests.dags import states
from tests.dags.tasks import Tasks
from tests.harness import run_sql

RANGE = {"range_start": "2025-01-01", "range_end": "2025-01-04", "range_approval": True}


class Days:
    """Runs of the small migration, each of a day: four people, seen on 1 to 4 January 2025."""

    def __init__(self, small: states.Small) -> None:
        self.small, self.ledger = small, small.place.ledger

    def run(self, id: str, day: int, **params: Any) -> Tasks:
        asked = {"window_start": f"2025-01-{day:02}", "window_end": f"2025-01-{day + 1:02}", **RANGE, **params}
        return self.small.forward(id, **asked)

    def plan(self, *days: int) -> None:
        for day in days:
            self.small.all(self.run(f"plan-{day}", day, mode="plan"))

    def up_to_approve(self, id: str, day: int) -> Tasks:
        run = self.run(id, day)
        for task in run.order[: run.order.index("approve")]:
            run.do(task)
        return run

    def approval(self, id: str) -> Any:
        return self.ledger.approvals.of(run_id("small", id))


@pytest.fixture
def days(
    postgres_server: postgres.Server, ledger_template: str, tmp_path: Path, airflow_database: None
) -> Iterator[Days]:
    small = states.Small(postgres_server, tmp_path / "place", ledger_template)
    small.database.sql("CREATE TABLE persons (LIKE people INCLUDING ALL)")  # it stays the same table on every day
    with states.connected(small.place, store=lambda _: small.database.store):
        yield Days(small)


def test_the_days_that_were_listed_go_on_unasked_and_one_that_is_another_by_then_asks(days: Days) -> None:
    days.plan(1, 2, 3)
    first = days.up_to_approve("one", 1)
    first.do("approve")
    asked = first.asked[-1]
    assert "**One approval for 3 days**, from 2025-01-01 to 2025-01-04 (exclusive)" in asked.body
    assert [line[:14] for line in asked.body.splitlines() if line.startswith("| 2025")] == [
        "| 2025-01-01 |",
        "| 2025-01-02 |",
        "| 2025-01-03 |",
    ]
    assert first.do_from("create_tables") is None

    second = days.up_to_approve("two", 2)
    second.do("approve", answer=False)
    assert second.asked == []
    found = days.approval("two")
    assert (found.decision, found.decided_by) == ("approved", "ada")
    assert found.comment.startswith("with its range, which was asked about by run small--one, 2")
    assert second.do_from("create_tables") is None

    run_sql(days.small.database.uri, "UPDATE people SET name = 'another' WHERE id = 'p02'")
    third = days.up_to_approve("three", 3)
    third.do("approve", answer=False)
    assert len(third.asked) == 1, "its plan is another than the one that was listed"
    assert days.approval("three") is None


def test_a_day_that_was_not_planned_is_not_listed_and_asks(days: Days) -> None:
    days.plan(1)
    first = days.up_to_approve("one", 1)
    first.do("approve")
    assert "One approval for 1 day**" in first.asked[-1].body
    assert first.do_from("create_tables") is None
    second = days.up_to_approve("two", 2)
    second.do("approve", answer=False)
    assert len(second.asked) == 1


def test_an_answer_to_another_list_approves_nothing(days: Days) -> None:
    days.plan(1, 2)
    first = days.up_to_approve("one", 1)
    with pytest.raises(
        ApprovalError, match=r"the list of days of run small--one is [0-9a-f]{64}, and the one that was shown"
    ):
        first.do("approve", range_sha256="0" * 64)
    assert days.approval("one") is None
    first.do("approve")
    assert first.do_from("create_tables") is None
    second = days.up_to_approve("two", 2)
    second.do("approve", answer=False)
    assert second.asked == [], "a person has approved the list since"
