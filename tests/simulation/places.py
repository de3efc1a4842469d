"""Where things are in a history: a store in memory for each connection, a ledger whose statements run in SQLite, and a
workspace in a folder. The ledger and the workspace are the engine's own. Each tells the hook before and after its effects.

Times of the ledger are whole microseconds since 1970, which SQLite compares and adds as numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.functions import GenericFunction

from include.trueup.declare.migration import Table
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.ledger import Ledger, tables
from include.trueup.run.workspace import Workspace
from include.trueup.stores import (
    Advanced,
    Catalogue,
    Conflict,
    Description,
    Fence,
    Limits,
    Location,
    Outcome,
    Refused,
    Share,
    Store,
    arrow_schema,
    ask_fence,
    present_fence,
)
from include.trueup.stores.effects import Effects

from .history import Setup


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Something that the engine does outside of itself."""

    kind: str
    place: str
    target: str
    when: str = "before"


Hook = Callable[[Effect], None]
Row = tuple[Any, ...]


# ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Compiler(SQLiteCompiler):
    def visit_extract(self, extract: Any, **kw: Any) -> str:
        return f"(({self.process(extract.expr, **kw)}) / 1000000.0)"


class _Time(sa.types.TypeDecorator[datetime]):
    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:  # noqa: ARG002
        return None if value is None else round(value.timestamp() * 1_000_000)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=value)


class _Micro(sa.types.DateTime):
    def bind_processor(self, dialect: Any) -> Any:  # noqa: ARG002
        return lambda value: None if value is None else (value - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:  # noqa: ARG002
        return lambda value: None if value is None else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(value))


class _Interval(sa.types.Interval):
    def bind_processor(self, dialect: Any) -> Any:  # noqa: ARG002
        return lambda value: None if value is None else value // timedelta(microseconds=1)


class Dialect(SQLiteDialect_pysqlite):
    """SQLite, with the ledger's types and functions."""

    statement_compiler = _Compiler
    supports_statement_cache = True
    colspecs = {**SQLiteDialect_pysqlite.colspecs, sa.types.DateTime: _Micro, sa.types.Interval: _Interval}


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
            connection.exec_driver_sql("CREATE UNIQUE INDEX leases_one_a_target ON leases (target) WHERE ended_at IS NULL")
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


# ── stores ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Held:
    """A table that is there: its rows by key, and what tells it from another of that name."""

    rows: dict[str, Row] = field(default_factory=dict)
    identity: str = "1"


