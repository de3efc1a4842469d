"""Approve: what was approved is the plan's hash; nothing else is applied, and nothing that has grown too old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import ApprovalError
from .ledger import Status
from .ledger.decisions import Decision
from .plan import plan_hash
from .run import Run


def ask(run: Run) -> dict[str, Any]:
    """The plan that somebody is to be asked about (plan.json). Raises `ApprovalError` for one that is too old."""
    with run.ledger.step(run.id, "approve", "0"):
        check_age(run)
        return dict(run.folder.read_json("plan.json"))


def approve(run: Run, by: str | None = None, comment: str | None = None) -> str:
    """Enter a person's approval of the run's plan; of a run that asks for none, that it was waived. The plan's hash.

    Raises `ApprovalError` for a plan that is too old."""
    with run.ledger.step(run.id, "approve", "0"):
        check_age(run)
        sha256 = plan_hash(run)
        decision: Decision = "approved" if run.options.approval else "waived"
        run.ledger.approvals.decide(run.id, sha256, decision, by=by, comment=comment)
    return sha256


def reject(run: Run, by: str | None, comment: str | None) -> None:
    """Enter a person's rejection of the run's plan, and raise it as an `ApprovalError`."""
    with run.ledger.step(run.id, "approve", "0"):
        run.ledger.approvals.decide(run.id, plan_hash(run), "rejected", by=by, comment=comment)
        said = f": {comment}" if comment else ""
        raise ApprovalError(f"{by or 'somebody'} rejected the plan{said}; nothing was written")


def require(run: Run) -> None:
    """Raise `ApprovalError` unless the plan in the workspace is the one that was approved, and the run still its owner."""
    if (run.ledger.run(run.id) or {}).get("status") == Status.INTERRUPTED:
        raise ApprovalError(
            f"while run {run.id} waited, another run took over its targets, so its plan is no longer of what is there; "
            "nothing is written: trigger the DAG again for a new plan"
        )
    found = run.ledger.approvals.of(run.id)
    if found is None or found["decision"] == "rejected":
        how = "is not approved" if found is None else "was rejected"
        raise ApprovalError(f"the plan of run {run.id} {how}, so nothing is written; trigger the DAG again")
    if found["plan_sha256"] != plan_hash(run):
        raise ApprovalError(
            f"the plan of run {run.id} in the workspace is not the plan that was approved, so nothing is written; "
            "trigger the DAG again"
        )


def check_age(run: Run) -> None:
    """Raise `ApprovalError` if the plan is older than the run allows."""
    made = (run.ledger.run(run.id) or {}).get("planned_at")
    if made is None:
        raise ApprovalError(f"run {run.id} has no plan that passed its gate, so there is nothing to approve")
    limit = timedelta(hours=run.options.plan_max_age)
    if datetime.now(UTC) - made > limit:
        raise ApprovalError(
            f"the plan of run {run.id} was made {made:%Y-%m-%d %H:%M} UTC, more than {run.options.plan_max_age:g} hours ago, "
            "and the tables may have moved on; nothing is written: trigger the DAG again for a new plan"
        )
