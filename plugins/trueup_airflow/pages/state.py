"""A run's state in one word, from the ledger and Airflow's word on it. Pure."""

from __future__ import annotations

from include.trueup.ledger import RunRow, Status

from .evidence import Verdict
from .progress import ENDED
from .scheduled import AskedRun

NEVER_RUN = "never run"
WITH_EXCEPTIONS = "proven with exceptions"
_WORDS = {
    Status.PLANNED: "planned",
    Status.PROVEN: "proven",
    Status.FAILED: "failed",
    Status.INTERRUPTED: "interrupted",
    Status.ROLLED_BACK: "rolled back",
}


def of_run(row: RunRow | None, run: AskedRun | None, *, waiting: bool, exceptions: int = 0) -> str:
    """The state of a run: `row` as the ledger has it, `run` as Airflow has it. What Airflow knows to be over is not
    running, whatever the ledger last heard. `exceptions`: rows that it left alone, as its report says."""
    over = run is None or run.state in ENDED
    if waiting and not over:
        return "waiting for approval"
    if row is None:
        return NEVER_RUN if run is None else "starting" if not over else "failed" if run.state == "failed" else "ended"
    status = row.status
    if status is Status.RUNNING:
        return "interrupted" if over else "running"
    return WITH_EXCEPTIONS if status is Status.PROVEN and exceptions else _WORDS[status]


def disowned(row: RunRow | None, verdict: Verdict | None) -> str | None:
    """Why a report is not to be believed that says that its run passed: what the ledger says (`row`), in words; None of any
    other."""
    if verdict is None or verdict.status != "passed":
        return None
    if row is None:
        return "the ledger does not have this run"
    if row.status in (Status.PROVEN, Status.PLANNED, Status.ROLLED_BACK):
        return None
    return f"the ledger has this run as {_WORDS.get(row.status, 'running')}"


def as_the_ledger_has_it(row: RunRow | None, verdict: Verdict) -> Verdict:
    """The verdict, unless it is not to be believed: then what is true instead."""
    why = disowned(row, verdict)
    if why is None:
        return verdict
    headline = f"Not proven: {why}. A report that lies in its folder says otherwise: {verdict.headline or 'passed'}"
    return Verdict(headline=headline, next="Trigger a new run; do not rely on that report.")
