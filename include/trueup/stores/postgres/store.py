"""`PostgresStore`: the tables of one PostgreSQL database, as the engine asks for them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import replace
from functools import partial

import psycopg
import pyarrow as pa

from ...declare.migration import Table
from ...errors import StoreRejectedError
from .. import Advanced, Catalogue, Description, Fence, Limits, Outcome, Share
from ..effects import REAL, Effects
from ..location import Location
from ..parameters import Ask
from . import catalog, creating, fencing, known, place, reading, referring, sequences, together, writing
from .effects import effects_of
from .failures import translated
from .indexes import NO_TRANSACTION, alone_session
from .limits import unwritable
from .pool import Pool
from .session import Address, held_snapshot, script_session, session
from .writable import described, why_uncreatable
from .writing import Left

_SNAPSHOT_SECONDS = 24 * 3600
_SAME_SECONDS = 1.0
_UNANSWERED = "15000"
"""Milliseconds after which a kept connection whose server is gone is noticed to be broken when it is used again."""


class PostgresStore:
    """The tables of one PostgreSQL database (13 or later): by what gives libpq's parameters, asked at each connect, or by a
    libpq URI or conninfo.

    `snapshot` is the id of a snapshot that somebody holds open (`export_snapshot`): all reading then sees that state,
    from any process. Without it each call sees the state at its own beginning. `lock_timeout`: how long a statement
    waits for a lock; `patience`: how long a call tries again while the database does not answer, is starting or
    stopping, has no connection to spare, or keeps the lock; both in seconds. An instance holds no connection and may be
    used by several threads.
    """

    kind = "postgres"
    one_state = True
    batch_rows = 3_000
    writers = 2

    def __init__(
        self,
        database: str | Ask,
        *,
        snapshot: str | None = None,
        lock_timeout: float = 5.0,
        patience: float = 60.0,
        effects: Effects = REAL,
    ) -> None:
        self._address = Address.of(database, lock_timeout=lock_timeout, patience=patience, effects=effects)
        self._snapshot = snapshot
        self._database: tuple[str, float] | None = None

    def end_older(self, fence: Fence) -> bool:
        """End the sessions of older leases and tries. A transaction that writes holds locks by which it is found, asks the
        fence when it has them, and again before it commits."""
        fencing.end_older(self._address, fence)
        return True

    def identity(self, table: Table) -> str:
        """`postgres://<system identifier>/<database>/<schema>.<table>`, as the server says itself; of several tables that
        are asked for within a second, it is asked once."""
        now = self._address.effects.monotonic()
        if self._database is None or now - self._database[1] > _SAME_SECONDS:
            self._database = self._address.insist(lambda: place.database_of(self._address))[0], now
        return f"{self._database[0]}/{catalog.full_name(table)}"

    def locate(self, table: Table) -> Location:
        """Address and database, as the server says itself; a server that is reached by a socket has no other address."""
        identity = self.identity(table).rpartition("/")[0]
        return self._address.insist(lambda: place.located(self._address, identity))[0]

    def server(self) -> str:
        """The server's timeline and address, as it says itself."""
        return self._address.insist(lambda: place.server_of(self._address))[0]

    @contextmanager
    def export_snapshot(self) -> Iterator[str]:
        """Hold the database's present state for reading; gives its id for `PostgresStore(…, snapshot=id)`.

        Until the end of the block every such store sees exactly this state. The server keeps all older row versions
        meanwhile: do not hold it longer than the reading takes. It is given up after 24 hours.
        """
        with held_snapshot(self._address, seconds=_SNAPSHOT_SECONDS) as exported:
            yield exported

    @contextmanager
    def reading(self) -> Iterator[PostgresStore]:
        """A store that reads the database's present state until the block ends, whatever is written meanwhile."""
        if self._snapshot is not None:
            yield self
            return
        with held_snapshot(self._address, seconds=_SNAPSHOT_SECONDS) as exported:
            yield _at(self, exported)

    def open(self) -> psycopg.Connection:
        """A psycopg connection for a pool to keep. Nothing is prepared in it: a pooler may share its session, and a
        migration may change the table that is read. Raises psycopg's own errors, and as `Ask` does."""
        return psycopg.connect(self._address.conninfo(tcp_user_timeout=_UNANSWERED), prepare_threshold=None)

    @contextmanager
    def connect(self, pool: Pool | None = None) -> Iterator[psycopg.Connection]:
        """A psycopg connection of its own, or one of a pool, with one transaction that is committed at the end of the
        block: for what is not part of a plan, such as a sample, or what a service does. Raises `StoreUnavailableError` or
        `StoreRejectedError` for errors of PostgreSQL."""
        try:
            with pool.lent() if pool else psycopg.connect(self._address.conninfo()) as connection:
                yield connection
        except psycopg.Error as error:
            raise translated(error, place=self._address.place, doing="use a connection") from error

    def describe(self, table: Table) -> Description | None:
        """The table as it is, or None if there is none."""

        def look() -> Description | None:
            with session(self._address, doing=f"describe table {table.name}", read_only=True) as opened:
                shape = catalog.find(opened, table)
                if shape is None:
                    return None
                description = described(shape, effects_of(opened, shape.oid), table)
                if description.misfits or description.obstacles:
                    return description
                try:  # what only the server can tell: rights, policies below a view, a view that is not filled
                    reading.nothing_of(opened, table, shape)
                except StoreRejectedError as error:
                    return replace(description, obstacles=(str(error).removesuffix("."),))
                return description

        return self._address.insist(look)[0]

    def uncreatable(self, table: Table) -> tuple[str, ...]:
        """In words, why a table that does not exist could not be made and written."""

        def look() -> tuple[str, ...]:
            with session(self._address, doing=f"see whether table {table.name} can be made", read_only=True) as opened:
                return why_uncreatable(opened, table)

        return self._address.insist(look)[0]

    def catalogue(self, name: str) -> Catalogue | None:
        """The table or view as the catalogue has it, or None."""

        def look() -> Catalogue | None:
            with session(self._address, doing=f"look at table {name}", read_only=True) as opened:
                return known.catalogue(opened, name)

        return self._address.insist(look)[0]

    def tables(self) -> list[str]:
        """The names of all tables and views of the database, sorted; with their schema where that is not searched."""

        def look() -> list[str]:
            with session(self._address, doing="list the tables", read_only=True) as opened:
                return known.names(opened)

        return self._address.insist(look)[0]

    def advance(self, table: Table) -> list[Advanced]:
        """Bring every sequence that gives a declared column its values behind the greatest value there."""
        return self._address.insist(lambda: sequences.advance(self._address, table))[0]

    def create(self, table: Table) -> bool:
        """Make the table by its `create`, or else from its columns, key and indexes; False if it was there already.

        Raises `StoreRejectedError` when a table of that name is there, or comes out of the script, with another key,
        other columns or without a declared index. In the script, names without a schema are in the table's schema.
        """

        created, _ = self._address.insist(lambda: creating.create(self._address, table))
        return created

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """Every row of one of `segments` disjoint parts of the table, in canonical form, as it streams in.

        A connection that breaks before the first rows is tried again; one that breaks later raises
        `StoreUnavailableError`, and the segment is to be read from its beginning.
        """

        def begin() -> tuple[pa.RecordBatch | None, Generator[pa.RecordBatch]]:
            batches = reading.segment_of(self._address, table, segment, segments, self._snapshot)
            return next(batches, None), batches

        (first, rest), _ = self._address.insist(begin)
        with closing(rest):
            if first is not None:
                yield first
                yield from rest

    def get(self, table: Table, keys: pa.Table) -> pa.Table:
        """The rows with these keys (a column per key column), in canonical form, in any order."""
        parts = [keys.slice(start, self.batch_rows) for start in range(0, max(keys.num_rows, 1), self.batch_rows)]
        tables = [
            self._address.insist(partial(reading.by_keys, self._address, table, part, self._snapshot))[0]
            for part in parts
        ]
        return pa.concat_tables(tables)

    def add(self, table: Table, rows: pa.Table) -> Outcome:
        """Write rows (canonical form) that must not exist yet. Undeclared columns get their defaults and do not count
        where a row that exists is compared with the new one; `_extra` must be null."""
        return self._written(rows, lambda: writing.add(self._address, table, rows))

    def change(self, table: Table, rows: pa.Table, before: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
        """Bring rows from `before` to their new content, in the declared columns that differ. Undeclared columns stay
        as they are and are not looked at; `_extra` is null, or what it was before. One that other rows refer to by what is
        changed, and that a foreign key would empty for that, is refused, except by those named in `cascade_to`."""
        return self._written(rows, lambda: writing.change(self._address, table, rows, before, cascade_to=cascade_to))

    def together(self, shares: Sequence[Share]) -> list[Outcome]:
        """Write the rows of each unit, over all tables, in one transaction: all of them or none."""
        left, retries = self._address.insist(lambda: together.write(self._address, shares))
        outcomes = [_outcome(share.rows, each, 0) for share, each in zip(shares, left, strict=True)]
        outcomes[0].retries = retries
        return outcomes

    def remove(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
        """Delete rows that are as given, in every column, declared or not. One that other rows refer to is a conflict,
        even where they would be deleted with it, except by foreign keys named in `cascade_to` (`Reference.name`)."""
        return self._written(rows, lambda: writing.remove(self._address, table, rows, cascade_to=cascade_to))

    def stuck(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> dict[str, str]:
        """Rows that other rows refer to, by foreign keys that `cascade_to` does not name."""
        return self._address.insist(lambda: referring.stuck(self._address, table, rows, cascade_to))[0]

    def script(self, text: str) -> None:
        """Run an SQL script of one or more statements in one transaction; one whose first line is `-- trueup: no transaction`, of
        one statement, in none. It may be run again where the connection broke, so it must be safe to run twice.
        `StoreUnavailableError` when somebody keeps a lock that it needs."""

        def run() -> None:
            if text.startswith(NO_TRANSACTION):
                with alone_session(self._address, doing="run a script") as connection:
                    connection.execute(text.encode())
                return
            with script_session(self._address, doing="run a script") as connection:
                connection.execute(text.encode())

        self._address.insist(run)

    def unwritable(self, table: Table, rows: str, limits: Limits = Limits()) -> str:  # noqa: B008 - it never changes
        """A DuckDB query for rows that PostgreSQL cannot hold: no key, null where it may not be, the character NUL, numbers
        and texts that are too long."""
        return unwritable(table, rows, limits)

    def _written(self, rows: pa.Table, write: Callable[[], Left]) -> Outcome:
        if not rows.num_rows:
            return Outcome()
        left, retries = self._address.insist(write)
        return _outcome(rows, left, retries)


def _outcome(rows: pa.Table, left: Left, retries: int) -> Outcome:
    written = rows.num_rows - len(left.conflicts) - len(left.refused)
    return Outcome(written=written, conflicts=left.conflicts, refused=left.refused, retries=retries)


def _at(store: PostgresStore, snapshot: str) -> PostgresStore:
    """The same store at a held snapshot."""
    same = copy(store)
    same._snapshot = snapshot
    return same
