"""Rows of several tables in one transaction.

All units of a batch go in one; only where that meets a conflict or a refusal is it taken back, and then the units go in
halves, down to those that cannot be written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import adbc_driver_manager as adbc
import pyarrow as pa
import pyarrow.compute as pc

from .. import ELSEWHERE, REFUSED_ELSEWHERE, Conflict, Refused, Share
from . import reading
from .failures import refusal
from .halving import CHECK
from .looking import keys_of
from .session import Address, Session, session
from .set_off import Watching
from .writing import Left, add_in, change_in, remove_in


class _TakenBackError(Exception):
    """Ends a transaction without committing it."""


def write(address: Address, shares: Sequence[Share]) -> list[Left]:
    """Write each unit whole or not at all; the rows left alone or refused, by share."""
    left = [Left() for _ in shares]
    pending = [sorted({unit for share in shares for unit in share.units})]
    while pending:
        units = pending.pop()
        own = [_of_units(share, units) for share in shares]
        failed = _attempt(address, own)
        if not any(failed):
            continue
        if len(units) > 1:
            middle = len(units) // 2
            pending += [units[middle:], units[:middle]]
            continue
        refused = any(each.refused for each in failed)
        for whole, share, wrong in zip(left, own, failed, strict=True):
            _add_every(address, share, wrong, whole, refused=refused)
    return left


def _attempt(address: Address, shares: Sequence[Share]) -> list[Left]:
    """Write all of it in one transaction, or nothing if there is a conflict or a refusal; those."""
    left = [Left() for _ in shares]
    names = " and ".join(dict.fromkeys(share.table.name for share in shares))
    share = shares[0]
    try:
        with session(address, doing=f"write rows of {names}") as opened:
            watching = Watching(opened)
            try:
                # a later table may refer to an earlier one: its rows go before those, and come after them
                for each, share in reversed([*zip(left, shares, strict=True)]):
                    _remove(opened, share, each, watching)
                for each, share in zip(left, shares, strict=True):
                    _put(opened, share, each, watching)
                opened.execute(CHECK)
            except adbc.Error as error:
                if (refused := refusal(error)) is None:
                    raise
                reason, name = refused
                keys = keys_of(share.table, share.rows)
                left[[*shares].index(share)].refused += [Refused(key=k, reason=reason, constraint=name) for k in keys]
            if any(left):
                raise _TakenBackError
            watching.tell()
    except _TakenBackError:
        pass
    return left


def _remove(opened: Session, share: Share, left: Left, watching: Watching) -> None:
    if any(share.gone):
        removed = share.before.filter(pa.array(share.gone, pa.bool_()))
        left += remove_in(opened, share.table, removed, watching, alone=False, cascade_to=share.cascade_to)


def _put(opened: Session, share: Share, left: Left, watching: Watching) -> None:
    gone = pa.array(share.gone, pa.bool_())
    absent = share.before[share.table.key[0]].is_null()
    new = pc.and_not(absent, gone)
    present = pc.and_not(pc.invert(absent), gone)
    if pc.any(new).as_py():
        left += add_in(opened, share.table, share.rows.filter(new), watching, alone=False)
    if pc.any(present).as_py():
        changed, before = share.rows.filter(present), share.before.filter(present)
        left += change_in(opened, share.table, changed, before, watching, alone=False, cascade_to=share.cascade_to)


def _of_units(share: Share, units: Sequence[int]) -> Share:
    wanted = {*units}
    mine = pa.array([number in wanted for number in share.units], pa.bool_())
    own = tuple(number for number in share.units if number in wanted)
    gone = tuple(each for each, number in zip(share.gone, share.units, strict=True) if number in wanted)
    return replace(share, rows=share.rows.filter(mine), before=share.before.filter(mine), units=own, gone=gone)


def _add_every(address: Address, share: Share, wrong: Left, whole: Left, *, refused: bool) -> None:
    """Add each row of a unit that was taken back to `whole`: those that it failed by, and the others."""
    outcome: dict[str, Conflict | Refused] = {each.key: each for each in wrong.conflicts}
    outcome |= {each.key: each for each in wrong.refused}
    present = reading.by_keys(address, share.table, share.rows.select(list(share.table.key)), None)
    shown = pa.table(
        {
            n: reading.instant_texts(c) if pa.types.is_temporal(c.type) else c
            for n, c in zip(present.column_names, present.columns, strict=True)
        }
    )
    others = {
        key: json.dumps({name: value for name, value in row.items() if value is not None}, default=str)
        for key, row in zip(keys_of(share.table, present), shown.to_pylist(), strict=True)
    }
    for key in keys_of(share.table, share.rows):
        one = outcome.get(key)
        if one is None and refused:
            one = Refused(key=key, reason=REFUSED_ELSEWHERE)
        if isinstance(one, Refused):
            whole.refused.append(one)
        else:
            whole.conflicts.append(one or Conflict(key=key, reason=ELSEWHERE, found=others.get(key)))
