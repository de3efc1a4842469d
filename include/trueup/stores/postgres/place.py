"""Where a database is, by its server's own word and not by how its address is spelled."""

from __future__ import annotations

import ipaddress
import logging

import psycopg

from ..location import Location
from .failures import translated
from .session import Address

log = logging.getLogger(__name__)
_SERVER = """
    SELECT current_database(), host(inet_server_addr()), inet_server_port(),
        CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END
"""
_CLUSTER = "SELECT system_identifier::text FROM pg_control_system()"


def database_of(address: Address) -> str:
    """`postgres://<system identifier>/<database>`: the same by whatever host name, port, socket or pooler it is reached.
    Where the role may not ask for the identifier, the address as it is spelled is in its place."""
    try:
        with psycopg.connect(address.conninfo(), autocommit=True) as connection:
            row = connection.execute(f"SELECT current_database(), ({_CLUSTER})").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        log.warning(
            "%s: the role may not execute pg_control_system(), so the database is known by its address", address.place
        )
        return f"postgres://{address.place}"
    except psycopg.Error as error:
        raise translated(error, place=address.place, doing="ask the server which one it is") from error
    assert row is not None  # a SELECT without FROM gives one row
    return f"postgres://{row[1]}/{row[0]}"


def located(address: Address, identity: str) -> Location:
    """Where the database of that identity is: the server's own address, or, through a socket, the socket's folder."""
    query = "SELECT host(inet_server_addr()), inet_server_port(), current_database()"
    try:
        with psycopg.connect(address.conninfo(), autocommit=True) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.Error as error:
        raise translated(error, place=address.place, doing="ask the server which one it is") from error
    assert row is not None  # a SELECT without FROM gives one row
    host, port, database = row
    at = f"{host}:{port}" if host else address.place.rpartition("/")[0]
    return Location(identity=identity, address=at, database=database)


def server_of(address: Address) -> str:
    """Which server answers now: its timeline, which a standby that took over has another of, and its address, unless it is
    of this machine: copies of one cluster have one system identifier."""
    try:
        with psycopg.connect(address.conninfo(), autocommit=True) as connection:
            row = connection.execute(_SERVER).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        log.warning("%s: which server answers is not known: %s", address.place, error.diag.message_primary)
        return "server unknown"
    except psycopg.Error as error:
        raise translated(error, place=address.place, doing="ask the server which one it is") from error
    assert row is not None  # a SELECT without FROM gives one row
    _, host, port, timeline = row
    here = host is None or ipaddress.ip_address(host).is_loopback
    return f"timeline {timeline or 'of a standby'}, {'this machine' if here else f'{host}:{port}'}"
