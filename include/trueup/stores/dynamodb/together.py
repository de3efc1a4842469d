"""Rows of several tables in one transaction: a `TransactWriteItems` a unit, several at once.

What is there is read first; the transaction is conditional on it. One that is cancelled because a condition did not
hold is decided by reading again, so that a transaction whose answer was lost counts as what it did. A transaction has
one action a row: a change that one update has no room for is left alone, with its unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from ...errors import StoreRejectedError
from .. import ELSEWHERE, REFUSED_ELSEWHERE, Outcome
from .expressions import Request, differing, removal, unchanged, update
from .items import Item, Layout, canonical_item
from .settle import CHANGED, GONE, SETTLE_TRIES, TOO_WIDE, Left
from .wire import TRANSIENT_CODES, RejectedError
from .writes import ROW_CODES, Writer, key_bytes

ACTIONS = 100
"""Rows a transaction: AWS's limit."""
TOO_WIDE_FOR_ONE = "more of its attributes change than one update can hold, and a transaction has one update a row"


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a unit: `share` and `position` say which of those given it is; `before` is None where none may exist,
    `after` where it is to be deleted; both are without the attributes that are NULL; `item` is the row that it is or
    will be, with them."""

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


def settle_together(writer: Writer, units: Iterable[Sequence[Row]], shares: int, outcome: Outcome) -> list[Left]:
    """Write each unit whole or not at all; what was left alone, by share.

    Raises `StoreRejectedError` for a unit that is too large for a transaction."""
    left = [Left() for _ in range(shares)]
    pending = list(units)
    _check_size(pending)
    for tries in range(SETTLE_TRIES):
        current = _fetch(writer, pending, outcome)
        ready: list[tuple[Sequence[Row], list[Request]]] = []
        for unit in pending:
            action_of = {row: _action(row, current.get(row.key), by_leaf=tries > 0) for row in unit}
            wrong = {row: action for row, action in action_of.items() if isinstance(action, str)}
            actions = [action for action in action_of.values() if not isinstance(action, str)]
            if wrong:
                _leave(left, unit, wrong, current)
            elif any("ConditionCheck" not in action for action in actions):
                ready.append((unit, actions))
        done = writer.each(ready, outcome, lambda job, counted: _transact(writer, *job, counted))
        pending = []
        for (unit, _), written in zip(ready, done, strict=True):
            if isinstance(written, RejectedError):
                _refuse(left, unit, written)
            elif not written:
                pending.append(unit)
        if not pending:
            break
    for unit in pending:
        _leave(left, unit, dict.fromkeys(unit, "it keeps changing"), current)
    return left


def _check_size(units: Iterable[Sequence[Row]]) -> None:
    for unit in units:
        if len(unit) > ACTIONS:
            first = unit[0]
            raise StoreRejectedError(
                f"{len(unit)} rows of table {first.layout.table.name!r} and others belong in one transaction, "
                f"one of them {first.layout.key(first.item)}; DynamoDB takes {ACTIONS}. Fix the transform."
            )


def _leave(
    left: list[Left], unit: Sequence[Row], reasons: Mapping[Row, str], current: Mapping[tuple[str, bytes], Item]
) -> None:
    """Note that a unit is left alone, and what is there."""
    for row in unit:
        now = current.get(row.key)
        left[row.share].conflicts[row.position] = (
            reasons.get(row, ELSEWHERE),
            None if now is None else canonical_item(now),
        )


def _refuse(left: list[Left], unit: Sequence[Row], error: RejectedError) -> None:
    """Note that DynamoDB refused a unit: the rows that it names, or all where it names none."""
    named = [code in ROW_CODES for code in error.reasons] or [True] * len(unit)
    for row, refused in zip(unit, named, strict=True):
        left[row.share].refused[row.position] = str(error) if refused else REFUSED_ELSEWHERE


def _fetch(writer: Writer, units: Iterable[Sequence[Row]], outcome: Outcome) -> dict[tuple[str, bytes], Item]:
    wanted: dict[str, list[Row]] = defaultdict(list)
    for unit in units:
        for row in unit:
            wanted[row.layout.table.name].append(row)
    items = {}
    for table, rows in wanted.items():
        layout = rows[0].layout
        absent = [layout.key(row.item) for row in rows if row.before is None]
        known = [layout.key(row.item) for row in rows if row.before is not None]
        for item in [*writer.fetch(layout, absent, outcome), *writer.fetch_there(layout, known, outcome)]:
            items[table, key_bytes(layout, item)] = item
    return items


def _action(row: Row, raw: Item | None, by_leaf: bool) -> Request | str:
    """The transaction's action for a row that may be written, or that holds its new content already; else why it may
    not."""
    table = row.layout.table
    now = None if raw is None else canonical_item(raw)
    if raw is None or now is None:
        absent = {
            "TableName": table.name,
            "ConditionExpression": "attribute_not_exists(#k)",
            "ExpressionAttributeNames": {"#k": table.key[0]},
        }
        if row.after is None:
            return {"ConditionCheck": {**absent, "Key": row.layout.key(row.item)}}
        return GONE if row.before is not None else {"Put": {**absent, "Item": row.item}}
    if now == row.after:  # it has to stay so while the others are written
        return {"ConditionCheck": unchanged(table, raw, by_leaf)}
    if row.before is None:
        return "a row with this key is there, with other content"
    if now != row.before:
        return CHANGED
    if row.after is None:
        request = removal(table, raw, by_leaf)
        return TOO_WIDE if request is None else {"Delete": request}
    changed = differing(now, row.after)
    fitting = update(table, raw, changed, row.item, by_leaf)
    return TOO_WIDE_FOR_ONE if fitting is None or fitting[1] < len(changed) else {"Update": fitting[0]}


def _transact(writer: Writer, unit: Sequence[Row], actions: list[Request], outcome: Outcome) -> bool | RejectedError:
    """Send the transaction, again while others are in its way; False if a condition did not hold, the error if DynamoDB
    refused it for one of its rows, or for its size."""
    tables = " and ".join(dict.fromkeys(row.layout.table.name for row in unit))
    body = orjson.dumps({"TransactItems": actions})
    backoff = writer.wire.backoff()
    while True:
        try:
            writer.wire.call("TransactWriteItems", tables, body, outcome)
            return True
        except RejectedError as error:
            if error.code in ROW_CODES:
                return error
            if error.code != "TransactionCanceled":
                raise
            if "ConditionalCheckFailed" in error.reasons:
                return False
            if any(reason in ROW_CODES for reason in error.reasons):
                return error
            if not any(reason in TRANSIENT_CODES for reason in error.reasons):
                raise
            outcome.retries += 1
            backoff.pause("TransactWriteItems", tables, f"cancelled: {', '.join(error.reasons)}")
