"""Writing to DynamoDB, each row on a condition, so that nothing is overwritten and every try may be repeated.

New rows go 25 a request as PartiQL `INSERT`s: they refuse a key that is there, at the price of a plain put (a
transaction costs twice as much). Endpoints without PartiQL, or credentials that may not use it, get one conditional
`PutItem` a row. `settle.py` has the rows that are changed and removed.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextvars import copy_context
from functools import lru_cache
from typing import TypeVar

import orjson

from ...errors import StoreUnavailableError
from ...rows.dynamodb_values import Value, canonical_value
from .. import Outcome
from ..effects import Until
from .expressions import Request
from .items import Item, Layout
from .wire import TRANSIENT_CODES, RejectedError, Wire

logger = logging.getLogger(__name__)

STATEMENTS = 25
"""INSERTs a request: AWS's limit."""
STATEMENT_CHARS = 8192
BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of a request of several INSERTs, at most: one that is larger goes in halves."""
GET_KEYS = 100
"""Keys a BatchGetItem: AWS's limit. It answers with 16 MB at most, and names the keys that it left."""
PROBE_ATTEMPTS = 3
INVALID_CODES = ("Validation", "ValidationError")
"""Codes by which a request, and a statement of one, is called invalid."""
NO_STATEMENTS = ("AccessDenied", "UnknownOperation", "UnsupportedOperation", "NotImplemented")
"""Codes by which an endpoint has no PartiQL, or credentials may not use it."""
ROW_CODES = (*INVALID_CODES, "ItemCollectionSizeLimitExceeded")
"""Codes by which a write of one row is refused for what the row is; others would be taken."""

