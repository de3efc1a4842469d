"""Rows of several tables in one transaction: a `TransactWriteItems` a unit, several at once.

What is there is read first; the transaction is conditional on it. One that is cancelled because a condition did not
hold is decided by reading again, so that a transaction whose answer was lost counts as what it did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ...errors import StoreRejectedError
from .. import ELSEWHERE, Outcome
from .expressions import ASSIGNMENTS, differing, write_request
from .items import Item, Layout, canonical_item
from .wire import TRANSIENT_CODES, RejectedError
from .writes import SETTLE_TRIES, Writer, key_bytes

ACTIONS = 100
"""Rows a transaction: AWS's limit."""


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a unit: `share` and `position` say which of those given it is; `before` is None where none may exist,
    `after` where it is to be deleted; `item` is the row that it is or will be."""

    share: int
    position: int
    layout: Layout
    before: Item | None
    after: Item | None
    item: Item

    @property
    def key(self) -> tuple[str, bytes]:
        """Table and key."""
        return self.layout.table.name, key_bytes(self.layout, self.item)


Left = dict[int, tuple[str, Item | None]]
"""By position, why a row was left alone, and what was found."""


def settle_together(writer: Writer, units: Iterable[Sequence[Row]], shares: int, outcome: Outcome) -> list[Left]:
    """Write each unit whole or not at all; what was left alone, by share.

    Raises `StoreRejectedError` for a unit that is too large for a transaction."""
    left: list[Left] = [{} for _ in range(shares)]
    pending = list(units)
    _check_size(pending)
    for tries in range(SETTLE_TRIES):
        found = _fetch(writer, pending, outcome)
        ready: list[tuple[Sequence[Row], list[dict[str, Any]]]] = []
        for unit in pending:
            wrong = {row: said for row in unit if (said := _wrong(row, found.get(row.key))) is not None}
            if wrong:
                _leave(left, unit, wrong, found)
                continue
            actions = [_action(row, found.get(row.key), by_leaf=tries > 0) for row in unit]
            if any("ConditionCheck" not in action for action in actions):
                ready.append((unit, actions))
        done = writer.each(ready, outcome, lambda job, counted: _transact(writer, *job, counted))
        pending = [unit for (unit, _), written in zip(ready, done, strict=True) if not written]
        if not pending:
            break
    for unit in pending:
        _leave(left, unit, dict.fromkeys(unit, "it keeps changing"), found)
    return left


def _check_size(units: Iterable[Sequence[Row]]) -> None:
    for unit in units:
        if len(unit) > ACTIONS:
            first = unit[0]
            raise StoreRejectedError(
                f"{len(unit)} rows of table {first.layout.table.name!r} and others are to be in one transaction, "
                f"one of them {first.layout.key(first.item)}; DynamoDB takes {ACTIONS}. Mend the transform."
            )


def _leave(
    left: list[Left], unit: Sequence[Row], said: Mapping[Row, str], found: Mapping[tuple[str, bytes], Item]
) -> None:
    """Note that a unit is left alone, and what is there."""
    for row in unit:
        now = found.get(row.key)
        left[row.share][row.position] = said.get(row, ELSEWHERE), None if now is None else canonical_item(now)


def _fetch(writer: Writer, units: Iterable[Sequence[Row]], outcome: Outcome) -> dict[tuple[str, bytes], Item]:
    wanted: dict[str, list[Row]] = defaultdict(list)
    for unit in units:
        for row in unit:
            wanted[row.layout.table.name].append(row)
    found = {}
    for table, rows in wanted.items():
        layout = rows[0].layout
        for item in writer.fetch(layout, (layout.key(row.item) for row in rows), outcome):
            found[table, key_bytes(layout, item)] = item
    return found


def _wrong(row: Row, raw: Item | None) -> str | None:
    """Why the row may not be written, if it may not."""
    now = None if raw is None else canonical_item(raw)
    if now == row.after:
        return None
    if row.before is None:
        return None if now is None else "a row with this key is there, with other content"
    if now is None:  # and it was to be changed
        return "it is gone"
    if now != row.before:
        return "it has changed since it was planned"
    if row.after is not None and len(differing(row.before, row.after)) > ASSIGNMENTS:
        return f"more than {ASSIGNMENTS} attributes differ, too many for one update"
    return None


def _action(row: Row, raw: Item | None, by_leaf: bool) -> dict[str, Any]:
    """The transaction's action for a row that may be written, or that holds its new content already."""
    table = row.layout.table
    if raw is None:
        absent = {
            "TableName": table.name,
            "ConditionExpression": "attribute_not_exists(#k)",
            "ExpressionAttributeNames": {"#k": table.key[0]},
        }
        if row.after is None:
            return {"ConditionCheck": {**absent, "Key": row.layout.key(row.item)}}
        return {"Put": {**absent, "Item": row.after}}
    now = canonical_item(raw)
    if now == row.after:  # it has to stay so while the others are written
        return {"ConditionCheck": write_request(table, raw, now, None, by_leaf)[1]}
    operation, request = write_request(table, raw, now, row.after, by_leaf)
    return {operation.removesuffix("Item"): request}


def _transact(writer: Writer, unit: Sequence[Row], actions: list[dict[str, Any]], outcome: Outcome) -> bool:
    """Send the transaction, again while others are in its way; False if a condition did not hold."""
    tables = " and ".join(dict.fromkeys(row.layout.table.name for row in unit))
    body = orjson.dumps({"TransactItems": actions})
    backoff = writer.wire.backoff()
    while True:
        try:
            writer.wire.call("TransactWriteItems", tables, body, outcome)
            return True
        except RejectedError as error:
            if error.code != "TransactionCanceled":
                raise
            if "ConditionalCheckFailed" in error.reasons:
                return False
            if not any(reason in TRANSIENT_CODES for reason in error.reasons):
                raise
            outcome.retries += 1
            backoff.pause("TransactWriteItems", tables, f"cancelled: {', '.join(error.reasons)}")
