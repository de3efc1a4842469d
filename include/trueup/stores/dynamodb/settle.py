"""Rows that are changed and removed: read first, then written on the condition that they are still so.

What a change makes of a row is decided attribute by attribute: one that holds its new value already is done. So a
change that one update has no room for goes on where it stopped, after a kill too, and a change whose answer was lost
counts as made though somebody has changed another attribute since; the read-back tells of that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import Outcome
from .expressions import Request, differing, removal, update
from .items import Item, Layout, canonical_item, without_nulls
from .wire import RejectedError
from .writes import Writer, key_bytes

SETTLE_TRIES = 5
"""How often a row is read and tried again while somebody else keeps changing it."""
CHANGED = "it has changed since it was planned"
GONE = "it is gone"
TOO_WIDE = (
    "it has more attributes than one condition can compare, so removing it could lose a change that somebody made"
)
TOO_DEEP = "one of its values has more members than one condition can compare, and the engine cannot compare it whole"


@dataclass(kw_only=True)
class Left:
    """What was not written of the rows given, by position: `conflicts` with the reason and what was found; `refused`
    with what DynamoDB said of the row."""

    conflicts: dict[int, tuple[str, Item | None]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class _Row:
    """A row that is not as it should be yet. `before` and `after` (None: removed) are without the attributes that are
    NULL, `written` is `after` with them; `failures`: how often its condition did not hold."""

    position: int
    before: Item
    after: Item | None
    written: Item
    failures: int = 0


@dataclass(kw_only=True, slots=True)
class _Write:
    row: _Row
    operation: str
    request: Request
    last: bool
    """Whether the row is as it should be afterwards."""


def settle(
    writer: Writer, layout: Layout, before: Sequence[Item], after: Sequence[Item | None], outcome: Outcome
) -> Left:
    """Bring items from `before` to `after` (None: removed), each only if it still is as `before`.

    Attributes that are the same before and after are not touched; NULL and missing are the same, and what is brought to
    NULL is written as NULL. The condition is made of what was just read, in the
    store's own notation; where it fails although the item reads the same again, the engine may not know equal maps, and
    they are compared by member.
    """
    left = Left()
    pending = [
        _Row(position=n, before=old, after=None if new is None else without_nulls(new), written=new or {})
        for n, (old, new) in enumerate(zip(before, after, strict=True))
    ]
    while pending:
        keys = (layout.key(row.before) for row in pending)
        current = {key_bytes(layout, item): item for item in writer.fetch_there(layout, keys, outcome)}
        ready: list[_Write] = []
        for row in pending:
            following = _next(layout, row, current.get(key_bytes(layout, row.before)))
            if isinstance(following, _Write):
                ready.append(following)
            elif following is not None:
                left.conflicts[row.position] = following
        pending = []
        answers = writer.each(ready, outcome, lambda write, counted: _send(writer, layout, write, counted))
        for write, written in zip(ready, answers, strict=True):
            if isinstance(written, RejectedError):
                left.refused[write.row.position] = str(written)
            elif not written:
                write.row.failures += 1
                if write.row.failures < SETTLE_TRIES:
                    pending.append(write.row)
                else:
                    left.conflicts[write.row.position] = "it keeps changing", write.row.before
            elif not write.last:
                pending.append(write.row)
    return left


def _send(writer: Writer, layout: Layout, write: _Write, outcome: Outcome) -> bool | RejectedError:
    return writer.conditional(write.operation, layout, write.request, outcome)


def _next(layout: Layout, row: _Row, raw: Item | None) -> _Write | tuple[str, Item | None] | None:
    """What is to be written next of a row that is there as `raw`; why it is left alone, and what was found; or None where
    it is as it should be."""
    now = None if raw is None else canonical_item(raw)
    if now == row.after:
        return None
    if raw is None or now is None:
        return GONE, None
    by_leaf, table = row.failures > 0, layout.table
    if row.after is None:
        if now != row.before:
            return CHANGED, now
        request = removal(table, raw, by_leaf)
        if request is None:
            return TOO_WIDE, now
        return _Write(row=row, operation="DeleteItem", request=request, last=True)
    changed = differing(row.before, row.after)
    rest = [name for name in changed if now.get(name) != row.after.get(name)]
    if changed and not rest:
        return None
    if now != row.before and not _begun(layout, row, now, changed):
        return CHANGED, now
    fitting = update(table, raw, rest, row.written, by_leaf)
    if fitting is None:
        return TOO_DEEP, now
    request, fits = fitting
    return _Write(row=row, operation="UpdateItem", request=request, last=fits == len(rest))


def _begun(layout: Layout, row: _Row, now: Item, changed: Sequence[str]) -> bool:
    """Whether the row is as an update of several requests leaves it between them: each attribute as before, or new."""
    whole: Item = row.after or {}
    begun = update(layout.table, row.before, changed, whole, by_leaf=row.failures > 0)
    if begun is None or begun[1] == len(changed):
        return False
    own = {name: whole.get(name) if now.get(name) == whole.get(name) else row.before.get(name) for name in changed}
    expected = {**row.before, **own}
    return now == {name: value for name, value in expected.items() if value is not None}
