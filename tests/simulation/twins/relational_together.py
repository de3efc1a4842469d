"""Rows of several tables in one transaction of the relational twin, as `stores/postgres/together.py` has it: all units of a
batch go in one; where that meets a conflict or a refusal they go in halves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from include.trueup.declare.migration import Table
from include.trueup.stores import ELSEWHERE, REFUSED_ELSEWHERE, Conflict, Refused, Share
from include.trueup.stores.postgres.together import _of_units

from .relational_writing import Batch, Left
from .rows import key_texts, plain
from .tables import RowRefusedError
from .transactions import Transaction

Work = Callable[[Transaction], tuple[list[Left], list[Batch]]]
Send = Callable[[Work, Sequence[str]], tuple[list[Left], int]]
Get = Callable[[Table, pa.Table], pa.Table]


@dataclass
class _TakenBackError(Exception):
    """Ends a transaction without committing it."""

    left: list[Left]


def write_together(shares: Sequence[Share], send: Send, get: Get) -> tuple[list[Left], int]:
    """Write each unit whole or not at all; the rows left alone or refused, by share, and how often it was tried again."""
    left, retries = [Left() for _ in shares], 0
    pending = [sorted({unit for share in shares for unit in share.units})]
    while pending:
        units = pending.pop()
        own = [_of_units(share, units) for share in shares]
        try:
            retries += send(_attempt(own), [key for share in own for key in key_texts(share.table, share.rows)])[1]
            continue
        except _TakenBackError as taken_back:
            found = taken_back.left
        if len(units) > 1:
            middle = len(units) // 2
            pending += [units[middle:], units[:middle]]
            continue
        refused = any(each.refused for each in found)
        for whole, share, wrong in zip(left, own, found, strict=True):
            _add_every(share, wrong, whole, get, refused=refused)
    return left, retries


def _attempt(shares: Sequence[Share]) -> Work:
    def work(transaction: Transaction) -> tuple[list[Left], list[Batch]]:
        left = [Left() for _ in shares]
        batches = [Batch(transaction, share.table, alone=False) for share in shares]
        every = [*zip(batches, shares, left, strict=True)]
        for write, some in ((_remove, reversed(every)), (_put, every)):
            for batch, share, each in some:
                try:
                    write(batch, share, each)
                except RowRefusedError as error:
                    keys = key_texts(share.table, share.rows)
                    each.refused += [Refused(key=k, reason=error.reason, constraint=error.constraint) for k in keys]
                    raise _TakenBackError(left) from None
        if any(left):
            raise _TakenBackError(left)
        return left, batches

    return work


def _remove(batch: Batch, share: Share, left: Left) -> None:
    if any(share.gone):
        left += batch.remove(share.before.filter(pa.array(share.gone, pa.bool_())), share.cascade_to)


def _put(batch: Batch, share: Share, left: Left) -> None:
    gone = pa.array(share.gone, pa.bool_())
    absent = share.before[share.table.key[0]].is_null()
    new, present = pc.and_not(absent, gone), pc.and_not(pc.invert(absent), gone)
    if pc.any(new).as_py():
        left += batch.add(share.rows.filter(new))
    if pc.any(present).as_py():
        left += batch.change(share.rows.filter(present), share.before.filter(present))


def _add_every(share: Share, wrong: Left, whole: Left, get: Get, *, refused: bool) -> None:
    """Add each row of a unit that was taken back to `whole`: those that it failed by, and the others."""
    outcome: dict[str, Conflict | Refused] = {each.key: each for each in wrong.conflicts}
    outcome |= {each.key: each for each in wrong.refused}
    present = get(share.table, share.rows.select(list(share.table.key)))
    rows = zip(key_texts(share.table, present), plain(share.table, present), strict=True)
    found = {key: json.dumps({n: v for n, v in row.items() if v is not None}, default=str) for key, row in rows}
    for key in key_texts(share.table, share.rows):
        one = outcome.get(key)
        if one is None and refused:
            one = Refused(key=key, reason=REFUSED_ELSEWHERE)
        if isinstance(one, Refused):
            whole.refused.append(one)
        else:
            whole.conflicts.append(one or Conflict(key=key, reason=ELSEWHERE, found=found.get(key)))
