"""Which part of which step of a run has begun and ended, at which try, and with what error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ..steps import writes
from ..stores.effects import Effects
from .leases import lease_seconds
from .rows import StepRow
from .tables import runs, steps

log = logging.getLogger(__name__)


class Steps:
    """The part of the ledger that has the steps."""

    effects: Effects

    def _begin(self) -> AbstractContextManager[sa.Connection]:
        raise NotImplementedError

    @contextmanager
    def step(self, run_id: str, step: str, part: str) -> Iterator[int]:
        """Note when a part of a step starts and ends, and the error that it ends with; gives the number of the try, which
        is higher at every try. What an older try ends with is not noted once a newer one has begun; of a step that writes, it
        is waited for until it can write no more."""
        key = {"run_id": run_id, "step": step, "part": part}
        of_run = {
            "attempt": _of_run(run_id, "attempt"),
            "plan_sha256": _of_run(run_id, "plan_sha256"),
            "holder": self.effects.process(),
        }
        with self._begin() as connection:
            new = insert(steps).values(**key, **of_run)
            again = {
                **{name: new.excluded[name] for name in of_run},
                "tries": steps.c.tries + 1,
                "started_at": sa.func.clock_timestamp(),
                "ended_at": None,
                "renewed_at": None,
                "error": None,
                "error_class": None,
            }
            begun = new.on_conflict_do_update(index_elements=list(key), set_=again).returning(steps.c.tries)
            query = sa.select(steps.c.holder, steps.c.ended_at, steps.c.renewed_at, steps.c.started_at)
            older = connection.execute(
                query.where(*(steps.c[k] == v for k, v in key.items())).with_for_update()
            ).first()
            number: int = connection.execute(begun).scalar_one()
        if older is not None and older.ended_at is None and writes(step):
            self._outlive(older.holder, older.renewed_at or older.started_at)
        this = sa.and_(steps.c.tries == number, *(steps.c[k] == v for k, v in key.items()))
        ended = steps.update().where(this).values(ended_at=sa.func.clock_timestamp())
        try:
            yield number
        except Exception as error:
            with self._begin() as connection:
                connection.execute(ended.values(error=str(error)[:10_000], error_class=type(error).__name__))
            raise
        with self._begin() as connection:
            connection.execute(ended)

    def _outlive(self, holder: str | None, renewed_at: datetime) -> None:
        """Wait until an older try of a part that writes, of which it is not known that it has ended, has no right to write
        any more: its process is dead, or its lease is over."""
        while not (holder is not None and self.effects.ended(holder)):
            with self._begin() as connection:
                now = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            left = lease_seconds() - (now - renewed_at).total_seconds()
            if left <= 0:
                return
            log.info("an older try of this task may still be writing; it is waited for, %.0f s at most", left)
            self.effects.sleep(min(left, 1.0))

    def began_to_write(self, run_id: str) -> bool:
        """Whether the run ever began a step that writes to a store. One that did not has changed nothing."""
        return any(writes(row.step) for row in self.steps(run_id, ever=True))

    def steps(self, run_id: str, *, ever: bool = False) -> list[StepRow]:
        """Every part of every step since the run last began, in the order they started; `ever`: also parts that were done
        only before that."""
        with self._begin() as connection:
            rows = connection.execute(_EVER if ever else _SINCE, {"run_id": run_id}).mappings()
            return [StepRow(**row) for row in rows]


def _of_run(run_id: str, column: str) -> sa.ScalarSelect[Any]:
    return sa.select(runs.c[column]).where(runs.c.run_id == run_id).scalar_subquery()


_EVER = sa.select(steps).where(steps.c.run_id == sa.bindparam("run_id")).order_by(steps.c.started_at, steps.c.part)
_SINCE = _EVER.where(
    steps.c.attempt == sa.select(runs.c.attempt).where(runs.c.run_id == sa.bindparam("run_id")).scalar_subquery()
)
