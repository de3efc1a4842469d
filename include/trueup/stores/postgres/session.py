"""A transaction on a connection of its own.

Every call of the store opens one connection and closes it, so that there is no pool whose connections a restart, a fork or another
thread could have spoiled. While a part of a step is done they are kept for its next call (`begun.py`): a new session takes
the server 3 ms of computing, and 7 more until it knows the catalog. Services, which ask for one row, have a pool (`pool.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import psycopg
import pyarrow as pa
from psycopg import conninfo, sql
from tenacity import Retrying, retry_if_exception_type, retry_if_not_exception_type

from ...errors import StoreUnavailableError
from .. import Fence, present_fence
from ..effects import REAL, Effects
from ..parameters import ENCODING, PATIENCE, Ask, asking, place_of
from .begun import begun
from .driver import Drivers
from .failures import translated
from .locks import locked

_T = TypeVar("_T")
_BATCH_BYTES, _OPTIONS = 8 * 1024 * 1024, adbc_driver_postgresql.StatementOptions
_BATCH_OPTION, _COPY_OPTION = _OPTIONS.BATCH_SIZE_HINT_BYTES.value, _OPTIONS.USE_COPY.value
_DEFAULTS = {"application_name": "trueup", **PATIENCE}
# Notations must be the same on every server, whatever the role's or the database's own settings are.
SETTINGS = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "10min",
    # What a policy would hide is an error, and not a row less.
    "row_security": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmloption": "content",
    "array_nulls": "on",
    "gin_fuzzy_search_limit": "0",  # else an index that a view reads by gives some of its rows
    "transform_null_equals": "off",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "lc_monetary": "C",
}
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds that are waited at most before the second try, and before any: twice as long each time."""
SHORTEST_IDLE_SECONDS = 10.0  # however short a lease is
# Servers before 17 do not have this setting.
_NO_TRANSACTION_TIMEOUT = sql.SQL(
    "CASE WHEN current_setting('server_version_num')::int4 >= 170000"
    " THEN set_config('transaction_timeout', '0', true) END"
)
# What is entered as written must outlast a crash of the server, whatever the role's or the database's own setting is.
_DURABLE = sql.SQL(
    "CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END"
)


class SnapshotGoneError(StoreUnavailableError):
    """The exported snapshot is not held any more (a failover, a restart, a pooler that ended the connection), or does not show
    a table any more. What reads under it cannot go on, but may start again with another one."""


# A database of this encoding holds any bytes. Asked for UTF-8, the server refuses to send a table of which one row is not.
_BYTES_AS_THEY_ARE = (
    "SELECT set_config('client_encoding', 'SQL_ASCII', true) WHERE current_setting('server_encoding') = 'SQL_ASCII'"
)


