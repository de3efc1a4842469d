"""Transactions of the ledger, in which nobody who stands still holds up the others.

A process that was stopped (a machine suspended, a worker paused) in the midst of a transaction keeps its locks. So the
server ends a session that is idle in one for half of a lease, which is before any lease of that process expires; and
whoever waits for a lock for longer than that gives up, and says who keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from ..errors import StoreRejectedError, StoreUnavailableError, TrueupError
from ..stores.effects import REAL, Effects
from ..stores.parameters import ENCODING, PATIENCE, Ask, is_refusal
from .lasting import presumed_seconds
from .tables import LOCKS, SCHEMA

_SHORTEST = 1.0
"""Seconds that a transaction may always be idle: a process that is merely slow is not ended."""
_CONNECTION = "the ledger (connection trueup_ledger)"
_BEGIN = (
    "BEGIN; SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';"
    " SET LOCAL idle_in_transaction_session_timeout = '{idle:.0f}ms'; SET LOCAL lock_timeout = '{lock:.0f}ms'"
)
"""All in one message, by which a session that was kept also shows whether it is still there. The settings are the transaction's,
not the session's: a pooler may share that. A crash of the server must not give the number of a lease to another one again, so what
is committed outlasts it, whatever the role's own setting is."""
_QUESTION = "SELECT set_config('lock_timeout', '{lock:.0f}ms', true); {query}"
"""Both in one message, which is a transaction of its own: there is one answer to wait for, nobody can stand still between the
two, nothing is prepared, and a pooler may give each message another session."""
_KEPT_SECONDS = 60.0
"""How long a session is kept for questions until the pool is asked for one again, which looks whether it is too old."""
_STOOD_STILL = ("25P03", "25P04")
"""SQLSTATEs of sessions that the server ended, since their transaction was idle, or open, for too long."""
_LOCKED = "55P03"
# whoever waits for a lock keeps some, too, and is not the one to look for
_KEEPS = sa.text(f"""
    SELECT l.pid, a.usename::text, a.application_name, host(a.client_addr), a.state,
        extract(epoch FROM clock_timestamp() - a.xact_start)::bigint
    FROM (
        SELECT pid, bool_or(mode <> 'AccessShareLock') AS writes FROM pg_locks
        WHERE granted AND pid <> pg_backend_pid()
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (relation IN (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = '{SCHEMA}')
                OR (locktype = 'advisory' AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint IN ({", ".join(map(str, LOCKS))})))
        GROUP BY pid
    ) l LEFT JOIN pg_stat_activity a USING (pid)
    WHERE NOT EXISTS (SELECT FROM pg_locks w WHERE w.pid = l.pid AND NOT w.granted)
    ORDER BY l.writes DESC, a.xact_start NULLS LAST LIMIT 1
""")


def engine(database: str | sa.URL | Ask, effects: Effects = REAL) -> sa.Engine:
    """A pool of sessions; each says which process it is of. Who gives libpq's parameters is asked at each connect."""
    ask = database if callable(database) else None
    url = sa.make_url("postgresql://" if callable(database) else database)
    # a transaction begins with a message of its own (`_begun`), so the driver is to send none before it
    pool = sa.create_engine(
        url.set(drivername="postgresql+psycopg"), pool_size=4, pool_recycle=300, isolation_level="AUTOCOMMIT"
    )

    @sa.event.listens_for(pool, "do_connect")
    def asked(_: Any, __: Any, ___: Any, given: dict[str, Any]) -> None:
        if ask is not None:
            given.update(ask())
        known = {**PATIENCE, "fallback_application_name": f"trueup-ledger {effects.pid()} {effects.host()}"[:63]}
        given.update({name: text for name, text in known.items() if name not in given}, client_encoding=ENCODING)

    return pool


def _idle_seconds(at_least: float) -> float:
    """How long a transaction may be idle: half of a lease, so that what a stopped process has begun is over before another
    run may take its lease."""
    return max(at_least, presumed_seconds() / 2)


@contextmanager
def transaction(engine: sa.Engine, at_least: float | None = None) -> Iterator[sa.Connection]:
    """A transaction, which may be idle for half of a lease, and for `at_least` so many seconds; it waits for a lock for half
    as long again, and so outlasts another that is idle. Raises `StoreUnavailableError` or `StoreRejectedError`."""
    idle = _idle_seconds(_SHORTEST if at_least is None else at_least)
    with _translating(engine, idle), _begun(engine, _BEGIN.format(idle=idle * 1000, lock=idle * 1500)) as connection:
        yield connection  # what raises closes it, which rolls back
        connection.commit()


def _begun(engine: sa.Engine, begin: str) -> sa.Connection:
    """A session in a transaction. One that was kept may have been lost since, with all others that were: then over a new one."""
    try:
        return _begin_over(engine.connect(), begin)
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return _begin_over(engine.connect(), begin)


