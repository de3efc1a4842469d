"""The batches that a run has written, each under the plan that it was written for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ..stores import Outcome
from .rows import Applied, ConflictRow, RefusedRow
from .tables import batches, runs
from .texts import as_it_was, kept

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The plan of a run that batches are entered under: how often the run had begun when it was made, and its hash (empty
    where the run has none in the ledger)."""

    attempt: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How writing goes on: `rows` of the batches of the last `seconds` (fewer where it has not been going on for so long),
    and when the last batch was entered."""

    rows: int
    seconds: float
    last_at: datetime

    @property
    def rate(self) -> float | None:
        """Rows a second; None while it cannot be said."""
        return self.rows / self.seconds if self.seconds > 0 else None


class Batches:
    """The part of the ledger that has the batches. What is asked of a run is of its present plan alone."""

    def _begin(self) -> AbstractContextManager[sa.Connection]:
        raise NotImplementedError

    def present_plan(self, run_id: str) -> Planned:
        """The plan that batches of the run are entered under now."""
        with self._begin() as connection:
            attempt, sha256 = connection.execute(_PRESENT, {"of": run_id}).one()
        return Planned(attempt=attempt, sha256=sha256)

    def wrote(
        self,
        run_id: str,
        output: str,
        partition: int,
        batch: int,
        rows: int,
        outcome: Outcome,
        plan: Planned | None = None,
    ) -> None:
        """Note that a batch of the plan (None: the present one) is written. Called after the write, never before."""
        conflicts = [_kept(key=c.key, reason=c.reason, found=c.found) for c in outcome.conflicts]
        refused = [_kept(key=r.key, reason=r.reason, constraint=r.constraint) for r in outcome.refused]
        values = {"run_id": run_id, "output": output, "partition": partition, "batch": batch, "rows": rows}
        came = {"written": outcome.written, "conflicts": conflicts, "refused": refused, "retries": outcome.retries}
        under: dict[str, str | int] = {"attempt": plan.attempt, "plan_sha256": plan.sha256} if plan else {"of": run_id}
        query = _WROTE if plan else _WROTE.values(attempt=_present(runs.c.attempt), plan_sha256=_present(_SHA256))
        with self._begin() as connection:
            connection.execute(query, {**values, **came, **under})

    def written(self, run_id: str, output: str, partition: int) -> set[int]:
        """The numbers of the batches that are written."""
        return {row.batch for row in self._asked(_BATCHES, run_id, output, partition)}

    def written_at(self, run_id: str, output: str, partition: int, batch: int) -> datetime | None:
        """When a batch of the present plan was entered, which is after it was written; None if it is not."""
        query = sa.select(batches.c.at).where(*_OF, batches.c.batch == batch)
        return next((row.at for row in self._asked(query, run_id, output, partition)), None)

    def written_ever(self, run_id: str) -> int:
        """The rows that the run has written, under all plans that it ever had."""
        with self._begin() as connection:
            return int(connection.execute(_EVER, {"of": run_id}).scalar_one())

    def wrote_as(self, run_id: str) -> frozenset[int]:
        """How often the run had begun each time when it wrote rows."""
        wrote = sa.select(batches.c.attempt).where(batches.c.run_id == run_id, batches.c.written > 0)
        with self._begin() as connection:
            return frozenset(connection.execute(wrote.distinct()).scalars())

    def writers(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Those of these runs that have written rows, under any plan that they ever had."""
        wrote = sa.select(batches.c.run_id).where(batches.c.run_id.in_(list(run_ids)), batches.c.written > 0)
        with self._begin() as connection:
            return frozenset(connection.execute(wrote.distinct()).scalars())

    def applied(self, run_id: str, output: str | None = None, partition: int | None = None) -> dict[str, Applied]:
        """What has been applied, by output."""
        return {row.output: _applied(row) for row in self._asked(_APPLIED, run_id, output, partition)}

    def pace(self, run_id: str, seconds: float) -> dict[str, Pace]:
        """How the writing of each output went in the last `seconds`. The time of the first batch itself is not known, so its
        rows do not count."""
        now = sa.func.clock_timestamp()
        first, since = sa.func.min(batches.c.at), now - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        began = sa.select(batches.c.output, first.label("at")).where(*_OF).group_by(batches.c.output)
        begun = began.subquery()
        recent = sa.and_(batches.c.at > sa.func.greatest(since, begun.c.at))
        query = (
            sa.select(
                batches.c.output,
                sa.func.coalesce(sa.func.sum(batches.c.rows).filter(recent), 0).label("rows"),
                sa.extract("epoch", now - sa.func.greatest(since, begun.c.at)).label("seconds"),
                sa.func.max(batches.c.at).label("last_at"),
            )
            .join(begun, begun.c.output == batches.c.output)
            .where(*_OF)
            .group_by(batches.c.output, begun.c.at)
        )
        return {
            row.output: Pace(rows=int(row.rows), seconds=float(row.seconds), last_at=row.last_at)
            for row in self._asked(query, run_id)
        }

    def conflicts(
        self, run_id: str, output: str | None = None, partition: int | None = None, *, plan: Planned | None = None
    ) -> list[ConflictRow]:
        """The rows that were left alone by the plan (None: the present one), in its order."""
        return self._rows(ConflictRow, _CONFLICTS, run_id, output, partition, plan)

    def refused(
        self, run_id: str, output: str | None = None, partition: int | None = None, *, plan: Planned | None = None
    ) -> list[RefusedRow]:
        """The rows that the store refused of the plan (None: the present one), in its order."""
        return self._rows(RefusedRow, _REFUSED, run_id, output, partition, plan)

    def _rows(
        self,
        kind: Callable[..., R],
        query: sa.Select[Any],
        run_id: str,
        output: str | None,
        partition: int | None,
        plan: Planned | None,
    ) -> list[R]:
        rows = self._asked(query, run_id, output, partition, plan)
        return [
            kind(output=row.output, **{name: as_it_was(text) for name, text in each.items()})
            for row in rows
            for each in row.rows
        ]

    def _asked(
        self,
        query: sa.Select[Any],
        run_id: str,
        output: str | None = None,
        partition: int | None = None,
        plan: Planned | None = None,
    ) -> Sequence[sa.Row[Any]]:
        """What a query over `_OF` gives of the batches of a run's plan (None: the present one), or of one output or partition of
        it."""
        attempt, sha256 = (None, None) if plan is None else (plan.attempt, plan.sha256)
        of = {"of": run_id, "output": output, "partition": partition, "attempt": attempt, "plan_sha256": sha256}
        with self._begin() as connection:
            return connection.execute(query, of).all()


