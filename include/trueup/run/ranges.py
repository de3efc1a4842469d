"""The days of a range: runs of one migration, each of a window within it, that are approved or judged together.

A day is known by its newest plan, whichever run made it (mode plan, or apply), while that is not older than a plan may be.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, timedelta

from ..ledger import ApprovalRow, PlanRow
from .files import Files
from .options import Options, Window
from .records import Day, RangeRecord, to_json
from .run import Run


def days(run: Run) -> tuple[Day, ...]:
    """The days of the run's range that are planned, in order, this run's own among them; none where it has no range."""
    within = run.options.range
    if within is None:
        return ()
    oldest = run.effects.now() - timedelta(hours=run.options.plan_max_age)
    newest: dict[Window, PlanRow] = {}
    for row in run.ledger.runs(run.migration.id):
        if row.undoes is not None or row.dag_id != run.dag_id or not row.options.get("window"):
            continue
        for plan in run.ledger.plans(row.run_id):
            window = Options.from_json(plan.options).window
            if window is None or not within.holds(window) or plan.at < oldest:
                continue
            if window not in newest or newest[window].at < plan.at:
                newest[window] = plan
    return tuple(_day(run, window, newest[window]) for window in sorted(newest, key=lambda window: window.start))


def _day(run: Run, window: Window, plan: PlanRow) -> Day:
    made = Files(run.workspace.run(plan.run_id)).plan
    phases = made.phases if made is not None and made.sha256 == plan.plan_sha256 else ()
    return Day(
        start=window.start.isoformat(),
        end=window.end.isoformat(),
        run=plan.run_id,
        sha256=plan.plan_sha256,
        planned_at=plan.at.astimezone(UTC).isoformat(timespec="seconds"),
        phases=phases,
    )


def write(run: Run) -> RangeRecord:
    """Publish the days of the range as somebody is asked about them."""
    within = run.options.range
    assert within is not None
    record = RangeRecord(start=within.start.isoformat(), end=within.end.isoformat(), days=days(run))
    run.files.write_range(record)
    return record


def sha256(record: RangeRecord) -> str:
    """What a person approves of a range: the hash of its list of days."""
    return hashlib.sha256(to_json(record)).hexdigest()


def given(run: Run, plan_sha256: str) -> ApprovalRow | None:
    """A person's approval of this plan, given with the range that the run is a day of and not older than a plan may be; None
    where there is none."""
    within = run.options.range
    if within is None or not run.options.range_approval:
        return None
    oldest = run.effects.now() - timedelta(hours=run.options.plan_max_age)
    for approval in run.ledger.approvals.of_plan(run.migration.id, plan_sha256):
        record = Files(run.workspace.run(approval.run_id)).range
        if approval.run_id == run.id or approval.decided_at < oldest or record is None:
            continue
        same = (record.start, record.end) == (within.start.isoformat(), within.end.isoformat())
        if same and plan_sha256 in {day.sha256 for day in record.days}:
            return approval
    return None
