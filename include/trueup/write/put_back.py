"""What a rollback does beside its rows: before them, the targets are made ready; after them, the undone run is entered."""

from __future__ import annotations

import json

from ..ledger import Status
from ..run import Run
from ..run.files import LEFT
from . import approval, tables_there


def prepare(run: Run) -> None:
    """Make the targets ready to hold what they held before (`Target.undo`). Raises `ApprovalError`."""
    with run.ledger.step(run.id, "prepare", "0") as tries:
        approval.check_age(run)
        approval.require(run, "prepare")
        with run.writing("prepare", "0", tries):
            for target in run.migration.targets:
                if target.undo is not None:
                    run.store_of(target.table).script(target.undo.read_text(encoding="utf-8"))


def settle(run: Run) -> None:
    """Enter in the ledger that the undone run is rolled back, now that it is proven."""
    undone = run.undone
    with run.ledger.step(run.id, "settle", "0"):
        approval.require(run, "settle")
        run.folder.write(LEFT, json.dumps(tables_there.left(run, undone)))
        found = run.ledger.run(undone.id) or {}
        if found["status"] != Status.ROLLED_BACK:
            run.ledger.move(undone.id, Status.ROLLED_BACK, f"run {run.id} rolled it back and proved it")
