"""Ending what an older lease, or an older try, has begun to write."""

from __future__ import annotations

import logging

import psycopg
from psycopg import sql

from ...errors import TargetHeldError
from .. import Fence
from .failures import translated
from .locks import numbers
from .session import Address

log = logging.getLogger(__name__)
SECONDS = 10.0
"""How long a session may take to end."""
_DOING = "end sessions of an older lease"


def end_older(address: Address, fence: Fence) -> None:
    """End every session of this database that writes by an older lease on one of the fence's targets, or by an older try of
    its part, and wait until all are gone. Raises `TargetHeldError`, with the session's process id, for one that may not be
    ended, or does not end."""
    older = sql.SQL(" OR ").join(
        sql.SQL("(classid = {} AND objid <> {})").format(of, number) for of, number in numbers(fence)
    )
    query = sql.SQL(
        "SELECT DISTINCT l.pid, a.usename::text FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.pid <> pg_backend_pid() "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND ({})"
    ).format(older)

    def end() -> None:
        begun = address.effects.monotonic()
        try:
            with psycopg.connect(address.conninfo(), autocommit=True) as connection:
                while sessions := connection.execute(query).fetchall():
                    for pid, user in sessions:
                        _end(connection, address, pid, user)
                    if address.effects.monotonic() - begun > SECONDS:
                        pid, user = sessions[0]
                        raise _refused(address, pid, user, f"did not end within {SECONDS:g} s")
                    address.effects.sleep(0.02)
        except psycopg.Error as error:
            raise translated(error, place=address.place, doing=_DOING) from error

    address.insist(end)


def _end(connection: psycopg.Connection, address: Address, pid: int, user: str | None) -> None:
    try:
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refused(address, pid, user, f"may not be ended by this role: {error.diag.message_primary}") from error
    log.warning("ended the session %s of %s, which was writing by an older lease", pid, user)


def _refused(address: Address, pid: int, user: str | None, why: str) -> TargetHeldError:
    return TargetHeldError(
        f"{address.place}: the session with process id {pid} (role {user}) still writes by an older lease and {why}. Nothing "
        "is written: end it (SELECT pg_terminate_backend), or wait until it has ended, then clear the task or trigger again"
    )
