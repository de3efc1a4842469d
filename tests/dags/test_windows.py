"""Windows: what a backfill is cut into, and which runs have one."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from include.migrations.kpi_linking.migration import migration
from include.trueup.errors import OptionsError

DAY = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC)


def options(run_type: str, **chosen: Any) -> Any:
    from trueup_airflow.dags.params import options, params

    given = {name: param.value for name, param in params().items()}
    dag_run = SimpleNamespace(run_type=run_type, data_interval_start=DAY[0], data_interval_end=DAY[1])
    return options({**given, **chosen}, migration, dag_run)


def test_nothing_starts_on_its_own_and_a_backfill_gets_whole_days(airflow_database: None) -> None:
    import pendulum
    from airflow.timetables.base import TimeRestriction

    from trueup_airflow.windows import OnDemandWindows

    table = OnDemandWindows("@daily", timezone="UTC")
    between = {"earliest": pendulum.datetime(2025, 3, 1), "latest": pendulum.datetime(2025, 3, 3)}

    def days(catchup: bool) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        last: Any = None
        while info := table.next_dagrun_info(
            last_automated_data_interval=last, restriction=TimeRestriction(**between, catchup=catchup)
        ):
            last = info.data_interval
            found.append((last.start.to_date_string(), last.end.to_date_string()))
            assert info.run_after == last.start  # Airflow names the run after it: by its window, not by the day after
        return found

    assert days(catchup=False) == []
    assert days(catchup=True) == [
        ("2025-03-01", "2025-03-02"),
        ("2025-03-02", "2025-03-03"),
        ("2025-03-03", "2025-03-04"),
    ]


def test_every_migration_can_be_backfilled_and_no_dag_has_a_start_date(dag_bag: Any) -> None:
    from trueup_airflow.windows import OnDemandWindows

    for dag in dag_bag.dags.values():
        # a run before a start date succeeds with no task run
        assert dag.start_date is None, dag.dag_id
        assert dag.end_date is None, dag.dag_id
        assert all(task.start_date is None and task.end_date is None for task in dag.tasks), dag.dag_id
    assert isinstance(dag_bag.dags["kpi_linking"].timetable, OnDemandWindows)


def test_the_timetable_survives_airflow_s_serialization(dag_bag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    from trueup_airflow.windows import OnDemandWindows

    again = DagSerialization.from_dict(DagSerialization.to_dict(dag_bag.dags["kpi_linking"]))
    assert isinstance(again.timetable, OnDemandWindows)
    assert again.timetable.summary == "on demand (0 0 * * * windows)"


def test_a_backfill_s_run_is_of_its_day() -> None:
    window = options("backfill").window
    assert (window.start, window.end) == DAY
    assert options("backfill").snapshot_max_age == 1


def test_a_manual_run_is_of_everything_whatever_interval_airflow_gives_it() -> None:
    assert options("manual").window is None
    assert options("manual").snapshot_max_age == 0


@pytest.mark.parametrize("run_type", ["manual", "backfill"])
def test_a_window_in_the_form_comes_first(run_type: str) -> None:
    window = options(run_type, window_start="2025-01-01", window_end="2025-02-01").window
    assert (window.start, window.end) == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))


def test_a_range_holds_its_days_and_nothing_else() -> None:
    asked = {"range_start": "2025-03-01", "range_end": "2025-03-08", "range_approval": True}
    chosen = options("backfill", **asked)
    assert (chosen.range.start, chosen.range_approval, chosen.range_budget) == (DAY[0], True, False)
    for run_type, given, said in (
        ("manual", asked, "whole tables"),
        ("backfill", {**asked, "range_start": "2025-03-02"}, "is not a day of the range"),
        ("backfill", {"range_budget": True}, "give range_start and range_end"),
    ):
        with pytest.raises(OptionsError, match=said):
            options(run_type, **given)
