"""Faults in who may write, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.visitors import replacement_traverse

from include.trueup.errors import TargetHeldError, TrueupError
from include.trueup.ledger import batches, holding, lasting, leases, statements
from include.trueup.ledger import rights as ledger_rights
from include.trueup.ledger.decisions import Approvals
from include.trueup.ledger.rows import ApprovalRow
from include.trueup.ledger.status import TRANSITIONS, Status
from include.trueup.ledger.steps import Steps
from include.trueup.ledger.tables import approvals, runs, steps
from include.trueup.ledger.tables import leases as lease_table
from include.trueup.plan.hashing import plan_hash
from include.trueup.run import order, where
from include.trueup.run.run import Run
from include.trueup.stores import Fence
from include.trueup.write import approval

from ..twins import RelationalTwin
from .patching import Patch, ignore


def stale_plan(patch: Patch) -> None:
    """A run that failed goes on after a newer one has written."""
    ignore(patch, leases, "_refuse_newer")


def ended_runs_go_on(patch: Patch) -> None:
    """A run that is rolled back, or was interrupted, goes on."""
    ignore(patch, order, "refuse_ended")
    ignore(patch, leases, "_refuse_newer")
    ignore(patch, ledger_rights, "require_begun", "require_going_on", "require_newest")
    real, ended = leases._status, ("interrupted", "rolled_back")
    patch.setattr(leases, "_status", lambda c, id: "running" if real(c, id) in ended else real(c, id))


def batches_of_any_plan(patch: Patch) -> None:
    """What was written under an earlier plan counts as written under this one."""
    real = batches.Batches._asked

    def of_any(element: Any, **_: Any) -> Any:
        return sa.true() if element is batches._OF_PLAN else None

    def asked(self: Any, query: Any, *given: Any) -> Any:
        return real(self, replacement_traverse(query, {}, of_any), *given)

    patch.setattr(batches.Batches, "_asked", asked)


def no_fence(patch: Patch) -> None:
    """Who was paused goes on to write."""
    patch.setattr(holding.Elapsed, "seconds", lambda _: 0.0)
    renewed_by_whoever(patch)
    patch.setattr(Steps, "_outlive", lambda *_: None)


def _renew(self: Any, run_id: str, epochs: Mapping[str, int], part: Any = None) -> None:
    with self._begin() as connection:
        mine = lease_table.c.epoch.in_(epochs.values())
        renewed = lease_table.update().where(mine).values(expires_at=statements.RENEWED)
        connection.execute(renewed, {"lasts": leases._lasts()})
        if part is not None:
            of = (steps.c.run_id == run_id, steps.c.step == part.step, steps.c.part == part.part)
            connection.execute(steps.update().where(*of).values(renewed_at=sa.func.clock_timestamp()))


def _ends_not(patch: Patch, which: Callable[[Fence], bool]) -> None:
    real = RelationalTwin.end_older

    def end_older(self: RelationalTwin, fence: Fence) -> bool:
        before = {each: each.ended for each in self.database.open}
        ended = real(self, fence)
        for each in self.database.open if which(fence) else ():
            each.ended = before.get(each, each.ended)
        return ended

    patch.setattr(RelationalTwin, "end_older", end_older)


def ends_nobody(patch: Patch) -> None:
    """Who takes a target ends no older session."""
    _ends_not(patch, lambda _: True)


def renewed_by_whoever(patch: Patch) -> None:
    """A lease is renewed though it is over."""
    patch.setattr(leases.Leases, "renew", _renew)
    not_asked(patch)
    ends_nobody(patch)


def not_asked(patch: Patch) -> None:
    """Who writes goes by what the ledger said at the last renewal, and not by what it says once the locks are there."""
    ignore(patch, leases.Leases, "_confirm")


def begins_beside(patch: Patch) -> None:
    """A run begins, or begins again, beside what older leases have begun to write."""
    _ends_not(patch, lambda fence: not fence.part)


def older_try_goes_on(patch: Patch) -> None:
    """A try begins to write while an older one may."""
    patch.setattr(Steps, "_outlive", lambda *_: None)  # to wait is an effect
    not_asked(patch)
    ends_nobody(patch)


def identity_by_spelling(patch: Patch) -> None:
    """The lease is on how somebody spells the address."""

    def spelled(self: Run) -> list[str]:
        return [f"{self.id}/{self.identity(target)}" for target in self.migration.targets]

    patch.setattr(Run, "held_targets", property(spelled))


def two_runs_are_one(patch: Patch) -> None:
    """Nobody looks whether the run's row is that of another run of Airflow; and a proven run begins again."""
    from include.trueup import ledger
    from include.trueup.report import ending
    from include.trueup.run import earlier

    for module in (ledger, ending, earlier, order, approval):
        ignore(patch, module, "refuse_other")
    proven_again(patch)


def _takes_over(patch: Patch, *, soon: bool, said: bool) -> None:
    def take_from(self: Any, connection: Any, _: str, other: Any, now: Any) -> None:
        if other.expires_at > now and not soon:
            raise TargetHeldError("another run has it", held_by=other.run_id)
        if said and leases._status(connection, other.run_id) == Status.RUNNING:
            self._move(connection, other.run_id, Status.INTERRUPTED, "taken over")

    patch.setattr(leases.Leases, "_take_from", take_from)


