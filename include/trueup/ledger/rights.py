"""Who may write, and who still might, in SQL over leases, runs and steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from ..errors import StatusError, TargetHeldError, TransientError
from .status import Status
from .tables import leases, runs, steps


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a step, at one of its tries."""

    step: str
    part: str
    tries: int


class GoneOnError(TransientError):
    """A run has gone on, or begun again, since somebody looked at it to say how it ended: who looks again may say so."""


def given(run_id: str, epochs: Mapping[str, int], part: Part | None) -> dict[str, str | int | list[int]]:
    """What `held` and `RENEWING` are asked with."""
    of: dict[str, str | int] = (
        {} if part is None else {"this_step": part.step, "this_part": part.part, "this_try": part.tries}
    )
    return {"this_run": run_id, "epochs": [*epochs.values()], **of}


def held(part: Part | None) -> tuple[sa.ColumnElement[bool], ...]:
    """Of leases: they are of these epochs, and whoever writes by them, as this part of the run, still may."""
    return _HELD if part is None else (*_HELD, sa.exists().where(*_NEWEST))


_RUN: sa.BindParameter[str] = sa.bindparam("this_run")
_HELD = (
    leases.c.epoch.in_(sa.bindparam("epochs", expanding=True)),
    leases.c.ended_at.is_(None),
    sa.exists().where(runs.c.run_id == _RUN, runs.c.status == Status.RUNNING),
)
_NEWEST = (
    steps.c.run_id == _RUN,
    steps.c.step == sa.bindparam("this_step"),
    steps.c.part == sa.bindparam("this_part"),
    steps.c.tries == sa.bindparam("this_try"),
    sa.exists()
    .where(
        runs.c.run_id == _RUN,
        runs.c.attempt == steps.c.attempt,
        runs.c.plan_sha256.is_not_distinct_from(steps.c.plan_sha256),
    )
    .correlate(steps),
)
"""Of steps: it is this try of the part, which was begun since the run last began, and under the plan that it has now."""
RENEWING = steps.update().where(*_NEWEST).values(renewed_at=sa.func.clock_timestamp())
"""Enter that this try of the part is at work."""


_THIS_ATTEMPT = runs.c.attempt == sa.bindparam("attempt")
_BEGUN = sa.select(runs.c.run_id).where(runs.c.run_id == _RUN, _THIS_ATTEMPT, runs.c.status == Status.RUNNING)
_BEGUN = _BEGUN.with_for_update(read=True)
_NOT_ENDED = (Status.RUNNING, Status.FAILED, Status.INTERRUPTED)  # what the last of them is refused for, its step says
_GOING_ON = sa.select(runs.c.run_id).where(runs.c.run_id == _RUN, runs.c.status.in_(_NOT_ENDED))
_GOING_ON = _GOING_ON.with_for_update(read=True)
_STILL_GOING_ON = _GOING_ON.where(_THIS_ATTEMPT)
_OPEN = sa.select(runs.c.run_id).where(
    runs.c.run_id == _RUN, _THIS_ATTEMPT, runs.c.status.not_in((Status.PROVEN, Status.ROLLED_BACK))
)
_AT_WORK = sa.select(runs.c.run_id).where(
    runs.c.run_id == _RUN,
    runs.c.status.in_((Status.RUNNING, Status.FAILED)),
    sa.exists().where(*_NEWEST[:-1], steps.c.attempt == runs.c.attempt),
)


def require_begun(connection: sa.Connection, run_id: str, attempt: int) -> None:
    """Raise `StatusError` unless the run is running and has begun so often: else whoever asks is an older try of its
    preflight. It stays so until the transaction ends."""
    if connection.execute(_BEGUN, {"this_run": run_id, "attempt": attempt}).first() is None:
        raise overtaken(run_id)


def require_going_on(connection: sa.Connection, run_id: str, attempt: int | None) -> None:
    """Raise `StatusError` where the run has ended, or has not begun so often (None: that is not asked). It stays so until the
    transaction ends."""
    asked = {"this_run": run_id} if attempt is None else {"this_run": run_id, "attempt": attempt}
    if connection.execute(_GOING_ON if attempt is None else _STILL_GOING_ON, asked).first() is None:
        raise overtaken(run_id)


def require_newest(connection: sa.Connection, run_id: str, attempt: int | None, part: Part | None) -> None:
    """Raise `StatusError` unless the run has begun so often and is not over, and is at this try of the part."""
    known = True if attempt is None else connection.execute(_OPEN, {"this_run": run_id, "attempt": attempt}).first()
    if known and part is not None:
        known = connection.execute(_AT_WORK, given(run_id, {}, part)).first()
    if not known:
        raise overtaken(run_id)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a run stood: how often it had begun, its plan, and how many tries of its steps had begun in all."""

    attempt: int
    plan_sha256: str | None
    tries: int


NOT_ENTERED = Standing(attempt=0, plan_sha256=None, tries=0)
_STANDING = sa.select(
    runs.c.status,
    runs.c.attempt,
    runs.c.plan_sha256,
    sa.select(sa.func.coalesce(sa.func.sum(steps.c.tries), 0))
    .where(steps.c.run_id == _RUN)
    .scalar_subquery()
    .label("tries"),
).where(runs.c.run_id == _RUN)
_SAID = {
    Status.PROVEN: (Status.PROVEN, Status.ROLLED_BACK)
}  # a proven run that was rolled back was proven all the same


def standing(connection: sa.Connection, run_id: str) -> tuple[Status, Standing] | None:
    """The run's status, and where it stands; None for one that is not entered."""
    row = connection.execute(_STANDING, {"this_run": run_id}).first()
    if row is None:
        return None
    return Status(row.status), Standing(attempt=row.attempt, plan_sha256=row.plan_sha256, tries=int(row.tries))


def require_at(connection: sa.Connection, run_id: str, at: Standing, status: Status) -> None:
    """Raise `GoneOnError` unless the run stands there still, with this status."""
    now = standing(connection, run_id)
    if now is None or now[0] not in _SAID.get(status, (status,)) or now[1] != at:
        raise GoneOnError(
            f"run {run_id} has gone on, or has begun again, while this report of it was written, which says {status}: it is "
            "left at what the newer one says; where there is none, clear the task report"
        )


def require_still_at(connection: sa.Connection, run_id: str, at: Standing) -> None:
    """Raise `StatusError` where the run has begun again since it stood there, and `GoneOnError` where it has gone on: what it
    has written since was not set aside."""
    now = standing(connection, run_id)
    if now is None or now[1].attempt != at.attempt:
        raise overtaken(run_id)
    if now[1] != at:
        raise GoneOnError(
            f"run {run_id} has gone on while it was about to begin again, so it has not begun again: the next try of this task "
            "does it, or clear the task"
        )


def gone_on(run_id: str, step: str) -> GoneOnError:
    """What is said to a report that would end a step which another process does."""
    return GoneOnError(
        f"the step {step} of run {run_id} is under way, so it is not said yet how the run ended: once that step is over, clear "
        "the task report"
    )


def overtaken(run_id: str) -> StatusError:
    """What is said to an older try that goes on."""
    return StatusError(
        f"run {run_id} has ended, has begun again, or has a newer try of this task, so this one leaves nothing more: what the "
        "newer one has done stays as it is"
    )


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
