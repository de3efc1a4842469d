"""What a rollback does in addition to its rows: before them, the targets are made ready; after them, the undone run is entered."""

from __future__ import annotations

from pathlib import Path

from ..run import Afterwards, Run, StepName
from . import approval, tables_there


def prepare(run: Run) -> None:
    """Make the targets ready to hold what they held before (`Target.undo`). Raises `ApprovalError`."""
    with run.part(StepName.PREPARE) as part:
        approval.check_age(run)
        approval.require(run, StepName.PREPARE)
        with run.writing(part):
            for target in run.migration.targets:
                if target.undo is not None:
                    run.store_of(target.table).script(Path(target.undo).read_text(encoding="utf-8"))


def settle(run: Run) -> None:
    """Enter in the ledger that the undone run is rolled back, now that it is proven, and nobody has written since. Raises
    `TargetHeldError` or `StatusError` where somebody has, or may."""
    undone = run.undone
    with run.part(StepName.SETTLE) as part:
        approval.require(run, StepName.SETTLE)
        run.files.write_left(tables_there.left(run, undone))
        with run.writing(part) as fence:
            run.ledger.leases.roll_back(undone.id, run.id, fence.epochs, part.this)
        approved = run.ledger.approvals.of(run.id)
        by = (approved and approved.decided_by) or run.ledger.entered(run.id).triggered_by
        now = run.effects.now().isoformat(timespec="seconds")
        undone.files.write_afterwards(Afterwards(undone_by=run.id, at=now, by=by))
