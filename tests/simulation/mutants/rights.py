"""Faults in who may write, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from include.trueup.errors import TargetHeldError
from include.trueup.ledger import batches, holding, leases
from include.trueup.ledger.decisions import Approvals
from include.trueup.ledger.status import TRANSITIONS, Status
from include.trueup.ledger.steps import Steps
from include.trueup.ledger.tables import approvals, runs
from include.trueup.ledger.tables import batches as table
from include.trueup.plan.hashing import plan_hash
from include.trueup.run import order
from include.trueup.run.run import Run
from include.trueup.write import approval

from ..memory import MemoryStore

Patch = pytest.MonkeyPatch


def stale_plan(patch: Patch) -> None:
    """A run that failed goes on after a newer one has written."""
    patch.setattr(leases, "_refuse_newer", lambda *_: None)


def ended_runs_go_on(patch: Patch) -> None:
    """A run that is rolled back, or was interrupted, goes on."""
    patch.setattr(order, "refuse_ended", lambda *_: None)
    patch.setattr(leases, "_refuse_newer", lambda *_: None)
    real, ended = leases._status, ("interrupted", "rolled_back")
    patch.setattr(leases, "_status", lambda c, id: "running" if real(c, id) in ended else real(c, id))


def batches_of_any_plan(patch: Patch) -> None:
    """What was written under an earlier plan counts as written under this one."""

    def of(run_id: str, output: str | None, partition: int | None, _: Any = None) -> sa.ColumnElement[bool]:
        wanted = [table.c.run_id == run_id]
        wanted += [table.c.output == output] if output is not None else []
        wanted += [table.c.partition == partition] if partition is not None else []
        return sa.and_(*wanted)

    patch.setattr(batches, "_of", of)


def no_fence(patch: Patch) -> None:
    """Who was paused goes on to write."""
    patch.setattr(holding.Elapsed, "seconds", lambda _: 0.0)
    renewed_by_whoever(patch)
    patch.setattr(Steps, "_outlive", lambda *_: None)


def renewed_by_whoever(patch: Patch) -> None:
    """A lease is renewed though it is over."""
    patch.setattr(leases.Leases, "renew", lambda *_: None)
    patch.setattr(MemoryStore, "_fenced", lambda _: None)


def older_try_goes_on(patch: Patch) -> None:
    """A try begins to write while an older one may."""
    patch.setattr(Steps, "_outlive", lambda *_: None)
    patch.setattr(MemoryStore, "_fenced", lambda _: None)


def identity_by_spelling(patch: Patch) -> None:
    """The lease is on how somebody spells the address."""

    def spelled(self: Run) -> list[str]:
        return [f"{self.id}/{self.identity(target)}" for target in self.migration.targets]

    patch.setattr(Run, "held_targets", property(spelled))


def two_runs_are_one(patch: Patch) -> None:
    """Nobody looks whether the run's row is that of another run of Airflow; and a proven run begins again."""
    from include.trueup import ledger, report
    from include.trueup.run import earlier

    for module in (ledger, report, earlier, order, approval):
        patch.setattr(module, "refuse_other", lambda *_: None)
    proven_again(patch)


def _takes_over(patch: Patch, *, soon: bool, said: bool) -> None:
    def take_from(self: Any, connection: Any, _: str, other: Any, now: Any) -> None:
        if other.expires_at > now and not soon:
            raise TargetHeldError("another run has it", held_by=other.run_id)
        if said and leases._status(connection, other.run_id) == Status.RUNNING:
            self._move(connection, other.run_id, Status.INTERRUPTED, "taken over")

    patch.setattr(leases.Leases, "_take_from", take_from)


def taken_too_soon(patch: Patch) -> None:
    """A lease that has not expired is taken, without a word to its run."""
    _takes_over(patch, soon=True, said=False)
    stale_plan(patch)


def taken_over_unsaid(patch: Patch) -> None:
    """A run whose lease was taken over is not interrupted, and takes it back."""
    _takes_over(patch, soon=False, said=False)
    stale_plan(patch)


def takes_from_whoever_has_it(patch: Patch) -> None:
    """A step takes a target that another run has."""
    real = leases._current

    def current(connection: Any, targets: Any) -> list[Any]:
        for row in real(connection, targets):
            leases._end(connection, row.epoch, "whoever")
        return []

    patch.setattr(leases, "_current", current)
    stale_plan(patch)


def proven_again(patch: Patch) -> None:
    """A proven run may begin again."""
    patch.setitem(TRANSITIONS, Status.PROVEN, frozenset(Status))


def failed_after_proven(patch: Patch) -> None:
    """A report that comes late makes a proven run a failed one."""
    patch.setitem(TRANSITIONS, Status.PROVEN, TRANSITIONS[Status.PROVEN] | {Status.FAILED})


def plan_may_change(patch: Patch) -> None:
    """What is approved is what lies in the workspace when the answer comes."""
    patch.setattr(approval, "_refuse_unseen", lambda *_: None)
    patch.setattr(approval, "ROWS", replace(approval.ROWS, same=lambda run, _: plan_hash(run)))
    patch.setattr(order, "require", lambda *_: None)


def approval_of_another_plan(patch: Patch) -> None:
    """An approval counts for any plan of the run."""
    real = Approvals.of

    def of(self: Any, run_id: str, plan_sha256: str | None = None) -> Any:
        if (found := real(self, run_id, plan_sha256)) is not None:
            return found
        with self._begin() as connection:
            mine = sa.select(approvals.c.plan_sha256).where(approvals.c.run_id == run_id)
            former = connection.execute(mine.limit(1)).scalar()
            now = connection.execute(sa.select(runs.c.plan_sha256).where(runs.c.run_id == run_id)).scalar()
        given = real(self, run_id, former) if former else None
        return replace(given, plan_sha256=now) if given is not None and now else None

    patch.setattr(Approvals, "of", of)


def rejected_is_approved(patch: Patch) -> None:
    """What is rejected is written all the same."""
    real = Approvals.of

    def of(self: Any, run_id: str, plan_sha256: str | None = None) -> Any:
        found = real(self, run_id, plan_sha256)
        return replace(found, decision="approved") if found is not None else None

    patch.setattr(Approvals, "of", of)


def marked_is_done(patch: Patch) -> None:
    """A step that is marked as done in Airflow counts as done."""
    patch.setattr(order, "require", lambda *_: None)
    patch.setattr(order, "left_out", lambda *_: None)


MUTANTS = {
    "review/3": stale_plan,
    "review/3, interrupted": ended_runs_go_on,
    "review/4": batches_of_any_plan,
    "review/5": no_fence,
    "review/7, security/S2": plan_may_change,
    "review/14": identity_by_spelling,
    "security/S1": two_runs_are_one,
    "own/lease taken too soon": taken_too_soon,
    "own/taken over unsaid": taken_over_unsaid,
    "own/taken from whoever has it": takes_from_whoever_has_it,
    "own/older try goes on": older_try_goes_on,
    "own/renewed by whoever": renewed_by_whoever,
    "own/proven again": proven_again,
    "own/failed after proven": failed_after_proven,
    "own/approval of another plan": approval_of_another_plan,
    "own/rejected is approved": rejected_is_approved,
    "own/marked is done": marked_is_done,
}
