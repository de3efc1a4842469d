"""What every layer of the tests starts from: a real PostgreSQL for ledgers, and real DynamoDB engines over HTTP."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

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


@pytest.fixture(scope="session")
def ledger_template(postgres_server: postgres.Server) -> str:
    """The name of a database with an empty ledger: to copy it takes less time than to make one."""
    name = "ledger_template"
    postgres_server.create_database(name)
    made = Ledger(postgres_server.uri(name))
    made.upgrade()
    made.close()
    return name


@pytest.fixture
def ledger_uri(postgres_server: postgres.Server, ledger_template: str) -> str:
    """The URI of a database with an empty ledger."""
    name = f"ledger_{next(_names)}"
    with psycopg.connect(postgres_server.uri(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(ledger_template))
        )
    return postgres_server.uri(name)


@pytest.fixture
def ledger(ledger_uri: str) -> Iterator[Ledger]:
    """A ledger."""
    made = Ledger(ledger_uri)
    yield made
    made.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace in a folder."""
    return Workspace(str(tmp_path / "workspace"))
