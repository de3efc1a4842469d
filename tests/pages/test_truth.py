"""What is the case with a migration, in one state: what waits, what deletes, what is proven and what is not any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.trueup.ledger import Status, SwitchState

AT = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = ("2026-11-01T00:00:00+00:00", "2026-11-02T00:00:00+00:00")


@pytest.fixture(scope="module", autouse=True)
def _airflow(airflow_database: None) -> None:
    """The modules below read Airflow's settings when they are imported."""


def run(
    at: int, status: Status | None, airflow: str | None = "success", *, of: str = "m", mode: str = "apply", **facts: Any
) -> Any:
    """A run that began so many minutes after the first."""
    from trueup_airflow.pages.known import Entered, Known, Window
    from trueup_airflow.pages.scheduled import AskedRun

    id = f"{of}--{at}"
    undoes, window = facts.pop("undoes", None), facts.pop("window", None)
    times = {"started_at": AT + timedelta(minutes=at), "ended_at": None}
    entered = None
    if status is not None:
        plain = {"airflow_run_id": str(at), "triggered_by": None, "approval": True, "write_rate": None}
        plan = {"plan_sha256": None, "planned_at": None}
        made = {"window": Window(start=window[0], end=window[1]) if window else None, "undoes": undoes, "mode": mode}
        entered = Entered(id=id, migration_id="m", dag_id=of, status=status, **plain, **plan, **made, **times)  # type: ignore[arg-type]
    about = {"id": id, "dag_id": of, "run_id": str(at), "paused": False, "ours": True}
    asked = AskedRun(**about, state=airflow, **times) if airflow else None  # type: ignore[arg-type]
    return Known(entered=entered, asked=asked, **{"wrote": status is Status.PROVEN and mode == "apply", **facts})


def case(*runs: Any, switch: SwitchState = SwitchState.LEGACY, backfill: Any = None) -> tuple[str, bool]:
    from trueup_airflow.pages import truth

    found = truth.of_migration(runs, switch, backfill)
    assert not (found.writes and found.state.startswith("proven"))
    return found.state, found.writes


def test_what_is_proven_says_of_what() -> None:
    proven = run(1, Status.PROVEN)
    assert case() == ("never run", False)
    assert case(proven) == ("proven", False)
    assert case(proven, switch=SwitchState.DUAL) == ("proven", False)
    assert case(proven, switch=SwitchState.NEW) == ("cut over", False)
    assert case(run(1, Status.PROVEN, exceptions=3)) == ("proven with exceptions", False)
    assert case(run(1, Status.PROVEN, window=WINDOW)) == ("proven of a window", False)


def test_a_window_is_told_to_the_second_where_it_is_not_of_whole_days() -> None:
    from trueup_airflow.pages import truth

    def told(*window: str) -> str:
        return truth.of_migration([run(1, Status.PROVEN, window=window)], SwitchState.LEGACY).words

    assert told(*WINDOW) == "Proven for the rows of 2026-11-01 to 2026-11-02, not for the whole table."
    half = told("2026-11-01T14:00:00+02:00", "2026-11-01T23:30:05+00:00")
    assert half == "Proven for the rows of 2026-11-01 12:00:00 to 2026-11-01 23:30:05 UTC, not for the whole table."


def test_a_rollback_that_waits_or_deletes_is_what_is_told() -> None:
    proven = run(1, Status.PROVEN)
    back: dict[str, Any] = {"of": "m_rollback", "undoes": "m--1"}
    waits = run(2, Status.RUNNING, "running", waits=True, **back)
    assert case(waits, proven) == ("waiting for approval", False)
    assert case(run(2, Status.RUNNING, "running", **back), proven) == ("rolling back", True)
    assert case(run(2, Status.PROVEN, **back), run(1, Status.ROLLED_BACK)) == ("rolled back", False)
    # one that somebody rejected, and that wrote nothing, says nothing of the tables
    assert case(run(2, Status.FAILED, "failed", **back), proven) == ("proven", False)
    assert case(run(2, Status.FAILED, "failed", wrote=True, **back), proven) == ("failed", False)


def test_while_anything_goes_on_nothing_is_proven() -> None:
    proven = run(1, Status.PROVEN)
    assert case(run(2, Status.RUNNING, "running"), proven) == ("running", True)
    assert case(run(2, Status.RUNNING, "running"), proven, switch=SwitchState.NEW) == ("running", True)
    assert case(run(2, None, "queued"), proven) == ("starting", False)
    # the next one only waits in the queue, and this one applies
    assert case(run(3, None, "queued"), run(2, Status.RUNNING, "running"), proven) == ("running", True)
    assert case(run(2, None, "running", of="m_cutover"), proven) == ("turning", False)
    assert case(run(2, None, "failed", of="m_cutover"), proven) == ("proven", False)
    # a run that is none of Airflow's goes on as long as it holds a target
    assert case(run(2, Status.RUNNING, None, holds=True), proven) == ("running", True)
    assert case(run(2, Status.RUNNING, None), proven) == ("interrupted", False)


def test_what_failed_says_whether_it_wrote() -> None:
    from trueup_airflow.pages import truth

    proven = run(1, Status.PROVEN)
    before = truth.of_migration([run(2, Status.FAILED, "failed"), proven], SwitchState.LEGACY)
    assert (before.state, "no run wrote since the last proof" in before.words) == ("failed", True)
    after = truth.of_migration([run(2, Status.FAILED, "failed", wrote=True), proven], SwitchState.LEGACY)
    assert "after it wrote rows" in after.words


