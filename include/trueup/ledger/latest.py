"""Which run of a migration was the last one. One that begins again, or that waited for its approval, may plan and write after one
that was triggered later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from ..steps import writes
from . import Ledger
from .rows import RunRow
from .tables import batches, leases, runs, steps

_OF = runs.c.migration_id == sa.bindparam("migration")
_RIGHTS = sa.select(leases.c.run_id, leases.c.ended_at, leases.c.expires_at).join(runs).where(_OF)
_RIGHTS = _RIGHTS.where(leases.c.right_at.is_not(None))
_ENDS = (
    sa.select(
        steps.c.run_id,
        steps.c.step,
        sa.func.max(steps.c.ended_at).label("ended_at"),
        sa.func.min(sa.case((steps.c.ended_at.is_(None), 0), else_=1)).label("over"),
    )
    .join(runs, runs.c.run_id == steps.c.run_id)
    .where(_OF)
    .group_by(steps.c.run_id, steps.c.step)
)
_WROTE = (
    sa.select(batches.c.run_id, sa.func.max(batches.c.at))
    .join(runs, runs.c.run_id == batches.c.run_id)
    .where(_OF, batches.c.written > 0)
    .group_by(batches.c.run_id)
)
Moments = dict[str, datetime]


def last_first(ledger: Ledger, migration_id: str) -> list[RunRow]:
    """The runs by when they last began first, made their plan, or might write: what the last of them says holds now."""
    until = might_write_until(ledger, migration_id)

    def last(run: RunRow) -> datetime:
        return last_at(run.started_at, run.planned_at, until.get(run.run_id))

    return sorted(ledger.runs(migration_id), key=last, reverse=True)


def might_write_until(ledger: Ledger, migration_id: str) -> Moments:
    """Until when each run of the migration might write, by its id; none where it never took a step that writes."""
    with ledger._begin() as connection:
        return _might_write(connection, migration_id, lambda step, _: writes(step))


def last_at(began: datetime, planned: datetime | None, until: datetime | None) -> datetime:
    """When a run last did anything that `last_first` goes by."""
    return max(began, planned or began, until or began)


def last_written_first(ledger: Ledger, migration_id: str) -> list[RunRow]:
    """The runs by when they last wrote a row, or may have: in this order they are undone. A plan that wrote nothing moves none."""
    with ledger._begin() as connection:
        wrote: Moments = dict(map(tuple, connection.execute(_WROTE, {"migration": migration_id})))
        may = _might_write(connection, migration_id, lambda step, over: step.startswith("apply/") and not over)

    def last(run: RunRow) -> datetime:
        return max(run.started_at, *(each.get(run.run_id, run.started_at) for each in (wrote, may)))

    return sorted(ledger.runs(migration_id), key=last, reverse=True)


def _might_write(connection: sa.Connection, migration_id: str, counts: Callable[[str, bool], bool]) -> Moments:
    """Until when each run might write by the steps that count: until the last of them ended, or, where one of them has not, until
    its right was over, or will be."""
    of = {"migration": migration_id}
    rights: Moments = {}
    for run, ended_at, expires_at in connection.execute(_RIGHTS, of).all():
        until = min(ended_at or expires_at, expires_at)
        rights[run] = max(rights.get(run, until), until)
    last: Moments = {}
    for run, step, ended_at, over in connection.execute(_ENDS, of).all():
        at = ended_at if over else rights.get(run)
        if at is not None and counts(step, bool(over)):
            last[run] = max(last.get(run, at), at)
    return last
