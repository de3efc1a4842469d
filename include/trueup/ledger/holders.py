"""Who holds a target: the message for a run that comes second."""

from __future__ import annotations

from datetime import datetime

from .rows import LeaseRow


def refusal(run_id: str, lease: LeaseRow, now: datetime) -> str:
    """The message for a run when another run's `lease` (its row) is in its way."""
    seconds = int((lease.expires_at - now).total_seconds()) + 1
    holder = f"run {lease.run_id} holds {lease.target} since {lease.taken_at:%Y-%m-%d %H:%M:%S %Z}"
    if lease.waits:
        return (
            f"{holder}, and waits for a person to approve its plan, at the latest until {lease.expires_at:%Y-%m-%d %H:%M %Z}, "
            f"so run {run_id} wrote nothing; approve or reject that plan, or end that run, then trigger this DAG again"
        )
    return (
        f"{holder}, so run {run_id} wrote nothing; wait for it to end, or, if it is dead, for its lease to "
        f"expire (in {max(seconds, 0)} s unless it renews it)"
    )
