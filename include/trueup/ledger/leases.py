"""Leases on targets: which run has its place there, and which the right to write.

A run takes its *place* at its preflight, and the *right* with its first step that writes. Each taking has an *epoch* of its
own, higher than all before it, and what a run writes it writes under the epochs that it had when the step began: once
another run has taken a target, or this one has begun again, these are over and are never taken again unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ..errors import StatusError, TargetHeldError
from ..steps import writes
from ..stores.effects import REAL, Effects
from . import rights, statements
from .holders import refusal
from .lasting import lease_seconds, presumed_seconds
from .rights import Part as Part
from .rows import LeaseRow
from .status import Status
from .tables import LEASE_LOCK, leases

Begin = Callable[[], AbstractContextManager[sa.Connection]]
Asking = Callable[[Callable[[], sa.Select[int]]], AbstractContextManager[Callable[[], int]]]
Move = Callable[[sa.Connection, str, Status, str], None]


@dataclass(frozen=True, kw_only=True)
class Entered:
    """The epochs under which a step does its work, by target; `anew`: a lease was taken again for it."""

    epochs: dict[str, int]
    anew: bool


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A target's present lease: whose it is, whether it waits for a person, whether that run may write, and until when it
    is."""

    target: str
    run_id: str
    waits: bool
    writes: bool
    expires_at: datetime


