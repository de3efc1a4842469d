"""The engine's own ledger, its statements run by SQLite in memory.

A transaction is one after the other, as in a database that is serializable: what PostgreSQL lets transactions do between each
other's statements, and who waits there for whom, is not here (`tests/faults/test_ledger_locks.py`). Instants are whole
microseconds since 1970, which SQLite compares and adds as the numbers that they are; the clock is the machine's of the effects.
What makes the tables is not the revisions, but what they make (`tests/unit/ledger/test_ledger_tables.py` compares the two).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.functions import GenericFunction

from include.trueup.errors import StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.ledger.tables import SCHEMA, metadata
from include.trueup.stores.effects import REAL, Effects

from .hook import Doing, Effect, Hook, nothing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Process = Callable[[Any], Any]


class _Instant(sa.types.DateTime):
    def bind_processor(self, dialect: sa.Dialect) -> Process:
        return lambda value: None if value is None else (value - _EPOCH) // _MICROSECOND

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Process:
        return lambda value: None if value is None else _EPOCH + timedelta(microseconds=int(value))


class _Span(sa.types.Interval):
    def bind_processor(self, dialect: sa.Dialect) -> Process:
        return lambda value: None if value is None else value // _MICROSECOND

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Process:
        return lambda value: None if value is None else timedelta(microseconds=int(value))


class _Compiler(SQLiteCompiler):
    def visit_extract(self, extract: Any, **given: Any) -> str:
        """Of spans, which are microseconds: only the epoch is asked for."""
        return f"(({self.process(extract.expr, **given)}) / 1000000.0)"


class Dialect(SQLiteDialect_pysqlite):
    """SQLite, with the types of the ledger."""

    statement_compiler = _Compiler
    supports_statement_cache = True
    colspecs = {**SQLiteDialect_pysqlite.colspecs, sa.types.DateTime: _Instant, sa.types.Interval: _Span}  # noqa: RUF012


registry.register("twin", __name__, "Dialect")


@compiles(JSONB, "sqlite")
def _json(*_: object, **__: object) -> str:
    return "JSON"


@compiles(sa.BigInteger, "sqlite")
def _integer(*_: object, **__: object) -> str:
    return "INTEGER"  # a key of this type is numbered


class clock_timestamp(GenericFunction[datetime]):  # noqa: N801 - the name in SQL
    """Has a type, by which its value is read."""

    type = sa.DateTime(timezone=True)
    inherit_cache = True


@cache
def _empty() -> bytes:
    """A ledger that is empty, to be copied."""
    made = _connection(REAL)
    for index in (index for table in metadata.sorted_tables for index in table.indexes):
        index.dialect_options["sqlite"]["where"] = index.dialect_options["postgresql"]["where"]
    metadata.create_all(_engine(made))
    return made.serialize(name=SCHEMA)


def _connection(effects: Effects) -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", check_same_thread=False)
    made.execute(f"ATTACH DATABASE ':memory:' AS {SCHEMA}")
    functions: dict[str, tuple[int, Callable[..., int | str | None]]] = {
        "clock_timestamp": (0, lambda: (effects.now() - _EPOCH) // _MICROSECOND),
        "pg_advisory_xact_lock": (1, lambda _: None),  # transactions are one after the other
        "to_regclass": (1, lambda name: name),  # every table is there
        "jsonb_array_length": (1, lambda text: len(json.loads(text))),
        "make_interval": (7, lambda *parts: round(parts[6] * 1_000_000)),
        "greatest": (2, lambda *given: max((one for one in given if one is not None), default=None)),
        "least": (2, lambda *given: min((one for one in given if one is not None), default=None)),
    }
    for name, (parameters, function) in functions.items():
        made.create_function(name, parameters, function)
    return made


_COMPILED: dict[Any, Any] = {}
"""Statements as they are in SQLite, of all ledgers."""


@cache
def _shared() -> sa.Engine:
    made = sa.create_engine("twin://")
    with made.connect():  # which looks what SQLite can do
        return made


def _engine(connection: Any) -> sa.Engine:
    """An engine over this connection alone, of one dialect with all others."""
    shared = _shared()
    return sa.Engine(StaticPool(lambda: connection), shared.dialect, shared.url)


class LedgerTwin(Ledger):
    """A ledger in memory. Its effects are `transaction`, told before it begins, and after it is committed and not answered."""

    def __init__(self, effects: Effects = REAL, hook: Hook = nothing, name: str = "ledger") -> None:
        super().__init__("postgresql://twin/", effects)
        self._doing = Doing(hook=hook, effect=Effect(kind="transaction", place=name, target=""))
        self._turn = effects.lock()
        made = _connection(effects)
        made.deserialize(_empty(), name=SCHEMA)
        self._engine = _engine(made)
        self._connection = self._engine.connect().execution_options(compiled_cache=_COMPILED)
        self._ensured = True

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        self._doing.before()
        with self._turn:
            try:
                with self._connection.begin():
                    yield self._connection
            except sa.exc.OperationalError as error:
                raise StoreUnavailableError(f"the ledger did not answer: {error.orig}; try again") from error
        self._doing.after()

    @contextmanager
    def _asking(self, query: Callable[[], sa.Select[int]]) -> Iterator[Callable[[], int]]:
        def ask() -> int:
            with self._begin() as connection:
                return connection.execute(query()).scalar_one()

        yield ask

    def close(self) -> None:
        """Let go of the memory."""
        self._connection.close()
        super().close()

    def upgrade(self) -> None:
        """It is at the newest version."""

    def is_upgraded(self) -> bool:
        """It is."""
        return True
