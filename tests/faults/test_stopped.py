"""SIGSTOP for longer than a lease, and SIGCONT: what was stopped writes no row of its plan once another run was proven."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from include.trueup.walk.preflight import preflight
from tests.faults.stop_walk import MOST, run_in
from tests.harness import fastest_engine, items, store_at
from tests.small import Database
from tests.stepping import do

ROOT = Path(__file__).parent.parent.parent
LEASE = 2.0
GONE = tuple(f"p{n}" for n in range(MOST, 30))
"""The rows that the stopped run has not written; by the plan of the next run they are none."""


class Stopped:
    """A run `a` that a process of its own applies, and its rows."""

    def __init__(self, server: postgres.Server, ledger_uri: str, folder: Path, endpoint: str | None) -> None:
        self.scripts, self.endpoint = folder, endpoint
        self.database, self.ledger_uri = Database(server, 30), ledger_uri
        self.ledger, self.workspace = Ledger(ledger_uri), Workspace(str(folder / "workspace"))
        run = self.run("a")
        preflight(run)
        do(run, last="create_tables")

    def run(self, id: str) -> Run:
        return run_in(self.scripts, self.database.uri, self.ledger, self.workspace, id, self.endpoint)

    def held(self) -> set[str]:
        """The keys in the target."""
        if self.endpoint is None:
            return set(self.database.persons())
        return {item["id"]["S"] for item in items(store_at(self.endpoint), "persons")}

    @contextmanager
    def stopped(self, after: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
        """Apply, stopped so long after that many batches; it goes on when the block ends, and is waited for."""
        given = [str(self.scripts), self.database.uri, self.ledger_uri, self.workspace.uri]
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.stop_walk", *given, *([self.endpoint] if self.endpoint else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            for _ in range(after):
                assert child.stdout.readline() == "wrote\n"
            time.sleep(seconds)
            child.send_signal(signal.SIGSTOP)
            yield child
        finally:
            child.send_signal(signal.SIGCONT)
            child.stdin.close()
            self.said = child.stdout.read()
            child.wait(60)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_LEASE_SECONDS", str(LEASE))


@pytest.fixture(params=["postgres", "dynamodb"])
def target(
    request: pytest.FixtureRequest, postgres_server: postgres.Server, ledger_uri: str, tmp_path: Path
) -> Iterator[Stopped]:
    if request.param == "postgres":
        yield Stopped(postgres_server, ledger_uri, tmp_path, None)
        return
    with fastest_engine() as engine:
        yield Stopped(postgres_server, ledger_uri, tmp_path, engine.endpoint)


def another_run(target: Stopped, after: int, seconds: float) -> None:
    """Stopped, and another run is proven meanwhile, for whose source has fewer rows; resumed, it writes none of them."""
    with target.stopped(after, seconds):
        time.sleep(LEASE + 0.2)
        target.database.sql(f"DELETE FROM people WHERE id IN {GONE}")
        walk(target.run("b"))
        before = target.held()
    assert "ended well" not in target.said
    assert target.held() == before == set(target.database.should())
    report(target.run("a").chosen())
    assert [target.ledger.entered(id).status for id in "ab"] == ["failed", "proven"]


def test_another_run_was_proven_while_it_was_stopped(target: Stopped) -> None:
    """Between the question whether it may write and the request."""
    another_run(target, MOST, 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_at_random_points(target: Stopped, seed: int) -> None:
    chance = random.Random(seed)
    another_run(target, chance.randrange(1, 12), chance.uniform(0, 0.05))


def test_it_was_tried_again_while_it_was_stopped(target: Stopped) -> None:
    gone = set(GONE[:2])  # by its application, later
    with target.stopped(MOST, 0.1):
        run = target.run("a").chosen()
        do(run, "apply")
        assert report(run).status == "passed"
        assert target.held() == set(target.database.should())
        if target.endpoint is None:
            target.database.sql(f"DELETE FROM persons WHERE id IN {tuple(gone)}")
        else:
            for key in gone:
                store_at(target.endpoint).client.delete_item(TableName="persons", Key={"id": {"S": key}})
    assert "ended well" not in target.said
    assert target.held() == set(target.database.should()) - gone
    assert target.ledger.entered("a").status == "proven"


def test_stopped_with_a_transaction_open_and_rolled_back_meanwhile(
    postgres_server: postgres.Server, ledger_uri: str, tmp_path: Path
) -> None:
    """Between the last question and the commit: the session is ended by whoever has the right to write now."""
    target = Stopped(postgres_server, ledger_uri, tmp_path, None)
    target.database.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF new.id = 'p05' THEN PERFORM pg_sleep(1); END IF; RETURN new; END $$",
        "CREATE TRIGGER slow BEFORE INSERT ON persons FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    open_ = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    with target.stopped(5, 0.5):
        time.sleep(LEASE + 0.2)
        assert target.database.sql(open_) != [(0,)]
        undo = target.run("back")
        walk(replace(undo, dag_id="small_rollback", undoes="a", options=replace(undo.options, partitions=None)))
        assert target.database.sql(open_) == [(0,)]
    assert "ended well" not in target.said
    assert target.held() == set()
    assert target.ledger.entered("a").status == "rolled_back"
