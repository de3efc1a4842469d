"""SIGKILL while a rollback applies, and try again: the tables and counts of a rollback that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.run import LAST
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import Database, declare

ROOT = Path(__file__).parent.parent.parent
PEOPLE, CHANGED = 60, 20


def start(uri: str, ledger_uri: str, folder: str, first: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.kill_rollback", uri, ledger_uri, folder, first],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("kills", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_a_rollback_that_is_killed_goes_on_where_it_was(
    kills: int, postgres_server: postgres.Server, ledger: Ledger, ledger_uri: str, workspace: Workspace, tmp_path: Path
) -> None:
    database = Database(postgres_server, PEOPLE)
    migration = declare(tmp_path)
    database.sql(
        "CREATE TABLE persons (LIKE people INCLUDING ALL)",
        f"INSERT INTO persons SELECT id, 'before', amount FROM people ORDER BY id LIMIT {CHANGED}",
    )
    before = database.persons()
    walk(run_of(migration, ledger, workspace, lambda _: database.store, "there", partitions=2, segments=1))
    assert database.persons() == database.should()

    chance = random.Random(3)
    first, killed, ended = "preflight", 0, False
    while not ended:
        with start(database.uri, ledger_uri, str(tmp_path), first) as process:
            assert process.stdout is not None
            for line in process.stdout:
                ended = line == "done\n"
                first = first if ended else line.split()[0]
                if "/apply" in line and killed < kills:
                    time.sleep(chance.uniform(0.02, 0.3))
                    process.kill()
                    killed += 1
        assert process.returncode in (0, -signal.SIGKILL)
    assert killed == kills
    assert database.persons() == before
    run = replace(run_of(migration, ledger, workspace, lambda _: database.store, "back"), undoes=LAST).chosen()
    assert report(run).status == "passed"
    facts = run.folder.read_json("report.json")
    assert facts["undone"] == {"deleted": PEOPLE - CHANGED, "put_back": CHANGED, "as_before": 0, "kept": 0}
    applied = ledger.applied("back")["copy"]
    assert (applied.batches, applied.written, applied.conflicts) == (PEOPLE, PEOPLE, 0)
    assert ledger.entered("there").status == "rolled_back"
