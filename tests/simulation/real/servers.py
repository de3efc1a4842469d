"""The servers of all histories, started once: PostgreSQL with a database for each place, a DynamoDB engine, and the proxies before
them. Between two histories they are emptied."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import psycopg
from psycopg import sql

from include.trueup.ledger import Ledger
from include.trueup.ledger.sessions import _BEGIN
from include.trueup.ledger.tables import SCHEMA, metadata
from tests.faults.proxy import Answer, Forward, Proxy, Request, ResetError
from tests.harness import fastest_engine, forgetful_server

from ..scripts import STRAIGHT
from ..twins import HalfError, LaterError
from ..twins.hook import LieError
from .held import Held
from .lying import lied
from .processes import Nursery
from .proxy import PostgresProxy
from .trying import dynamodb_client

_CLOCK = (
    "CREATE SCHEMA simulated",
    "CREATE TABLE simulated.clock (at timestamptz NOT NULL)",
    "INSERT INTO simulated.clock VALUES (to_timestamp(0))",
    "CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT at FROM simulated.clock'",
    "ALTER DATABASE ledger SET search_path = simulated, pg_catalog, public",
)
"""In the ledger's database the clock is the schedule's: its columns' defaults, and its statements."""

_BEGINS = _BEGIN.partition("{")[0].encode()
"""How a transaction of the ledger begins. The driver looks something up in another one, on its first connection."""


class Servers:
    """What is running; `database` are connections of our own, past the proxies. `lie`: how the next request of DynamoDB is answered
    falsely."""

    def __init__(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(forgetful_server())
        socket = f"{self._server.socket_dir}/.s.PGSQL.5432"
        self.held = Held()
        self.lie: LieError | None = None
        self._kept: list[Request] = []
        self.killed = self.stopped = self._cut_requests = 0
        self._proxies = {
            name: stack.enter_context(PostgresProxy(socket, partial(self.held.passes, place), begins))
            for name, place, begins in (
                ("source", "source", b""),
                ("target", "store", b""),
                ("ledger", "ledger", _BEGINS),
            )
        }
        self._engine = stack.enter_context(fastest_engine())
        self.documents = stack.enter_context(Proxy(self._engine.endpoint, self._hold))
        self.client = dynamodb_client(self._engine.endpoint)
        self.nursery = stack.enter_context(Nursery())
        self._admin = stack.enter_context(psycopg.connect(self._server.uri(), autocommit=True))
        for name in ("source", "target", "ledger"):
            self._admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self.database = {
            name: stack.enter_context(psycopg.connect(self._server.uri(name), autocommit=True))
            for name in ("source", "target", "ledger")
        }
        for statement in _CLOCK:
            self.database["ledger"].execute(statement.encode())
        made = Ledger(self._server.uri("ledger"))
        made.upgrade()
        made.close()

    def direct_uri(self, database: str) -> str:
        """A database, past its proxy."""
        return self._server.uri(database)

    def uri(self, database: str, known: str) -> str:
        """A database by its proxy, for sessions that are known by this name."""
        return self._proxies[database].uri(database, known)

    def cut(self, place: str, known: str) -> None:
        """From now on a place does not answer the process that is known by this name, the only one that goes on. A transaction
        that is open keeps its connection, as a snapshot that is held does; sessions that are kept for the next one do not."""
        proxy = self._proxies["target" if place == "store" else place]
        proxy.out = True
        proxy.cut(known, idle=place != "ledger")
        if place == "store":
            self.documents.rule = self._cut

    def mend(self) -> None:
        """Every place answers again."""
        for proxy in self._proxies.values():
            proxy.out = False
        self.documents.rule, self.lie = self._hold, None

    @property
    def counted(self) -> dict[str, int]:
        """How many processes were killed and stopped, answers held and lost, connections refused, and requests cut off."""
        refused = sum(proxy.refused for proxy in self._proxies.values())
        held = {"held": self.held.held, "lost": self.held.lost}
        return {
            "killed": self.killed,
            "stopped": self.stopped,
            **held,
            "refused": refused,
            "cut off": self._cut_requests,
        }

    def _cut(self, request: Request, _: Forward) -> Answer:
        self._cut_requests += 1
        raise ResetError

    def _hold(self, request: Request, forward: Forward) -> Answer:
        lie, self.lie = self.lie, None
        if isinstance(lie, LaterError):
            self._kept.append(request)
            raise ResetError
        answer = lied(lie, request, forward)
        if not self.held.passes("store") or isinstance(lie, HalfError):
            raise ResetError
        return answer

    def send_kept(self) -> None:
        """A request that was long under way arrives."""
        self.documents.forward(self._kept.pop(0))

    def end_sessions(self, known: str, *databases: str) -> None:
        """End the sessions in these databases (none: in all) that are known by this name, and wait until they are gone."""
        ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = %s AND datname = ANY(%s)"
        self._admin.execute(ended, [known, [*(databases or self.database)]])

    def empty(self) -> None:
        """As at the beginning: no table, no session but our own, and an empty ledger."""
        self.mend()
        self._kept.clear()
        ours = [self._admin.info.backend_pid, *(each.info.backend_pid for each in self.database.values())]
        others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> ALL(%s)"
        self._admin.execute(others, [ours])
        for name in ("source", "target"):
            self.database[name].execute("DROP TABLE IF EXISTS people, persons, labels, orders CASCADE")
        self._admin.execute(f"ALTER DATABASE target RESET {STRAIGHT}".encode())
        tables = ", ".join(f"{SCHEMA}.{table.name}" for table in metadata.sorted_tables)
        self.database["ledger"].execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE".encode())
        for table in self.client.list_tables()["TableNames"]:
            self.client.update_table(TableName=table, DeletionProtectionEnabled=False)
            self.client.delete_table(TableName=table)


@contextmanager
def servers() -> Iterator[Servers]:
    """Start them; they end with the block, and the block where this process is to end."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with ExitStack() as stack:
            yield Servers(stack)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)
