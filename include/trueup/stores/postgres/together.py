"""Rows of several tables in one transaction.

All units of a batch go in one; only where that meets a conflict is it taken back, and then each unit has its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from .. import ELSEWHERE, Conflict, Share
from . import reading
from .session import Address, session
from .writing import add_in, change_in, keys_of, remove_in


class _TakenBackError(Exception):
    """Ends a transaction without committing it."""


def write(address: Address, shares: Sequence[Share]) -> list[list[Conflict]]:
    """Write each unit whole or not at all; the rows left alone, by share."""
    left = _attempt(address, shares)
    if not any(left):
        return left
    left = [[] for _ in shares]
    for unit in sorted({unit for share in shares for unit in share.units}):
        own = [_of_unit(share, unit) for share in shares]
        found = _attempt(address, own)
        if any(found):
            for whole, share, wrong in zip(left, own, found, strict=True):
                whole += _every(address, share, wrong)
    return left


def _attempt(address: Address, shares: Sequence[Share]) -> list[list[Conflict]]:
    """Write all of it in one transaction, or nothing if there is a conflict; the conflicts."""
    left: list[list[Conflict]] = []
    names = " and ".join(dict.fromkeys(share.table.name for share in shares))
    try:
        with session(address, doing=f"write rows of {names}") as opened:
            for share in shares:
                gone = pa.array(share.gone, pa.bool_())
                absent = share.before[share.table.key[0]].is_null()
                new = pc.and_not(absent, gone)
                there = pc.and_not(pc.invert(absent), gone)
                conflicts: list[Conflict] = []
                if any(share.gone):
                    conflicts += remove_in(opened, share.table, share.before.filter(gone))
                if pc.any(new).as_py():
                    conflicts += add_in(opened, share.table, share.rows.filter(new))
                if pc.any(there).as_py():
                    conflicts += change_in(opened, share.table, share.rows.filter(there), share.before.filter(there))
                left.append(conflicts)
            if any(left):
                raise _TakenBackError
    except _TakenBackError:
        pass
    return left


def _of_unit(share: Share, unit: int) -> Share:
    mine = pa.array([number == unit for number in share.units])
    rows, before = share.rows.filter(mine), share.before.filter(mine)
    gone = tuple(each for each, number in zip(share.gone, share.units, strict=True) if number == unit)
    return Share(table=share.table, rows=rows, before=before, units=(unit,) * rows.num_rows, gone=gone)


def _every(address: Address, share: Share, wrong: Sequence[Conflict]) -> list[Conflict]:
    """A conflict for each row of a unit that was taken back: those that it failed by, and the others."""
    said = {conflict.key: conflict for conflict in wrong}
    there = reading.by_keys(address, share.table, share.rows.select(list(share.table.key)), None)
    shown = pa.table(
        {
            n: reading.instant_texts(c) if pa.types.is_temporal(c.type) else c
            for n, c in zip(there.column_names, there.columns, strict=True)
        }
    )
    found = {
        key: json.dumps({name: value for name, value in row.items() if value is not None}, default=str)
        for key, row in zip(keys_of(share.table, there), shown.to_pylist(), strict=True)
    }
    return [
        said.get(key) or Conflict(key=key, reason=ELSEWHERE, found=found.get(key))
        for key in keys_of(share.table, share.rows)
    ]
