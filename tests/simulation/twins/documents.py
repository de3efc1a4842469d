"""The document twin: the engine's own DynamoDB store, over a DynamoDB in memory.

Its effects are its requests, by their operation: `Scan`, `BatchGetItem`, `PutItem`, `UpdateItem`, `DeleteItem`,
`BatchExecuteStatement` (25 rows to be added), `TransactWriteItems`, `DescribeTable`, `CreateTable`, …
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
from botocore.exceptions import ReadTimeoutError

from include.trueup.declare.migration import Table
from include.trueup.errors import StoreUnavailableError
from include.trueup.stores import Fence
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.stores.dynamodb.wire import MIN_ATTEMPTS, Wire
from include.trueup.stores.dynamodb.writes import Writer
from include.trueup.stores.effects import REAL, Effects

from .document_items import Item, RefusedRequestError, inserted
from .document_server import DocumentServer
from .hook import (
    Doing,
    Effect,
    HalfError,
    HiddenError,
    Hook,
    LaterError,
    LieError,
    StaleError,
    ThrottledError,
    UnprocessedError,
    ending,
    nothing,
)

CONNECTIONS = 10
"""Requests under way at once, as boto3 has them."""


class MemoryWire(Wire):
    """The wire to a `DocumentServer`: what is sent is answered here."""

    def __init__(self, server: DocumentServer, effects: Effects, hook: Hook, name: str) -> None:
        self.effects = effects
        self.attempts, self.connections = MIN_ATTEMPTS, CONNECTIONS
        self.endpoint = f"127.0.0.1:{server.port}/us-east-1"
        self._server, self._hook, self._name = server, hook, name
        self._lock = effects.lock()

    def _send(self, operation: str, body: bytes) -> tuple[int, bytes, str | None]:
        """Status, body and no checksum of the answer to one request. What the hook says is lost is so as the network loses it:
        the store tries again."""
        request: dict[str, Any] = orjson.loads(body)
        target, keys = rows_of(request)
        doing = Doing(hook=self._hook, effect=Effect(kind=operation, place=self._name, target=target, keys=keys))
        try:
            lie = doing.before()
            if isinstance(lie, LaterError):
                lie.later(lambda: self._answer(operation, request, None))
                raise StoreUnavailableError("it is on its way")
            answer = self._answer(operation, request, lie)
            doing.after()
            if isinstance(lie, HalfError):
                raise StoreUnavailableError("half of it was done")
        except StoreUnavailableError as error:
            raise ReadTimeoutError(endpoint_url=f"{self._name} ({operation} {target}): {error}") from error
        return answer

    def _answer(self, operation: str, request: dict[str, Any], lie: LieError | None) -> tuple[int, bytes, None]:
        if isinstance(lie, ThrottledError):
            return 400, RefusedRequestError(f"{lie.code}Exception", "The level of throughput was exceeded").body, None
        first = lie.done if isinstance(lie, UnprocessedError | HalfError) else None
        try:
            with self._lock:
                answer = self._server.answer(operation, request, first=first, stale=isinstance(lie, StaleError))
                return 200, orjson.dumps(without(answer, lie.keys) if isinstance(lie, HiddenError) else answer), None
        except RefusedRequestError as refused:
            return 400, refused.body, None


def rows_of(request: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The table of a request, and the keys of its rows where they stand in it."""
    if "RequestItems" in request:
        ((name, asked),) = request["RequestItems"].items()
        return name, tuple(map(_key, asked["Keys"]))
    if "TransactItems" in request:
        actions = [next(iter(action.values())) for action in request["TransactItems"]]
        keys = tuple(_key(action["Key"]) if "Key" in action else "" for action in actions)
        return " and ".join(dict.fromkeys(action["TableName"] for action in actions)), keys
    if statements := request.get("Statements", request.get("TransactStatements")):
        return inserted(statements[0])[0], ()
    return request.get("TableName", ""), (_key(request["Key"]),) if "Key" in request else ()


def _key(key: dict[str, dict[str, str]]) -> str:
    parts = [next(iter(value.values())) for value in key.values()]
    return parts[0] if len(parts) == 1 else orjson.dumps(parts).decode()


def without(answer: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    """An answer without the items of which one value is among the keys."""

    def shown(items: list[Item]) -> list[Item]:
        return [i for i in items if keys.isdisjoint(str(next(iter(value.values()))) for value in i.values())]

    if "Items" in answer:
        return {**answer, "Items": shown(answer["Items"])}
    return {**answer, "Responses": {name: shown(items) for name, items in answer["Responses"].items()}}


class DocumentTwin(DynamoDBStore):
    """The `Store` of a DynamoDB in memory. `name` is its place in effects."""

    def __init__(
        self,
        server: DocumentServer | None = None,
        *,
        name: str = "store",
        hook: Hook = nothing,
        effects: Effects = REAL,
    ) -> None:
        self.documents = server or DocumentServer()
        self._hook, self._name = hook, name
        self._wire = MemoryWire(self.documents, effects, hook, name)
        self._writer = Writer(self._wire, connections=CONNECTIONS)

    def end_older(self, fence: Fence) -> bool:
        """Nothing can be ended; it is told all the same."""
        telling = Doing(hook=self._hook, effect=ending(self._name, fence))
        telling.before()
        telling.after()
        return super().end_older(fence)

    def read(self, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        """Every row of a segment; all of it at once, when it is asked for: DuckDB takes the batches in threads of its own."""
        return iter([*super().read(table, segment, segments)])
