"""Who holds a target: what a process is called, whether it has ended, and the message for a run that comes second."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from functools import cache
from pathlib import Path

import psutil

from ..stores.effects import REAL
from .rows import LeaseRow


def refusal(run_id: str, lease: LeaseRow, now: datetime) -> str:
    """The message for a run when another run's `lease` (its row) is in its way."""
    seconds = int((lease.expires_at - now).total_seconds()) + 1
    held = f"run {lease.run_id} holds {lease.target} since {lease.taken_at:%Y-%m-%d %H:%M:%S %Z}"
    if lease.waits:
        return (
            f"{held}, and waits for a person to approve its plan, at the latest until {lease.expires_at:%Y-%m-%d %H:%M %Z}, "
            f"so run {run_id} wrote nothing; approve or reject that plan, or end that run, then trigger this DAG again"
        )
    return (
        f"{held}, so run {run_id} wrote nothing; wait for it to end, or, if it is dead, for its lease to "
        f"expire (in {max(seconds, 0)} s unless it renews it)"
    )


@cache
def _machine() -> str:
    """A name of this machine since it was started, and of what may see the same processes: other containers of one host,
    and clones of one image, have others."""
    parts = [REAL.host()]
    for file in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        try:
            parts.append(Path(file).read_text(encoding="ascii").strip())
        except OSError:
            parts.append(f"{psutil.boot_time():.0f}")
    try:
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def this_process() -> str:
    """A name of this process that no other process on any machine has or will have."""
    me = psutil.Process(REAL.pid())
    return f"{_machine()}/{me.pid}/{me.create_time():.2f}"


def is_dead(holder: str | None) -> bool:
    """Whether the process is known to have ended. A process of another machine or container is not known to."""
    if holder is None:
        return False
    machine, pid, created = holder.rsplit("/", 2)
    if machine != _machine():
        return False
    try:
        process = psutil.Process(int(pid))
        return abs(process.create_time() - float(created)) > 1 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
