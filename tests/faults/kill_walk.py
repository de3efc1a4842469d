"""A run of a migration in a process of its own, to be killed:
`python -m tests.faults.kill_walk <migration> <endpoint> <ledger> <workspace> <step>`, from that step on, as Airflow's
retry of a task goes on, or from `preflight`."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module

from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.steps import steps
from include.trueup.walk.preflight import preflight
from tests.harness import run_of, store_at

if __name__ == "__main__":
    migration_id, endpoint, ledger_uri, folder, first = sys.argv[1:]
    migration = import_module(f"include.migrations.{migration_id}.migration").migration
    store = store_at(endpoint)
    store.batch_rows = 50  # many batches, so that there is much to be killed between
    run = run_of(migration, Ledger(ledger_uri), Workspace(folder), lambda _: store, partitions=3, segments=2)
    run = replace(run, options=preflight(run)) if first == "preflight" else run.chosen()
    todo = steps(migration)
    names = ["/".join(filter(None, (s.phase.id if s.phase else "", s.id))) for s in todo]
    start = 0 if first == "preflight" else names.index(first)
    for name, step in zip(names[start:], todo[start:], strict=True):
        for part in run.parts(step):
            print(f"{name} {part}", flush=True)
            step.work(run, part)
    print("done", flush=True)
