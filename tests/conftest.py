"""What every layer of the tests starts from: a real PostgreSQL for ledgers, and real DynamoDB engines over HTTP."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.workspace import Workspace

_names = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server for the whole session; durable settings off, since nothing outlives it."""
    # not below pytest's own folder: every session of pytest closes that to other users, and the server may be one
    with tempfile.TemporaryDirectory(prefix="trueup-postgres-", ignore_cleanup_errors=True) as folder:
        server = postgres.start(Path(folder), {"fsync": "off", "synchronous_commit": "off"})
        yield server
        server.stop()


@pytest.fixture
def ledger_uri(postgres_server: postgres.Server) -> str:
    """The URI of an empty database for a ledger."""
    name = f"ledger_{next(_names)}"
    postgres_server.create_database(name)
    return postgres_server.uri(name)


@pytest.fixture
def ledger(ledger_uri: str) -> Iterator[Ledger]:
    """A ledger, upgraded."""
    made = Ledger(ledger_uri)
    made.upgrade()
    yield made
    made.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace in a folder."""
    return Workspace(str(tmp_path / "workspace"))