Job = TypeVar("Job")
Result = TypeVar("Result")

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Writer:
    """Conditional writes over one `Wire`. Safe to use from several threads at once."""

    def __init__(self, wire: Wire, connections: int) -> None:
        self.wire = wire
        self._pool = wire.effects.workers(connections, "trueup-dynamodb")
        self._statements_work: dict[str, bool] = {}
        self._probe = wire.effects.lock()

    def fetch(self, layout: Layout, keys: Iterable[Item], outcome: Outcome | None = None) -> list[Item]:
        """The items with these keys, consistently read, as DynamoDB returns them, in any order."""
        table = layout.table.name
        distinct = list({orjson.dumps(key): key for key in keys}.values())
        fetched: list[Item] = []
        for start in range(0, len(distinct), GET_KEYS):
            wanted = distinct[start : start + GET_KEYS]
            backoff = self.wire.backoff()
            while wanted:
                request = {"RequestItems": {table: {"Keys": wanted, "ConsistentRead": True}}}
                answer = self.wire.call("BatchGetItem", table, orjson.dumps(request), outcome)
                items = answer["Responses"].get(table, [])
                fetched += items
                wanted = (answer.get("UnprocessedKeys") or {}).get(table, {}).get("Keys", [])
                if wanted:
                    if items:
                        backoff.progress()
                    if outcome is not None:
                        outcome.retries += 1
                    backoff.pause("BatchGetItem", table, f"{len(wanted)} keys left unprocessed")
        return fetched

    def fetch_there(self, layout: Layout, keys: Iterable[Item], outcome: Outcome | None = None) -> list[Item]:
        """The same of items that should be there: one that is not in the answer is asked for once more before it is believed to
        be gone, as what is left alone for that is taken for others' work from then on."""
        every = {key_bytes(layout, key): key for key in keys}
        fetched = self.fetch(layout, every.values(), outcome)
        missing = every.keys() - {key_bytes(layout, item) for item in fetched}
        return fetched + (self.fetch(layout, [every[key] for key in sorted(missing)], outcome) if missing else [])

    def insert(self, layout: Layout, items: list[Item], outcome: Outcome) -> tuple[list[int], dict[int, str]]:
        """Put items whose keys must not be there yet. Returns the positions of those whose keys are there, and by
        position what DynamoDB says of those that it refuses."""
        table = layout.table.name
        present: list[int] = []
        single: list[int] = []
        batched: list[int] = []
        first, works = self._find_out(layout, items, outcome)
        for position in range(len(items)):
            if position not in first:
                (batched if works and statement(table, tuple(items[position])) else single).append(position)
        for start in range(0, len(batched), STATEMENTS):
            self._insert_statements(layout, items, batched[start : start + STATEMENTS], outcome, present, single)
        put = self.each(single, outcome, lambda position, counted: self._put(layout, items[position], counted))
        answers = {**first, **dict(zip(single, put, strict=True))}
        refused = {position: str(answer) for position, answer in answers.items() if isinstance(answer, RejectedError)}
        return present + [position for position, answer in answers.items() if answer is False], refused

    def _find_out(
        self, layout: Layout, items: list[Item], outcome: Outcome
    ) -> tuple[dict[int, bool | RejectedError], bool]:
        """Whether INSERT serves on this table; where it is not known yet, the first item is put to find out."""
        table = layout.table.name
        with self._probe:
            if table not in self._statements_work:
                candidate = next((n for n, item in enumerate(items) if statement(table, tuple(item))), None)
                if candidate is not None:
                    done = self._put(layout, items[candidate], outcome)
                    if not isinstance(done, RejectedError):
                        self._try_statement(layout, items[candidate])
                    return {candidate: done}, self._statements_work.get(table, False)
            return {}, self._statements_work.get(table, False)

    def _put(self, layout: Layout, item: Item, outcome: Outcome) -> bool | RejectedError:
        """Put one item unless its key is there; False if it is, the error if DynamoDB refuses the item."""
        request = {
            "TableName": layout.table.name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#k)",
            "ExpressionAttributeNames": {"#k": layout.table.key[0]},
        }
        return self.conditional("PutItem", layout, request, outcome)

    def conditional(self, operation: str, layout: Layout, request: Request, outcome: Outcome) -> bool | RejectedError:
        """Send a conditional write; False if its condition did not hold, the error if DynamoDB refused this one row."""
        try:
            self.wire.call(operation, layout.table.name, orjson.dumps(request), outcome)
            return True
        except RejectedError as error:
            if error.code == "ConditionalCheckFailed":
                return False
            written = request.get("Item") or request["Key"]
            key = {name: written.get(name) for name in layout.table.key}
            of_row = RejectedError(error.code, f"{error} (the row with key {key})")
            if error.code in ROW_CODES:
                return of_row
            raise of_row from error

    def _try_statement(self, layout: Layout, item: Item) -> None:
        """Find out and remember whether INSERT refuses a key that is there; the item's key is.

        It is asked in a transaction with an update of a row that does not exist, so that nothing is written, whatever the
        engine makes of the INSERT and whoever deletes the row meanwhile. What passes (throttling) says nothing.
        """
        table = layout.table.name
        nobody = [_another(value, self.wire.effects.secret()) for value in layout.key(item).values()]
        where = " AND ".join(f'"{name}" = ?' for name in layout.table.key)
        body = orjson.dumps(
            {
                "TransactStatements": [
                    {"Statement": statement(table, tuple(item)), "Parameters": list(item.values())},
                    {
                        "Statement": f'UPDATE "{table}" SET "trueup" = ? WHERE {where} AND "trueup" = ?',
                        "Parameters": [{"S": "x"}, *nobody, {"S": "x"}],
                    },
                ]
            }
        )
        try:
            self.wire.call("ExecuteTransaction", table, body, attempts=PROBE_ATTEMPTS)
            why = "an update of a row that does not exist went well"
        except StoreUnavailableError:
            return
        except RejectedError as error:
            if error.reasons[:1] in (("DuplicateItem",), ("ConditionalCheckFailed",)):
                self._statements_work[table] = True
                return
            if any(reason in TRANSIENT_CODES for reason in error.reasons):
                return
            if error.reasons and not self.fetch(layout, [layout.key(item)]):
                return  # somebody has deleted the row meanwhile: the next one tells
            why = str(error)
        self._do_without(table, why)

    def _do_without(self, table: str, message: str) -> None:
        """Put the rows of this table one by one from now on."""
        self._statements_work[table] = False
        logger.info("rows of table %r are put one by one: PartiQL's INSERT does not serve: %s", table, message)

    def _insert_statements(
        self,
        layout: Layout,
        items: list[Item],
        batch: list[int],
        outcome: Outcome,
        present: list[int],
        single: list[int],
    ) -> None:
        """Insert up to 25 items in one request. Positions whose keys are there go to `present`; those that INSERT does
        not take go to `single`: a put says whether it is the row that is wrong."""
        table = layout.table.name
        backoff = self.wire.backoff()
        while batch:
            responses = self._send_statements(table, [items[position] for position in batch], outcome)
            again: list[int] = []
            reason = ""
            for position, response in zip(batch, responses, strict=True):
                code = _statement_code(response)
                if code == "DuplicateItem":
                    present.append(position)
                elif code in ROW_CODES:
                    single.append(position)
                elif code in TRANSIENT_CODES:
                    again.append(position)
                    reason = f"{code}: {response['Error'].get('Message')}"
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
                backoff.pause("BatchExecuteStatement", table, f"{len(again)} rows left unwritten, {reason}")
            batch = again

    def _send_statements(self, table: str, items: list[Item], outcome: Outcome) -> list[Request]:
        """The answer to the INSERT of each item; when the request is invalid as a whole, each is."""
        statements = [{"Statement": statement(table, tuple(item)), "Parameters": list(item.values())} for item in items]
        body = orjson.dumps({"Statements": statements})
        if len(body) > BATCH_BYTES and len(items) > 1:
            half = len(items) // 2
            return [
                *self._send_statements(table, items[:half], outcome),
                *self._send_statements(table, items[half:], outcome),
            ]
        try:
            answer = self.wire.call("BatchExecuteStatement", table, body, outcome)
            responses: list[Request] = answer["Responses"]
            return responses
        except RejectedError as error:
            if error.code not in INVALID_CODES:
                if error.code not in NO_STATEMENTS:
                    raise
                self._do_without(table, str(error))
            return [{"Error": {"Code": INVALID_CODES[0], "Message": str(error)}} for _ in items]

    def each(self, jobs: list[Job], outcome: Outcome, write: Callable[[Job, Outcome], Result]) -> list[Result]:
        """The results of `write` on each job, several at once. When one raises, the others are over before it does."""
        counts = [Outcome() for _ in jobs]
        futures = [
            self._pool.submit(copy_context().run, write, job, counted)
            for job, counted in zip(jobs, counts, strict=True)
        ]
        _, unfinished = self._pool.wait(futures, Until.FAILED)
        for future in unfinished:
            future.cancel()
        self._pool.wait(unfinished, Until.ALL)
        outcome.retries += sum(counted.retries for counted in counts)
        return [future.result() for future in sorted(futures, key=Future.cancelled)]