def right_before_refusal(patch: Patch) -> None:
    """Who may not write takes the right to, and is refused then."""
    real = approval.require

    def require(run: Any, *given: Any) -> None:
        run.ledger.leases.enter(run.id, run.held_targets, run.holder, right=True)
        real(run, *given)

    patch.setattr(approval, "require", require)


def waits_like_any_other(patch: Patch) -> None:
    """A run that waits for a person keeps its place no longer than one that nobody renews."""
    real = leases.Leases.wait

    def wait(self: Any, run_id: str, until: Any, sha256: str) -> None:
        real(self, run_id, self._effects.now() + timedelta(seconds=lasting.lease_seconds()), sha256)

    patch.setattr(leases.Leases, "wait", wait)


def taken_too_soon(patch: Patch) -> None:
    """A lease that has not expired is taken, without a word to its run."""
    _takes_over(patch, soon=True, said=False)
    stale_plan(patch)


def taken_over_unsaid(patch: Patch) -> None:
    """A run whose lease was taken over is not interrupted, and takes it back."""
    _takes_over(patch, soon=False, said=False)
    stale_plan(patch)


def takes_from_whoever_has_it(patch: Patch) -> None:
    """A run takes a target that another run has."""

    def take_from(self: Any, connection: Any, run_id: str, other: Any, now: Any) -> None:
        pass

    patch.setattr(leases.Leases, "_take_from", take_from)
    ignore(patch, leases, "_refuse_newer")


def proven_again(patch: Patch) -> None:
    """A proven run may begin again."""
    patch.setitem(TRANSITIONS, Status.PROVEN, frozenset(Status))


def failed_after_proven(patch: Patch) -> None:
    """A report that comes late makes a proven run a failed one."""
    patch.setitem(TRANSITIONS, Status.PROVEN, TRANSITIONS[Status.PROVEN] | {Status.FAILED})
    ignore(patch, ledger_rights, "require_at")


def plan_may_change(patch: Patch) -> None:
    """What is approved is what lies in the workspace when the answer comes."""
    ignore(patch, approval, "_refuse_unseen")
    real = approval.ROWS.same

    def same(run: Any, row: Any) -> str:
        try:
            return real(run, row)
        except TrueupError:
            return plan_hash(run)

    patch.setattr(approval, "ROWS", replace(approval.ROWS, same=same))
    ignore(patch, order, "require")


def approval_of_another_plan(patch: Patch) -> None:
    """An approval counts for any plan of the run."""

    def of(self: Any, run_id: str, plan_sha256: str | None = None) -> Any:
        with self._begin() as connection:
            present = connection.execute(sa.select(runs.c.plan_sha256).where(runs.c.run_id == run_id)).scalar()
            query = sa.select(approvals).where(approvals.c.run_id == run_id).order_by(approvals.c.decided_at.desc())
            every = [ApprovalRow(**row) for row in connection.execute(query).mappings()]
        wanted = plan_sha256 or present
        chosen = next((each for each in every if wanted in (None, each.plan_sha256)), next(iter(every), None))
        return None if chosen is None else replace(chosen, plan_sha256=wanted or chosen.plan_sha256)

    patch.setattr(Approvals, "of", of)


def rejected_is_approved(patch: Patch) -> None:
    """What is rejected is written all the same."""
    real = Approvals.of

    def of(self: Any, run_id: str, plan_sha256: str | None = None) -> Any:
        found = real(self, run_id, plan_sha256)
        return replace(found, decision="approved") if found is not None and found.decision == "rejected" else found

    patch.setattr(Approvals, "of", of)


def marked_is_done(patch: Patch) -> None:
    """A step that is marked as done in Airflow counts as done."""
    ignore(patch, order, "require", "left_out")


def wherever_it_leads(patch: Patch) -> None:
    """A run goes on wherever its connections lead since it began."""
    ignore(patch, where, "check_same")


MUTANTS = {
    "review/3": stale_plan,
    "review/3, interrupted": ended_runs_go_on,
    "review/4": batches_of_any_plan,
    "review/5": no_fence,
    "review/7, security/S2": plan_may_change,
    "review/14": identity_by_spelling,
    "security/S1": two_runs_are_one,
    "review/9": right_before_refusal,
    "own/waits like any other": waits_like_any_other,
    "own/lease taken too soon": taken_too_soon,
    "own/taken over unsaid": taken_over_unsaid,
    "own/taken from whoever has it": takes_from_whoever_has_it,
    "own/older try goes on": older_try_goes_on,
    "own/renewed by whoever": renewed_by_whoever,
    "own/not asked": not_asked,
    "own/ends nobody": ends_nobody,
    "own/begins beside": begins_beside,
    "own/proven again": proven_again,
    "own/failed after proven": failed_after_proven,
    "own/approval of another plan": approval_of_another_plan,
    "own/rejected is approved": rejected_is_approved,
    "own/marked is done": marked_is_done,
    "own/wherever it leads": wherever_it_leads,
}
