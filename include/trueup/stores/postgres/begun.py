"""A connection in a transaction that has begun: a new one, or one that an earlier call of the same part of a step has kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import adbc_driver_manager as adbc

from .. import keeping

if TYPE_CHECKING:
    from .session import Address

LONGEST_KEPT = 30.0
"""Seconds after which a session is used for no other transaction: by then another server may have taken over."""
_CLEAN = "DISCARD ALL"
"""Leaves nothing of what triggers and functions of the database have set: settings, temporary tables, locks of the session."""


@contextmanager
def begun(address: Address, begin: str) -> Iterator[adbc.AdbcConnection]:
    """The connection, once the server has done `begin`. It is kept, if that is asked for (`keeping`) and no error ends the block;
    else it is closed. Raises the driver's own errors."""
    keeper, of, now = keeping.keeper(), (address, address.effects.pid()), address.effects.monotonic()
    kept = keeper and _again(keeper.take(of, now - LONGEST_KEPT), begin)
    held = kept or _opened(address, begin, now)
    with held.until as until:
        yield held.thing
        left = keeping.Kept(held.thing, held.since, until.pop_all())
    if keeper:
        keeper.give(of, left)
    else:
        left.until.close()


def _opened(address: Address, begin: str, now: float) -> keeping.Kept:
    with ExitStack() as until:
        connection = until.enter_context(adbc.AdbcConnection(until.enter_context(address.database())))
        _execute(connection, begin)
        return keeping.Kept(connection, now, until.pop_all())


def _again(kept: keeping.Kept | None, begin: str) -> keeping.Kept | None:
    """One that was kept, in its next transaction; None where it was lost since: nothing was done in it."""
    if kept is None:
        return None
    with suppress(adbc.Error, OSError), kept.until as until:
        _execute(kept.thing, _CLEAN)
        _execute(kept.thing, begin)
        return keeping.Kept(kept.thing, kept.since, until.pop_all())
    return None


def _execute(connection: adbc.AdbcConnection, statement: str) -> None:
    with adbc.AdbcStatement(connection) as running:
        running.set_sql_query(statement)
        running.execute_update()
