"""What people decided: approvals of plans, and turns of a migration's switch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ..errors import StatusError
from . import rights
from .rows import ApprovalRow, TurnRow
from .status import TURNS, SwitchState
from .tables import TURN_LOCK, approvals, runs, steps, turns

Begin = Callable[[], AbstractContextManager[sa.Connection]]
Decision = Literal["approved", "rejected", "waived"]
"""`waived`: whoever started the run asked for no approval."""
# asked by each step that writes: to make a statement takes longer than to have it answered
_PRESENT = sa.select(runs.c.plan_sha256).where(runs.c.run_id == sa.bindparam("run_id"))
_LAST = sa.select(approvals).where(approvals.c.run_id == sa.bindparam("run_id"))
_LAST = _LAST.order_by(approvals.c.decided_at.desc()).limit(1)
_LAST_OF = _LAST.where(approvals.c.plan_sha256 == sa.bindparam("plan_sha256"))
_COST_ASKED = runs.update().where(runs.c.run_id == sa.bindparam("this_run")).values(asked_sha256=sa.bindparam("sha256"))
_PLAN_ASKED = _COST_ASKED.where(runs.c.plan_sha256 == sa.bindparam("sha256"))
_KNOWN = sa.select(runs.c.run_id, runs.c.status, runs.c.attempt, sa.func.coalesce(sa.func.sum(steps.c.tries), 0))
_KNOWN = _KNOWN.outerjoin(steps, steps.c.run_id == runs.c.run_id).where(runs.c.migration_id == sa.bindparam("of"))
_KNOWN = _KNOWN.group_by(runs.c.run_id)
_LAST_TURN = sa.select(turns).where(turns.c.migration_id == sa.bindparam("migration_id"))
_LAST_TURN = _LAST_TURN.order_by(turns.c.id.desc()).limit(1)
Known = frozenset[tuple[str, str, int, int]]
"""Of each run of a migration, its status, how often it had begun, and how many tries of its steps had."""


class Approvals:
    """Who approved which plan of a run: of several decisions on one plan, the last one counts."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def decide(
        self, run_id: str, plan_sha256: str, decision: Decision, *, by: str | None, comment: str | None = None
    ) -> None:
        """Enter the decision on the run's plan."""
        values = {"plan_sha256": plan_sha256, "decision": decision, "decided_by": by, "comment": comment}
        again = {**values, "decided_at": sa.func.clock_timestamp()}
        with self._begin() as connection:
            new = insert(approvals).values(run_id=run_id, **values)
            connection.execute(new.on_conflict_do_update(index_elements=["run_id", "plan_sha256"], set_=again))

    def asked(self, run_id: str, sha256: str) -> None:
        """Note the hash of the run's plan that a person is being asked about. Raises `StatusError` where the run has another plan
        by now."""
        with self._begin() as connection:
            if not connection.execute(_PLAN_ASKED, {"this_run": run_id, "sha256": sha256}).rowcount:
                raise rights.overtaken(run_id)

    def cost_asked(self, run_id: str, sha256: str, by: rights.Part) -> None:
        """The same of the cost that this part has estimated. Raises `StatusError` where the run has ended or begun again, or is at
        a newer try of the part."""
        with self._begin() as connection:
            # before it is asked: it locks the run, so no newer try begins meanwhile
            connection.execute(_COST_ASKED, {"this_run": run_id, "sha256": sha256})
            rights.require_newest(connection, run_id, None, by)

    def of(self, run_id: str, plan_sha256: str | None = None) -> ApprovalRow | None:
        """The decision on this plan of the run; None if nothing is decided. Without
        a plan, that on the run's present one; where it has none, the last decision."""
        with self._begin() as connection:
            wanted = plan_sha256 or connection.execute(_PRESENT, {"run_id": run_id}).scalar()
            query, of = (_LAST, {}) if wanted is None else (_LAST_OF, {"plan_sha256": wanted})
            row = connection.execute(query, {"run_id": run_id, **of}).mappings().first()
            return None if row is None else ApprovalRow(**row)

    def of_plan(self, migration_id: str, plan_sha256: str) -> list[ApprovalRow]:
        """Every approval by a person of this plan in runs of the migration, the last one first."""
        mine = sa.and_(runs.c.run_id == approvals.c.run_id, runs.c.migration_id == migration_id)
        query = sa.select(approvals).join(runs, mine).where(approvals.c.plan_sha256 == plan_sha256)
        query = query.where(approvals.c.decision == "approved").order_by(approvals.c.decided_at.desc())
        with self._begin() as connection:
            return [ApprovalRow(**row) for row in connection.execute(query).mappings()]


