"""A clone of a database on its own server, for as long as a block runs.

`CREATE DATABASE … TEMPLATE` copies files, and needs a database that nobody else is connected to. Otherwise pg_dump and pg_restore
copy what one snapshot sees, if there are some that fit the server.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ..errors import StoreRejectedError, StoreUnavailableError
from ..run import REAL, Effects
from ..stores.parameters import PATIENCE, Ask, asking, conninfo, named, place_of, secrets
from .describe import Database, connected, quoted

_MAINTENANCE = ("postgres", "template1")
_SESSIONS = sa.text(
    "SELECT coalesce(nullif(application_name, ''), 'unnamed'), count(*) FROM pg_stat_activity "
    "WHERE datname = :name AND backend_type = 'client backend' GROUP BY 1 ORDER BY 2 DESC, 1"
)
PG_BIN = "TRUEUP_PG_BIN"
"""Environment variable: the folder of pg_dump and pg_restore that come before those on the path."""
_INSTALLED = "/usr/lib/postgresql/*/bin"
"""Where Debian keeps those of each version, which are not all on the path."""
LINGERING_SECONDS = 2.0
"""How long a clone waits for sessions to go: one that its client has closed is there a little longer."""
_IN_USE = "55006"


@contextmanager
def clone_of(database: Database, name: str, effects: Effects = REAL) -> Iterator[tuple[Ask, str]]:
    """Make a clone of the database, named `name`; how it is reached, and how it was made. It is dropped after the block, and
    before it if an earlier try left one.

    Raises `StoreUnavailableError` when other sessions use the database and there is no pg_dump of the server's version or a
    later one, and `StoreRejectedError` when the connection's role may not create databases."""
    original = asking(database)
    drop = f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)"
    with _server(original) as (source, server):
        server.exec_driver_sql(drop)
        try:
            how = "template"
            if (sessions := _made_of_files(server, source, name, effects)) is not None:
                how = "pg_dump"
                version = int(server.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
                folder = _programs(original, sessions, version)
                server.exec_driver_sql(f"CREATE DATABASE {quoted(name)} TEMPLATE template0")
                _copy(original, name, folder)
            yield named(original, name), how
        finally:
            server.exec_driver_sql(drop)


def _made_of_files(server: sa.Connection, source: str, name: str, effects: Effects) -> dict[str, int] | None:
    """Make the clone from the source's files. Where others are connected to that, it is not made: how many sessions, by who
    has them."""
    until = effects.monotonic() + LINGERING_SECONDS
    while sessions := {str(who): int(n) for who, n in server.execute(_SESSIONS, {"name": source})}:
        if effects.monotonic() >= until:
            return sessions
        effects.sleep(0.05)
    try:
        server.exec_driver_sql(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(source)}")
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _IN_USE:
            raise
        return {"somebody who came meanwhile": 1}
    return None


@contextmanager
def _server(original: Ask) -> Iterator[tuple[str, sa.Connection]]:
    """The database's name, and a connection to another one of the same server: that which is cloned must have none."""
    source = original().get("dbname")
    if source is None:  # a service says it, or libpq's default
        with connected(original, "ask for the name of the database to clone") as connection:
            source = str(connection.exec_driver_sql("SELECT current_database()").scalar_one())
    other = next(name for name in _MAINTENANCE if name != source)
    with connected(named(original, other), f"clone database {source!r}", autocommit=True) as connection:
        yield source, connection


def _programs(original: Ask, sessions: dict[str, int], server: int) -> Path:
    """The folder of the pg_dump and pg_restore that fit the server best: of its own version, else of the next later one (a
    pg_dump refuses a server that is newer than itself)."""
    given = [p for p in (os.environ.get(PG_BIN), *os.environ.get("PATH", "").split(os.pathsep)) if p]
    folders: dict[int, Path] = {}
    for folder in map(Path, [*given, *sorted(glob.glob(_INSTALLED))]):
        if all(shutil.which(name, path=str(folder)) for name in ("pg_dump", "pg_restore")):
            folders.setdefault(_version(folder), folder)
    if fitting := [version for version in folders if version >= server]:
        return folders[min(fitting)]
    who = ", ".join(f"{n} of {name}" for name, n in sessions.items())
    versions = ", ".join(f"{version} in {folder}" for version, folder in sorted(folders.items()))
    raise StoreUnavailableError(
        f"{place_of(original())} cannot be cloned for the rehearsal: {sum(sessions.values())} other sessions are connected to it ({who}), "
        f"and to copy a database in use takes a pg_dump and pg_restore of PostgreSQL {server} or later; "
        f"there is {versions or 'none'}. End the sessions, or install them and name their folder in {PG_BIN}."
    )


def _version(folder: Path) -> int:
    """The major version of the pg_dump in a folder; 0 where it does not say."""
    answer = subprocess.run(
        [folder / "pg_dump", "--version"], capture_output=True, text=True, cwd="/", check=False
    ).stdout
    numbered = re.search(r"(\d+)(?:\.\d+|devel|beta\d+|rc\d+)?", answer)
    return int(numbered.group(1)) if numbered else 0


def _copy(original: Ask, name: str, folder: Path) -> None:
    """pg_dump | pg_restore. The password goes by the environment, where no list of processes shows it. Raises
    `StoreRejectedError` for other secrets, which have no such way."""
    given = original()
    hidden = secrets(given)
    if other := sorted(hidden.keys() - {"password"}):
        raise StoreRejectedError(
            f"{place_of(given)}: pg_dump cannot be told {', '.join(other)} without showing it to everybody on this machine. End "
            "the other sessions, so that the database is cloned without pg_dump, or put it into a service of libpq's"
        )
    environment = {**os.environ, **({"PGPASSWORD": hidden["password"]} if hidden else {})}

    def address(database: dict[str, str]) -> str:
        return conninfo({name: text for name, text in {**PATIENCE, **given, **database}.items() if name not in hidden})

    dumping = subprocess.Popen(
        [folder / "pg_dump", "--format=custom", "--compress=0", "--dbname", address({})],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd="/",
    )  # fmt: skip
    restoring = subprocess.run(
        [folder / "pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", "--dbname", address({"dbname": name})],
        stdin=dumping.stdout, capture_output=True, env=environment, cwd="/", check=False,
    )  # fmt: skip
    _, errors = dumping.communicate()
    if dumping.returncode or restoring.returncode:
        why = (errors if dumping.returncode else restoring.stderr).decode(errors="replace").strip()[-500:]
        raise StoreRejectedError(f"{place_of(given)} could not be copied for the rehearsal: {why}")
