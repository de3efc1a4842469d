"""What a database holds: its schema, object by object, and for each table how many rows, and a checksum over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ..errors import StoreRejectedError, StoreUnavailableError
from ..ledger.tables import SCHEMA as LEDGER_SCHEMA
from ..stores.parameters import ENCODING, PATIENCE, Ask, asking, is_refusal, place_of

_TRANSIENT = ("08", "25P03", "40", "53", "55P03", "57P")
IDLE_SECONDS = 600.0
"""How long a transaction may stand still that only reads, and so is in the way of nothing but other revisions."""
_SETTINGS = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 1; SET bytea_output = 'hex'"

_KEYS = sa.text(
    "SELECT '"
    " || n.nspname || "
    "."
    " || c.relname || "
    "', array_agg(a.attname::text ORDER BY a.attnum) FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indisprimary GROUP BY 1".replace(
        "::", r"\:\:"
    )
)

Database = str | Ask
"""A database: what gives libpq's parameters, asked at each connect, or a libpq URI."""
Object = tuple[str, str]
"""Kind (table, column, index, constraint, …) and name of an object."""
Schema = dict[Object, "Definition"]


@dataclass(frozen=True)
class Definition:
    """How an object is defined, and the table it belongs to (None if to none)."""

    text: str
    table: str | None


@dataclass(frozen=True)
class Rows:
    """A table's rows: how many, and for each column a checksum that is the same for the same rows in any order, and how
    many rows have a value there."""

    count: int
    checksums: dict[str, str]
    values: dict[str, int]


@contextmanager
def connected(
    database: Database,
    doing: str,
    *,
    lock_timeout: float = 5.0,
    idle: float = IDLE_SECONDS,
    autocommit: bool = False,
) -> Iterator[sa.Connection]:
    """A connection of its own to that database, closed afterwards. Statements wait `lock_timeout` seconds for a lock; a
    transaction in which nothing is done for `idle` seconds is ended by the server. Raises `StoreUnavailableError` or
    `StoreRejectedError` for errors of PostgreSQL in the block, and as `Ask` does."""
    given = asking(database)()
    level: Any = "AUTOCOMMIT" if autocommit else "READ COMMITTED"
    engine = sa.create_engine(
        "postgresql+psycopg://",
        poolclass=sa.NullPool,
        isolation_level=level,
        connect_args={**PATIENCE, **given, "client_encoding": ENCODING},
    )
    try:
        with engine.connect() as connection:
            patience = {"lock_timeout": lock_timeout, "idle_in_transaction_session_timeout": idle}
            settings = "; ".join(f"SET {name} = '{int(seconds * 1000)}ms'" for name, seconds in patience.items())
            connection.exec_driver_sql(f"{_SETTINGS}; {settings}")
            connection.commit()
            yield connection
    except sa.exc.DBAPIError as error:
        raise translated(error, place_of(given), doing) from error


def translated(error: sa.exc.DBAPIError, place: str, doing: str) -> StoreUnavailableError | StoreRejectedError:
    """The error as Trueup's own: worth another try, or not. Says neither the statement nor the connection's secrets."""
    state = getattr(error.orig, "sqlstate", None) or ""
    message = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    not_connected = not state and isinstance(error, sa.exc.OperationalError)
    if state.startswith(_TRANSIENT) or (not_connected and not is_refusal(message)):
        advice = " Another session holds a lock that it needs." if state == "55P03" else ""
        advice = (
            " This process was paused during the transaction, which kept its locks." if state == "25P03" else advice
        )
        return StoreUnavailableError(
            f"{place}: could not {doing}: {message} (SQLSTATE {state or 'none'}).{advice} None of it is kept; try again."
        )
    advice = " Check the connection." if not_connected else ""
    if "row-level security" in message:
        advice = " Connect as a role that is not subject to the policies (BYPASSRLS): they would hide rows, which no backup has."
    return StoreRejectedError(f"{place}: could not {doing}: {message} (SQLSTATE {state or 'none'}).{advice}")


def schema(connection: sa.Connection, version_table: str) -> Schema:
    """Every object of the database, but the table that holds its revision and the ledger's."""
    query = sa.text((Path(__file__).parent / "catalog.sql").read_text(encoding="utf-8").replace("::", r"\:\:"))
    definitions = connection.execute(query, {"version_table": version_table, "ledger": LEDGER_SCHEMA})
    return {(kind, name): Definition(definition, table) for kind, name, definition, table in definitions}


@contextmanager
def _whole(connection: sa.Connection) -> Iterator[None]:
    """In the block, what a policy would hide is an error, and not a row less: a backup of fewer rows would be taken for whole."""
    connection.exec_driver_sql("SET LOCAL row_security = off")
    yield
    connection.exec_driver_sql("SET LOCAL row_security TO DEFAULT")


def text(described: Schema) -> str:
    """A schema as sorted text, an object a line: what two schemas are compared by."""
    return "\n".join(f"{kind} {name}: {' '.join(d.text.split())}" for (kind, name), d in sorted(described.items()))


def tables(described: Schema) -> list[str]:
    """The names of the tables, sorted; in another schema than public with the schema's name before a dot."""
    return sorted(name for kind, name in described if kind == "table")


