"""A run's steps, progress and waits, from what Airflow and the ledger say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.trueup.ledger import Applied, Pace, RunRow, Status, StepRow
from include.trueup.run import PhaseCounts

AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _airflow(airflow_database: None) -> None:
    """The modules below read Airflow's settings when they are imported."""


def asked(**facts: Any) -> Any:
    from trueup_airflow.pages.scheduled import AskedRun

    about = {"id": "d--r", "dag_id": "d", "run_id": "r", "state": "running", "paused": False, "ours": True}
    return AskedRun(**{**about, "started_at": None, "ended_at": None, **facts})


def parts(task_id: str, *states: str | None) -> list[Any]:
    from trueup_airflow.pages.scheduled import Instance

    at = AT
    many = len(states) > 1
    return [
        Instance(
            task_id=task_id, part=n if many else -1, state=s, tries=2, max_tries=4, started_at=at if s else None, ended_at=at if s else None
        )
        for n, s in enumerate(states)
    ]  # fmt: skip


def step(*states: str | None, name: str = "apply", group: str | None = "links", said: Any = ()) -> Any:
    from trueup_airflow.pages import progress
    from trueup_airflow.pages.scheduled import Task

    id = f"{group}.{name}" if group else name
    task = Task(task_id=id, group=group, name=name, title="t")
    (found,) = progress.steps(asked(), [task], parts(id, *states), said)
    return found


@pytest.mark.parametrize(
    ("states", "state", "done"),
    [
        ((None,), "pending", 0),
        (("success", "success"), "done", 2),
        (("success", None), "running", 1),
        (("success", "running"), "running", 1),
        (("success", "failed", "running"), "failed", 1),
        (("up_for_retry", "running"), "retrying", 0),
        (("awaiting_input",), "waiting", 0),
        (("queued",), "queued", 0),
        (("skipped",), "skipped", 0),
        (("success", "skipped"), "done", 1),
        (("upstream_failed",), "left out", 0),
        (("removed", "success"), "done", 1),
    ],
)
def test_a_steps_state_is_that_of_its_parts(states: tuple[str | None, ...], state: str, done: int) -> None:
    found = step(*states)
    assert (found.state, found.done) == (state, done)


def test_a_retry_says_why_it_waits() -> None:
    from trueup_airflow.pages import progress

    tried = {
        "run_id": "r",
        "step": "apply/links",
        "part": "0",
        "attempt": 1,
        "tries": 2,
        "started_at": AT,
        "ended_at": AT,
    }
    why = {"error": "run x holds t", "error_class": "TargetHeldError"}
    said = [StepRow(**tried, **why, plan_sha256=None, holder=None, renewed_at=None)]  # type: ignore[arg-type]
    (wait,) = progress.waits(asked(), [step("up_for_retry", "queued", said=said)])
    assert wait.kind == "hold"
    assert "run x holds t" in wait.why
    assert "Try 2 of 4" in wait.why


def test_an_approval_leads_to_where_it_is_given() -> None:
    from trueup_airflow.pages import progress

    (wait,) = progress.waits(asked(), [step("awaiting_input", name="approve", group=None)])
    assert wait.kind == "approval"
    assert wait.link == "dags/d/runs/r/tasks/approve/required_actions"
    assert progress.run_page("kpi", "manual__2026-11-20T10:00:00+00:00") == (
        "dags/kpi/runs/manual__2026-11-20T10%3A00%3A00%2B00%3A00"
    )


def test_a_mapped_step_leads_to_the_part_that_failed_or_to_all_of_them() -> None:
    page = "dags/d/runs/r/tasks/links.apply"
    assert step("success", "failed", "success").link == f"{page}/mapped/1"
    assert step("success", "up_for_retry").link == f"{page}/mapped/1"
    assert step("success", "running").link == f"{page}/mapped"
    assert step("running", name="report", group=None).link == "dags/d/runs/r/tasks/report"
    assert step("success", "failed", "failed").failed == (1, 2)


def test_reading_says_how_long_the_rest_takes() -> None:
    from datetime import timedelta

    from trueup_airflow.pages import progress
    from trueup_airflow.pages.scheduled import Instance, Task

    at = datetime(2026, 11, 20, tzinfo=UTC)
    about: dict[str, Any] = {"task_id": "snapshot", "tries": 1, "max_tries": 4, "started_at": at}
    done = [Instance(part=n, state="success", ended_at=at + timedelta(seconds=10 * (n + 1)), **about) for n in (0, 1)]
    more = [Instance(part=n, state="running", ended_at=None, **about) for n in (2, 3)]
    task = Task(task_id="snapshot", group=None, name="snapshot", title="Read")
    (found,) = progress.steps(asked(), [task], [*done, *more], ())
    assert (found.state, found.done, found.total, found.part_seconds, found.left) == ("running", 2, 4, 15, 20)


