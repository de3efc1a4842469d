"""The engine's stores and its ledger on real servers, which tell of their effects as the twins do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import psycopg
import pyarrow as pa
from botocore.exceptions import ReadTimeoutError

from include.trueup.declare.migration import Table
from include.trueup.errors import StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.stores import Advanced, Catalogue, Description, Fence, Outcome, Share, present_fence
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.stores.dynamodb.wire import Wire
from include.trueup.stores.dynamodb.writes import Writer
from include.trueup.stores.postgres import PostgresStore
from include.trueup.stores.postgres.session import Address, Session

from ..twins import Effect, HiddenError
from ..twins.documents import rows_of
from ..twins.hook import Doing, ending
from ..twins.relational import without
from .machine import Machine

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")
WRITES = ("add", "change", "remove", "together", "create", "script", "advance")
LOCK_SECONDS = 0.05
"""How long a statement waits for a lock before it gives up what it did, and begins again when others had their turn."""
LOCK_WAIT, LOCK_TIMEOUT = 0.5, 5.0
"""When it is looked again whether a row is free, and for how long: seconds of the schedule."""
_present = threading.local()
"""What the store of this thread does now: until it is told (`doing`), and until it is committed (`writing`); and which rows the
answer leaves out (`hidden`), by their keys."""


class ToldLedger(Ledger):
    """The ledger. Its effects are `transaction`, told before it begins, and after it is committed."""

    def __init__(self, uri: str, machine: Machine) -> None:
        super().__init__(uri, machine.effects())
        self._doing = Doing(hook=machine.hook, effect=Effect(kind="transaction", place="ledger", target=""))
        self._ensured = True

    @contextmanager
    def _begin(self) -> Iterator[Any]:
        self._doing.before()
        writing, _present.writing = getattr(_present, "writing", None), None  # it is not this commit that a store tells
        with super()._begin() as connection:
            yield connection
        _present.writing = writing
        self._doing.after()

    @contextmanager
    def _asking(self, query: Any) -> Iterator[Any]:
        with super()._asking(query) as ask:

            def told() -> int:
                self._doing.before()
                answer = ask()
                self._doing.after()
                return answer

            yield told


class ToldAddress(Address):
    """Each try of what the store says that it does is an effect. Nobody waits in the server for a lock, where no schedule could
    have others go on: who would have to, gives back what it did and begins again, as in the twin."""

    def insist(self, work: Callable[[], T]) -> tuple[T, int]:
        doing: Doing | None = getattr(_present, "doing", None)
        _present.doing = None

        def once() -> T:
            assert doing is not None
            lie = doing.before()
            found = self._when_free(work, doing)
            _present.hidden = lie.keys if isinstance(lie, HiddenError) else frozenset()
            doing.after()
            return found

        return super().insist(work if doing is None else once)

    def _when_free(self, work: Callable[[], T], doing: Doing) -> T:
        machine, begun, writes = _machines[-1], self.effects.monotonic(), doing.effect.kind in WRITES
        while True:
            fence = present_fence()
            _present.writing = doing if writes else None
            try:
                with machine.open_for((600.0 if fence is None else max(10.0, fence.lasts / 2)) if writes else None):
                    return work()
            except StoreUnavailableError as error:
                if "55P03" not in str(error) or self.effects.monotonic() - begun >= LOCK_TIMEOUT:
                    raise
            finally:
                _present.writing = None
            self.effects.sleep(LOCK_WAIT)


_machines: list[Machine] = []


def _tell_commit() -> None:
    """A transaction has done everything, and keeps its locks."""
    doing: Doing | None = getattr(_present, "writing", None)
    if doing is not None:
        _present.writing = None
        _machines[-1].tell_commit(doing.effect)


def tell_commits(machine: Machine) -> None:
    """From now on the store tells before it commits what it wrote."""
    _machines.append(machine)
    execute, commit = Session.execute, psycopg.Connection.commit

    def told_execute(self: Session, statement: Any) -> int:
        if statement == "COMMIT":
            _tell_commit()
        return execute(self, statement)

    def told_commit(self: psycopg.Connection) -> None:
        if self.cursor_factory is psycopg.RawCursor:  # of scripts; others look something up, before the store begins
            _tell_commit()
        commit(self)

    for kind, name, told in ((Session, "execute", told_execute), (psycopg.Connection, "commit", told_commit)):
        setattr(kind, name, told)


class ToldPostgres(PostgresStore):
    """The store of PostgreSQL. `name` is its place in effects."""

    def __init__(self, uri: str, machine: Machine, name: str) -> None:
        effects = machine.effects()
        super().__init__(uri, effects=effects)
        self._address = ToldAddress.of(uri, lock_timeout=LOCK_SECONDS, patience=60.0, effects=effects)
        self._hook, self._name = machine.hook, name

    @contextmanager
    def _told(self, kind: str, target: str = "", numbers: tuple[tuple[int, int], ...] = ()) -> Iterator[None]:
        effect = Effect(kind=kind, place=self._name, target=target, numbers=numbers)
        _present.doing = Doing(hook=self._hook, effect=effect) if kind else None
        try:
            yield
        finally:
            _present.doing = None

    def end_older(self, fence: Fence) -> bool:
        _present.doing = Doing(hook=self._hook, effect=ending(self._name, fence))
        try:
            return super().end_older(fence)
        finally:
            _present.doing = None

    @contextmanager
    def reading(self) -> Iterator[PostgresStore]:
        with self._told("" if self._snapshot else "snapshot"):
            held = super().reading()
            store = held.__enter__()
        try:
            yield store
        finally:
            held.__exit__(None, None, None)

    def tables(self) -> list[str]:
        with self._told("tables"):
            return super().tables()

    def describe(self, table: Table) -> Description | None:
        with self._told("describe", table.name):
            return super().describe(table)

    def catalogue(self, name: str) -> Catalogue | None:
        with self._told("catalogue", name):
            return super().catalogue(name)

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """All of it at once: DuckDB takes the batches in threads of its own."""
        with self._told("read", table.name):
            batches = [*super().read(table, segment, segments)]
            if not _present.hidden or not batches:
                return iter(batches)
            return iter(without(table, pa.Table.from_batches(batches), _present.hidden).to_batches())

    def get(self, table: Table, keys: pa.Table) -> pa.Table:
        with self._told("get", table.name):
            return without(table, super().get(table, keys), _present.hidden)

    def stuck(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> dict[str, str]:
        with self._told("stuck", table.name):
            return super().stuck(table, rows, cascade_to=cascade_to)

    def add(self, table: Table, rows: pa.Table) -> Outcome:
        with self._told("add", table.name):
            return super().add(table, rows)

    def change(self, table: Table, rows: pa.Table, before: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
        with self._told("change", table.name):
            return super().change(table, rows, before, cascade_to=cascade_to)

    def remove(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
        with self._told("remove", table.name):
            return super().remove(table, rows, cascade_to=cascade_to)

    def together(self, shares: Sequence[Share]) -> list[Outcome]:
        with self._told("together", " and ".join(dict.fromkeys(share.table.name for share in shares))):
            return super().together(shares)

    def create(self, table: Table) -> bool:
        with self._told("create", table.name):
            return super().create(table)

    def script(self, text: str) -> None:
        with self._told("script"):
            super().script(text)

    def advance(self, table: Table) -> list[Advanced]:
        with self._told("advance", table.name):
            return super().advance(table)


class ToldWire(Wire):
    """The wire to a DynamoDB: each request is an effect."""

    def __init__(self, client: DynamoDBClient, machine: Machine, name: str) -> None:
        super().__init__(client, machine.effects())
        self._hook, self._name = machine.hook, name

    def _send(self, operation: str, body: bytes) -> tuple[int, bytes, str | None]:
        target, keys = rows_of(orjson.loads(body))
        doing = Doing(hook=self._hook, effect=Effect(kind=operation, place=self._name, target=target, keys=keys))
        doing.before()
        answer = super()._send(operation, body)
        try:
            doing.after()
        except StoreUnavailableError as error:
            raise ReadTimeoutError(endpoint_url=f"{self._name} ({operation} {target}): {error}") from error
        return answer


class ToldDynamoDB(DynamoDBStore):
    """The store of DynamoDB."""

    def __init__(self, client: DynamoDBClient, machine: Machine, name: str) -> None:
        super().__init__(client, machine.effects())
        self._wire: Wire = ToldWire(client, machine, name)
        self._writer = Writer(self._wire, connections=self._wire.connections)
        self._hook, self._name = machine.hook, name

    def end_older(self, fence: Fence) -> bool:
        """Nothing can be ended; it is told all the same."""
        telling = Doing(hook=self._hook, effect=ending(self._name, fence))
        telling.before()
        telling.after()
        return super().end_older(fence)

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """All of it at once: DuckDB takes the batches in threads of its own."""
        return iter([*super().read(table, segment, segments)])