@dataclass(frozen=True)
class Address:
    """Where a database is and how to wait for it. `ask` gives libpq's parameters, with the password; nothing shows them.

    `lock_timeout` and `patience` are seconds: how long a statement waits for a lock, how long a call tries again."""

    ask: Ask = field(repr=False)
    place: str
    lock_timeout: float
    patience: float
    effects: Effects = field(default=REAL, repr=False, compare=False)
    _drivers: Drivers = field(default_factory=Drivers, repr=False, compare=False)

    @classmethod
    def of(cls, database: str | Ask, *, lock_timeout: float, patience: float, effects: Effects = REAL) -> Address:
        """The address in a libpq URI or conninfo, or as who is asked gives it. Raises `StoreRejectedError` if it is
        neither, and as `Ask` does."""
        ask = asking(database)
        return cls(ask, place_of(ask()), lock_timeout, patience, effects, Drivers(effects))

    def conninfo(self, **defaults: str) -> str:
        """What libpq is told, for one connect: asked for now, with the password; not to be kept. `defaults` are told where
        the connection does not say otherwise. Raises as `Ask` does."""
        return _conninfo({**defaults, **self.ask()})

    def database(self) -> AbstractContextManager[adbc.AdbcDatabase]:
        """The driver, for a block. Raises `StoreUnavailableError` for a writer whose connection leads elsewhere by now."""
        given = self.ask()
        if (place := place_of(given)) != self.place and present_fence() is not None:
            raise StoreUnavailableError(
                f"the connection of {self.place} leads to {place} since this task began to write: nothing is written there. Let it"
                " lead to the database that the plan is for, and clear the task."
            )
        return self._drivers.lent(_conninfo(given), self.place)

    def settings(self, fence: Fence | None = None) -> sql.Composed:
        """The statement that makes the settings of one transaction. Not of the session: a pooler may share that."""
        values = {**SETTINGS, "lock_timeout": f"{int(self.lock_timeout * 1000)}ms"}
        if fence is not None:
            # what a stopped writer has begun is over before its lease, and locks no row of an application for longer
            values["idle_in_transaction_session_timeout"] = f"{max(SHORTEST_IDLE_SECONDS, fence.lasts / 2):.0f}s"
        calls = (sql.SQL("set_config({}, {}, true)").format(name, text) for name, text in values.items())
        return sql.SQL("SELECT {}").format(sql.SQL(", ").join([*calls, _NO_TRANSACTION_TIMEOUT, _DURABLE]))

    def insist(self, work: Callable[[], _T]) -> tuple[_T, int]:
        """What `work` returns, and how often it had to be done again: after `StoreUnavailableError` it is, waiting
        longer each time, at random, until `patience` is over; not after `SnapshotGoneError`, which the same call can only
        meet again. `work` must be a whole transaction."""
        clock, begun = self.effects.monotonic, self.effects.monotonic()
        retrying = Retrying(
            retry=retry_if_exception_type(StoreUnavailableError) & retry_if_not_exception_type(SnapshotGoneError),
            wait=lambda state: self.effects.uniform(
                0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (state.attempt_number - 1))
            ),
            stop=lambda _: clock() - begun >= self.patience,
            sleep=self.effects.sleep,
            reraise=True,
        )
        try:
            result = retrying(work)
        except SnapshotGoneError:
            raise
        except StoreUnavailableError as error:
            tried, took = retrying.statistics["attempt_number"], clock() - begun
            raise StoreUnavailableError(
                f"{error} Tried {tried} times in {took:.0f} s. What was written before stays; run it again once the"
                " database answers."
            ) from error
        return result, retrying.statistics["attempt_number"] - 1


def _conninfo(given: Mapping[str, str]) -> str:
    return conninfo.make_conninfo(**{**_DEFAULTS, **given, "client_encoding": ENCODING})


