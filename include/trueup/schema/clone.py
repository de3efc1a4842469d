"""A clone of a database on its own server, for as long as a block runs.

`CREATE DATABASE … TEMPLATE` copies files, and needs a database that nobody else is connected to. Otherwise pg_dump and pg_restore
copy what one snapshot sees, if they are installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ..errors import StoreRejectedError, StoreUnavailableError
from .describe import connected, place_of, quoted

_MAINTENANCE = ("postgres", "template1")
_SESSIONS = sa.text(
    "SELECT coalesce(nullif(application_name, ''), 'unnamed'), count(*) FROM pg_stat_activity "
    "WHERE datname = :name AND backend_type = 'client backend' GROUP BY 1 ORDER BY 2 DESC, 1"
)
PG_BIN = "TRUEUP_PG_BIN"
"""Environment variable: the folder of pg_dump and pg_restore, where they are not on the path."""


@contextmanager
def clone_of(uri: str, name: str) -> Iterator[tuple[str, str]]:
    """Make a clone of the database at the libpq URI, named `name`; its URI, and how it was made. It is dropped after the
    block, and before it if an earlier try left one.

    Raises `StoreUnavailableError` when other sessions use the database and pg_dump is not installed, and
    `StoreRejectedError` when the connection's role may not create databases."""
    url = sa.make_url(uri)
    source = url.database or ""
    drop = f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)"
    with _server(uri) as server:
        server.exec_driver_sql(drop)
        try:
            sessions = {str(who): int(n) for who, n in server.execute(_SESSIONS, {"name": source})}
            how = "template"
            if not sessions:
                server.exec_driver_sql(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(source)}")
            else:
                how = "pg_dump"
                _need_programs(uri, sessions)
                server.exec_driver_sql(f"CREATE DATABASE {quoted(name)} TEMPLATE template0")
                _copy(uri, name)
            yield url.set(database=name).render_as_string(hide_password=False), how
        finally:
            server.exec_driver_sql(drop)


@contextmanager
def _server(uri: str) -> Iterator[sa.Connection]:
    """A connection to another database of the same server: the one that is cloned must have none."""
    url = sa.make_url(uri)
    others = [name for name in _MAINTENANCE if name != url.database]
    at = url.set(database=others[0]).render_as_string(hide_password=False)
    with connected(at, f"clone database {url.database!r}", autocommit=True) as connection:
        yield connection


def _need_programs(uri: str, sessions: dict[str, int]) -> None:
    if _program("pg_dump") and _program("pg_restore"):
        return
    who = ", ".join(f"{n} of {name}" for name, n in sessions.items())
    raise StoreUnavailableError(
        f"{place_of(uri)} cannot be cloned for the rehearsal: {sum(sessions.values())} other sessions are connected to it ({who}). "
        f"End them, or install pg_dump and pg_restore (on the path, or in the folder {PG_BIN}), which clone a database in use."
    )


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([p for p in (os.environ.get(PG_BIN), os.environ.get("PATH")) if p]))


def _copy(uri: str, name: str) -> None:
    """pg_dump | pg_restore. The password goes by the environment, where no list of processes shows it."""
    url = sa.make_url(uri)
    environment = {**os.environ, **({"PGPASSWORD": url.password} if url.password else {})}

    def address(database: str | None) -> str:
        open_ = sa.URL.create("postgresql", url.username, None, url.host, url.port, database, url.query)
        return open_.render_as_string(hide_password=False)

    dump, restore = _program("pg_dump"), _program("pg_restore")
    assert dump is not None, "`_need_programs` has looked"
    assert restore is not None, "`_need_programs` has looked"
    dumping = subprocess.Popen(
        [dump, "--format=custom", "--compress=0", "--dbname", address(url.database)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd="/",
    )  # fmt: skip
    restoring = subprocess.run(
        [restore, "--exit-on-error", "--no-owner", "--no-privileges", "--dbname", address(name)],
        stdin=dumping.stdout, capture_output=True, env=environment, cwd="/", check=False,
    )  # fmt: skip
    _, said = dumping.communicate()
    if dumping.returncode or restoring.returncode:
        why = (said if dumping.returncode else restoring.stderr).decode(errors="replace").strip()[-500:]
        raise StoreRejectedError(f"{place_of(uri)} could not be copied for the rehearsal: {why}")
