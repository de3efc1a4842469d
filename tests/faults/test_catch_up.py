"""Catching up with a source that is written all the time: no run loses a row, and after the last one the target is exactly
what a migration of the final source alone would give."""

from __future__ import annotations

import random
import threading
from pathlib import Path

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.run import Extra
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.harness import run_of, run_sql
from tests.small import ROWS, Database, declare

PEOPLE, RUNS = 60, 3


class Writer(threading.Thread):
    """Changes, adds and deletes source rows, one at a time, until it is stopped."""

    def __init__(self, uri: str, seed: int) -> None:
        super().__init__(name="live-writer", daemon=True)
        self._uri, self._chance = uri, random.Random(seed)
        self.stopped = threading.Event()
        self.writes = 0

    def run(self) -> None:
        while not self.stopped.wait(0.02):
            id = f"p{self._chance.randrange(PEOPLE * 2):02}"
            value = self._chance.randrange(1000)
            statement = self._chance.choice(
                (
                    f"UPDATE people SET name = 'name {value}', amount = {value} WHERE id = '{id}'",
                    f"INSERT INTO people VALUES ('{id}', 'new {value}', {value}) ON CONFLICT DO NOTHING",
                    f"DELETE FROM people WHERE id = '{id}'",
                )
            )
            run_sql(self._uri, statement)
            self.writes += 1


def test_runs_under_live_writes_and_a_last_one_equal_a_fresh_migration(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    database = Database(postgres_server, PEOPLE)
    migration = declare(tmp_path)
    writer = Writer(database.uri, seed=7)
    writer.start()
    try:
        for number in range(RUNS):
            extra = Extra.REMOVE if number else Extra.REPORT
            run = run_of(
                migration, ledger, workspace, lambda _: database.store, f"live-{number}",
                partitions=1 + number, segments=1, max_reject_share=1, max_remove_share=1, extra=extra,
            )  # fmt: skip
            assert walk(run).status == "passed"
            report = run.folder.read_json("report.json")
            # only the source was written by somebody else: nothing of the target may look as if it had been
            assert {f["code"] for f in report["findings"]} <= {"no_name"}
    finally:
        writer.stopped.set()
        writer.join()
    assert writer.writes > 20 * RUNS

    last = run_of(
        migration, ledger, workspace, lambda _: database.store, "last",
        partitions=2, segments=1, max_reject_share=1, max_remove_share=1, extra=Extra.REMOVE,
    )  # fmt: skip
    walk(last)
    (phase,) = last.folder.read_json("plan.json")["phases"]
    assert phase["rows"]["extra"] == phase["rows"]["drift"] == 0
    assert phase["rows"]["keep"] > 0

    caught_up = database.sql(ROWS.format("persons"))
    database.sql("DROP TABLE persons")
    fresh = Ledger(_empty(postgres_server))
    fresh.upgrade()
    try:
        alone = Workspace(str(tmp_path / "fresh"))
        walk(run_of(migration, fresh, alone, lambda _: database.store, "fresh", partitions=1, max_reject_share=1))
    finally:
        fresh.close()
    assert caught_up == database.sql(ROWS.format("persons"))
    assert {row[0]: row[1:] for row in caught_up} == database.should()


def _empty(server: postgres.Server) -> str:
    server.create_database("catch_up_fresh")
    return server.uri("catch_up_fresh")