def _begin_over(connection: sa.Connection, begin: str) -> sa.Connection:
    try:
        connection.exec_driver_sql(begin)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def asking(
    engine: sa.Engine, query: Callable[[], sa.Select[int]], effects: Effects = REAL
) -> Iterator[Callable[[], int]]:
    """What has the number counted anew at each call, from any thread, by what is committed then; it waits for a lock as
    `transaction` does and raises the same. Its session is kept until the block ends."""
    question = _Question(engine, query, effects)
    try:
        yield question
    finally:
        question.end()


class _Question:
    def __init__(self, engine: sa.Engine, query: Callable[[], sa.Select[int]], effects: Effects) -> None:
        self._engine, self._query, self._clock = engine, query, effects.monotonic
        self._alone = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._idle, self._lock = _idle_seconds(_SHORTEST), effects.lock()
        self._session: sa.Connection | None = None
        self._text, self._since, self._ended = "", 0.0, False

    def __call__(self) -> int:
        with self._lock, _translating(self._engine, self._idle):
            if self._session is not None and self._clock() - self._since > _KEPT_SECONDS:
                self._give_back(self._session)
            try:
                return self._answer(self._session or self._taken())
            except sa.exc.DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            return self._answer(self._taken())  # it was lost since it was last used, perhaps long ago: over another one

    def _taken(self) -> sa.Connection:
        if self._ended:
            raise StoreUnavailableError("the right to write was asked for after its step had ended")
        self._session, self._since = self._alone.connect(), self._clock()
        if not self._text:  # the first connection says how text is to be quoted
            query = self._query().compile(dialect=self._engine.dialect, compile_kwargs={"literal_binds": True})
            self._text = _QUESTION.format(lock=self._idle * 1500, query=query)
        return self._session

    def _answer(self, session: sa.Connection) -> int:
        try:
            result: Any = session.exec_driver_sql(self._text)
            result.cursor.nextset()
            (count,) = result.cursor.fetchone()
            result.close()
            return int(count)
        except BaseException:  # an answer that is not taken must not become that of the next question
            session.invalidate()
            self._give_back(session)
            raise

    def _give_back(self, session: sa.Connection) -> None:
        self._session = None
        session.close()

    def end(self) -> None:
        with self._lock:
            self._ended = True
            if self._session is not None:
                self._give_back(self._session)


@contextmanager
def _translating(engine: sa.Engine, idle: float) -> Iterator[None]:
    try:
        yield
    except sa.exc.TimeoutError as error:  # of the pool
        raise StoreUnavailableError(f"{_CONNECTION} has no free session: {error}; try again") from None
    except sa.exc.DBAPIError as error:
        raise _translated(engine, error, idle) from None


def _translated(engine: sa.Engine, error: sa.exc.DBAPIError, idle: float) -> TrueupError | sa.exc.DBAPIError:
    state = getattr(error.orig, "sqlstate", None)
    if state == _LOCKED:
        return StoreUnavailableError(
            f"{_CONNECTION} is locked: {idle * 1.5:g} s were waited for a lock. {_who(engine)} What is written stays, try again"
        )
    if state in _STOOD_STILL:
        return StoreUnavailableError(
            f"{_CONNECTION} ended a transaction of this process, which was idle in it for more than {idle:g} s "
            "and kept others waiting (it was stopped, or the machine suspended). None of it is kept; what is "
            "written stays, try again"
        )
    if state is None and is_refusal(str(error.orig)):
        return StoreRejectedError(f"{_CONNECTION} does not let this process in: {error.orig}; check the connection")
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) or error.connection_invalidated:
        return StoreUnavailableError(
            f"{_CONNECTION} did not answer: {error.orig}; what is written stays written, try again"
        )
    if isinstance(error, sa.exc.ProgrammingError):
        return StoreRejectedError(
            f"{_CONNECTION} refused a statement: {error.orig}; "
            "its schema is made at the preflight of a run: has one run against this database, and may its user create tables?"
        )
    return error


def _who(engine: sa.Engine) -> str:
    """Who keeps a lock of the ledger, and what to do."""
    try:
        with engine.connect() as connection:
            holder = connection.execute(_KEEPS).first()
    except sa.exc.SQLAlchemyError as error:
        return f"Who keeps it is not known: {str(error).splitlines()[0]}."
    if holder is None:
        return "Whoever held it is gone by now."
    pid, role, application, host, state, seconds = holder
    at = f", from {host}" if host else ""
    since = "" if seconds is None else f", its transaction open for {seconds} s"
    return (
        f"The session with process id {pid} (role {role}, application {application!r}{at}, {state}{since}) keeps locks in it: "
        f"let that go on or end, or end the session (SELECT pg_terminate_backend({pid}))."
    )
