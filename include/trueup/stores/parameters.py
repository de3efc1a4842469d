"""What libpq is told to reach a PostgreSQL database.

It is asked for at each connect and kept nowhere: a password may be changed at any time, and a token of a cloud lasts
minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import JsonValue

from ..errors import StoreRejectedError

Parameters = Mapping[str, str]
"""libpq's keywords (host, port, dbname, user, password, sslmode, service, …) and their values; no nulls."""
Ask = Callable[[], Parameters]
"""Gives the parameters as they are now. May raise `StoreUnavailableError` and `StoreRejectedError`."""

ENCODING = "UTF8"
"""The `client_encoding` of every connection, whatever was asked for: rows are to be carried whole."""
# A server that is gone without an error is noticed in a minute, not after the two hours of the operating system.
PATIENCE = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
"""What is told besides, where a connection does not say otherwise. In seconds, but the last."""

# libpq gives no SQLSTATE for a connection that was refused; these say that another try ends the same way. Not "SSL": a
# connection that breaks says "SSL connection has been closed unexpectedly".
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|is not permitted to log in"
    r"|(role|database) \".*\" does not exist|permission denied for database|certificate|support SSL|alert|invalid .*(option|value)"
    r"|definition of service .* not found|service file"
)


def asking(database: str | Ask) -> Ask:
    """What to ask for the parameters: itself, or, of a libpq URI or conninfo, what gives those that are in it. Raises
    `StoreRejectedError` for text that is neither."""
    if not isinstance(database, str):
        return database
    try:
        given = parameters(conninfo_to_dict(database))
    except psycopg.ProgrammingError:  # its message repeats parts of what was given, perhaps the password
        raise StoreRejectedError(
            "the PostgreSQL connection is neither a libpq URI (postgresql://…) nor a conninfo string. Correct it."
        ) from None
    return lambda: given


def parameters(given: Mapping[str, JsonValue]) -> dict[str, str]:
    """The same as text, without what is empty, which would hide what a service or the environment says. Raises
    `StoreRejectedError` for a keyword that libpq does not know."""
    texts = {name: str(value) for name, value in given.items() if value is not None and value != ""}
    if unknown := sorted(texts.keys() - _keywords()):
        raise StoreRejectedError(
            f"{', '.join(unknown)}: no parameter of a PostgreSQL connection has this name "
            "(https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS). Correct it, or take it out."
        )
    return texts


def named(ask: Ask, name: str) -> Ask:
    """Another database of the same server, reached in the same way."""
    return lambda: {**ask(), "dbname": name}


def conninfo(given: Parameters) -> str:
    """The parameters as one text, as libpq takes it."""
    return make_conninfo(**given)


def place_of(given: Parameters) -> str:
    """host:port/database, or the service's name where that says it; for messages. Without user and password."""
    if "service" in given and not given.get("host"):
        return f"service {given['service']}" + (f"/{given['dbname']}" if given.get("dbname") else "")
    known = {**_defaults(), **given}
    host = known.get("host") or known.get("hostaddr") or "localhost"
    return f"{host}:{known.get('port') or '5432'}/{known.get('dbname') or known.get('user') or ''}"


def secrets(given: Parameters) -> dict[str, str]:
    """Those of them that nobody may see, as libpq says itself: the password, the passphrase of a key, …"""
    hidden = {one.keyword.decode() for one in pq.Conninfo.get_defaults() if b"*" in one.dispchar} | _KEYS
    return {name: text for name, text in given.items() if name in hidden}


_KEYS = {"scram_client_key", "scram_server_key", "oauth_client_secret"}


def is_refusal(message: str) -> bool:
    """Whether what libpq said of a connection that was not made means that another try ends the same way."""
    return _REFUSED.search(message) is not None


def _keywords() -> set[str]:
    return {one.keyword.decode() for one in pq.Conninfo.get_defaults()}


def _defaults() -> dict[str, str]:
    """Of the environment (PGHOST, …) and of libpq."""
    return {one.keyword.decode(): one.val.decode() for one in pq.Conninfo.get_defaults() if one.val is not None}
