"""Who holds a target: what a process is called, whether it has ended, and what a run that comes second is told."""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Any

import psutil


def refusal(run_id: str, hold: dict[str, Any], now: datetime) -> str:
    """What the run is told where another's `hold` (its row) is in its way."""
    seconds = int((hold["expires_at"] - now).total_seconds()) + 1
    return (
        f"run {hold['run_id']} holds {hold['target']} since {hold['since']:%Y-%m-%d %H:%M:%S %Z}, so run {run_id} wrote nothing; "
        f"wait for it to end, or, if it is dead, for its hold to expire (in {seconds} s unless it renews it)"
    )


def this_process() -> str:
    """A name of this process that no other process on any machine has or will have."""
    me = psutil.Process()
    return f"{socket.gethostname()}/{me.pid}/{me.create_time():.2f}"


def is_dead(holder: str | None) -> bool:
    """Whether the process is known to have ended. A process of another machine is not known to."""
    if holder is None:
        return False
    host, pid, created = holder.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        return abs(process.create_time() - float(created)) > 1 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