class Leases:
    """The part of the ledger that has the leases. `move` changes a run's status in an open transaction; `asking` gives
    what asks one question again and again, outside of transactions."""

    def __init__(self, begin: Begin, move: Move, asking: Asking, effects: Effects = REAL) -> None:
        self._begin = begin
        self._move = move
        self._asking = asking
        self._effects = effects

    def take(
        self, run_id: str, targets: Sequence[str], holder: str | None = None, attempt: int | None = None
    ) -> dict[str, int]:
        """Take the run's place on its targets, all or none; the epochs, by target. A run that has it already takes it again.

        `holder` names the process that is the whole run, if there is one (`this_process`): a lease whose process has died
        on this machine is free at once; any other is free after `lease_seconds` without renewal. Raises `TargetHeldError`,
        saying which run holds what and until when; `StatusError` as `Steps.step` does for an `attempt`.
        """
        with self._begin() as connection:
            now = _lock(connection)
            if attempt is not None:
                rights.require_begun(connection, run_id, attempt)
            for row in _current(connection, targets):
                if row.run_id != run_id:
                    self._take_from(connection, run_id, row, now)
                _end(connection, row.epoch, run_id)
            return {target: _new(connection, run_id, target, holder, now) for target in targets}

    def _take_from(self, connection: sa.Connection, run_id: str, other: LeaseRow, now: datetime) -> None:
        if other.expires_at > now and not (other.holder is not None and self._effects.ended(other.holder)):
            raise TargetHeldError(refusal(run_id, other, now), held_by=other.run_id)
        if _status(connection, other.run_id) == Status.RUNNING:
            reason = f"run {run_id} took over its expired lease"
            self._move(connection, other.run_id, Status.INTERRUPTED, reason)

    def enter(
        self,
        run_id: str,
        targets: Sequence[str],
        holder: str | None = None,
        *,
        right: bool = False,
        part: Part | None = None,
    ) -> Entered:
        """The epochs under which a step of the run does its work, renewed; `right`: it means to write, as this part.

        A run that failed has given up its leases; it takes them again here, and is running, if it finds nothing newer.
        Raises `StatusError` for a run that has ended, or where another run has written to a target since this one took its
        place; `TargetHeldError` where one has its place there, or the part is not the run's any more (`confirming`).
        """
        with self._begin() as connection:
            now = _lock(connection)
            status = _status(connection, run_id)
            if status not in (Status.RUNNING, Status.FAILED):
                raise StatusError(_ended(run_id, status))
            if part is not None and not connection.execute(rights.RENEWING, rights.given(run_id, {}, part)).rowcount:
                raise rights.lost(run_id, targets)
            mine: dict[str, int] = {}
            for row in _current(connection, targets):
                if row.run_id != run_id:
                    if _status(connection, row.run_id) == Status.RUNNING:
                        raise TargetHeldError(refusal(run_id, row, now), held_by=row.run_id)
                    _end(connection, row.epoch, run_id)
                else:
                    mine[row.target] = row.epoch
            missing = [target for target in targets if target not in mine]
            for target in missing:
                _refuse_newer(connection, run_id, target)
                mine[target] = _new(connection, run_id, target, holder, now)
            if status == Status.FAILED:
                self._move(connection, run_id, Status.RUNNING, "a task was cleared; no other run has written since")
            values = {"these": [*mine.values()], "lasts": _lasts(), "holder": holder}
            connection.execute(
                statements.TAKE_RIGHT if right else statements.RENEW, {**values, "now": now} if right else values
            )
            return Entered(epochs=mine, anew=bool(missing))

    def renew(self, run_id: str, epochs: Mapping[str, int], part: Part | None = None) -> None:
        """Renew the leases of these epochs. Raises `TargetHeldError` as `confirming` does."""
        renewed = leases.update().where(*rights.held(part)).values(expires_at=statements.RENEWED)
        given = rights.given(run_id, epochs, part)
        with self._begin() as connection:
            done = connection.execute(renewed, {**given, "lasts": _lasts()}).rowcount
            if part is not None and done == len(epochs):
                connection.execute(rights.RENEWING, given)
        if done != len(epochs):
            raise rights.lost(run_id, epochs)

    @contextmanager
    def confirming(
        self, run_id: str, epochs: Mapping[str, int], part: Part | None = None
    ) -> Iterator[Callable[[], None]]:
        """What asks, from any thread: it raises `TargetHeldError` unless the leases of all these epochs are the run's still, it
        is running, and the part is at no newer try, has not been begun before the run began again, and the run's plan is
        still that of its beginning. Made once for all questions, over one session."""

        def query() -> sa.Select[int]:
            held = sa.select(sa.func.count()).select_from(leases).where(*rights.held(part))
            return held.params(**rights.given(run_id, epochs, part))

        with self._asking(query) as held:
            yield lambda: self._confirm(run_id, epochs, held)

    def _confirm(self, run_id: str, epochs: Mapping[str, int], held: Callable[[], int]) -> None:
        if held() != len(epochs):
            raise rights.lost(run_id, epochs)

    def older_writer(self, run_id: str, epochs: Mapping[str, int]) -> bool:
        """Whether somebody who writes to one of the targets under an older lease than these may not know yet that it is over:
        a part that began before them, of which it is not known that it, or its process, has ended, or that it has stopped
        by itself."""
        older = rights.older(run_id, epochs, lease_seconds())
        with self._begin() as connection:
            parts = connection.execute(older).all()
        return any(writes(step) and not (holder and self._effects.ended(holder)) for step, holder in parts)

    def present(self) -> list[Lease]:
        """Every lease that has not ended or expired."""
        with self._begin() as connection:
            rows = connection.execute(statements.LIVE).mappings()
            return [
                Lease(
                    target=row["target"],
                    run_id=row["run_id"],
                    waits=row["waits"],
                    writes=row["right_at"] is not None,
                    expires_at=row["expires_at"],
                )
                for row in rows
            ]

    def newer_writer(self, run_id: str) -> str | None:
        """A run that has taken the right to write to a target of this one since this one took its place, the last; so that
        nothing of its plan may be written any more. None: there is none."""
        mine = sa.select(leases.c.target, sa.func.max(leases.c.epoch).label("epoch"))
        had = mine.where(leases.c.run_id == run_id).group_by(leases.c.target).subquery()
        newer = (
            sa.select(leases.c.run_id)
            .join(had, sa.and_(had.c.target == leases.c.target, leases.c.epoch > had.c.epoch))
            .where(leases.c.run_id != run_id, leases.c.right_at.is_not(None))
        )
        with self._begin() as connection:
            return connection.execute(newer.order_by(leases.c.epoch.desc()).limit(1)).scalar()

    def wait(self, run_id: str, until: datetime, sha256: str) -> None:
        """Keep the run's place until then, since a person is being asked about that plan; unless it is approved by now, or
        somebody is asked about another one."""
        with self._begin() as connection:
            connection.execute(statements.WAIT, {"this_run": run_id, "expires_at": until, "sha256": sha256})

    def answered(self, run_id: str, sha256: str) -> None:
        """A person has answered about that plan: from now on the run's leases last as long as any other. Not where the run has
        another plan that somebody is asked about by now."""
        lasts = timedelta(seconds=presumed_seconds())
        with self._begin() as connection:
            connection.execute(statements.ANSWERED, {"this_run": run_id, "sha256": sha256, "lasts": lasts})

    def release(self, run_id: str) -> None:
        """Give up every lease of the run."""
        with self._begin() as connection:
            connection.execute(statements.RELEASE, {"this_run": run_id, "ended_by": run_id})

    def leave(self, run_id: str, at: rights.Standing, status: Status) -> None:
        """The same, of a run that has ended so. Raises `GoneOnError` where it does not stand there any more."""
        with self._begin() as connection:
            _lock(connection)  # nobody takes them again meanwhile
            rights.require_at(connection, run_id, at, status)
            connection.execute(statements.RELEASE, {"this_run": run_id, "ended_by": run_id})

    def roll_back(self, undone: str, run_id: str, epochs: Mapping[str, int], part: Part) -> None:
        """Enter that run `undone` is rolled back, unless it is already, while the leases of these epochs are those of the run that
        does so. Raises `TargetHeldError` as `confirming` does; `StatusError` where `undone` goes on."""
        held = sa.select(sa.func.count()).select_from(leases).where(*rights.held(part))
        with self._begin() as connection:
            _lock(connection)  # nobody takes them meanwhile
            if connection.execute(held, rights.given(run_id, epochs, part)).scalar_one() != len(epochs):
                raise rights.lost(run_id, epochs)
            if _status(connection, undone) != Status.ROLLED_BACK:
                self._move(connection, undone, Status.ROLLED_BACK, f"run {run_id} rolled it back and proved it")

    def give_up(self, run_id: str, reason: str) -> None:
        """End a run that is known to be over, and its leases."""
        with self._begin() as connection:
            _lock(connection)
            if _status(connection, run_id) == Status.RUNNING:
                self._move(connection, run_id, Status.INTERRUPTED, reason)
        self.release(run_id)


