"""Who may write, and who still might, in SQL over leases, runs and steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from ..errors import TargetHeldError
from .status import Status
from .tables import leases, runs, steps


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a step, at one of its tries."""

    step: str
    part: str
    tries: int


def held(run_id: str, epochs: Mapping[str, int], part: Part | None) -> list[sa.ColumnElement[bool]]:
    """Of leases: they are of these epochs, and whoever writes by them, as this part of the run, still may."""
    running = sa.exists().where(runs.c.run_id == run_id, runs.c.status == Status.RUNNING)
    rights = [leases.c.epoch.in_(epochs.values()), leases.c.ended_at.is_(None), running]
    return rights if part is None else [*rights, sa.exists().where(*_newest(run_id, part))]


def _newest(run_id: str, part: Part) -> list[sa.ColumnElement[bool]]:
    """Of steps: it is this try of the part, which was begun since the run last began, and under the plan that it has now."""
    this = [steps.c.run_id == run_id, steps.c.step == part.step, steps.c.part == part.part, steps.c.tries == part.tries]
    same = (runs.c.attempt == steps.c.attempt, runs.c.plan_sha256.is_not_distinct_from(steps.c.plan_sha256))
    return [*this, sa.exists().where(runs.c.run_id == run_id, *same).correlate(steps)]


def renewing(run_id: str, part: Part) -> sa.Update:
    """Enter that this try of the part is at work."""
    return steps.update().where(*_newest(run_id, part)).values(renewed_at=sa.func.clock_timestamp())


def lost(run_id: str, targets: Iterable[str]) -> TargetHeldError:
    """What is said to whoever has no right any more."""
    return TargetHeldError(
        f"run {run_id} has lost its right to write to {', '.join(sorted(targets))}: another run, or a newer try of "
        "this task, has taken it, or the run has begun again; what was written stays, and nothing more is written"
    )


def older(run_id: str, epochs: Mapping[str, int], lasts: float) -> sa.Select[Any]:
    """Step and holder of each part that may write to one of the targets under an older lease than these, as it began before
    them, and neither its end is entered nor a lease, that lasts so many seconds, over since it was renewed."""
    had = sa.select(leases.c.run_id).where(leases.c.target.in_(epochs))
    since = sa.select(sa.func.min(leases.c.taken_at)).where(leases.c.epoch.in_(epochs.values())).scalar_subquery()
    return sa.select(steps.c.step, steps.c.holder).where(
        steps.c.run_id.in_(had),
        steps.c.ended_at.is_(None),
        steps.c.renewed_at > sa.func.clock_timestamp() - timedelta(seconds=lasts),
        sa.or_(steps.c.run_id != run_id, steps.c.started_at < since),
    )
