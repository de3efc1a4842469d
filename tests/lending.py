"""Databases of DuckDB, each lent to one step, or whole run, after another of a test file: to open one takes longer than most
that a step asks of it. As in a walk, what a step leaves there is an error; what authors' scripts leave there is dropped, and
those that may leave more than relations get a database of their own."""

from __future__ import annotations

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from include.trueup import walk
from include.trueup.rows import duck
from include.trueup.run import Run

_Lent = tuple[duckdb.DuckDBPyConnection, ExitStack]


class _Databases:
    """Databases that are lent until the block ends."""

    def __init__(self, spilled: Path, opened: ExitStack) -> None:
        self._spilled, self._opened = spilled, opened
        self._free = defaultdict[tuple[int, str], list[_Lent]](list)

    @contextmanager
    def lent(self, columns: int, *, by_scripts: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """One of them. What is left in it is dropped where it may be `by_scripts`, else it is an error."""
        # by process: whoever is forked has no thread of a database made before
        known = self._free[os.getpid(), duck.memory(columns)]
        database, until = known.pop() if known else self._made(columns)
        try:
            yield database
            left = database.execute(_LEFT).fetchall()
            if left and not by_scripts:
                raise AssertionError(f"a step left {left} in a database that others use, too")
            for kind, name in left:
                database.execute(f"DROP {kind} IF EXISTS {name} CASCADE")
        except BaseException:
            until.close()
            raise
        known.append((database, until))

    def _made(self, columns: int) -> _Lent:
        until = self._opened.enter_context(ExitStack())
        return until.enter_context(duck.connect(self._spilled, columns)), until


@contextmanager
def lending(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """While the block runs, `Run.connect`, `Run.connect_alone` and `walk.walk` have connections to databases that are lent, but where
    memory is the subject."""
    real, real_alone = Run.connect, Run.connect_alone
    with tempfile.TemporaryDirectory(prefix="trueup-lent-") as spilled, ExitStack() as opened:
        databases = _Databases(Path(spilled), opened)

        @contextmanager
        def connect(run: Run, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
            if run.database is not None or _about_memory(run):
                with real(run, scratch) as connection:
                    yield connection
                return
            with databases.lent(run.widest) as database, real(replace(run, database=database), scratch) as connection:
                yield connection

        @contextmanager
        def connect_alone(run: Run, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
            if _about_memory(run) or not _plain(run):
                with real_alone(run, scratch) as connection:
                    yield connection
                return
            with databases.lent(run.widest, by_scripts=True) as database:
                with real(replace(run, database=database), scratch) as connection:
                    yield connection

        @contextmanager
        def of_walk(scratch: Path, columns: int) -> Iterator[duckdb.DuckDBPyConnection]:
            limited = os.environ.get(duck.MEMORY)
            with duck.connect(scratch, columns) if limited else databases.lent(columns) as database:
                yield database

        patch.setattr(Run, "connect", connect)
        patch.setattr(Run, "connect_alone", connect_alone)
        patch.setattr(walk, "duck", SimpleNamespace(connect=of_walk, more_memory=duck.more_memory))
        yield


def _about_memory(run: Run) -> bool:
    return run.memory is not None or bool(os.environ.get(duck.MEMORY))


def _plain(run: Run) -> bool:
    """Whether the migration's scripts make nothing that outlives their connection, but relations."""
    phases = run.migration.phases
    scripts = (script.read_text(encoding="utf-8") for phase in phases for script in phase.scripts)
    functions = run.migration.functions or any(phase.function is not None for phase in phases)
    return not functions and all(map(_makes_relations_only, scripts))


@cache
def _makes_relations_only(script: str) -> bool:
    try:
        statements = duckdb.extract_statements(script)
    except duckdb.Error:
        return False
    return all(_RELATION.match(_COMMENT.sub("", each.query)) for each in statements)


_COMMENT = re.compile(r"--[^\n]*")
_RELATION = re.compile(
    r"\s*(CREATE\s+(OR\s+REPLACE\s+)?(TEMP|TEMPORARY|VIEW|TABLE)\s|SELECT|WITH|FROM|INSERT)", re.IGNORECASE
)
_LEFT = " UNION ALL ".join(
    f"SELECT '{kind}', format('\"{{}}\".\"{{}}\"', schema_name, replace({kind}_name, '\"', '\"\"')) "
    f"FROM duckdb_{kind}s() WHERE NOT internal"
    for kind in ("view", "table")
)
