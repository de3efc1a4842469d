"""A backfill as one thing: its days with what became of each, and what is true of the whole range."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from include.trueup.ledger import Status
from include.trueup.run import Window

from .conftest import PAGES, Client
from .invented import DAG, Invented, invented

__all__ = ["invented"]

FIRST = date(2024, 3, 4)


def window(day: date) -> Window:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Window(start=start, end=start + timedelta(days=1))


def test_a_strip_of_days_and_the_budget_over_the_range(invented: Invented, signed_in: Client) -> None:
    path = f"{PAGES}/data/dags/{DAG}/backfills"
    viewer, admin = signed_in("viewer"), signed_in("admin")
    assert viewer.get(path).json()["backfills"] == []

    states = ["success", "failed", "failed", "queued", None]
    days = [(FIRST + timedelta(days=n), state) for n, state in enumerate(states)]
    ids = invented.backfill(days, {"max_reject_share": 0.1, "range_budget": True})
    proven, failed, rejected = (day for day, _ in days[:3])
    invented.run(ids[proven], Status.PROVEN, window=window(proven), add=8)
    invented.run(ids[failed], Status.FAILED, window=window(failed), add=8, remove=1, rejected=2)
    invented.run(ids[rejected], Status.FAILED, window=window(rejected), add=9)
    invented.ledger.approvals.decide(ids[rejected], "a" * 64, "rejected", by="ada", comment="not now")

    found = viewer.get(path).json()
    (one,) = found["backfills"]
    assert [day["state"] for day in one["days"]] == ["proven", "failed", "rejected", "queued", "not started"]
    assert [day["start"][:10] for day in one["days"]] == [str(day) for day, _ in days]
    assert one["days"][4]["why"] == "a run of this day is there already"
    assert (one["days"][2]["decision"], one["days"][2]["decided_by"]) == ("rejected", "ada")
    assert (one["source_rows"], one["rejected"], one["to_write"], one["removed"]) == (27, 2, 26, 1)
    assert one["findings"] == {"reject": 0, "warning": 3}
    (code,) = one["codes"]
    assert (code["severity"], code["code"], code["phase"], code["count"], code["days"]) == (
        "warning",
        "odd",
        "links",
        3,
        3,
    )
    assert code["run_id"] in {day["run_id"] for day in one["days"]}
    assert (one["max_reject_share"], one["over_range"], one["by"], one["mode"]) == (0.1, True, "olive", "apply")
    assert one["retry"] == [f"backfill__{FIRST + timedelta(days=1)}T00:00:00+00:00"]
    card = next(m for m in viewer.get(f"{PAGES}/data/migrations").json()["migrations"] if m["dag_id"] == DAG)
    assert [day["state"] for day in card["backfill"]][:3] == ["proven", "failed", "rejected"]
    older = invented.backfill([(FIRST - timedelta(days=9), None)])
    assert (older, len(viewer.get(path).json()["backfills"])) == ({}, 2)
    assert len(viewer.get(path, params={"newest": 1}).json()["backfills"]) == 1
    assert (found["may_run"], admin.get(path).json()["may_run"]) == (False, True)


def test_one_retry_clears_a_failed_day_through_airflow(invented: Invented, signed_in: Client) -> None:
    ids = invented.backfill([(FIRST, "failed")])
    invented.run(ids[FIRST], Status.FAILED, window=window(FIRST), add=1)
    admin, path = signed_in("admin"), f"{PAGES}/data/dags/{DAG}/backfills"
    (one,) = admin.get(path).json()["backfills"]
    for run in one["retry"]:
        where = f"/api/v2/dags/{DAG}/dagRuns/{run.replace('+', '%2B')}/clear"
        assert admin.post(where, json={"dry_run": False, "only_failed": False}).status_code == 200
    (one,) = admin.get(path).json()["backfills"]
    assert (one["days"][0]["state"], one["retry"]) == ("queued", [])
