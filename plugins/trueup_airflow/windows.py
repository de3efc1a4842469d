"""Windows that a backfill can be asked for, and that nothing ever starts on its own."""

from __future__ import annotations

from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable


class OnDemandWindows(CronDataIntervalTimetable):
    """Data intervals as the cron expression cuts them (`OnDemandWindows("@daily", timezone="UTC")`: whole days), for
    backfills alone.

    Airflow's scheduler asks for the next run with the DAG's `catchup`, which is False, and gets none; a backfill asks
    with True. A cron string as schedule would cut intervals of no length; a start date would let a run before it
    succeed with no task run, so the DAGs have none.
    """

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return f"on demand ({self._expression} windows)"

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction, **more: Any
    ) -> DagRunInfo | None:
        """The next window of a backfill; None for the scheduler."""
        if not restriction.catchup:
            return None
        info = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction, **more
        )
        if info is None or info.data_interval is None:
            return info
        # Airflow names a backfill's run after this instant; by default it is the window's end, which is the day after
        return info._replace(run_after=info.data_interval.start)