def key_bytes(layout: Layout, item: Item) -> bytes:
    """An item's key in canonical form, to find the item by."""
    return orjson.dumps([canonical_value(item[name]) for name in layout.table.key])


def _another(value: Value, secret: str) -> Value:
    """A key value of the same type that no row has: nobody guesses it."""
    ((tag, _),) = value.items()
    drawn = bytes.fromhex(secret)
    number = str(int.from_bytes(drawn[:15]))  # a number has 38 digits
    content = {"S": secret, "N": number, "B": base64.b64encode(drawn).decode()}[tag]
    return {tag: content}


@lru_cache(maxsize=10_000)
def statement(table: str, names: tuple[str, ...]) -> str | None:
    """The INSERT of an item with these attributes, or None where one cannot be written for sure."""
    if not all(map(_PLAIN_NAME.fullmatch, names)):
        return None  # engines differ in how they read quotes and the like in a name
    text = f"""INSERT INTO "{table}" VALUE {{{", ".join(f"'{name}': ?" for name in names)}}}"""
    return text if len(text) <= STATEMENT_CHARS else None


def _statement_code(response: Request) -> str | None:
    """The error code of one statement of a batch (without a final `Exception`), None if it went well."""
    error = response.get("Error")
    return None if error is None else str(error.get("Code")).removesuffix("Exception")
