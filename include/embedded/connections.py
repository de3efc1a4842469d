"""Which connections a migration needs, and the embedded stores for those that the environment does not give.

The end of a connection's id says what it leads to: `<name>_dynamodb` or `<name>_postgres`. Embedded, every Postgres
connection has a database of its own, `<name>`, in the one server; the DynamoDB ones share an engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from ..project import load_migration, migration_ids
from ..trueup.declare.names import one_of
from ..trueup.errors import OptionsError
from .servers import Servers
from .settings import connection_variable, dynamodb_connection, postgres_connection

LEDGER = "trueup_ledger"
EMBEDDED = "TRUEUP_EMBEDDED"
"""Environment variable that names the connections which lead to embedded stores: a run whose source is not there says then
how to fill it."""
_DYNAMODB, _POSTGRES = "_dynamodb", "_postgres"
_KIND = re.compile(
    r"(?P<stem>.+?)_?(?:(?P<postgres>pg|psql|pgsql|postgres\w*|postgers\w*|postgress\w*)|ddb|dynamo\w*|dynmo\w*)"
)
"""What people call a kind of store by, at the end of an id."""
_NOBODYS = {"postgres", "airflow", "trueup"}
"""Databases of the embedded PostgreSQL that no connection of a migration leads to."""
_VARIABLE = connection_variable("")


def needed(dag_id: str) -> frozenset[str]:
    """The connections that runs of that DAG use: the ledger, and those that its migration declares."""
    # a DAG that belongs to a migration (`<id>_rollback`, `<id>_shadow`) has the migration's id before its own name
    own = max((id for id in migration_ids() if f"{dag_id}_".startswith(f"{id}_")), key=len, default=None)
    if own is None:
        return frozenset({LEDGER})
    return frozenset({LEDGER, *load_migration(own).connections})


def not_given(conn_ids: Iterable[str], given: Mapping[str, str]) -> frozenset[str]:
    """Those of the connections that the environment does not give."""
    return frozenset(conn_id for conn_id in conn_ids if not given.get(connection_variable(conn_id)))


def needs_dynamodb(conn_ids: Iterable[str]) -> bool:
    """Whether an embedded DynamoDB engine is needed to have all those connections embedded."""
    return any(conn_id.endswith(_DYNAMODB) for conn_id in conn_ids)


def needs_postgres(conn_ids: Iterable[str]) -> bool:
    """Whether the embedded PostgreSQL is needed to have all those connections embedded."""
    return any(conn_id == LEDGER or conn_id.endswith(_POSTGRES) for conn_id in conn_ids)


def check_known(conn_ids: Iterable[str], given: Mapping[str, str]) -> None:
    """Raise `OptionsError` for the first connection that neither the environment gives nor an embedded store stands for."""
    for conn_id in sorted(conn_ids):
        if (fault := unknown(conn_id, given)) is not None:
            raise OptionsError(fault)


def unknown(conn_id: str, given: Mapping[str, str]) -> str | None:
    """In words, why a connection leads nowhere, and what to do; None where it leads somewhere."""
    if conn_id == LEDGER or conn_id.endswith((_DYNAMODB, _POSTGRES)) or not not_given([conn_id], given):
        return None
    variable = connection_variable(conn_id)
    return (
        f"connection {conn_id!r} leads nowhere: {variable} is not set, and the id of an embedded store ends in {_POSTGRES} or "
        f"{_DYNAMODB}; {like(conn_id, given)} For a store of your own set {variable}, such as to "
        "postgresql://user:password@host:5432/database (docs/connections.md)"
    )


def like(conn_id: str, given: Mapping[str, str]) -> str:
    """What may have been meant by a connection's id, as a question."""
    if match := _KIND.fullmatch(conn_id.lower()):
        meant = [match["stem"].rstrip("_") + (_POSTGRES if match["postgres"] else _DYNAMODB)]
    else:
        known = [name.removeprefix(_VARIABLE).lower() for name in given if name.startswith(_VARIABLE)]
        meant = get_close_matches(conn_id, known, 1, 0.7) or [conn_id + _POSTGRES, conn_id + _DYNAMODB]
    return f"did you mean {' or '.join(map(repr, meant))}?"


def database_of(conn_id: str) -> str:
    """The database of the embedded PostgreSQL that the connection leads to."""
    return "trueup" if conn_id == LEDGER else conn_id.removesuffix(_POSTGRES)


def check_made(conn_id: str, servers: Servers) -> None:
    """Raise `OptionsError` for a connection to be read whose embedded database nobody has made yet; a command that writes makes it."""
    if servers.postgres is None or not conn_id.endswith(_POSTGRES):
        return
    databases = {*servers.postgres.databases()}
    if database_of(conn_id) not in databases:
        known = sorted(name + _POSTGRES for name in databases - _NOBODYS)
        raise OptionsError(
            f"there is no embedded database of connection {conn_id!r} yet; {one_of(conn_id, known)}. A script makes it: "
            f"make psql ON={conn_id} < tables.sql"
        )


def embedded(conn_ids: Iterable[str], servers: Servers) -> dict[str, str]:
    """The environment variables that lead those connections to the embedded stores, and say that they do (`EMBEDDED`);
    databases are made if need be.

    Raises `OptionsError` for a connection that has no embedded store.
    """
    variables = {}
    for conn_id in sorted(conn_ids):
        if conn_id.endswith(_DYNAMODB) and servers.dynamodb:
            value = dynamodb_connection(servers.dynamodb)
        elif (conn_id == LEDGER or conn_id.endswith(_POSTGRES)) and servers.postgres:
            database = database_of(conn_id)
            servers.postgres.create_database(database)
            value = postgres_connection(servers.postgres.socket_dir, database)
        else:
            raise OptionsError(unknown(conn_id, {}) or f"connection {conn_id!r}: its embedded store does not run")
        variables[connection_variable(conn_id)] = value
    return {**variables, EMBEDDED: ",".join(sorted(conn_ids))}
