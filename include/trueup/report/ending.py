"""The end of a run, of whatever kind: its status and its report, which say the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from ..errors import ArtifactError
from ..ledger import GoneOnError, RunRow, Standing, Status, refuse_other
from ..run import AnyRun, Files, newest, order
from ..run.files import REPORT
from ..run.reported import Report, Verdict
from . import render

log = logging.getLogger(__name__)
R = TypeVar("R", bound=AnyRun)
_PASSED = (Status.PLANNED, Status.PROVEN, Status.ROLLED_BACK)
_ENDED = {str(Status.PLANNED): _PASSED[:1], str(Status.PROVEN): _PASSED[1:]}
"""What the ledger may say of a run that passed, by what its report says; one of the first release does not say it so."""


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
    try:
        written = files.report
    except ArtifactError as error:  # it is said again, by what it was made of
        log.warning("%s", error)
        return None
    if written is None or not _of_proof(written, entered, among_proven=files.report_at(REPORT) != REPORT):
        return None
    files.uncover()
    run.ledger.leases.release(run.id)
    return written.verdict


def ended(run: AnyRun) -> Verdict | None:
    """What the report says of the run's end, for whoever goes by it; None before it is written. Raises `ArtifactError` for one
    that says that the run passed where the ledger does not: it is left of a run that the ledger knows no more."""
    files = Files(run.folder)
    if (written := files.report) is None or written.verdict.status != "passed":
        return None if written is None else written.verdict
    run.ledger.ensure()
    row = run.ledger.run(run.id)
    status = written.run.status
    if row is None or row.status not in _ENDED.get(status or "", _PASSED):
        raise ArtifactError(
            f"the report of run {run.id} says that it is {status or 'passed'}, and by the ledger it is "
            f"{row.status if row else 'not there'}: the report is left from before the ledger was restored, or was emptied; "
            "clear the task report, or trigger the DAG again"
        )
    return written.verdict


def _of_proof(written: Report, row: RunRow, *, among_proven: bool) -> bool:
    """Whether the report is of the proof that the ledger has. One `among_proven` says when that was; one of an earlier release,
    which lies beside, need not. What is left from before the ledger was restored may be of another proof of the same plan."""
    if written.run.status != Status.PROVEN or written.plan_sha256 != row.plan_sha256:
        return False
    return not among_proven or written.run.ended_at == moment(row.ended_at)


def _require_unknown(run: AnyRun) -> None:
    if run.ledger.run(run.id) is not None:
        raise GoneOnError(f"run {run.id} has begun while this report of it was written: clear the task report")


def _publish(run: AnyRun, facts: Report, at: Standing | None) -> Verdict:
    """Settle the run's status, write what a report says in its three forms, and give up its hold; the verdict. Where the
    ledger refuses the status nothing is written: it knows better how the run ended. Nor where another try of this has
    said meanwhile that the run is proven: that is never written again. Then it is asked whether the run still stands where
    it did when the report was collected (`at`; None: it is not in the ledger); of one that is not proven before each form,
    too, and what says that it is proven goes."""
    if at is None:
        with newest.confirming(run.id, partial(_require_unknown, run)):
            Files(run.folder).forget_report()
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
            # the ledger never takes back that a run is proven: what says so is of one that it forgot
            Files(run.folder).forget_report()
            _write(run, facts)
    run.ledger.leases.leave(run.id, at, status)
    return facts.verdict


def _write(run: AnyRun, facts: Report) -> None:
    html, markdown = render.html(facts), render.markdown(facts)
    Files(run.folder).write_report(facts, html, markdown, proven=facts.run.status == Status.PROVEN)


def moment(at: datetime | None) -> str | None:
    """An instant as ISO 8601, UTC."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
