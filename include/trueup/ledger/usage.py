"""How often which client called which deprecated route: summed over all processes that answer calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from .rows import CallsRow
from .tables import counters, deprecated_calls

Begin = Callable[[], AbstractContextManager[sa.Connection]]


class Usage:
    """The calls of deprecated routes, and what else services count."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def add(self, calls: Iterable[CallsRow]) -> None:
        """Add these calls to those that are there, all of them or none."""
        # in one order, so that two processes never wait for each other
        rows = [asdict(row) for row in sorted(calls, key=lambda row: (row.route, row.client))]
        if not rows:
            return
        new = insert(deprecated_calls)
        stored, these = deprecated_calls.c, new.excluded
        summed = {
            "calls": stored.calls + these.calls,
            "first_at": sa.func.least(stored.first_at, these.first_at),
            "last_at": sa.func.greatest(stored.last_at, these.last_at),
        }
        with self._begin() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["route", "client"], set_=summed), rows)

    def of(self, routes: Iterable[str]) -> list[CallsRow]:
        """Who called these routes, the last caller of each route first."""
        query = sa.select(deprecated_calls).where(deprecated_calls.c.route.in_(list(routes)))
        order = (deprecated_calls.c.route, deprecated_calls.c.last_at.desc(), deprecated_calls.c.client)
        with self._begin() as connection:
            return [CallsRow(**row) for row in connection.execute(query.order_by(*order)).mappings()]

    def count(self, more: Mapping[str, int]) -> None:
        """Add to counters, by name."""
        rows = [{"name": name, "value": value} for name, value in sorted(more.items())]
        if rows:
            new = insert(counters)
            summed = {"value": counters.c.value + new.excluded.value}
            with self._begin() as connection:
                connection.execute(new.on_conflict_do_update(index_elements=["name"], set_=summed), rows)

    def counts(self) -> dict[str, int]:
        """What each counter stands at."""
        with self._begin() as connection:
            return {row.name: row.value for row in connection.execute(sa.select(counters))}
