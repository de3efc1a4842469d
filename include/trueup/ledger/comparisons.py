"""Comparisons of the old way and the new, side by side: when each was begun, and what it found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ..errors import StatusError
from .rows import ComparisonRow
from .tables import comparisons

Begin = Callable[[], AbstractContextManager[sa.Connection]]


class Comparisons:
    """The comparisons of each migration. When one was begun is by the database's clock, as is when a run was proven."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def begin(self, run_id: str, migration_id: str, comparison_id: str) -> datetime:
        """Enter a comparison that begins; the same run's, tried again, has found nothing yet. When it was begun."""
        results = dict.fromkeys(("ended_at", "compared", "differences", "whole", "sha256"))
        values = {"migration_id": migration_id, "comparison_id": comparison_id}
        again = {**values, **results, "begun_at": sa.func.clock_timestamp()}
        with self._begin() as connection:
            new = insert(comparisons).values(run_id=run_id, **values)
            begun = new.on_conflict_do_update(index_elements=["run_id"], set_=again).returning(comparisons.c.begun_at)
            at: datetime = connection.execute(begun).scalar_one()
            return at

    def end(
        self, run_id: str, begun_at: datetime, *, compared: int, differences: int, whole: bool, sha256: str
    ) -> None:
        """Enter what the comparison that was begun then found: how many were compared, and the differences, which a file of this
        hash lists. Raises `StatusError` where it was begun again since: what an older try saw is older than the newer one says."""
        results = {"compared": compared, "differences": differences, "whole": whole, "sha256": sha256}
        with self._begin() as connection:
            ended = comparisons.update().values(ended_at=sa.func.clock_timestamp(), **results)
            mine = sa.and_(comparisons.c.run_id == run_id, comparisons.c.begun_at == begun_at)
            if not connection.execute(ended.where(mine)).rowcount:
                raise StatusError(
                    f"comparison {run_id} was begun again since, so what this older try found is not entered"
                )

    def of(self, migration_id: str) -> list[ComparisonRow]:
        """Every comparison of the migration, the one that was begun last first."""
        query = sa.select(comparisons).where(comparisons.c.migration_id == migration_id)
        with self._begin() as connection:
            rows = connection.execute(query.order_by(comparisons.c.begun_at.desc())).mappings()
            return [ComparisonRow(**row) for row in rows]
