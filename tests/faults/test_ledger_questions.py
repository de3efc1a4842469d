"""Whether the right to write is still there is asked over a session that is kept: it may break, be locked, or be ended, and what
it answers is what is committed when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from include.embedded import postgres
from include.trueup.errors import StoreUnavailableError, TargetHeldError
from include.trueup.ledger import Ledger, Part, Status, sessions
from include.trueup.stores.effects import REAL
from tests.harness import run_sql

PART = Part(step="apply/copy", part="100% of 'it' \\ \"%s\" :a", tries=1)
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def working(ledger: Ledger) -> Iterator[Ledger]:
    """A ledger in which run a writes to t."""
    ledger.begin("a", migration_id="m", dag_id="m", triggered_by=None, options={})
    ledger.leases.take("a", ["t"])
    with ledger.step("a", PART.step, PART.part):
        yield ledger


@pytest.fixture
def ask(working: Ledger) -> Iterator[Callable[[], None]]:
    """Asks, and has asked once."""
    with working.leases.confirming("a", enter(working), PART) as confirm:
        confirm()
        yield confirm


def enter(ledger: Ledger) -> dict[str, int]:
    return ledger.leases.enter("a", ["t"], right=True, part=PART).epochs


def end_sessions(uri: str) -> None:
    run_sql(uri, f"SELECT pg_terminate_backend(pid, 5000) {OTHERS}")


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_each_answer_is_of_what_is_committed_by_then(
    working: Ledger, ledger_uri: str, ask: Callable[[], None], level: str
) -> None:
    name = sa.make_url(ledger_uri).database
    run_sql(ledger_uri, f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{level}'")
    end_sessions(ledger_uri)  # the next ones begin with it
    ask()
    working.move("a", Status.FAILED, "marked")
    with pytest.raises(TargetHeldError):
        ask()
    working.move("a", Status.RUNNING, "cleared")
    ask()


def test_a_session_that_was_ended_is_no_answer(working: Ledger, ledger_uri: str, ask: Callable[[], None]) -> None:
    end_sessions(ledger_uri)
    ask()
    working.move("a", Status.FAILED, "marked")
    end_sessions(ledger_uri)
    with pytest.raises(TargetHeldError):
        ask()


def test_sessions_that_were_ended_while_they_were_kept_fail_nobody(working: Ledger, ledger_uri: str) -> None:
    def keep_several() -> None:
        with working._begin(), working._begin(), working._begin():
            pass

    epochs = enter(working)
    keep_several()
    end_sessions(ledger_uri)
    assert working.entered("a").status == Status.RUNNING
    keep_several()
    end_sessions(ledger_uri)
    with working.leases.confirming("a", epochs, PART) as confirm:
        confirm()


def test_a_ledger_that_is_gone_is_no_answer(
    postgres_server: postgres.Server, ledger_uri: str, ask: Callable[[], None]
) -> None:
    name = sa.make_url(ledger_uri).database
    server = partial(run_sql, postgres_server.uri("postgres"))
    server(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    try:
        server(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                ask()
    finally:
        server(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    ask()


def test_whoever_asks_waits_for_no_lock_without_end(working: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_LEASE_SECONDS", "0.1")
    monkeypatch.setattr(sessions, "_SHORTEST", 0.3)
    with working.leases.confirming("a", enter(working), PART) as confirm:
        confirm()
        with sessions.transaction(working._engine, 2) as locking:
            locking.exec_driver_sql("LOCK TABLE trueup.leases")
            with pytest.raises(
                StoreUnavailableError, match=r"0\.45 s were waited for a lock. The session with process id"
            ):
                confirm()
        confirm()


def test_writers_ask_over_one_session_which_is_given_back(working: Ledger) -> None:
    pool = working._engine.pool

    def lent() -> int:
        return int(pool.checkedout())  # type: ignore[attr-defined]  # of a pool with a size

    with working.leases.confirming("a", enter(working), PART) as confirm, ThreadPoolExecutor(8) as writers:
        assert lent() == 0  # nobody has asked
        assert list(writers.map(lambda _: confirm(), range(200))) == [None] * 200
        assert lent() == 1
        working.move("a", Status.FAILED, "marked")
        asked = [writers.submit(confirm) for _ in range(50)]
        assert all(isinstance(each.exception(), TargetHeldError) for each in asked)
    assert lent() == 0
    with pytest.raises(StoreUnavailableError, match="after its step had ended"):
        confirm()
    with suppress(RuntimeError), working._begin() as connection:  # what comes back has transactions again
        connection.exec_driver_sql("UPDATE trueup.runs SET status = 'proven'")
        raise RuntimeError
    assert working.entered("a").status == Status.FAILED


def test_a_session_is_lent_anew_when_it_was_kept_for_a_minute(working: Ledger) -> None:
    now, lent = [0.0], list[object]()
    working.effects = replace(REAL, monotonic=lambda: now[0])
    epochs = enter(working)
    sa.event.listen(working._engine, "checkout", lambda connection, *_: lent.append(connection))
    with working.leases.confirming("a", epochs, PART) as confirm:
        for now[0] in (0, 30, 60, 61, 121):
            confirm()
    assert len(lent) == 2
