"""Where a run is: the environment, what each server says it is, and the version of the migration's code."""

from __future__ import annotations

import hashlib
import logging
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..declare.environment import environment, is_live
from ..declare.migration import Table, Type
from ..errors import SourceError, TrueupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..declare.migration import Migration, Source
    from ..stores import Description, Store
    from .run import Run

log = logging.getLogger(__name__)

ABSENT = "absent"
_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """A store: its `connection`, its `kind`, and its `place`, by which its server knows itself (None: it did not answer, and
    `error` says why); the rest as `stores.Location` has it (None, too, in a run that an older release began)."""

    connection: str
    kind: str
    place: str | None
    error: str | None = None
    address: str | None = None
    region: str | None = None
    account: str | None = None
    database: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReportedStore:
    """A store that the run uses: its `connection`, its `kind`, and where it is, as its server said when the run began
    (`stores.Location`; None: it did not answer, or has none)."""

    connection: str
    kind: str
    address: str | None
    region: str | None
    account: str | None
    database: str | None
    identity: str | None


@dataclass(frozen=True, kw_only=True)
class Code:
    """A version of a migration: `sha256` over the names and contents of its folder's files; `commit` of git (with
    `changed` since), None where there is none."""

    sha256: str
    commit: str | None = None
    changed: bool = False


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where a run is. `live`: a mistake there is one in earnest."""

    environment: str
    live: bool
    places: tuple[Place, ...] = ()
    code: Code | None = None

    @property
    def stores(self) -> tuple[ReportedStore, ...]:
        """The places, as `report.json` has them beside."""
        return tuple(
            ReportedStore(
                connection=place.connection,
                kind=place.kind,
                address=place.address,
                region=place.region,
                account=place.account,
                database=place.database,
                identity=place.place,
            )
            for place in self.places
        )


def where(places: Iterable[Place], code: Code | None) -> Where:
    """Where something is that uses these places."""
    name = environment()
    return Where(environment=name, live=is_live(name), places=tuple(places), code=code)


def of_migration(migration: Migration, store: Callable[[str], Store]) -> Where:
    """Where a migration's runs are now; `store` gives the store behind a connection. A store that does not answer, or whose
    connection does not exist, is listed as such."""
    return where((place_of(connection, tables, store) for connection, tables in _tables(migration)), code_of(migration))


def place_of(connection: str, table: Table, store: Callable[[str], Store]) -> Place:
    """The place of a connection, asked for one of its tables."""
    try:
        opened = store(connection)
        at = opened.locate(table)
        return Place(
            connection=connection,
            kind=opened.kind,
            place=at.identity,
            address=at.address,
            region=at.region,
            account=at.account,
            database=at.database,
        )
    except TrueupError as error:
        return Place(connection=connection, kind="", place=None, error=str(error))


def name_of(store: Store, table: Table, description: Description | None) -> str:
    """The table as its server names it, by its `description`: where it lies, and which of all tables that ever lay there it is;
    or that none is there."""
    return f"{_place(store, table)}#{ABSENT if description is None else description.identity or 'there'}"


def place_in(name: str) -> str:
    """Where a table of that name (`name_of`) lies."""
    return name.rpartition("#")[0]


def are_same(was: str, now: str) -> bool:
    """Whether two names (`name_of`) are of one table. DynamoDB's own id is of no other one anywhere, so it is the same though an
    engine that is not AWS's has another address by now."""
    ids = {name.rpartition("#")[2] for name in (was, now)}
    return was == now or (
        all(name.startswith("dynamodb://") for name in (was, now)) and len(ids) == 1 and ABSENT not in ids
    )


def check_same(run: Run, *sources: Source) -> None:
    """Raise `SourceError` where the connection of a target, or of one of these sources, leads elsewhere than when the run
    began: what was read there says nothing of what the run is about."""
    start = run.files.start
    began = [(s.table, (start.sources or {}).get(s.id)) for s in sources]
    began += [(t.table, (start.tables or {}).get(t.id)) for t in run.migration.targets]
    for table, name in {table.connection: (table, name) for table, name in began if name is not None}.values():
        if (now := _place(run.store_of(table), table)) != place_in(name):
            raise SourceError(
                f"connection {table.connection!r} led to {place_in(name)} when run {run.id} began, and leads to {now} now: what is "
                "there was not read for this run. Let it lead there again and clear the task, or trigger a new run, which makes a "
                "new plan"
            )


def _place(store: Store, table: Table) -> str:
    server = store.server()
    return f"{store.identity(table)}{f' ({server})' if server else ''}"


def database_of(connection: str, store: Callable[[str], Store]) -> Place:
    """The place of a database of PostgreSQL of which no table is known: it is asked as if for one of any name."""
    return place_of(
        connection, Table(name="public.any", connection=connection, key=("id",), columns={"id": Type.TEXT}), store
    )


def _tables(migration: Migration) -> list[tuple[str, Table]]:
    """A table of each connection, a target's first."""
    every = [*(t.table for t in migration.targets), *(s.table for s in migration.sources)]
    return sorted({table.connection: table for table in reversed(every)}.items())


def code_of(migration: Migration) -> Code | None:
    """The version of the migration's code; None where its scripts lie in no folder of a migration."""
    scripts = [script for phase in migration.phases for script in phase.code]
    folder = next((s.parent for s in scripts if (s.parent / "migration.py").is_file()), None)
    return None if folder is None else code_in(folder)


def code_of_folder(folder: Path) -> Code | None:
    """The version of the code in a migration's folder; None of any other folder."""
    return code_in(folder) if (folder / "migration.py").is_file() else None


@lru_cache(maxsize=64)
def code_in(folder: Path) -> Code:
    """The version of the code in a folder, read once in this process."""
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    changed = commit is not None and bool(_git(folder, "status", "--porcelain", "--", "."))
    return Code(sha256=digest.hexdigest(), commit=commit or None, changed=changed)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where there is no git, or no repository."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("the git commit of %s is not known: %s", folder, error)
        return None
    return done.stdout.strip()