def columns(described: Schema, table: str) -> list[str]:
    """The names of a table's columns, sorted."""
    return sorted(
        n.removeprefix(f"{table}.") for (kind, n), d in described.items() if kind == "column" and d.table == table
    )


def rows(connection: sa.Connection, described: Schema) -> dict[str, Rows]:
    """The rows of every table: one pass over each, column by column, together with the primary key. Raises `StoreRejectedError`
    where row security hides some."""
    with _whole(connection):
        return _rows(connection, described)


def _rows(connection: sa.Connection, described: Schema) -> dict[str, Rows]:
    keys = {str(table): list(names) for table, names in connection.execute(_KEYS)}
    counted = {}
    for table in tables(described):
        names = columns(described, table)
        key = ", ".join(f"{quoted(k)}" for k in keys.get(qualified(table), []))
        sums = []
        for name in names:
            row = ", ".join(part for part in (key, quoted(name)) if part)
            sums.append(
                f"coalesce(sum(hashtextextended(ROW({row})::text, 0)::numeric), 0)::text, count({quoted(name)})"
            )
        query = f"SELECT {', '.join(['count(*)', *sums])} FROM {qualified(table)}"
        count, *more = connection.exec_driver_sql(query.replace("%", "%%")).one()
        counted[table] = Rows(
            count, dict(zip(names, more[0::2], strict=True)), dict(zip(names, more[1::2], strict=True))
        )
    return counted


def rows_lost(was: dict[str, Rows], now: dict[str, Rows]) -> list[str]:
    """What happened to the rows that were there, in words: tables that are gone, rows too few or too many, and columns
    that hold other values. Columns that are gone are not looked at."""
    losses = []
    for table, before in was.items():
        after = now.get(table)
        if after is None:
            losses.append(f"table {table} and its {before.count:,} rows are gone")
        elif after.count != before.count:
            losses.append(f"table {table} holds {after.count:,} rows, and held {before.count:,}")
        elif other := [c for c, x in before.checksums.items() if after.checksums.get(c, x) != x]:
            losses.append(f"table {table} holds other values in {', '.join(other)}")
    return losses


def touched(before: Schema, after: Schema) -> list[str]:
    """The tables of `before` that are not in `after`, or not as they were; sorted."""
    changed: set[str] = {d.table for key, d in before.items() if after.get(key) != d and d.table}
    added = {d.table for key, d in after.items() if key not in before and d.table}
    return sorted(t for t in changed | added if ("table", t) in before)


def lost(before: Schema, after: Schema) -> list[Object]:
    """The tables that are gone, and the columns that are gone from tables that are not."""
    gone = [key for key in before if key not in after and key[0] in ("table", "column")]
    return sorted(k for k in gone if k[0] == "table" or ("table", before[k].table or "") in after)


def identity(connection: sa.Connection) -> str:
    """Which database of which server this is, as the server says: a database that is dropped and made again is another.
    Where the server does not tell its own number, it is known by its address."""
    oid = "SELECT oid::bigint FROM pg_database WHERE datname = current_database()"
    address = "concat(inet_server_addr(), ':', inet_server_port())"
    name, number, at = connection.exec_driver_sql(f"SELECT current_database(), ({oid}), {address}").one()
    return f"postgres:{_server(connection) or at}/{number}/{name}"


def place_as_leased(database: Database) -> str:
    """`postgres://<system identifier>/<database>`: a database as the leases of runs on rows have it, by whatever address it is
    reached. Where the role may not ask for the identifier, the address as it is spelled is in its place."""
    with connected(database, "ask the server which one it is") as connection:
        server = _server(connection)
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
    return f"postgres://{place_of(asking(database)())}" if server is None else f"postgres://{server}/{name}"


def _server(connection: sa.Connection) -> str | None:
    """The server's number, if it tells it."""
    may = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"
    if not connection.exec_driver_sql(may).scalar_one():
        return None
    number = "SELECT system_identifier::text FROM pg_control_system()"
    return str(connection.exec_driver_sql(number).scalar_one())


def pid(connection: sa.Connection) -> int | None:
    """The number of the server's process, as the connection has it; a pooler gives another one."""
    driver: Any = connection.connection.driver_connection
    return None if driver is None else int(driver.info.backend_pid)


def held(connection: sa.Connection, described: Schema, kind: str, name: str) -> int:
    """How many rows a table has, or how many values a column (`table.column`); none where it is not there."""
    if (kind, name) not in described:
        return 0
    table, counted = (name, "*") if kind == "table" else (described[kind, name].table or "", name)
    if kind == "column":
        counted = quoted(name.removeprefix(f"{table}."))
    with _whole(connection):
        counting = f"SELECT count({counted}) FROM {qualified(table)}".replace("%", "%%")
        return int(connection.exec_driver_sql(counting).scalar_one())


def quoted(name: str) -> str:
    """The name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def qualified(table: str) -> str:
    """A table's name as `tables` gives it, with its schema, quoted."""
    space, dot, name = table.partition(".")
    return f"{quoted(space)}.{quoted(name)}" if dot else f"{quoted('public')}.{quoted(table)}"