def _lasts() -> timedelta:
    return timedelta(seconds=lease_seconds())


def _lock(connection: sa.Connection) -> datetime:
    """No other run takes a lease until the transaction ends; the time now."""
    connection.execute(statements.LOCK, {"key": LEASE_LOCK})
    now: datetime = connection.execute(statements.NOW).scalar_one()
    return now


def _current(connection: sa.Connection, targets: Sequence[str]) -> list[LeaseRow]:
    return [LeaseRow(**row) for row in connection.execute(statements.CURRENT, {"targets": [*targets]}).mappings()]


def _status(connection: sa.Connection, run_id: str) -> str | None:
    return connection.execute(statements.STATUS, {"run_id": run_id}).scalar()


def _new(connection: sa.Connection, run_id: str, target: str, holder: str | None, now: datetime) -> int:
    values = {"target": target, "run_id": run_id, "holder": holder, "taken_at": now, "expires_at": now + _lasts()}
    return int(connection.execute(statements.NEW, values).scalar_one())


def _end(connection: sa.Connection, epoch: int, by: str) -> None:
    connection.execute(statements.END, {"this": epoch, "ended_by": by})


def _refuse_newer(connection: sa.Connection, run_id: str, target: str) -> None:
    mine = sa.select(sa.func.coalesce(sa.func.max(leases.c.epoch), 0)).where(
        leases.c.run_id == run_id, leases.c.target == target
    )
    newer = sa.select(leases.c.run_id, leases.c.right_at).where(
        leases.c.target == target,
        leases.c.epoch > mine.scalar_subquery(),
        leases.c.run_id != run_id,
        leases.c.right_at.is_not(None),
    )
    newest = connection.execute(newer.order_by(leases.c.epoch.desc()).limit(1)).first()
    if newest is not None:
        at = f"{newest.right_at:%Y-%m-%d %H:%M:%S %Z}"
        raise StatusError(
            f"run {newest.run_id} has written to {target} ({at}) since the plan of run {run_id} was made, so nothing of that "
            "plan is written any more: trigger a new run"
        )


def _ended(run_id: str, status: str | None) -> str:
    if status == Status.INTERRUPTED:
        return f"another run took over the targets of run {run_id}, so its plan is not written: trigger a new run"
    return f"run {run_id} is {status}: it has ended, and it writes nothing more; trigger a new run"
