"""A run's steps, progress and waits, from what Airflow and the ledger say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.trueup.ledger import Applied, RunRow, Status, StepRow, SwitchState
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


def step(*states: str | None, name: str = "apply", group: str | None = "links", said: Any = ()) -> dict[str, Any]:
    from trueup_airflow.pages import progress
    from trueup_airflow.pages.scheduled import Task

    id = f"{group}.{name}" if group else name
    (found,) = progress.steps([Task(task_id=id, group=group, name=name, title="t")], parts(id, *states), said)
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
        (("skipped",), "skipped", 1),
        (("success", "skipped"), "done", 2),
        (("upstream_failed",), "left out", 0),
        (("removed", "success"), "done", 1),
    ],
)
def test_a_steps_state_is_that_of_its_parts(states: tuple[str | None, ...], state: str, done: int) -> None:
    found = step(*states)
    assert (found["state"], found["done"]) == (state, done)


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
    assert wait["kind"] == "hold"
    assert "run x holds t" in wait["why"]
    assert "Try 2 of 4" in wait["why"]


def test_an_approval_leads_to_where_it_is_given() -> None:
    from trueup_airflow.pages import progress

    run = asked(dag_id="kpi", run_id="manual__2026-11-20T10:00:00+00:00")
    (wait,) = progress.waits(run, [step("awaiting_input", name="approve", group=None)])
    assert wait["kind"] == "approval"
    assert wait["link"] == "dags/kpi/runs/manual__2026-11-20T10%3A00%3A00%2B00%3A00/tasks/approve/required_actions"


def test_a_paused_dag_and_an_ended_run() -> None:
    from trueup_airflow.pages import progress

    waiting = [step("awaiting_input", name="approve", group=None)]
    assert [w["kind"] for w in progress.waits(asked(paused=True), waiting)] == ["paused"]
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


def test_writing_has_a_rate_and_an_end() -> None:
    from trueup_airflow.pages import progress

    batches = {
        "links": Applied(batches=1, rows=100, written=99, conflicts=1, refused=0, retries=0, seconds=5.0),
        "links-also": Applied(batches=2, rows=50, written=50, conflicts=0, refused=0, retries=2, seconds=10.0),
    }
    phases = [counted(rows={"add": 200, "change": 90, "remove": 10, "keep": 7})]
    (found,) = progress.applied(batches, phases, "running")
    assert (found["rows"], found["total"], found["rate"], found["eta"]) == (150, 300, 10, 15)
    assert progress.applied(batches, phases, "failed")[0]["eta"] is None


def test_what_airflow_knows_to_be_over_is_not_running() -> None:
    from trueup_airflow.pages import state

    row = entered(Status.RUNNING)
    assert state.of_run(row, asked(), waiting=False) == "running"
    assert state.of_run(row, asked(), waiting=True) == "waiting for approval"
    assert state.of_run(row, asked(state="failed"), waiting=False) == "interrupted"
    assert state.of_run(row, None, waiting=False) == "interrupted"
    assert state.of_run(entered(Status.ROLLED_BACK), asked(state="success"), waiting=False) == "rolled back"
    assert state.of_run(None, asked(state="queued"), waiting=False) == "starting"


def test_a_migration_that_is_cut_over_says_so_unless_it_runs() -> None:
    from trueup_airflow.pages import state

    assert state.of_migration("proven", SwitchState.NEW) == "cut over"
    assert state.of_migration("running", SwitchState.NEW) == "running"
    assert state.of_migration(None, SwitchState.LEGACY) == "never run"
    assert state.of_migration("proven", SwitchState.DUAL) == "proven"


def test_a_rollback_is_of_its_migration() -> None:
    from trueup_airflow.pages import scheduled

    assert scheduled.migration_id("kpi_linking_rollback") == "kpi_linking"