class Switches:
    """The switch of each migration: the state is what it was last turned to, and the turns are its journal."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def state(self, migration_id: str) -> SwitchState:
        """The state; legacy if the switch was never turned, as where no run has made the ledger's tables yet."""
        last = self.last(migration_id)
        return SwitchState.LEGACY if last is None else SwitchState(last.to_state)

    def last(self, migration_id: str) -> TurnRow | None:
        """The last turn; None if the switch was never turned."""
        with self._begin() as connection:
            if connection.execute(sa.select(sa.func.to_regclass(turns.fullname))).scalar() is None:
                return None
            return _last(connection, migration_id)

    def settled(self, migration_id: str) -> SwitchState:
        """The state, once whoever is just turning it has done so: it sees what whoever asks has entered before, or is seen here."""
        with self._begin() as connection:
            _lock(connection)
            last = _last(connection, migration_id)
            return SwitchState.LEGACY if last is None else SwitchState(last.to_state)

    def known(self, migration_id: str) -> Known:
        """What is known of the migration's runs, to be asked before it is looked whether they prove anything (`turn`)."""
        with self._begin() as connection:
            return _known(connection, migration_id)

    def turns(self, migration_id: str) -> list[TurnRow]:
        """Every turn, the last one first."""
        with self._begin() as connection:
            query = sa.select(turns).where(turns.c.migration_id == migration_id).order_by(turns.c.id.desc())
            return [TurnRow(**row) for row in connection.execute(query).mappings()]

    def turn(
        self,
        migration_id: str,
        to: SwitchState,
        *,
        by: str | None,
        why: str,
        run_id: str,
        proof_run_id: str | None,
        was: SwitchState | None = None,
        known: tuple[str, Known] | None = None,
    ) -> None:
        """Turn the switch and enter it in the journal; the same run's turn, tried again, is entered once. `was`: the state that
        it is turned from (None: any). `known`: the migration whose proof it is turned on, and what was known of its runs before.

        Raises `StatusError` where `TURNS` does not allow it, where the switch is in another state by now, where a run has done
        anything since, or where the run has turned it to another."""
        with self._begin() as connection:
            _lock(connection)
            done = connection.execute(sa.select(turns.c.to_state).where(turns.c.run_id == run_id)).scalar()
            if done is not None:
                refuse_second_turn(migration_id, run_id, done, to)
                return
            last = _last(connection, migration_id)
            before = SwitchState.LEGACY if last is None else SwitchState(last.to_state)
            refuse_turn(migration_id, before, to)
            if was is not None and before != was:
                raise StatusError(
                    f"the switch of {migration_id} is {before}, and was {was} when this turn was asked for, so it is not turned "
                    f"to {to}: trigger {migration_id}_cutover again"
                )
            if known is not None and _known(connection, known[0]) != known[1]:
                raise StatusError(
                    f"a run of {known[0]} has begun, gone on or ended since it was looked whether its proof still holds, so the "
                    f"switch of {migration_id} is not turned: clear the task turn, which looks again"
                )
            values = {"from_state": before, "to_state": to, "turned_by": by, "why": why}
            connection.execute(
                turns.insert().values(migration_id=migration_id, run_id=run_id, proof_run_id=proof_run_id, **values)
            )


def _lock(connection: sa.Connection) -> None:
    """Nobody else turns a switch until the transaction ends."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": TURN_LOCK})


def _known(connection: sa.Connection, migration_id: str) -> Known:
    rows = connection.execute(_KNOWN, {"of": migration_id})
    return frozenset((run_id, status, attempt, int(tries)) for run_id, status, attempt, tries in rows)


def _last(connection: sa.Connection, migration_id: str) -> TurnRow | None:
    turn = connection.execute(_LAST_TURN, {"migration_id": migration_id}).mappings().first()
    return None if turn is None else TurnRow(**turn)


def refuse_second_turn(migration_id: str, run_id: str, done: str, to: SwitchState | None) -> None:
    """Raise `StatusError` where a run that has turned the switch to `done` is to turn it to another state (None: any)."""
    if to != done:
        raise StatusError(
            f"run {run_id} has turned the switch of {migration_id} to {done}, and turns it once: to turn it further, or back, "
            f"trigger {migration_id}_cutover again"
        )


def refuse_turn(migration_id: str, before: SwitchState, to: SwitchState) -> None:
    """Raise `StatusError` where a switch that is `before` may not be turned to `to`."""
    if to not in TURNS[before]:
        ways = " or ".join(sorted(TURNS[before]))
        raise StatusError(
            f"the switch of {migration_id} is {before} and may not be turned to {to}; from there it may be turned to {ways}"
        )
