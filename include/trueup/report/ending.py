"""The end of a run, of whatever kind: its status and its report, which say the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from ..ledger import GoneOnError, Standing, Status, refuse_other
from ..run import AnyRun, Files, newest, order
from ..run.reported import Report, Verdict
from . import render

R = TypeVar("R", bound=AnyRun)


def conclude(run: R, collect: Callable[[R, Sequence[str]], Report], failed_tasks: Sequence[str]) -> Verdict:
    """What `report` does, of a run of which `collect` says how it ended; of one that is proven the tasks that failed since say
    nothing. Raises `GoneOnError` where the run has gone on meanwhile, or has begun again, and is not proven."""
    while (already := settled(run)) is None:
        status, at = run.ledger.standing(run.id) or (None, None)
        if status is Status.PROVEN:
            failed_tasks = ()
        else:
            run.ledger.outlive(run.id, partial(_has_failed, run, failed_tasks))
        try:
            return _publish(run, collect(run, failed_tasks), at)
        except GoneOnError:
            if run.ledger.entered(run.id).status != Status.PROVEN:
                raise
    return already


def _has_failed(run: AnyRun, failed_tasks: Sequence[str], name: str, part: str) -> bool:
    return not order.task_names(run, name, part).isdisjoint(failed_tasks)


def settled(run: AnyRun) -> Verdict | None:
    """The verdict of a run that is proven and whose report says so; None of any other, whose report is to be written."""
    run.ledger.ensure()
    entered = run.ledger.run(run.id)
    if entered is None:
        return None
    refuse_other(entered, run.dag_id, run.airflow_run_id)
    if entered.status not in (Status.PROVEN, Status.ROLLED_BACK):
        return None
    files = Files(run.folder)
    written = files.report
    if written is None or written.run.status != Status.PROVEN or written.plan_sha256 != entered.plan_sha256:
        return None
    files.uncover()
    run.ledger.leases.release(run.id)
    return written.verdict


def _publish(run: AnyRun, facts: Report, at: Standing | None) -> Verdict:
    """Settle the run's status, write what a report says in its three forms, and give up its hold; the verdict. Where the
    ledger refuses the status nothing is written: it knows better how the run ended. Nor where another try of this has
    said meanwhile that the run is proven: that is never written again. Then it is asked whether the run still stands where
    it did when the report was collected (`at`; None: it is not in the ledger); of one that is not proven before each form,
    too."""
    if at is None:
        _write(run, facts)
        return facts.verdict
    status = Status(str(facts.run.status))
    run.ledger.move(run.id, status, facts.verdict.headline, at)
    if (already := settled(run)) is not None:
        return already
    # two tries that both got here say the same to the letter
    facts = replace(facts, run=replace(facts.run, ended_at=moment(run.ledger.entered(run.id).ended_at)))
    if status is Status.PROVEN:  # it stands there for good
        _write(run, facts)
    else:
        stands = partial(run.ledger.require_at, run.id, at, status)
        with newest.confirming(run.id, stands):
            _write(run, facts)
    run.ledger.leases.leave(run.id, at, status)
    return facts.verdict


def _write(run: AnyRun, facts: Report) -> None:
    html, markdown = render.html(facts), render.markdown(facts)
    Files(run.folder).write_report(facts, html, markdown, proven=facts.run.status == Status.PROVEN)


def moment(at: datetime | None) -> str | None:
    """An instant as ISO 8601, UTC."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
