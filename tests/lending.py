"""Databases of DuckDB, each lent to one step after another of the runs of a test file: where no `walk` is around them, each step
opens one of its own, which takes longer than most that it asks of it. As in a walk, what a step leaves there is an error."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from include.trueup.rows import duck
from include.trueup.run import Run

_Lent = tuple[duckdb.DuckDBPyConnection, ExitStack]


@contextmanager
def lending(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """While the block runs, `Run.connect` gives connections to databases that are lent, but where memory is the subject."""
    real, free = Run.connect, defaultdict[tuple[int, str], list[_Lent]](list)
    with tempfile.TemporaryDirectory(prefix="trueup-lent-") as spilled, ExitStack() as opened:

        def made(columns: int) -> _Lent:
            until = opened.enter_context(ExitStack())
            return until.enter_context(duck.connect(Path(spilled), columns)), until

        @contextmanager
        def connect(run: Run, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
            if run.database is not None or run.memory is not None or os.environ.get(duck.MEMORY):
                with real(run, scratch) as connection:
                    yield connection
                return
            # by process: whoever is forked has no thread of a database made before
            known = free[os.getpid(), duck.memory(run.widest)]
            database, until = known.pop() if known else made(run.widest)
            try:
                with real(replace(run, database=database), scratch) as connection:
                    yield connection
            except BaseException:
                until.close()
                raise
            if left := database.execute(_LEFT).fetchall():
                until.close()
                raise AssertionError(f"a step left {left} in a database that others use, too")
            known.append((database, until))

        patch.setattr(Run, "connect", connect)
        yield


_LEFT = (
    "SELECT view_name FROM duckdb_views() WHERE NOT internal UNION ALL "
    "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
)
