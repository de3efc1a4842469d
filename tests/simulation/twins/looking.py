"""What a door to a store in memory says of the tables that are there, and reads of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Self
from zlib import crc32

import pyarrow as pa

from include.trueup.declare.migration import Table
from include.trueup.declare.names import EXTRA, MISTYPED
from include.trueup.errors import StoreRejectedError
from include.trueup.stores import (
    Catalogue,
    Description,
    Fence,
    Known,
    Limits,
    Location,
    Reference,
    Unique,
    arrow_schema,
)

from .server import Effect, Held, Hook, Row, Server, key_of, key_words, undeclared


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What tells the two stores apart for whoever uses them."""

    name: str
    documents: bool


POSTGRES = Kind(name="postgres", documents=False)
DOCUMENTS = Kind(name="dynamodb", documents=True)


class Looking:
    """The part of a door that only looks; `hook` is called before and after each of its effects."""

    batch_rows = 500
    writers = 2

    def __init__(self, server: Server, kind: Kind = POSTGRES, hook: Hook = lambda _: None) -> None:
        self._server, self._documents, self._hook = server, kind.documents, hook
        self.kind, self.one_state = kind.name, not kind.documents
        self._state: dict[str, Held] | None = None

    @contextmanager
    def _effect(self, kind: str, target: str, keys: Sequence[str] = ()) -> Iterator[None]:
        self._hook(Effect(place="store", kind=kind, target=target, when="before", keys=tuple(keys)))
        yield
        self._hook(Effect(place="store", kind=kind, target=target, when="after", keys=tuple(keys)))

    def _tables(self) -> dict[str, Held]:
        return self._server.tables if self._state is None else self._state

    def _held(self, table: Table) -> Held:
        held = self._tables().get(table.name)
        if held is None:
            raise StoreRejectedError(f"memory://{self._server.name}: there is no table {table.name}")
        return held

    # what is there

    @contextmanager
    def reading(self) -> Iterator[Self]:
        """The state of this moment; of documents there is none."""
        if self._documents:
            yield self
            return
        with self._effect("reading", ""):
            one = copy(self)
            one._state = {name: _as_it_is(held) for name, held in self._server.tables.items()}
        yield one

    def end_older(self, fence: Fence) -> None:
        """End the sessions of older leases and tries; documents have none."""
        if not self._documents:
            with self._effect("end_older", ",".join(fence.epochs)):
                self._server.end_older(fence)

    def identity(self, table: Table) -> str:
        """The server and the table's name."""
        return f"{self._at().identity}/{table.name}"

    def locate(self, table: Table) -> Location:
        """The server."""
        return self._at()

    def _at(self) -> Location:
        identity = f"memory://{self._server.name}"
        if self._documents:
            return Location(identity=identity, address="memory", region="us-east-1", account="000000000000")
        return Location(identity=identity, address="memory", database=self._server.name)

    def server(self) -> str:
        """Its name."""
        return f"memory {self._server.name}"

    def describe(self, table: Table) -> Description | None:
        """The table, or None."""
        with self._effect("describe", table.name):
            held = self._tables().get(table.name)
            return None if held is None else self._described(held, table)

    def _described(self, held: Held, table: Table) -> Description:
        differences = [f"its key is {held.key}, not {table.key}"] if held.key != table.key else []
        absent = [index.name for index in table.indexes if index.name not in held.indexes]
        differences += [f"there is no index {name}" for name in absent]
        unique = held.unique.items()
        given = set(held.columns) - set(table.columns) if not self._documents else set()
        return Description(
            name=table.name,
            key=held.key,
            indexes=tuple(held.indexes),
            estimated_rows=len(held.rows),
            differences=tuple(differences),
            undeclared=tuple(sorted(given)),
            identified=held.key == table.key,
            misfits=tuple(f"column {n} is missing" for n in table.columns if n not in held.columns and not self._documents),
            obstacles=("a policy hides rows of it from this role",) if held.hidden else (),
            identity=f"{held.name}#{held.generation}",
            triggers=tuple(f"trigger {name} (memory)" for name in held.triggers),
            unique=tuple(Unique(name=n, columns=c, nulls_equal=False) for n, c in unique if {*c} <= {*table.columns}),
            references=tuple(self._references(held)),
            limits=Limits(not_null=() if self._documents else held.key),
        )  # fmt: skip

    def _references(self, held: Held) -> Iterator[Reference]:
        for other in self._tables().values():
            for foreign in (f for f in other.foreign if f.to == held.name):
                yield Reference(
                    constraint=foreign.name,
                    table=other.name,
                    columns=foreign.columns,
                    refers_to=foreign.refers_to,
                    takes_along=foreign.takes_along,
                    own=other is held,
                )

    def catalogue(self, name: str) -> Catalogue | None:
        """The table of that name, which need not be declared."""
        held = self._tables().get(name)
        if held is None:
            return None
        columns = (Known(name=n, type=t, exact=str(t), not_null=n in held.key) for n, t in held.columns.items())
        return Catalogue(name=name, key=held.key, columns=tuple(columns))

    def tables(self) -> list[str]:
        """The names of all tables."""
        return sorted(self._tables())

    def create(self, table: Table) -> bool:
        """Make the table; False if it is there already."""
        with self._effect("create", table.name):
            held = self._server.tables.get(table.name)
            if held is None:
                self._server.make(table)
                return True
            if not self._documents and held.key == table.key:
                held.indexes |= {index.name: index for index in table.indexes}
            if differences := self._described(held, table).differences:
                raise StoreRejectedError(f"table {table.name} is there already: {'; '.join(differences)}")
            return False

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """Every row of one part."""
        with self._effect("read", table.name):
            held = self._held(table)
            mine = [
                self._shown(held, table, row)
                for key, row in held.rows.items()
                if crc32(key_words(key).encode()) % segments == segment and not (held.hidden and held.hidden(row))
            ]
        yield from pa.Table.from_pylist(mine, schema=arrow_schema(table)).to_batches()

    def get(self, table: Table, keys: pa.Table) -> pa.Table:
        """The rows with these keys."""
        wanted = dict.fromkeys(key_of(table.key, row) for row in keys.to_pylist())
        with self._effect("get", table.name, [*map(key_words, wanted)]):
            held = self._held(table)
            rows = (held.rows[key] for key in wanted if key in held.rows)
            seen = [self._shown(held, table, row) for row in rows if not (held.hidden and held.hidden(row))]
        return pa.Table.from_pylist(seen, schema=arrow_schema(table))

    def _shown(self, held: Held, table: Table, row: Row) -> Row:
        more = undeclared(held, table, row, documents=self._documents)
        return {name: row.get(name) for name in table.columns} | {EXTRA: more, MISTYPED: row.get(MISTYPED)}


def _as_it_is(held: Held) -> Held:
    now = copy(held)
    now.rows = dict(held.rows)
    return now
