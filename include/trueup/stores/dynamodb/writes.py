"""Writing to DynamoDB, each row on a condition, so that nothing is overwritten and every try may be repeated.

New rows go 25 a request as PartiQL `INSERT`s: they refuse a key that is there, at the price of a plain put (a
transaction costs twice as much). Endpoints without PartiQL, or credentials that may not use it, get one conditional
`PutItem` a row. Changed and removed rows are read first and then written on the condition that they are still so.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from ...errors import StoreUnavailableError
from .. import Outcome
from .expressions import ASSIGNMENTS, differing, write_request
from .items import Item, Layout, canonical_item, canonical_value
from .wire import TRANSIENT_CODES, RejectedError, Wire

logger = logging.getLogger(__name__)

STATEMENTS = 25
"""INSERTs a request: AWS's limit."""
STATEMENT_CHARS = 8192
GET_KEYS = 100
"""Keys a BatchGetItem: AWS's limit."""
PROBE_ATTEMPTS = 3
INVALID_CODES = ("Validation", "ValidationError")
"""Codes by which a request, and a statement of one, is called invalid."""
SETTLE_TRIES = 5
"""How often a row is read and tried again while somebody else keeps changing it."""

Job = TypeVar("Job")
Result = TypeVar("Result")

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Writer:
    """Conditional writes over one `Wire`. Safe to use from several threads at once."""

    def __init__(self, wire: Wire, connections: int) -> None:
        self.wire = wire
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="trueup-dynamodb")
        self._statements_work: dict[str, bool] = {}
        self._probe = threading.Lock()

    def fetch(self, layout: Layout, keys: Iterable[Item], outcome: Outcome | None = None) -> list[Item]:
        """The items with these keys, consistently read, as DynamoDB returns them, in any order."""
        table = layout.table.name
        distinct = list({orjson.dumps(key): key for key in keys}.values())
        found: list[Item] = []
        for start in range(0, len(distinct), GET_KEYS):
            wanted = distinct[start : start + GET_KEYS]
            backoff = self.wire.backoff()
            while wanted:
                request = {"RequestItems": {table: {"Keys": wanted, "ConsistentRead": True}}}
                answer = self.wire.call("BatchGetItem", table, orjson.dumps(request), outcome)
                items = answer["Responses"].get(table, [])
                found += items
                wanted = (answer.get("UnprocessedKeys") or {}).get(table, {}).get("Keys", [])
                if wanted:
                    if items:
                        backoff.progress()
                    if outcome is not None:
                        outcome.retries += 1
                    backoff.pause("BatchGetItem", table, f"{len(wanted)} keys left unprocessed")
        return found

    def insert(self, layout: Layout, items: list[Item], outcome: Outcome) -> list[int]:
        """Put items whose keys must not be there yet. Returns the positions of those whose keys are there."""
        table = layout.table.name
        rest = list(range(len(items)))
        there: list[int] = []
        with self._probe:
            candidate = next((position for position in rest if statement(table, tuple(items[position]))), None)
            if table not in self._statements_work and candidate is not None:
                rest.remove(candidate)
                if not self._put(layout, items[candidate], outcome):
                    there.append(candidate)
                self._try_statement(layout, items[candidate])
        single: list[int] = []
        batched: list[int] = []
        works = self._statements_work.get(table, False)
        for position in rest:
            (batched if works and statement(table, tuple(items[position])) else single).append(position)
        for start in range(0, len(batched), STATEMENTS):
            self._insert_statements(layout, items, batched[start : start + STATEMENTS], outcome, there, single)
        put = self.each(single, outcome, lambda position, counted: self._put(layout, items[position], counted))
        return there + [position for position, written in zip(single, put, strict=True) if not written]

    def _put(self, layout: Layout, item: Item, outcome: Outcome) -> bool:
        """Put one item unless its key is there; False if it is."""
        request = {
            "TableName": layout.table.name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#k)",
            "ExpressionAttributeNames": {"#k": layout.table.key[0]},
        }
        return self._conditional("PutItem", layout, request, outcome)

    def _conditional(self, operation: str, layout: Layout, request: dict[str, Any], outcome: Outcome) -> bool:
        """Send a conditional write; False if its condition did not hold."""
        try:
            self.wire.call(operation, layout.table.name, orjson.dumps(request), outcome)
            return True
        except RejectedError as error:
            if error.code == "ConditionalCheckFailed":
                return False
            written = request.get("Item") or request["Key"]
            key = {name: written.get(name) for name in layout.table.key}
            raise RejectedError(error.code, f"{error} (the row with key {key})") from error

    def _try_statement(self, layout: Layout, item: Item) -> None:
        """Find out and remember whether INSERT works on this table and refuses a key that is there.

        What is there under the item's key is inserted again: that does no harm even where INSERT overwrites.
        """
        table = layout.table.name
        for present in self.fetch(layout, [layout.key(item)]):
            request = {"Statement": statement(table, tuple(present)), "Parameters": list(present.values())}
            if request["Statement"] is None:
                return
            try:
                body = orjson.dumps({"Statements": [request]})
                answer = self.wire.call("BatchExecuteStatement", table, body, attempts=PROBE_ATTEMPTS)
                said = _statement_code(answer["Responses"][0])
            except (RejectedError, StoreUnavailableError) as error:
                said = str(error)
            self._statements_work[table] = said == "DuplicateItem"
            if said != "DuplicateItem":
                logger.info("rows of table %r are put one by one: PartiQL's INSERT does not serve: %s", table, said)

    def _insert_statements(
        self, layout: Layout, items: list[Item], batch: list[int], outcome: Outcome, there: list[int], single: list[int]
    ) -> None:
        """Insert up to 25 items in one request. Positions whose keys are there go to `there`; those that INSERT does
        not take go to `single`: a put says whether it is the row that is wrong."""
        table = layout.table.name
        backoff = self.wire.backoff()
        while batch:
            responses = self._send_statements(table, [items[position] for position in batch], outcome)
            again: list[int] = []
            said = ""
            for position, response in zip(batch, responses, strict=True):
                code = _statement_code(response)
                if code == "DuplicateItem":
                    there.append(position)
                elif code in INVALID_CODES:
                    single.append(position)
                elif code in TRANSIENT_CODES:
                    again.append(position)
                    said = f"{code}: {response['Error'].get('Message')}"
                elif code is not None:
                    raise RejectedError(
                        code,
                        f"DynamoDB refused to insert the row {layout.key(items[position])} into table {table!r}: "
                        f"{code}: {response['Error'].get('Message')}",
                    )
            if again:
                if len(again) < len(batch):
                    backoff.progress()
                outcome.retries += 1
                backoff.pause("BatchExecuteStatement", table, f"{len(again)} rows left unwritten, {said}")
            batch = again

    def _send_statements(self, table: str, items: list[Item], outcome: Outcome) -> list[dict[str, Any]]:
        """The answer to the INSERT of each item; when the request is invalid as a whole, each is."""
        statements = [{"Statement": statement(table, tuple(item)), "Parameters": list(item.values())} for item in items]
        try:
            answer = self.wire.call("BatchExecuteStatement", table, orjson.dumps({"Statements": statements}), outcome)
            responses: list[dict[str, Any]] = answer["Responses"]
            return responses
        except RejectedError as error:
            if error.code not in INVALID_CODES:
                raise
            return [{"Error": {"Code": error.code, "Message": str(error)}} for _ in items]

    def settle(
        self, layout: Layout, before: list[Item], after: list[Item | None], outcome: Outcome
    ) -> dict[int, tuple[str, Item | None]]:
        """Bring items from `before` to `after` (None: removed), each only if it still is as `before`.

        Returns, by position, why an item was left alone and what was found. Attributes that are the same before and
        after are not touched. The condition is made of what was just read, in the store's own notation; where it fails
        although the item reads the same again, the engine may not know equal maps, and they are compared by member.
        """
        left: dict[int, tuple[str, Item | None]] = {}
        pending = list(range(len(before)))
        for tries in range(SETTLE_TRIES):
            keys = (layout.key(before[position]) for position in pending)
            found = {key_bytes(layout, item): item for item in self.fetch(layout, keys, outcome)}
            ready: list[tuple[int, str, dict[str, Any]]] = []
            for position in pending:
                old, new = before[position], after[position]
                raw = found.get(key_bytes(layout, old))
                now = None if raw is None else canonical_item(raw)
                if now == new:
                    continue
                if raw is None or now != old:
                    left[position] = "it is gone" if raw is None else "it has changed since it was planned", now
                elif len(differing(old, new)) > ASSIGNMENTS:
                    left[position] = f"more than {ASSIGNMENTS} attributes differ, too many for one update", now
                else:
                    ready.append((position, *write_request(layout.table, raw, old, new, by_leaf=tries > 0)))
            written = self.each(
                ready, outcome, lambda write, counted: self._conditional(write[1], layout, write[2], counted)
            )
            pending = [write[0] for write, done in zip(ready, written, strict=True) if not done]
            if not pending:
                return left
        return left | {position: ("it keeps changing", before[position]) for position in pending}

    def each(self, jobs: list[Job], outcome: Outcome, write: Callable[[Job, Outcome], Result]) -> list[Result]:
        """The results of `write` on each job, several at once. When one raises, the others are over before it does."""
        counts = [Outcome() for _ in jobs]
        futures = [self._pool.submit(write, job, counted) for job, counted in zip(jobs, counts, strict=True)]
        _, unfinished = wait(futures, return_when=FIRST_EXCEPTION)
        for future in unfinished:
            future.cancel()
        wait(unfinished)
        outcome.retries += sum(counted.retries for counted in counts)
        return [future.result() for future in sorted(futures, key=Future.cancelled)]


def key_bytes(layout: Layout, item: Item) -> bytes:
    """An item's key in canonical form, to find the item by."""
    return orjson.dumps([canonical_value(item[name]) for name in layout.table.key])


@lru_cache(maxsize=10_000)
def statement(table: str, names: tuple[str, ...]) -> str | None:
    """The INSERT of an item with these attributes, or None where one cannot be written for sure."""
    if not all(map(_PLAIN_NAME.fullmatch, names)):
        return None  # engines differ in how they read quotes and the like in a name
    text = f"""INSERT INTO "{table}" VALUE {{{", ".join(f"'{name}': ?" for name in names)}}}"""
    return text if len(text) <= STATEMENT_CHARS else None


def _statement_code(response: dict[str, Any]) -> str | None:
    """The error code of one statement of a batch (without a final `Exception`), None if it went well."""
    error = response.get("Error")
    return None if error is None else str(error.get("Code")).removesuffix("Exception")
