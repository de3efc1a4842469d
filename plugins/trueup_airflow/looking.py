"""What pages and API need to look at the rows of runs: the declaration, the files, and a turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from include import project
from include.trueup.declare.migration import Migration
from include.trueup.errors import ArtifactError
from include.trueup.report.lens.shelf import Shelf
from include.trueup.run.workspace import Workspace

from . import connections

AT_ONCE = 3
"""Requests that look into files of runs at the same time; each may hold what a step of a run may hold in memory."""
WAIT_SECONDS = 10.0
_turns = threading.BoundedSemaphore(AT_ONCE)


def migration(migration_id: str) -> Migration:
    """The declaration of a migration of rows. Raises `ArtifactError` where there is none of that id, and `DeclarationError`
    where it cannot be read."""
    if migration_id not in project.migration_ids():
        raise ArtifactError(
            f"there is no migration {migration_id!r} in include/migrations, so its rows cannot be looked at"
        )
    declared = project.load_migration(migration_id)
    if not isinstance(declared, Migration):
        raise ArtifactError(f"migration {migration_id} changes schemas, and has no rows to look at")
    return declared


def shelf() -> Shelf:
    """The files of runs. Raises as `connections.workspace` does."""
    return _shelf(connections.workspace())


@lru_cache(maxsize=1)
def _shelf(workspace: Workspace) -> Shelf:
    return Shelf(workspace)


@contextmanager
def turn() -> Iterator[bool]:
    """Whether there is room to look now; waited for `WAIT_SECONDS` at most."""
    free = _turns.acquire(timeout=WAIT_SECONDS)
    try:
        yield free
    finally:
        if free:
            _turns.release()