def _kept(**texts: str | None) -> dict[str, str | None]:
    return {name: kept(text) for name, text in texts.items()}


def _applied(row: sa.Row[Any]) -> Applied:
    return Applied(
        batches=row.batches,
        rows=int(row.rows),
        written=int(row.written),
        conflicts=int(row.conflicts),
        refused=int(row.refused),
        retries=int(row.retries),
        seconds=float(row.seconds),
    )


def _attempt(run_id: str) -> sa.ScalarSelect[Any]:
    return sa.select(runs.c.attempt).where(runs.c.run_id == run_id).scalar_subquery()


def _sha256(run_id: str) -> sa.ScalarSelect[Any]:
    query = sa.select(sa.func.coalesce(runs.c.plan_sha256, "")).where(runs.c.run_id == run_id)
    return query.scalar_subquery()


def _present(column: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    return sa.select(column).where(runs.c.run_id == sa.bindparam("of")).scalar_subquery()


def _all_or(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    named: sa.BindParameter[Any] = sa.bindparam(column.name, type_=column.type)
    return sa.or_(named.is_(None), column == named)


# asked by each step that writes or judges: to make a statement takes longer than to have it answered
_SHA256 = sa.func.coalesce(runs.c.plan_sha256, "")
_WROTE = insert(batches).on_conflict_do_nothing()
_PRESENT = sa.select(runs.c.attempt, _SHA256).where(runs.c.run_id == sa.bindparam("of"))
_OF_PLAN = sa.and_(
    batches.c.attempt == sa.func.coalesce(sa.bindparam("attempt", type_=sa.Integer), _present(runs.c.attempt)),
    batches.c.plan_sha256 == sa.func.coalesce(sa.bindparam("plan_sha256", type_=sa.Text), _present(_SHA256)),
)
_OF = (
    batches.c.run_id == sa.bindparam("of"),
    _OF_PLAN,
    _all_or(batches.c.output),
    _all_or(batches.c.partition),
)
_BATCHES = sa.select(batches.c.batch).where(*_OF)
_EVER = sa.select(sa.func.coalesce(sa.func.sum(batches.c.written), 0)).where(batches.c.run_id == sa.bindparam("of"))
_APPLIED = (
    sa.select(
        batches.c.output,
        sa.func.count().label("batches"),
        sa.func.sum(batches.c.rows).label("rows"),
        sa.func.sum(batches.c.written).label("written"),
        sa.func.sum(sa.func.jsonb_array_length(batches.c.conflicts)).label("conflicts"),
        sa.func.sum(sa.func.jsonb_array_length(batches.c.refused)).label("refused"),
        sa.func.sum(batches.c.retries).label("retries"),
        sa.extract("epoch", sa.func.max(batches.c.at) - sa.func.min(batches.c.at)).label("seconds"),
    )
    .where(*_OF)
    .group_by(batches.c.output)
)
_CONFLICTS, _REFUSED = (
    sa.select(batches.c.output, column.label("rows"))
    .where(*_OF, sa.func.jsonb_array_length(column) > 0)
    .order_by(batches.c.output, batches.c.partition, batches.c.batch)
    for column in (batches.c.conflicts, batches.c.refused)
)
