"""Which run of a migration was the last one."""

from __future__ import annotations

from datetime import datetime

from . import Ledger
from .rows import RunRow


def last_first(ledger: Ledger, migration_id: str) -> list[RunRow]:
    """The runs by when they last did anything that counts: began first, made their plan, or might write. One that begins
    again, or that waited for its approval, may write after the proof of one that was triggered later."""
    might_write = ledger.leases.last_right(migration_id)

    def last(run: RunRow) -> datetime:
        return max(run.started_at, run.planned_at or run.started_at, might_write.get(run.run_id, run.started_at))

    return sorted(ledger.runs(migration_id), key=last, reverse=True)
