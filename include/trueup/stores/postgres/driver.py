"""The driver that moves rows, made for one database."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ...errors import StoreRejectedError
from ..effects import REAL, Effects

_URI = "uri"
_UNQUOTED = "-c quote_all_identifiers=off"


class Drivers:
    """The drivers of one database. One holds no connection, but reads the whole catalog when it is made, which takes 30 ms
    and more; and no two threads may use one at once. So each block borrows one that no other has, and it is told anew how
    the database is reached: passwords change."""

    def __init__(self, effects: Effects = REAL) -> None:
        self._effects = effects
        self._idle: deque[tuple[int, adbc.AdbcDatabase, str]] = deque()

    @contextmanager
    def lent(self, conninfo: str, place: str) -> Iterator[adbc.AdbcDatabase]:
        """A driver for this block alone. It is kept for the next one, unless an error ends this one; the conninfo is not."""
        kept = self._kept()
        database, options = kept or driver(conninfo, place)
        if kept:
            database.set_options(**{_URI: _with(conninfo, options)})
        yield database
        database.set_options(**{_URI: ""})
        self._idle.append((self._effects.pid(), database, options))

    def _kept(self) -> tuple[adbc.AdbcDatabase, str] | None:
        with suppress(IndexError):
            while True:
                process, database, options = self._idle.pop()
                if process == self._effects.pid():  # what was made before a fork belongs to the parent
                    return database, options
        return None


def driver(conninfo: str, place: str) -> tuple[adbc.AdbcDatabase, str]:
    """The driver for the database of that conninfo, and the options that it needs besides; `place` is for messages.

    It knows types by the names of their functions, as they come unquoted. Where a role or a database has
    quote_all_identifiers on, it is set off in the options of the connection. Raises `StoreRejectedError` where that has no
    options, as behind some poolers, and the driver's own errors."""
    try:
        with psycopg.connect(conninfo) as connection:
            quoted = connection.execute("SELECT current_setting('quote_all_identifiers')::bool").fetchone()
    except psycopg.Error:  # the driver meets the same, and says so
        quoted = None
    if quoted is None or not quoted[0]:
        return adbc_driver_postgresql.connect(conninfo), ""
    try:
        return adbc_driver_postgresql.connect(_with(conninfo, _UNQUOTED)), _UNQUOTED
    except adbc.Error as error:
        raise StoreRejectedError(
            f"{place}: quote_all_identifiers is on for the role or the database, with which types are not known by their"
            " names, and the connection takes no options to set it off (a pooler, it seems). Set it off for its role: ALTER"
            " ROLE … SET quote_all_identifiers = off"
        ) from error


def _with(conninfo: str, options: str) -> str:
    if not options:
        return conninfo
    return make_conninfo(conninfo, options=f"{conninfo_to_dict(conninfo).get('options') or ''} {options}".strip())