def test_rows_of_the_parts_that_are_done_and_their_pace_in_the_last_minute() -> None:
    from datetime import timedelta

    from trueup_airflow.pages import pace

    reading = step("success", "success", "success", "running", "running", name="snapshot", group=None)
    done = [pace.Done(at=AT + timedelta(seconds=seconds), rows=600) for seconds in (30, 100, 120)]
    found = pace.timed(reading, done)
    assert (found.rows, found.rate, found.left) == (
        1800,
        20,
        60,
    )  # 1,200 rows in the last minute, two parts of 600 left
    assert pace.timed(reading, []).rows is None
    at_once = pace.timed(reading, [pace.Done(at=AT, rows=5)])
    assert (at_once.rows, at_once.rate) == (5, None)


def test_a_paused_dag_and_an_ended_run() -> None:
    from trueup_airflow.pages import progress

    waiting = [step("awaiting_input", name="approve", group=None)]
    assert [w.kind for w in progress.waits(asked(paused=True), waiting)] == ["paused"]
    assert progress.waits(asked(state="failed"), waiting) == []


def counted(rows: dict[str, int]) -> PhaseCounts:
    tables = {"title": "Links", "source_table": "legacy", "target_table": "links"}
    numbers = {"source_rows": 0, "written": 0, "kept": 0, "rejected": 0, "unaccounted": 0}
    return PhaseCounts(phase="links", **tables, **numbers, skipped={}, rows=rows)  # type: ignore[arg-type]


def entered(status: Status) -> RunRow:
    names = (
        "airflow_run_id",
        "triggered_by",
        "plan_sha256",
        "plan_files_sha256",
        "planned_at",
        "asked_sha256",
        "undoes",
    )
    unknown: dict[str, Any] = dict.fromkeys((*names, "ended_at"))
    about: dict[str, Any] = {"run_id": "r", "migration_id": "m", "dag_id": "m", "options": {}, "attempt": 1}
    return RunRow(status=status, started_at=AT, **about, **unknown)


def test_the_rate_is_of_the_last_minute_and_what_is_left_counts_from_now() -> None:
    from trueup_airflow.pages import progress

    at = datetime(2026, 11, 20, tzinfo=UTC)
    done: dict[str, Any] = {
        "batches": 1,
        "rows": 100,
        "written": 99,
        "conflicts": 1,
        "refused": 0,
        "retries": 0,
        "seconds": 0.2,
    }
    also = {**done, "rows": 50, "written": 50, "conflicts": 0, "retries": 2}
    batches = {"links": Applied(**done), "links-also": Applied(**also)}
    paces = {"links": Pace(rows=100, seconds=27.0, last_at=at), "links-also": Pace(rows=8, seconds=20.0, last_at=at)}
    phases = [counted(rows={"add": 200, "change": 90, "remove": 10, "keep": 7})]
    (found,) = progress.writing(batches, phases, paces, over=False, limit=50)
    assert (found.rows, found.total, found.removes, found.conflicts, found.limit) == (150, 300, 10, 1, 50)
    assert (found.rate, found.left, found.last_at) == (4, 37.5, at)  # 0.2 s for the first batches say nothing
    (ended,) = progress.writing(batches, phases, paces, over=True)
    assert (ended.rate, ended.left) == (None, None)


def test_what_airflow_knows_to_be_over_is_not_running() -> None:
    from trueup_airflow.pages import state

    row = entered(Status.RUNNING)
    assert state.of_run(row, asked(), waiting=False) == "running"
    assert state.of_run(row, asked(), waiting=True) == "waiting for approval"
    assert state.of_run(row, asked(state="failed"), waiting=False) == "interrupted"
    assert state.of_run(row, None, waiting=False) == "interrupted"
    assert state.of_run(entered(Status.ROLLED_BACK), asked(state="success"), waiting=False) == "rolled back"
    assert state.of_run(None, asked(state="queued"), waiting=False) == "starting"


def test_a_rollback_is_of_its_migration() -> None:
    from trueup_airflow.pages import scheduled

    assert scheduled.migration_id("kpi_linking_rollback") == "kpi_linking"