class MemoryStore:
    """Tables in memory, keyed by one column of text. As PostgreSQL a batch is one transaction, and older writers are ended; as
    DynamoDB each row is a request."""

    def __init__(self, kind: str, batch_rows: int, hook: Hook, unique: str | None = None) -> None:
        self.kind, self.batch_rows, self._hook, self._unique = kind, batch_rows, hook, unique
        self.one_state = kind == "postgres"
        self.writers = 1 if kind == "postgres" else 2
        self.held: dict[str, Held] = {}
        self._epochs: dict[str, int] = {}
        self._tries: dict[str, int] = {}
        self._made = 1

    @contextmanager
    def reading(self) -> Iterator[Store]:
        if not self.one_state:
            yield self
            return
        self._hook(Effect(kind="snapshot", place="store", target=""))
        state = MemoryStore(self.kind, self.batch_rows, self._hook)
        state.held = {name: Held(dict(held.rows), held.identity) for name, held in self.held.items()}
        self._hook(Effect(kind="snapshot", place="store", target="", when="after"))
        yield state

    def end_older(self, fence: Fence) -> None:
        self._hook(Effect(kind="end older", place="store", target=fence.part))
        if self.kind == "postgres":
            self._epochs = {**self._epochs, **{t: max(e, self._epochs.get(t, 0)) for t, e in fence.epochs.items()}}
            self._tries[fence.part] = max(fence.tries, self._tries.get(fence.part, 0))

    def _fenced(self) -> None:
        fence = present_fence()
        if self.kind != "postgres" or fence is None:
            return
        if any(self._epochs.get(t, 0) > e for t, e in fence.epochs.items()) or self._tries.get(fence.part, 0) > fence.tries:
            raise StoreUnavailableError("a newer writer ended this session")

    def identity(self, table: Table) -> str:
        return f"memory/{self.kind}/{table.name}"

    def locate(self, table: Table) -> Location:
        return Location(identity=self.identity(table), address="memory")

    def server(self) -> str:
        return ""

    def describe(self, table: Table) -> Description | None:
        self._hook(Effect(kind="describe", place="store", target=table.name))
        held = self.held.get(table.name)
        if held is None:
            return None
        return Description(
            name=table.name, key=table.key, indexes=(), estimated_rows=len(held.rows), identity=held.identity, identified=True
        )

    def catalogue(self, name: str) -> Catalogue | None:  # noqa: ARG002
        return None

    def create(self, table: Table) -> bool:
        ask_fence()
        self._hook(Effect(kind="create", place="store", target=table.name))
        self._fenced()
        made = table.name not in self.held
        if made:
            self._made += 1
            self.held[table.name] = Held(identity=str(self._made))
        self._hook(Effect(kind="create", place="store", target=table.name, when="after"))
        return made

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """All at once, since whoever takes the batches is no fibre."""
        self._hook(Effect(kind="read", place="store", target=table.name))
        held = self.held.get(table.name)
        rows = [r for n, (_, r) in enumerate(sorted(held.rows.items())) if n % segments == segment] if held else []
        self._hook(Effect(kind="read", place="store", target=table.name, when="after"))
        return iter(_arrow(table, rows).to_batches())

    def get(self, table: Table, keys: pa.Table) -> pa.Table:
        self._hook(Effect(kind="get", place="store", target=table.name))
        held = self.held.get(table.name)
        wanted = keys.column(table.key[0]).to_pylist()
        rows = [held.rows[k] for k in dict.fromkeys(wanted) if k in held.rows] if held else []
        self._hook(Effect(kind="get", place="store", target=table.name, when="after"))
        return _arrow(table, rows)

    def add(self, table: Table, rows: pa.Table) -> Outcome:
        new = _rows(table, rows)
        return self._write(table, [(None, row) for row in new])

    def change(self, table: Table, rows: pa.Table, before: pa.Table) -> Outcome:
        return self._write(table, list(zip(_rows(table, before), _rows(table, rows), strict=True)))

    def remove(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:  # noqa: ARG002
        return self._write(table, [(row, None) for row in _rows(table, rows)])

    def _write(self, table: Table, asked: list[tuple[Row | None, Row | None]]) -> Outcome:
        outcome = Outcome()
        requests = [asked] if self.kind == "postgres" else [[each] for each in asked]
        for request in requests:
            ask_fence()
            self._hook(Effect(kind="write", place="store", target=table.name))
            self._fenced()
            held = self.held.get(table.name)
            if held is None:
                raise StoreRejectedError(f"table {table.name} does not exist")
            for before, new in request:
                self._one(table, held, before, new, outcome)
            self._hook(Effect(kind="write", place="store", target=table.name, when="after"))
        return outcome

    def _one(self, table: Table, held: Held, before: Row | None, new: Row | None, outcome: Outcome) -> None:
        given = new if new is not None else before
        assert given is not None
        key = given[list(table.columns).index(table.key[0])]
        now = held.rows.get(key)
        if now == new:
            outcome.written += 1
        elif now != before:
            found = None if now is None else json.dumps(now, default=str)
            outcome.conflicts.append(Conflict(key=key, reason="the row is not as it was when planned", found=found))
        elif new is not None and self._taken(table, held, key, new):
            outcome.refused.append(Refused(key=key, reason="another row has this", constraint="unique"))
        else:
            outcome.written += 1
            if new is None:
                del held.rows[key]
            else:
                held.rows[key] = new

    def _taken(self, table: Table, held: Held, key: str, new: Row) -> bool:
        if self._unique is None or self._unique not in table.columns or table.name != "persons":
            return False
        at = list(table.columns).index(self._unique)
        return any(row[at] == new[at] and other != key for other, row in held.rows.items())

    def together(self, shares: Sequence[Share]) -> list[Outcome]:
        raise StoreRejectedError(f"no transaction over {len(shares)} tables")

    def stuck(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> dict[str, str]:  # noqa: ARG002
        return {}

    def uncreatable(self, table: Table) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def advance(self, table: Table) -> list[Advanced]:  # noqa: ARG002
        return []

    def script(self, text: str) -> None:  # noqa: ARG002
        ask_fence()
        self._hook(Effect(kind="script", place="store", target=""))

    def unwritable(self, table: Table, rows: str, limits: Limits = Limits()) -> str:  # noqa: ARG002, B008
        from include.trueup.declare.names import ROW_ID

        return f"SELECT {ROW_ID}, NULL::VARCHAR AS message FROM {rows} WHERE false"


def _arrow(table: Table, rows: Iterable[Row]) -> pa.Table:
    schema = arrow_schema(table)
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _rows(table: Table, rows: pa.Table) -> list[Row]:
    return [tuple(each.values()) for each in rows.select(arrow_schema(table).names).to_pylist()]


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


__all__ = ["Effect", "Places", "Row", "Self", "nullcontext"]
