"""Connections that are kept between uses, for a process that answers many short questions of one database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import dialect

from ...errors import StoreUnavailableError
from ..effects import REAL, Effects

SIZE = 4
"""Connections that a pool has at most."""
WAIT_SECONDS = 5.0
"""How long a block waits for one that is free."""
KEPT_SECONDS = 60
"""How old a connection may be when it is lent, so that what Airflow says of a database by now is used a minute later; and
how long all may be left unused before they are closed, since a database that somebody is connected to cannot be copied by its
files, dropped or renamed."""


class Pool:
    """At most `size` connections to one database, made by `connect` when they are first needed, and again where one was
    broken or is too old. Safe to use from several threads, and after a fork: the child makes its own, and leaves alone
    those of its parent."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection],
        *,
        size: int = SIZE,
        wait_seconds: float = WAIT_SECONDS,
        kept_seconds: float = KEPT_SECONDS,
        effects: Effects = REAL,
    ) -> None:
        self._size, self._wait_seconds, self._effects = size, wait_seconds, effects
        self._pool: sa.pool.Pool = sa.pool.QueuePool(
            connect,  # type: ignore[arg-type]  # psycopg's connection is one of the DB-API
            pool_size=size,
            max_overflow=0,
            timeout=wait_seconds,
            recycle=int(kept_seconds),
            pre_ping=True,
            use_lifo=True,
            dialect=dialect(dbapi=psycopg),  # type: ignore[no-untyped-call]
        )
        self._made_in, self._kept_seconds = effects.pid(), kept_seconds
        self._last, self._waits, self._lock = effects.monotonic(), False, Lock()

    @contextmanager
    def lent(self) -> Iterator[psycopg.Connection]:
        """A connection for this block alone, with one transaction that is committed at the end of the block. It was asked
        whether it is alive. Raises `StoreUnavailableError` where none was free in time, and what `connect` raises."""
        pool = self._own()
        try:
            lent = pool.connect()
        except sa.exc.TimeoutError:
            raise StoreUnavailableError(
                f"all {self._size} connections of this process were in use for {self._wait_seconds:g} s. Ask again later"
            ) from None
        connection = lent.driver_connection
        assert isinstance(connection, psycopg.Connection)
        try:
            yield connection
            connection.commit()
        finally:
            if connection.closed or pool is not self._pool:
                lent.invalidate()  # it is closed, and another one may take its place
            lent.close()  # back, and what is not committed is rolled back
            self._last = self._effects.monotonic()
            self._close_later()

    def close(self) -> None:
        """Close the connections that nobody uses; those in use are closed when they come back."""
        pool = self._own()
        self._pool = pool.recreate()
        pool.dispose()

    def _close_later(self, again: bool = False) -> None:
        """Have one thread close what nobody has used for a while."""
        with self._lock:
            if self._waits and not again:
                return
            self._waits = True
        waiting = Timer(max(0.0, self._last + self._kept_seconds - self._effects.monotonic()), self._close_unused)
        waiting.daemon = True
        waiting.start()

    def _close_unused(self) -> None:
        if self._effects.monotonic() < self._last + self._kept_seconds:
            self._close_later(again=True)
            return
        with self._lock:
            self._waits = False
        self.close()

    def _own(self) -> sa.pool.Pool:
        if self._made_in != self._effects.pid():
            self._pool, self._made_in = self._pool.recreate(), self._effects.pid()
            self._waits, self._lock = False, Lock()  # the thread that waits is the parent's
        return self._pool
