"""The cards of the migrations: which of many runs they go by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.trueup.ledger import Status
from include.trueup.run import Window

from .conftest import EMPTY, PAGES, RUN
from .invented import DAG, Invented, invented

__all__ = ["invented"]


@pytest.fixture(autouse=True)
def _no_other_run(airflow_runs: None) -> Iterator[None]:
    """The runs that Airflow has for all other tests were over long ago for these."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select, update

    ours = DagRun.run_id.in_([RUN, EMPTY])
    with create_session() as session:
        before = session.execute(select(DagRun.id, DagRun.state, DagRun.start_date).where(ours)).all()
        session.execute(update(DagRun).where(ours).values(state="failed", start_date=datetime(2020, 1, 1, tzinfo=UTC)))
    yield
    with create_session() as session:
        for id, state, start in before:
            session.execute(update(DagRun).where(DagRun.id == id).values(state=state, start_date=start))


def card(signed_in: Any) -> Any:
    migrations = signed_in("viewer").get(f"{PAGES}/data/migrations").json()["migrations"]
    return next(one for one in migrations if one["dag_id"] == DAG)


def test_a_card_goes_by_the_last_run_also_where_that_was_triggered_long_ago(
    invented: Invented, signed_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trueup_airflow.pages import index

    monkeypatch.setattr(index, "NEWEST", 1)

    invented.run("first", Status.FAILED)
    invented.run("later", Status.FAILED)
    assert card(signed_in)["proof"] is None
    invented.run("first", Status.PROVEN)
    assert card(signed_in)["proof"] is not None


def test_what_forty_later_runs_came_after_is_hidden_by_none_of_them(
    invented: Invented, signed_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trueup_airflow.pages import index

    monkeypatch.setattr(index, "NEWEST", 2)
    half = invented.airflow(DAG, "half", "failed")
    invented.run(half, Status.FAILED, written=3)
    for name in ("a", "b", "c"):
        invented.run(invented.airflow(DAG, name), Status.PLANNED)
    assert (card(signed_in)["state"], card(signed_in)["proof"]) == ("failed", None)
    assert "after it wrote rows" in card(signed_in)["words"]
    invented.run(invented.airflow(DAG, "proven"), Status.PROVEN, written=3)
    waits = invented.airflow(DAG, "under-way", "running")
    invented.run(waits, Status.RUNNING)
    for name in ("d", "e", "f"):
        invented.run(invented.airflow(DAG, name), Status.PLANNED)
    assert (card(signed_in)["state"], card(signed_in)["proof"]["stands"]) == ("running", False)


def test_each_day_of_a_long_backfill_counts(
    invented: Invented, signed_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trueup_airflow.pages import index

    monkeypatch.setattr(index, "NEWEST", 2)
    days = [date(2026, 1, n) for n in range(1, 5)]
    made = invented.backfill([(day, "failed" if day == days[0] else "success") for day in days])
    for day, id in made.items():
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        window = Window(start=start, end=start + timedelta(days=1))
        invented.run(id, Status.FAILED if day == days[0] else Status.PROVEN, window=window, written=2)
    found = card(signed_in)
    assert (found["state"], found["words"]) == ("failed", "Backfill: 3 of 4 days proven, 1 failed.")


def test_a_proof_stands_no_more_once_a_later_run_found_rows_otherwise(invented: Invented, signed_in: Any) -> None:
    proven = invented.airflow(DAG, "proven")
    invented.run(proven, Status.PROVEN, written=3)
    assert card(signed_in)["proof"]["stands"]
    found = invented.airflow(DAG, "verified", "failed")
    invented.run(found, Status.FAILED)
    proof = {"phase": "links", "target_table": "t", "compared": 9, "missing": 2, "different": 0, "unverified": 0}
    proof |= {"extra": 0, "reread": 0, "passed": False}
    invented.workspace.run(found).write("proof/links.json", json.dumps([proof]))
    assert not card(signed_in)["proof"]["stands"]
    assert "found rows that are not as they should be" in card(signed_in)["words"]