def test_what_a_run_wrote_that_failed_is_told_whatever_only_looked_since() -> None:
    from trueup_airflow.pages import truth

    def told(*runs: Any) -> tuple[str, str | None, str]:
        found = truth.of_migration(runs, SwitchState.LEGACY)
        return found.state, found.run.id if found.run else None, found.words

    proven, half = run(1, Status.PROVEN), run(2, Status.FAILED, "failed", wrote=True)
    plan, refused = run(3, Status.PLANNED, mode="plan"), run(3, Status.FAILED, "failed")
    half_written = "The last run that wrote failed after it wrote rows; what began since wrote nothing."
    assert told(plan, half, proven) == told(refused, half, proven) == ("failed", "m--2", half_written)
    assert told(plan, half) == ("failed", "m--2", half_written)
    killed = run(2, Status.RUNNING, "failed", wrote=True)
    assert told(plan, killed, proven)[:2] == ("interrupted", "m--2")
    back = run(2, Status.FAILED, "failed", of="m_rollback", undoes="m--1", wrote=True)
    assert told(plan, back, proven) == ("failed", "m_rollback--2", "A rollback wrote rows and did not come to its end.")
    # what is proven since, or undone, is over
    assert told(plan, run(3, Status.PROVEN), half)[0] == "planned"
    assert told(run(4, Status.PLANNED, mode="plan"), run(3, Status.PROVEN, mode="verify"), half)[0] == "planned"
    undone = [run(3, Status.PROVEN, of="m_rollback", undoes="m--2"), run(2, Status.ROLLED_BACK, wrote=True)]
    words = "A plan was made; nothing is written."
    assert told(run(4, Status.PLANNED, mode="plan"), *undone, proven) == ("planned", "m--4", words)
    assert told(plan, proven)[2] == "A plan was made since the last proof."


def test_a_comparison_that_found_rows_otherwise_leaves_no_proof_standing() -> None:
    from trueup_airflow.pages import truth

    proven, found = run(1, Status.PROVEN), run(2, Status.FAILED, "failed", mode="verify", refuted=True)
    told = truth.of_migration([found, proven], SwitchState.LEGACY)
    words = "The last run failed: it wrote nothing, and found rows that are not as they should be."
    assert (told.state, told.words) == ("failed", words)
    since = truth.of_migration([run(3, Status.PLANNED, mode="plan"), found, proven], SwitchState.LEGACY)
    assert (since.state, since.run) == ("failed", found)
    assert "some are not as they should be" in since.words


def test_days_of_a_backfill_that_airflow_made_no_run_for_or_has_lost_do_not_go_on() -> None:
    from trueup_airflow.pages import filled, truth

    runs = [run(1, Status.PROVEN, window=WINDOW)]
    first = filled.Row(backfill=1, by="ada", run_id="1", start=AT, end=AT, over=True)
    overlapped = filled.Row(backfill=1, by="ada", run_id=None, start=AT, end=None, over=True, left_out=True)
    deleted = filled.Row(backfill=1, by="ada", run_id=None, start=AT, end=None, over=True)
    over = filled.of([first, overlapped, deleted], runs)
    assert over is not None
    assert [day.state for day in over.days] == ["proven", "not started", "gone"]
    told = truth.of_migration(runs, SwitchState.LEGACY, over)
    assert (told.state, told.writes) == ("proven of a window", False)
    assert told.words == "Backfill: 1 of 3 days proven, 1 not started, 1 gone."
    to_come = filled.of([first, filled.Row(backfill=1, by="ada", run_id=None, start=AT, end=None)], runs)
    assert to_come is not None
    assert to_come.goes_on


def test_a_backfill_is_one_thing() -> None:
    from trueup_airflow.pages import filled, truth

    runs = [
        run(3, Status.RUNNING, "running"),
        run(2, Status.FAILED, "failed", window=WINDOW),
        run(1, Status.PROVEN, window=WINDOW),
    ]
    rows = [filled.Row(backfill=1, by="ada", run_id=str(n), start=AT, end=AT) for n in (1, 2, 3)]
    goes_on = filled.of(rows, runs)
    assert goes_on is not None
    assert [day.state for day in goes_on.days] == ["proven", "failed", "running"]
    found = truth.of_migration(runs, SwitchState.LEGACY, goes_on)
    assert (found.state, found.words) == ("running", "Backfill: 1 of 3 days proven, 1 failed; it goes on.")
    waits = [run(3, Status.RUNNING, "running", waits=True), *runs[1:]]
    assert case(*waits, backfill=filled.of(rows, waits)) == ("waiting for approval", False)
    over = [run(3, Status.PROVEN, window=WINDOW), *runs[1:]]
    found = truth.of_migration(over, SwitchState.LEGACY, filled.of(rows, over))
    assert (found.state, found.words) == ("failed", "Backfill: 2 of 3 days proven, 1 failed.")
    half = [run(n, Status.PLANNED if n > 1 else Status.PROVEN, window=WINDOW) for n in (3, 2, 1)]
    told = truth.of_migration(half, SwitchState.LEGACY, filled.of(rows, half))
    assert told.words == "Backfill: 1 of 3 days proven."
    later = [run(4, Status.PROVEN), *over]
    assert case(*later, backfill=filled.of(rows, later)) == ("proven", False)


def test_the_purpose_is_the_first_sentence() -> None:
    from trueup_airflow.pages import about

    assert about.purpose("# Title\n\nBrings `a` into **b**. And more.\n") == "Brings a into b."
    assert about.purpose("# Title\n\n| a | b |\n\nSee [the page](x.md): it says.") == "See the page:".rstrip(":")
    assert about.purpose("") == ""
    said = about.of("kpi_linking")
    assert said is not None
    assert said.source is not None
    assert said.source.connections == said.target.connections == ("kpi_dynamodb",)
    assert "purposepath-people" not in said.source.tables  # a look-up is no source of rows
    schema = about.of("platform_schema")
    assert schema is not None
    assert (schema.source, about.of("nothing")) == (None, None)
