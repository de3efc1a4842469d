"""What the tests make for themselves: databases that go with the test, and databases of DuckDB that are lent."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from tests.harness import drop_databases, keeping_databases, new_database, run_of, run_sql
from tests.small import declare


def test_a_database_goes_with_its_test_unless_it_is_kept(postgres_server: postgres.Server) -> None:
    gone, asked = new_database(postgres_server), new_database(postgres_server, kept=True)
    with keeping_databases():
        kept = new_database(postgres_server)
    with psycopg.connect(gone):
        drop_databases()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        run_sql(gone, "SELECT 1")
    assert run_sql(asked, "SELECT 1") == run_sql(kept, "SELECT 1") == [(1,)]


@pytest.fixture(scope="session")
def of_all(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


def test_a_database_of_a_fixture_of_several_tests_is_kept(of_all: str) -> None:
    drop_databases()
    assert run_sql(of_all, "SELECT 1") == [(1,)]


def test_what_a_step_leaves_in_a_database_that_is_lent_is_an_error(
    ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    run = run_of(declare(tmp_path), ledger, workspace, lambda _: None)  # type: ignore[arg-type, return-value]
    with run.connect(tmp_path) as connection:
        connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS n")
        with run.connect(tmp_path) as other, pytest.raises(Exception, match="mine does not exist"):
            other.execute("SELECT * FROM mine")
    with run.connect(tmp_path) as next, pytest.raises(Exception, match="mine does not exist"):
        next.execute("SELECT * FROM mine")
    with pytest.raises(AssertionError, match=r"a step left .*theirs"), run.connect(tmp_path) as connection:
        connection.execute("CREATE TABLE theirs AS SELECT 1 AS n")
    with run.connect(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE NOT internal").fetchall() == [(0,)]
