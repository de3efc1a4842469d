"""Which part of which step of a run has begun and ended, at which try, and with what error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ..steps import writes
from ..stores.effects import Effects
from . import rights
from .lasting import presumed_seconds
from .rows import StepRow
from .statements import NOW
from .tables import leases, runs, steps
from .texts import to_be_read

log = logging.getLogger(__name__)


class Steps:
    """The part of the ledger that has the steps."""

    effects: Effects

    def _begin(self) -> AbstractContextManager[sa.Connection]:
        raise NotImplementedError

    @contextmanager
    def step(self, run_id: str, step: str, part: str, attempt: int | None = None) -> Iterator[int]:
        """Note when a part of a step starts and ends, and the error that it ends with; gives the number of the try, which
        is higher at every try. What an older try ends with is not noted once a newer one has begun; of a step that writes, it
        is waited for until it can write no more. Raises `StatusError` where the run has ended, or has begun again since it
        began for the `attempt`th time (None: that is not asked)."""
        key = {"this_run": run_id, "this_step": step, "this_part": part}
        with self._begin() as connection:
            rights.require_going_on(connection, run_id, attempt)
            older = connection.execute(_OLDER, key).first()
            values = {"run_id": run_id, "step": step, "part": part, "holder": self.effects.process()}
            number: int = connection.execute(_BEGUN, {**values, "this_run": run_id}).scalar_one()
        if older is not None and older.ended_at is None and writes(step):
            self._outlive(older.holder, older.renewed_at or older.started_at)
        this = {**key, "this_try": number}
        try:
            yield number
        except Exception as error:
            why = {"error": to_be_read(str(error))[:10_000], "error_class": type(error).__name__}
            with self._begin() as connection:
                connection.execute(_ENDED, {**this, **why})
            raise
        with self._begin() as connection:
            connection.execute(_ENDED, this)

    def _outlive(self, holder: str | None, renewed_at: datetime) -> None:
        """Wait until an older try of a part that writes, of which it is not known that it has ended, has no right to write
        any more: its process is dead, or its lease is over."""
        while not (holder is not None and self.effects.ended(holder)):
            with self._begin() as connection:
                now = connection.execute(NOW).scalar_one()
            left = presumed_seconds() - (now - renewed_at).total_seconds()
            if left <= 0:
                return
            log.info("an older try of this task may still be writing; it is waited for, %.0f s at most", left)
            self.effects.sleep(min(left, 1.0))

    def outlive(self, run_id: str, has_failed: Callable[[str, str], bool] = lambda *_: False) -> None:
        """Wait until no other process does a part of a step of the run, but for those whose task is known to have failed. One of
        which nothing is heard as long as a lease lasts has ended. Raises `GoneOnError` once another one goes on."""
        first: dict[tuple[str, str, int], datetime] | None = None
        while working := self._working(run_id, has_failed):
            until = {(row.step, row.part, row.tries): row.until for row in working}
            if first is not None and any(first.get(part) != until[part] for part in until):
                raise rights.gone_on(run_id, working[0].step)
            first = until
            left = max((row.until - row.now).total_seconds() for row in working)
            log.info("the step %s may still be under way; it is waited for, %.0f s at most", working[0].step, left)
            self.effects.sleep(min(left, 1.0))

    def _working(self, run_id: str, has_failed: Callable[[str, str], bool]) -> list[sa.Row[Any]]:
        with self._begin() as connection:
            rows = connection.execute(
                _WORKING, {"run_id": run_id, "lasts": timedelta(seconds=presumed_seconds())}
            ).all()
        return [
            row
            for row in rows
            if row.holder != self.effects.process()
            and not (row.holder and self.effects.ended(row.holder))
            and not has_failed(row.step, row.part)
        ]

    def require_newest(self, run_id: str, attempt: int | None = None, part: rights.Part | None = None) -> None:
        """Raise `StatusError` where the run has ended, has begun again (`attempt`), or is at a newer try of the part."""
        with self._begin() as connection:
            rights.require_newest(connection, run_id, attempt, part)

    def began_to_write(self, run_id: str) -> bool:
        """Whether the run ever began a step that writes to a store. One that did not has changed nothing."""
        return any(writes(row.step) for row in self.steps(run_id, ever=True))

    def steps(self, run_id: str, *, ever: bool = False) -> list[StepRow]:
        """Every part of every step since the run last began, in the order they started; `ever`: also parts that were done
        only before that."""
        with self._begin() as connection:
            rows = connection.execute(_EVER if ever else _SINCE, {"run_id": run_id}).mappings()
            return [StepRow(**row) for row in rows]


# asked for each part of each step: to make a statement takes longer than to have it answered
_EVER = sa.select(steps).where(steps.c.run_id == sa.bindparam("run_id")).order_by(steps.c.started_at, steps.c.part)
_SINCE = _EVER.where(
    steps.c.attempt == sa.select(runs.c.attempt).where(runs.c.run_id == sa.bindparam("run_id")).scalar_subquery()
)
_NOW = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))
_LAST_HEARD = sa.func.greatest(
    sa.func.coalesce(steps.c.renewed_at, steps.c.started_at) + sa.bindparam("lasts", type_=sa.Interval),
    sa.select(sa.func.max(leases.c.expires_at))
    .where(leases.c.run_id == steps.c.run_id, leases.c.ended_at.is_(None), leases.c.waits.is_(False))
    .scalar_subquery(),
    type_=sa.DateTime(timezone=True),
)
_WORKING = sa.select(
    steps.c.step,
    steps.c.part,
    steps.c.tries,
    steps.c.holder,
    _LAST_HEARD.label("until"),
    _NOW.label("now"),
)
_WORKING = _WORKING.select_from(steps).where(
    steps.c.run_id == sa.bindparam("run_id"),
    steps.c.ended_at.is_(None),
    steps.c.attempt == sa.select(runs.c.attempt).where(runs.c.run_id == sa.bindparam("run_id")).scalar_subquery(),
    _NOW < _LAST_HEARD,
)
_THIS = sa.and_(
    steps.c.run_id == sa.bindparam("this_run"),
    steps.c.step == sa.bindparam("this_step"),
    steps.c.part == sa.bindparam("this_part"),
)
_OLDER = (
    sa.select(steps.c.holder, steps.c.ended_at, steps.c.renewed_at, steps.c.started_at).where(_THIS).with_for_update()
)
_ENDED = (
    steps.update().where(_THIS, steps.c.tries == sa.bindparam("this_try")).values(ended_at=sa.func.clock_timestamp())
)


def _begun() -> sa.Insert:
    """A try of a part begins, which is its next one; gives its number."""
    names = ("attempt", "plan_sha256")
    of_run = (sa.select(runs.c[name]).where(runs.c.run_id == sa.bindparam("this_run")) for name in names)
    new = insert(steps).values({name: query.scalar_subquery() for name, query in zip(names, of_run, strict=True)})
    again = {
        **{name: new.excluded[name] for name in (*names, "holder")},
        "tries": steps.c.tries + 1,
        "started_at": sa.func.clock_timestamp(),
        **dict.fromkeys(("ended_at", "renewed_at", "error", "error_class")),
    }
    keys = ["run_id", "step", "part"]
    return new.on_conflict_do_update(index_elements=keys, set_=again).returning(steps.c.tries)


_BEGUN = _begun()
