"""Databases that are lent to one connection after the other: opening one takes more than most that is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from include.trueup.rows import duck

from .answers import Connection, Memory


class Databases:
    """Databases of one connection each. One that holds nothing more when its connection ends is the next one's."""

    def __init__(self, memory: Memory, folder: Path, connect: Callable[..., Any], opened: ExitStack) -> None:
        self._memory, self._folder, self._connect, self._opened = memory, folder, connect, opened
        self._free: dict[tuple[Any, ...], list[tuple[duckdb.DuckDBPyConnection, ExitStack]]] = {}

    @contextmanager
    def connect(self, scratch: Path, *more: Any) -> Iterator[Connection]:
        """In place of `duck.connect`: a connection to a database of its own."""

        @contextmanager
        def opening() -> Iterator[duckdb.DuckDBPyConnection]:
            if not self._memory.on:
                with self._connect(scratch, *more) as real:
                    yield real
                return
            free = self._free.setdefault(more, [])
            database, until = free.pop() if free else self._open(more)
            as_at_first = False
            try:
                with duck.connect_to(database) as real:
                    yield real
                as_at_first = connection.as_it_began and _emptied(database)
            finally:
                if as_at_first:
                    free.append((database, until))
                else:
                    until.close()

        connection = Connection(self._memory, self._folder, "alone", opening)
        with connection.opened:  # an error passes through the real one, which says in the engine's words what it is
            yield connection

    def _open(self, more: tuple[Any, ...]) -> tuple[duckdb.DuckDBPyConnection, ExitStack]:
        until = self._opened.enter_context(ExitStack())
        return until.enter_context(in_one_thread(self._connect(self._folder, *more))), until


@contextmanager
def in_one_thread(
    opening: AbstractContextManager[duckdb.DuckDBPyConnection],
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that computes in one thread: of a few rows a second one only takes time, to be woken and waited for."""
    with opening as real:
        real.execute("SET threads = 1")
        yield real


def _emptied(database: duckdb.DuckDBPyConnection) -> bool:
    """Drop the views that are there; whether nothing else is."""
    for (name,) in database.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
        database.execute(f"DROP VIEW {duck.identifier(name)}")
    return not database.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
