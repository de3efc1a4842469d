"""The relational twin: tables in memory that behave through the `Store` protocol as PostgreSQL's do.

Its effects are `describe`, `catalogue`, `read`, `get`, `snapshot` (of `reading`), `add`, `change`, `remove`, `together`,
`create`, `script`, `advance`, `stuck`, `end older`; and `commit`, told once, when a transaction has done everything and holds its locks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial

import pyarrow as pa

from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreRejectedError
from include.trueup.stores import (
    Advanced,
    Catalogue,
    Description,
    Fence,
    Known,
    Limits,
    Location,
    Outcome,
    Share,
)
from include.trueup.stores.effects import REAL, Effects
from include.trueup.stores.postgres.columns import right_type
from include.trueup.stores.postgres.limits import unwritable
from include.trueup.stores.postgres.locks import numbers
from include.trueup.stores.postgres.writable import described

from .hook import Doing, Hook, ending, nothing
from .relational_together import write_together
from .relational_writing import PLACE, Batch, Left
from .rows import Key, arrow, key_texts, plain_keys
from .sessions import Sessions, make_indexes, readable
from .tables import Held, name_of
from .transactions import Database, Transaction


class RelationalTwin(Sessions):
    """The `Store` of a database in memory. `name` is its place in effects. `hook` is told of each effect. `on_script` does what a
    script would do. After `lock_wait` seconds it is looked again whether a row is free. `uncreatable_for`: why no table may be
    made, in words."""

    kind = "postgres"
    one_state = True
    batch_rows = 3_000
    writers = 2

    def __init__(
        self,
        database: Database | None = None,
        *,
        name: str = "store",
        hook: Hook = nothing,
        effects: Effects = REAL,
        lock_timeout: float = 5.0,
        lock_wait: float = 0.02,
        patience: float = 60.0,
        on_script: Callable[[str], None] = lambda _: None,
        at: str = "",
    ) -> None:
        super().__init__(database, name, hook, effects, lock_timeout, lock_wait, patience)
        self._at = at or name
        self.on_script = on_script
        self.uncreatable_for: tuple[str, ...] = ()

    # ── what there is ────────────────────────────────────────────────────────────────────────────────────────────

    def end_older(self, fence: Fence) -> bool:
        """End the transactions of older leases and tries."""
        wanted = dict(numbers(fence))

        def end(database: Database, _: frozenset[str]) -> None:
            for each in database.open:
                if each.ended is None and any(number != wanted.get(of, number) for of, number in each.locks):
                    each.ended = "terminating connection due to administrator command (SQLSTATE 57P01)"

        self._look(Doing(hook=self.hook, effect=ending(self.name, fence)), end)
        return True

    def identity(self, table: Table) -> str:
        """As PostgreSQL's, of a system of its own."""
        return f"postgres://twin/{self._at}/{name_of(table)}"

    def locate(self, table: Table) -> Location:
        """In memory."""
        return Location(identity=self.identity(table).rpartition("/")[0], address="memory", database=self._at)

    def server(self) -> str:
        """There is one."""
        return "timeline 00000001"

    @contextmanager
    def reading(self) -> Iterator[RelationalTwin]:
        """A store that reads the present state until the block ends."""
        if self._state is not None:
            yield self
            return
        same = copy(self)
        same._state = self._read("snapshot", "", lambda database, _: database.at_once())
        yield same

    def tables(self) -> list[str]:
        """The names of all tables, without the schema that is searched."""
        return self._read("tables", "", lambda database, _: sorted(n.removeprefix("public.") for n in database.tables))

    def describe(self, table: Table) -> Description | None:
        """The table as it is, or None."""

        def look(database: Database, _: frozenset[str]) -> Description | None:
            if (held := database.find(table)) is None:
                return None
            references = database.references(held)
            return described(held.shape(references), held.effects(references), table)

        return self._read("describe", table.name, look)

    def catalogue(self, name: str) -> Catalogue | None:
        """The table as the catalogue has it, or None."""

        def look(database: Database, _: frozenset[str]) -> Catalogue | None:
            held = database.find(Table(name=name, connection="", key=("id",), columns={"id": Type.TEXT}))
            if held is None:
                return None
            columns = held.shape([]).columns.values()
            known = (
                Known(name=c.name, type=right_type(c), exact=c.exact, not_null=c.not_null, sets=c.sets) for c in columns
            )
            return Catalogue(name=name, key=held.key, columns=tuple(known))

        return self._read("catalogue", name, look)

    def uncreatable(self, table: Table) -> tuple[str, ...]:
        """Why no table can be made."""
        return self.uncreatable_for

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """Every row of a segment; all of it at once, when it is asked for."""

        def look(database: Database, hidden: frozenset[str]) -> pa.Table:
            held = self._seen(database, table)
            extras = held.extras(table)
            mine = [row for key, row in held.rows.items() if segments == 1 or _part(key, segments) == segment]
            return without(table, arrow(table, [held.read(table, row, extras) for row in mine]), hidden)

        return iter(self._read("read", table.name, look).to_batches())

    def get(self, table: Table, keys: pa.Table) -> pa.Table:
        """The rows with these keys."""
        wanted = dict.fromkeys(plain_keys(table, keys))

        def look(database: Database, hidden: frozenset[str]) -> pa.Table:
            held = self._seen(database, table)
            extras = held.extras(table)
            found = (held.rows.get(key) for key in _as_held(held, table, wanted))
            return without(table, arrow(table, [held.read(table, row, extras) for row in found if row]), hidden)

        return self._read("get", table.name, look, key_texts(table, keys))

    def stuck(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> dict[str, str]:
        """Rows that other rows refer to, by foreign keys that `cascade_to` does not name."""
        texts = key_texts(table, rows)

        def look(database: Database, _: frozenset[str]) -> dict[str, str]:
            found: dict[str, str] = {}
            if (held := database.find(table)) is None:
                return found
            seeing = Transaction(database)
            for foreign in database.referring(held):
                for text, key in zip(texts, plain_keys(table, rows), strict=True):
                    row = held.rows.get(key)
                    if foreign.reference.name not in cascade_to and row and seeing.referred(foreign, row):
                        found.setdefault(text, f"rows of {foreign.table} refer to it ({foreign.name})")
            return found

        return self._read("stuck", table.name, look, texts)

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, table: Table, rows: pa.Table) -> Outcome:
        """Write rows that must not exist yet."""
        return self._batch("add", table, rows, lambda batch: batch.add(rows))

    def change(
        self,
        table: Table,
        rows: pa.Table,
        before: pa.Table,
        *,
        cascade_to: Sequence[str] = (),  # of a foreign key here, only deletions are known
    ) -> Outcome:
        """Bring rows from `before` to their new content."""
        return self._batch("change", table, rows, lambda batch: batch.change(rows, before))

    def remove(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
        """Delete rows that are as given."""
        return self._batch("remove", table, rows, lambda batch: batch.remove(rows, cascade_to))

    def _batch(self, kind: str, table: Table, rows: pa.Table, write: Callable[[Batch], Left]) -> Outcome:
        if not rows.num_rows:
            return Outcome()

        def work(transaction: Transaction) -> tuple[Left, list[Batch]]:
            batch = Batch(transaction, table)
            return write(batch), [batch]

        return outcome(rows, *self._write(kind, table.name, work, key_texts(table, rows)))

    def together(self, shares: Sequence[Share]) -> list[Outcome]:
        """Write the rows of each unit in one transaction: all of them or none."""
        names = " and ".join(dict.fromkeys(share.table.name for share in shares))
        left, retries = write_together(shares, partial(self._write, "together", names), self.get)
        outcomes = [outcome(share.rows, each, 0) for share, each in zip(shares, left, strict=True)]
        outcomes[0].retries = retries
        return outcomes

    def create(self, table: Table) -> bool:
        """Make the table as declared, or the indexes that it lacks. Its script is noted."""

        def work(transaction: Transaction) -> tuple[Held | None, list[Batch]]:
            database = transaction.database
            transaction.lock_name(name_of(table))
            if (held := database.find(table)) is not None:
                if differences := held.shape([]).differences(table):
                    raise StoreRejectedError(
                        f"{PLACE}: table {table.name} is not as declared: {'; '.join(differences)}."
                    )
                return held, []
            transaction.at_commit.append(lambda: database.make(table))
            if table.create is not None:
                transaction.at_commit.append(partial(self._run, table.create.read_text(encoding="utf-8")))
            return None, []

        there, _ = self._write("create", table.name, work)
        if there is not None:
            make_indexes(there, table)
        return there is None

    def script(self, text: str) -> None:
        """Note the script."""

        def work(transaction: Transaction) -> tuple[None, list[Batch]]:
            transaction.at_commit.append(partial(self._run, text))
            return None, []

        self._write("script", "", work)

    def _run(self, text: str) -> None:
        self.database.scripts.append(text)
        self.on_script(text)

    def advance(self, table: Table) -> list[Advanced]:
        """Bring every sequence of a declared column behind the greatest value there."""

        def work(transaction: Transaction) -> tuple[list[Advanced], list[Batch]]:
            held = readable(transaction.database, table)
            return [one.advance(held, table) for one in held.counters if one.column in table.columns], []

        return self._write("advance", table.name, work)[0]

    def unwritable(self, table: Table, rows: str, limits: Limits = Limits()) -> str:  # noqa: B008 - it never changes
        """A DuckDB query for rows that PostgreSQL cannot hold."""
        return unwritable(table, rows, limits)


def outcome(rows: pa.Table, left: Left, retries: int) -> Outcome:
    """What came of writing rows of which some were left."""
    written = rows.num_rows - len(left.conflicts) - len(left.refused)
    return Outcome(written=written, conflicts=left.conflicts, refused=left.refused, retries=retries)


def _as_held(held: Held, table: Table, keys: dict[Key, None]) -> list[Key]:
    """Keys of the declaration as the table has them, whose key may be another."""
    if held.key == table.key:
        return [*keys]
    return [key for key, row in held.rows.items() if tuple(row[name] for name in table.key) in keys]


def without(table: Table, rows: pa.Table, hidden: frozenset[str]) -> pa.Table:
    if not hidden:
        return rows
    return rows.filter(pa.array([text not in hidden for text in key_texts(table, rows)], pa.bool_()))


def _part(key: Key, segments: int) -> int:
    return zlib.crc32(repr(key).encode()) % segments
