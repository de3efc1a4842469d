"""A store in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from include.trueup.declare.migration import Table
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
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

from .twins import Effect, Hook

Row = tuple[Any, ...]


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
        if (
            any(self._epochs.get(t, 0) > e for t, e in fence.epochs.items())
            or self._tries.get(fence.part, 0) > fence.tries
        ):
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
            name=table.name,
            key=table.key,
            indexes=(),
            estimated_rows=len(held.rows),
            identity=held.identity,
            identified=True,
        )

    def catalogue(self, name: str) -> Catalogue | None:
        return None

    def tables(self) -> list[str]:
        return sorted(self.held)

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

    def remove(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
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

    def stuck(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> dict[str, str]:
        return {}

    def uncreatable(self, table: Table) -> tuple[str, ...]:
        return ()

    def advance(self, table: Table) -> list[Advanced]:
        return []

    def script(self, text: str) -> None:
        ask_fence()
        self._hook(Effect(kind="script", place="store", target=""))

    def unwritable(self, table: Table, rows: str, limits: Limits = Limits()) -> str:  # noqa: B008
        from include.trueup.declare.names import ROW_ID

        return f"SELECT {ROW_ID}, NULL::VARCHAR AS message FROM {rows} WHERE false"


def _arrow(table: Table, rows: Iterable[Row]) -> pa.Table:
    schema = arrow_schema(table)
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _rows(table: Table, rows: pa.Table) -> list[Row]:
    return [tuple(each.values()) for each in rows.select(arrow_schema(table).names).to_pylist()]
