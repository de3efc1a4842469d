"""SIGKILL at random points, and try again: the same tables, ledger counts and report as a run that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import fastest_engine, few_rows, items, run_of, store_at
from tests.migrations.kpi_linking_oracle import by_id

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent.parent
MIGRATIONS = ("kpi_linking", "checkins")
"""One whose rows are written in batches, and one whose rows are written two by two, in transactions."""
KILLS = 7
SEED = 0


def migration_of(migration_id: str) -> Migration:
    found: Migration = import_module(f"include.migrations.{migration_id}.migration").migration
    return found


def fill(migration_id: str, store: DynamoDBStore) -> None:
    with few_rows(150):  # so that there is time to be killed in
        import_module(f"include.migrations.{migration_id}.sample").fill(lambda _: store)


def start(migration_id: str, endpoint: str, ledger_uri: str, folder: str, first: str) -> subprocess.Popen[str]:
    arguments = [migration_id, endpoint, ledger_uri, folder, first]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.kill_walk", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )


def outcome(migration_id: str, store: DynamoDBStore, ledger: Ledger, folder: str) -> dict[str, Any]:
    """All that may not depend on having been killed: tables, ledger counts, report less times, tries and hashes."""
    migration = migration_of(migration_id)
    run = run_of(migration, ledger, Workspace(folder), lambda _: store)
    run = run.chosen()
    report(run)
    facts = run.folder.read_json("report.json")
    applied = [{k: a[k] for k in ("phase", "batches", "rows", "written", "conflicts")} for a in facts["applied"]]
    plan = {k: v for k, v in facts["plan"].items() if k == "phases"}
    kept = {k: facts[k] for k in ("migration", "verdict", "gates", "proof", "findings")}
    proof = [{k: v for k, v in p.items() if k != "reread"} for p in kept.pop("proof")]
    return {
        "tables": {t.table.name: by_id(items(store, t.table.name)) for t in migration.targets},
        "applied": applied,
        "plan": plan,
        "proof": proof,
        **kept,
    }


@pytest.fixture(scope="module", params=MIGRATIONS)
def undisturbed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: postgres.Server
) -> tuple[str, dict[str, Any], float]:
    """A migration, what a run of it that nobody disturbs ends with, and how long that applies for, in seconds."""
    migration_id = request.param
    postgres_server.create_database(f"kill_{migration_id}")
    uri, folder = postgres_server.uri(f"kill_{migration_id}"), str(tmp_path_factory.mktemp("undisturbed"))
    with fastest_engine() as engine:
        store = store_at(engine.endpoint)
        fill(migration_id, store)
        with start(migration_id, engine.endpoint, uri, folder, "preflight") as process:
            assert process.stdout is not None
            assert list(process.stdout)[-1] == "done\n"
        ledger = Ledger(uri)
        times = [s for s in ledger.steps("run") if s.step.startswith("apply/")]
        seconds = max(s.ended_at for s in times if s.ended_at) - min(s.started_at for s in times)
        found = outcome(migration_id, store, ledger, folder)
        ledger.close()
    return migration_id, found, seconds.total_seconds()


def test_killed_while_applying_and_tried_again(
    undisturbed: tuple[str, dict[str, Any], float], ledger: Ledger, ledger_uri: str, tmp_path: Path
) -> None:
    migration_id, expected, seconds = undisturbed
    chance = random.Random(SEED)
    with fastest_engine() as engine:
        store = store_at(engine.endpoint)
        fill(migration_id, store)
        first, kills, ended = "preflight", 0, False
        while not ended:
            with start(migration_id, engine.endpoint, ledger_uri, str(tmp_path), first) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    ended = line == "done\n"
                    first = first if ended else line.split()[0]
                    if "/apply" in line and kills < KILLS:
                        # somewhere in this part, or in what follows it
                        time.sleep(chance.uniform(0, seconds / 8))
                        process.kill()
                        kills += 1
            assert process.returncode in (0, -signal.SIGKILL)
        assert kills == KILLS
        assert outcome(migration_id, store, ledger, str(tmp_path)) == expected
