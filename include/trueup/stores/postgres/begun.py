"""A connection in a transaction that has begun: a new one, or one that an earlier call of the same part of a step has kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import adbc_driver_manager as adbc

from .. import keeping

if TYPE_CHECKING:
    from .session import Address

_Connected = tuple[adbc.AdbcConnection, ExitStack]


@contextmanager
def begun(address: Address, begin: str) -> Iterator[adbc.AdbcConnection]:
    """The connection, once the server has done `begin`. It is kept, if that is asked for (`keeping`) and no error ends the block;
    else it is closed. Raises the driver's own errors."""
    keeper, of = keeping.keeper(), (address, address.effects.pid())
    connection, until = (keeper and _again(keeper.take(of), begin)) or _opened(address, begin)
    with until:
        yield connection
        left = until.pop_all()
    if keeper:
        keeper.give(of, connection, left)
    else:
        left.close()


def _opened(address: Address, begin: str) -> _Connected:
    with ExitStack() as until:
        connection = until.enter_context(adbc.AdbcConnection(until.enter_context(address.database())))
        _execute(connection, begin)
        return connection, until.pop_all()


def _again(kept: _Connected | None, begin: str) -> _Connected | None:
    """One that was kept, in its next transaction; None where it was lost since: nothing was done in it."""
    if kept is None:
        return None
    connection, until = kept
    with suppress(adbc.Error, OSError), until:
        _execute(connection, begin)
        return connection, until.pop_all()
    return None


def _execute(connection: adbc.AdbcConnection, statement: str) -> None:
    with adbc.AdbcStatement(connection) as running:
        running.set_sql_query(statement)
        running.execute_update()