@dataclass(frozen=True)
class Session:
    """An open transaction."""

    place: str
    connection: adbc.AdbcConnection

    def execute(self, statement: str | sql.Composable) -> int:
        """Run a statement that returns no rows; gives the number of rows that it wrote (-1 where that has no sense)."""
        with self._statement(statement) as running:
            written: int = running.execute_update()
            return written

    def fetch(self, statement: str | sql.Composable, parameters: pa.RecordBatch | None = None) -> pa.Table:
        """The rows of a query, all of them. `parameters` is one row; its columns are $1, $2, …"""
        with self._statement(statement) as running:
            running.set_options(**{_COPY_OPTION: "false"})  # errors of a COPY come without their SQLSTATE
            if parameters is not None:
                running.prepare()
                schema, row = parameters.__arrow_c_array__()
                running.bind(row, schema)
            stream, _ = running.execute_query()
            with pa.RecordBatchReader.from_stream(stream) as batches:
                return batches.read_all()

    def stream(self, statement: str | sql.Composable) -> Generator[pa.RecordBatch]:
        """The rows of a query in batches of about 8 MiB, as they come (binary COPY)."""
        with self._statement(statement) as running:
            running.set_options(**{_BATCH_OPTION: str(_BATCH_BYTES)})
            stream, _ = running.execute_query()
            try:
                with pa.RecordBatchReader.from_stream(stream) as batches:
                    yield from batches
            except pa.ArrowException as error:  # which of the two it is depends on the error's number, not its cause
                raise OSError(str(error)) from error

    def fill(self, temporary_table: str, rows: pa.Table) -> None:
        """Append rows to a temporary table, by binary COPY."""
        with adbc.AdbcStatement(self.connection) as running:
            options = {
                adbc.StatementOptions.INGEST_TARGET_TABLE: temporary_table,
                adbc.StatementOptions.INGEST_MODE: adbc.INGEST_OPTION_MODE_APPEND,
                adbc.StatementOptions.INGEST_TEMPORARY: "true",
            }
            running.set_options(**{option.value: text for option, text in options.items()})
            running.bind_stream(rows.to_reader().__arrow_c_stream__())
            running.execute_update()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is done in the block is taken back if an error ends it, and the transaction can go on."""
        self.execute("SAVEPOINT trueup_part")
        try:
            yield
        except Exception:
            self.execute("ROLLBACK TO SAVEPOINT trueup_part")
            self.execute("RELEASE SAVEPOINT trueup_part")
            raise
        self.execute("RELEASE SAVEPOINT trueup_part")

    @contextmanager
    def _statement(self, statement: str | sql.Composable) -> Iterator[adbc.AdbcStatement]:
        with adbc.AdbcStatement(self.connection) as opened_statement:
            opened_statement.set_sql_query(statement if isinstance(statement, str) else statement.as_string(None))
            yield opened_statement


@contextmanager
def session(address: Address, *, doing: str, read_only: bool = False, snapshot: str | None = None) -> Iterator[Session]:
    """A transaction, committed at the end of the block and rolled back by an error in it.

    Read-only transactions see one snapshot throughout; the exported one where `snapshot` names it. `doing` is for
    messages ("read table public.orders"). Raises `StoreUnavailableError` or `StoreRejectedError` for errors of
    PostgreSQL.
    """
    begin = (
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        if read_only
        else "BEGIN ISOLATION LEVEL READ COMMITTED"  # READ WRITE would go against a default that somebody set on purpose
    )
    try:
        with begun(address, begin) as connection:
            opened = Session(address.place, connection)
            if snapshot is not None:
                _import(opened, snapshot)
            fence = None if read_only else present_fence()
            opened.fetch(address.settings(fence))
            if read_only:
                opened.fetch(_BYTES_AS_THEY_ARE)
            check = locked(fence, opened.fetch)
            yield opened
            check()
            opened.execute("COMMIT")  # without it, closing the connection rolls back
    except (adbc.Error, OSError) as error:
        raise translated(error, place=address.place, doing=doing) from error


def _import(opened: Session, snapshot: str) -> None:
    try:
        opened.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
    except (adbc.ProgrammingError, adbc.OperationalError) as error:
        raise SnapshotGoneError(
            f"{opened.place}: snapshot {snapshot} is no longer held open: the server restarted, another server "
            "took over, or the connection that held it ended. Run the step again, which reads every segment "
            "again, under a new snapshot."
        ) from error


@contextmanager
def script_session(address: Address, *, doing: str) -> Iterator[psycopg.Connection]:
    """The same by psycopg, which runs scripts of several statements. `%` has no meaning; parameters are $1, $2, …"""
    try:
        with psycopg.connect(address.conninfo(), cursor_factory=psycopg.RawCursor) as connection:
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # whatever the role's default is
            fence = present_fence()
            connection.execute(address.settings(fence))
            check = locked(fence, connection.execute)
            yield connection
            check()
    except psycopg.Error as error:
        raise translated(error, place=address.place, doing=doing) from error


@contextmanager
def held_snapshot(address: Address, *, seconds: int) -> Iterator[str]:
    """The id of a snapshot that can be imported until the block ends, or `seconds` are over."""
    doing = "export a snapshot"

    def begin() -> tuple[psycopg.Connection, str]:
        try:
            connection = psycopg.connect(address.conninfo())
            try:
                connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
                connection.execute(address.settings())
                query = "SELECT pg_export_snapshot(), set_config('idle_in_transaction_session_timeout', %s, true)"
                row = connection.execute(query, [f"{seconds}s"]).fetchone()
            except BaseException:
                connection.close()
                raise
        except psycopg.Error as error:
            raise translated(error, place=address.place, doing=doing) from error
        assert row is not None  # a SELECT without FROM gives one row
        return connection, row[0]

    (connection, exported), _ = address.insist(begin)
    with closing(connection):  # closing ends the transaction, and raises nothing if the server has ended it
        yield exported
