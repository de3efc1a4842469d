"""A process that stands still in a transaction of the ledger holds up nobody for long; nobody waits without end."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from include.trueup.errors import StoreUnavailableError, TransientError
from include.trueup.ledger import Ledger, Status, sessions
from include.trueup.ledger.tables import LEASE_LOCK

ROW = "SELECT status FROM trueup.runs WHERE run_id = 'a' FOR UPDATE"
LEASES = f"SELECT pg_advisory_xact_lock({LEASE_LOCK})"


@pytest.fixture
def two(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger with two runs, of which a held t until its lease was over, and with short patience."""
    monkeypatch.setenv("TRUEUP_LEASE_SECONDS", "0.1")
    monkeypatch.setattr(sessions, "_SHORTEST", 0.3)
    for id in "ab":
        ledger.begin(id, migration_id="m", dag_id="m", triggered_by=None, options={})
    ledger.leases.take("a", ["t"])
    with ledger._begin() as connection:
        connection.execute(sa.text("UPDATE trueup.leases SET expires_at = clock_timestamp()"))
    return ledger


def stand_still(ledger: Ledger, statement: str, meanwhile: Callable[[], object], last: str | None = "SELECT 1") -> None:
    """A transaction of the ledger's own in which nothing goes on until `meanwhile` is over: to the server, a process that was
    stopped."""
    with ledger._begin() as connection:
        connection.execute(sa.text(statement))
        meanwhile()
        if last:
            connection.execute(sa.text(last))


@pytest.mark.parametrize("statement", [ROW, LEASES])
def test_what_stands_still_is_ended_by_the_server_and_the_next_run_goes_on(two: Ledger, statement: str) -> None:
    with pytest.raises(StoreUnavailableError, match=r"was idle in it for more than 0\.3 s"):
        stand_still(two, statement, lambda: two.leases.take("b", ["t"]))  # which interrupts run a: it needs both locks
    assert two.entered("a").status == Status.INTERRUPTED


def test_what_was_ended_before_its_commit_has_changed_nothing(two: Ledger) -> None:
    change = "UPDATE trueup.runs SET status = 'proven' WHERE run_id = 'a'"
    with pytest.raises(TransientError):
        stand_still(two, change, lambda: two.move("a", Status.FAILED, "another task"), last=None)
    assert two.entered("a").status == Status.FAILED


@pytest.mark.parametrize("statement", [ROW, LEASES])
def test_whoever_waits_is_told_who_keeps_the_lock(two: Ledger, ledger_uri: str, statement: str) -> None:
    def told(doing: Any) -> str:
        with pytest.raises(StoreUnavailableError) as caught:
            doing()
        return str(caught.value)

    with psycopg.connect(ledger_uri, application_name="somebody's psql") as other:
        other.execute(statement.encode())
        said = told(lambda: two.leases.take("b", ["t"]))
        pid = other.info.backend_pid
    assert f'The session with process id {pid} (role postgres, application "somebody\'s psql"' in said
    assert f"SELECT pg_terminate_backend({pid})" in said
    assert "0.45 s were waited" in said
    two.leases.take("b", ["t"])


def test_a_session_says_which_process_it_is_of(two: Ledger) -> None:
    with two._begin() as connection:
        name = str(connection.execute(sa.text("SHOW application_name")).scalar_one())
    assert name.startswith(f"trueup-ledger {os.getpid()} ")


@pytest.mark.parametrize(("its", "ours"), [("off", "on"), ("local", "local")])
def test_what_is_entered_outlasts_a_crash_whatever_the_role_says(ledger_uri: str, its: str, ours: str) -> None:
    with psycopg.connect(ledger_uri, autocommit=True) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone() or ()
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = {its}'.encode())
    ledger = Ledger(ledger_uri)
    try:
        with ledger._begin() as asked:
            assert asked.execute(sa.text("SHOW synchronous_commit")).scalar_one() == ours
    finally:
        ledger.close()
