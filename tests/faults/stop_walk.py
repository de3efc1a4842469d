"""Apply of a run in a process of its own, to be stopped and resumed:
`python -m tests.faults.stop_walk <scripts> <database> <ledger> <workspace> [<endpoint>]`. It says what it writes, and goes
on behind `MOST` rows, between the question whether it may write and the writing, only when it is told to."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from include.trueup.declare.migration import Migration, Table, Target, Type
from include.trueup.errors import TrueupError
from include.trueup.ledger import Ledger
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.stores import Store
from include.trueup.stores.postgres import PostgresStore
from tests.harness import run_of, store_at
from tests.small import declare
from tests.stepping import do

MOST = 20


def migration_of(scripts: Path, *, dynamodb: bool) -> Migration:
    """The small migration; of DynamoDB, its target has no instants."""
    made = declare(scripts)
    if not dynamodb:
        return made
    rows = scripts / "rows.sql"
    rows.write_text(rows.read_text().replace("amount, seen_at, id AS _source", "amount, id AS _source"))
    columns = {"id": Type.TEXT, "name": Type.TEXT, "amount": Type.NUMBER}
    persons = Target(id="persons", table=Table(name="persons", connection="d", key=("id",), columns=columns))
    return replace(made, targets=(persons,))


def run_in(folder: Path, uri: str, ledger: Ledger, workspace: Workspace, id: str, endpoint: str | None) -> Run:
    """A run whose batches are of one row."""
    stores: dict[str, Store] = {"c": PostgresStore(uri)}
    if endpoint:
        stores["d"] = store_at(endpoint)
    for store in stores.values():
        store.batch_rows, store.writers = 1, 1
    migration = migration_of(folder, dynamodb=endpoint is not None)
    return run_of(migration, ledger, workspace, stores.__getitem__, id, max_reject_share=1)


if __name__ == "__main__":
    scripts, uri, ledger_uri, folder, *endpoint = sys.argv[1:]
    run = run_in(
        Path(scripts), uri, Ledger(ledger_uri), Workspace(folder), "a", endpoint[0] if endpoint else None
    ).chosen()
    store = run.store_of(run.migration.targets[0].table)
    real, calls = store.add, itertools.count()

    def add(*args: Any) -> Any:
        if next(calls) == MOST:
            sys.stdin.readline()
        outcome = real(*args)
        print("wrote", flush=True)
        return outcome

    store.add = add  # type: ignore[assignment, method-assign]
    try:
        do(run, "apply", "apply")
        print("ended well", flush=True)
    except TrueupError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
