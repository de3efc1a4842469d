"""Where things are in a history: a store in memory for each connection, a ledger whose statements run in SQLite, and a
workspace in a folder. The ledger and the workspace are the engine's own. Each tells the hook before and after its effects.

Times of the ledger are whole microseconds since 1970, which SQLite compares and adds as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.functions import GenericFunction

from include.trueup.ledger import Ledger, tables
from include.trueup.run.workspace import Workspace
from include.trueup.stores.effects import Effects

from .history import Setup
from .memory import Effect, Held, Hook, MemoryStore, Row

# ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Compiler(SQLiteCompiler):
    def visit_extract(self, extract: Any, **kw: Any) -> str:
        return f"(({self.process(extract.expr, **kw)}) / 1000000.0)"


class _Micro(sa.types.DateTime):
    def bind_processor(self, dialect: Any) -> Any:
        return lambda value: (
            None if value is None else (value - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        )

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        return lambda value: (
            None if value is None else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(value))
        )


class _Interval(sa.types.Interval):
    def bind_processor(self, dialect: Any) -> Any:
        return lambda value: None if value is None else value // timedelta(microseconds=1)


class Dialect(SQLiteDialect_pysqlite):
    """SQLite, with the ledger's types and functions."""

    statement_compiler = _Compiler
    supports_statement_cache = True


Dialect.colspecs = {**SQLiteDialect_pysqlite.colspecs, sa.types.DateTime: _Micro, sa.types.Interval: _Interval}
registry.register("simulated", __name__, "Dialect")


@compiles(JSONB, "sqlite")
def _jsonb(*_: Any, **__: Any) -> str:
    return "JSON"


@compiles(sa.BigInteger, "sqlite")
def _bigint(*_: Any, **__: Any) -> str:
    return "INTEGER"


class clock_timestamp(GenericFunction[datetime]):  # noqa: N801  the function's own name
    type = sa.DateTime(timezone=True)
    inherit_cache = True


class SimulatedLedger(Ledger):
    """The engine's ledger, in SQLite."""

    def __init__(self, effects: Effects, hook: Hook) -> None:
        super().__init__("postgresql://nowhere/", effects)
        self._hook = hook
        epoch = datetime.fromtimestamp(0, UTC)
        self._engine = sa.create_engine("simulated://", poolclass=StaticPool, connect_args={"check_same_thread": False})

        @sa.event.listens_for(self._engine, "connect")
        def connected(made: Any, _: Any) -> None:
            made.create_function("clock_timestamp", 0, lambda: (effects.now() - epoch) // timedelta(microseconds=1))
            made.create_function("pg_advisory_xact_lock", 1, lambda _: 0)
            made.create_function("to_regclass", 1, lambda name: name)
            made.create_function("jsonb_array_length", 1, lambda text: len(json.loads(text)))
            made.create_function("greatest", 2, max)

        self._engine = self._engine.execution_options(schema_translate_map={tables.SCHEMA: None})
        tables.metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            connection.exec_driver_sql("DROP INDEX IF EXISTS leases_one_a_target")
            connection.exec_driver_sql(
                "CREATE UNIQUE INDEX leases_one_a_target ON leases (target) WHERE ended_at IS NULL"
            )
        self._ensured = True

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        self._hook(Effect(kind="transaction", place="ledger", target=""))
        with self._engine.begin() as connection:
            yield connection
        self._hook(Effect(kind="transaction", place="ledger", target="", when="after"))

    def _begin(self) -> AbstractContextManager[sa.Connection]:
        return self._transaction()

    def upgrade(self) -> None:
        """It is made as it should be."""

    def there(self) -> bool:
        """It is."""
        return True


# ── the workspace ────────────────────────────────────────────────────────────────────────────────────────────────────


class SimulatedWorkspace(Workspace):
    """The engine's workspace, in a folder."""

    def __init__(self, uri: str, effects: Effects, hook: Hook) -> None:
        super().__init__(uri, effects=effects)
        self._hook = hook

    @contextmanager
    def _doing(self, kind: str, path: str) -> Iterator[None]:
        self._hook(Effect(kind=kind, place="workspace", target=path))
        yield
        self._hook(Effect(kind=kind, place="workspace", target=path, when="after"))

    def publish(self, local: Path, path: str) -> tuple[int, str]:
        with self._doing("publish", path):
            return super().publish(local, path)

    def remove(self, folder: str) -> None:
        with self._doing("remove", folder):
            super().remove(folder)

    def copy(self, path: str, to: str) -> None:
        with self._doing("copy", to):
            super().copy(path, to)


class Places:
    """The stores, the ledger and the workspace of one history."""

    def __init__(self, setup: Setup, effects: Effects, hook: Hook, folder: Path) -> None:
        self.hook = hook
        self.ledger: Ledger = SimulatedLedger(effects, hook)
        self.workspace: Workspace = SimulatedWorkspace(str(folder / "workspace"), effects, hook)
        self.source = MemoryStore("postgres", setup.batch_rows, hook)
        self.target = MemoryStore(setup.kind, setup.batch_rows, hook, "name" if setup.unique else None)

    def store(self, connection: str) -> Any:
        """The store behind a connection."""
        return self.source if connection == "s" else self.target

    def there(self, name: str) -> bool:
        """Whether the table is there."""
        return name in self.held_in(name).held

    def make(self, name: str) -> None:
        """Make a table that is there before any run."""
        self.held_in(name).held[name] = Held()

    def held_in(self, name: str) -> MemoryStore:
        """The store of a table."""
        return self.source if name == "people" else self.target

    def rows(self, name: str) -> dict[str, Row]:
        """The rows of a table as they are now, by key."""
        held = self.held_in(name).held.get(name)
        return {} if held is None else dict(held.rows)

    def close(self) -> None:
        """Let go of everything."""
        self.ledger.close()
