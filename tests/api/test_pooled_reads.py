"""Reads of PostgreSQL by a few connections that are kept: asked for anew, mended, never more than the pool has, never waited for
long."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partialmethod
from typing import Any

import psycopg
import pytest

from include.routes import Stores
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores.postgres import Pool, PostgresStore, pool
from tests.harness import run_sql

from .test_results import V2, session

SCORING = "scoring_postgres"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that Airflow's hook is asked for, as often as it is."""
    from trueup_airflow import hooks

    found: list[str] = []
    ask = hooks.postgres_parameters

    def noted(conn_id: str) -> dict[str, str]:
        found.append(conn_id)
        return ask(conn_id)

    monkeypatch.setattr(hooks, "postgres_parameters", noted)
    return found


@pytest.fixture
def stores(viewer: Any, results: str) -> Stores:
    """Those behind the API, with no connection yet."""
    from trueup_airflow.api.stores import STORES

    return STORES


def sessions(uri: str, *, end: bool = False) -> list[int]:
    """The sessions that the API has in a database; with `end`, the server ends them."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trueup'"
    found = sorted(pid for (pid,) in run_sql(uri, query))
    for pid in found if end else ():
        run_sql(uri, f"SELECT pg_terminate_backend({pid}, 5000)")
    return found


def test_a_second_request_makes_no_second_connect_and_one_that_was_ended_is_made_again(
    viewer: Any, stores: Stores, results: str, asked: list[str]
) -> None:
    assert viewer.get(f"{V2}/{session()}").status_code == 200
    first, told = sessions(results), asked.count(SCORING)
    assert len(first) == 1
    assert viewer.get(f"{V2}/{session()}").status_code == 200
    assert viewer.get(f"{V2}/{session(2)}").status_code == 200
    assert (sessions(results), asked.count(SCORING)) == (first, told)
    sessions(results, end=True)
    assert viewer.get(f"{V2}/{session()}").status_code == 200  # in the same request, by a login that was asked for anew
    assert len(sessions(results)) == 1
    assert sessions(results) != first
    assert asked.count(SCORING) == told + 1
    stores.forget()
    assert sessions(results) == []


def test_one_that_is_ended_while_it_is_used_is_given_up(viewer: Any, stores: Stores, results: str) -> None:
    def ended() -> None:
        with stores.postgres(SCORING) as connection:
            sessions(results, end=True)
            connection.execute("SELECT 1")

    for _ in range(pool.SIZE + 1):
        with pytest.raises(StoreUnavailableError):
            ended()
    assert viewer.get(f"{V2}/{session()}").status_code == 200
    assert len(sessions(results)) == 1


def test_what_one_request_did_the_next_one_does_not_see(stores: Stores, results: str) -> None:
    query = b"DELETE FROM scoring_results"

    def broken_off() -> None:
        with stores.postgres(SCORING, writes=True) as connection:
            connection.execute(query)
            raise ZeroDivisionError

    for _ in range(2):
        with stores.postgres(SCORING, writes=True) as connection:
            before = connection.execute("SELECT count(*) FROM scoring_results").fetchone()
        with pytest.raises(StoreRejectedError, match="read-only"), stores.postgres(SCORING) as connection:
            connection.execute(query)
        with pytest.raises(ZeroDivisionError):
            broken_off()
        with stores.postgres(SCORING) as connection:
            assert connection.execute("SELECT count(*) FROM scoring_results").fetchone() == before
            assert connection.execute("SHOW statement_timeout").fetchone() == ("20s",)
            for _ in range(8):  # psycopg would prepare it: a pooler may not know it, and the table may be changed
                connection.execute("SELECT 1")
            assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
            assert connection.info.get_parameters()["tcp_user_timeout"] == "15000"
    assert len(sessions(results)) == 1


def test_many_at_once_stay_within_the_pool(viewer: Any, results: str) -> None:
    at_once, most, done = threading.Barrier(12), [0], threading.Event()

    def read(number: int) -> int:
        at_once.wait(30)
        answer: int = viewer.get(f"{V2}/{session(number % 3)}").status_code
        return answer

    def watch() -> None:
        with psycopg.connect(results, autocommit=True, application_name="watches") as connection:
            while not done.is_set():
                query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trueup'"
                most[0] = max(most[0], *connection.execute(query).fetchone() or (0,))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(12) as threads:
        statuses = list(threads.map(read, range(12)))
    done.set()
    watcher.join()
    assert set(statuses) <= {200, 404}
    assert 1 <= most[0] <= pool.SIZE


def test_where_all_are_in_use_the_answer_is_503_and_not_a_wait(
    viewer: Any, stores: Stores, results: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Pool, "__init__", partialmethod(Pool.__init__, wait_seconds=0.1))
    with ExitStack() as used:
        for _ in range(pool.SIZE):
            used.enter_context(stores.postgres(SCORING))
        answer = viewer.get(f"{V2}/{session()}")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert "too busy" in answer.json()["detail"]
    assert f"all {pool.SIZE} connections of this process were in use for 0.1 s" in caplog.text
    assert viewer.get(f"{V2}/{session()}").status_code == 200


@pytest.mark.parametrize(("kept_seconds", "then"), [(60, "first"), (0, "second")])
def test_a_connection_that_was_changed_is_used_once_the_kept_ones_are_old(
    results: str, kept_seconds: int, then: str
) -> None:
    at = {name: str(text) for name, text in dict(psycopg.conninfo.conninfo_to_dict(results)).items()}
    store = PostgresStore(lambda: at)
    with closing(Pool(store.open, kept_seconds=kept_seconds)) as made:
        for name, seen in (("first", "first"), ("second", then)):
            at["application_name"] = name
            with store.connect(made) as connection:
                assert connection.execute("SELECT current_setting('application_name')").fetchone() == (seen,)


def test_those_that_nobody_uses_are_closed(results: str) -> None:
    store, deadline = PostgresStore(results), time.monotonic() + 20
    with closing(Pool(store.open, kept_seconds=0.2)) as made:
        with store.connect(made):
            assert len(sessions(results)) == 1
        while sessions(results):
            assert time.monotonic() < deadline
        with store.connect(made) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert len(sessions(results)) == 1


@pytest.fixture
def kept(results: str) -> Iterator[tuple[PostgresStore, Pool]]:
    """A store, and a pool of its connections."""
    store = PostgresStore(results)
    with closing(Pool(store.open)) as made:
        yield store, made


def test_a_child_makes_its_own_and_leaves_those_of_its_parent(kept: tuple[PostgresStore, Pool], results: str) -> None:
    store, made = kept

    def pid() -> Any:
        with store.connect(made) as connection:
            return connection.execute("SELECT pg_backend_pid()").fetchone()

    before = pid()
    there, back = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(back, json.dumps(pid()).encode())
            made.close()
        finally:
            os._exit(0)
    os.close(back)
    with open(there, "rb") as said:
        in_child = json.loads(said.read())
    os.waitpid(child, 0)
    assert [in_child] != [*before]
    assert pid() == before
