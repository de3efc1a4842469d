"""A rollback in a process of its own, to be killed: `python -m tests.faults.kill_rollback <database> <ledger> <folder> <first>`.

Begins with the step `first`, or with `preflight`, as Airflow's retry of a task does.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from include.trueup.ledger import Ledger
from include.trueup.run import LAST
from include.trueup.run.workspace import Workspace
from include.trueup.steps import rollback_steps
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import carry_out
from include.trueup.walk.rollback_preflight import preflight
from tests.harness import run_of
from tests.small import declare

if __name__ == "__main__":
    uri, ledger_uri, folder, first = sys.argv[1:]
    store = PostgresStore(uri)
    store.batch_rows = 1  # many batches, so that there is much to be killed between
    workspace = Workspace(f"{folder}/workspace")
    run = run_of(declare(Path(folder)), Ledger(ledger_uri), workspace, lambda _: store, "back", segments=1)
    run = replace(run, undoes=LAST)
    if first == "preflight":
        preflight(run)
    run = run.chosen()
    todo = rollback_steps(run.migration)
    names = ["/".join(filter(None, (s.phase.id if s.phase else "", s.id))) for s in todo]
    start = 0 if first == "preflight" else names.index(first)
    for name, step in zip(names[start:], todo[start:], strict=True):
        for part in run.parts(step):
            print(f"{name} {part}", flush=True)
            carry_out(step, run, part)
    print("done", flush=True)
