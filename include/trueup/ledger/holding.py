"""Holding a run's targets while a step does its work, so that two runs, or two tries of one task, never write at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import StatusError, StoreUnavailableError, TargetHeldError, TransientError
from ..stores import Fence
from ..stores.effects import REAL, Effects
from . import Ledger, Part, lease_seconds

log = logging.getLogger(__name__)


class Elapsed:
    """Seconds since it was made: the more of what the wall clock says and of what a clock says that goes on while the
    machine sleeps or is suspended."""

    def __init__(self, effects: Effects = REAL) -> None:
        self._clocks = (effects.wall, effects.elapsing)
        self._since = [clock() for clock in self._clocks]

    def seconds(self) -> float:
        """The seconds."""
        return max(clock() - then for clock, then in zip(self._clocks, self._since, strict=True))


def place(ledger: Ledger, run_id: str, targets: Sequence[str], holder: str | None, attempt: int | None = None) -> Fence:
    """Take the run's place on every target (`Leases.take`), as it began for the `attempt`th time; a fence with the epochs, by
    which nothing is written."""

    def refuse(*_: object) -> None:
        raise StatusError(f"run {run_id} has its place only, and no right to write")

    epochs = ledger.leases.take(run_id, targets, holder, attempt)
    return Fence(check=refuse, confirm=refuse, epochs=epochs, part="", tries=0, lasts=lease_seconds(), anew=True)


@contextmanager
def holding(
    ledger: Ledger,
    run_id: str,
    targets: Sequence[str],
    holder: str | None,
    *,
    right: bool = False,
    part: Part | None = None,
) -> Iterator[Fence]:
    """Hold every target while the block runs, renewing all the time; `right`: to write, as this part of a step.

    Gives a fence, to be asked before each request that writes: it raises once the right to write is lost, or can no longer
    be known to be there. Raises `TargetHeldError` or `StatusError` where the run, or this part of it, may not hold them
    now."""
    begun, lasts = Elapsed(ledger.effects), lease_seconds()
    entered = ledger.leases.enter(run_id, targets, holder, right=right, part=part)
    renewed, confirmed, lost = [begun], list[Elapsed](), list[TargetHeldError]()

    def renew() -> bool:
        try:
            asked = Elapsed(ledger.effects)  # before the question: the answer may be long in coming
            ledger.leases.renew(run_id, entered.epochs, part)
            renewed[0], confirmed[:] = asked, [asked]
        except TargetHeldError as error:
            lost.append(error)
            return False
        except TransientError as error:
            log.warning("the lease of run %s could not be renewed and is tried again: %s", run_id, error)
        return True

    def check() -> None:
        if lost:
            raise lost[0]
        if renewed[0].seconds() > lasts:
            raise StoreUnavailableError(
                f"run {run_id} could not renew its lease for {lasts:g} s, so it stopped writing; what is written is kept"
            )

    def confirm(within: float) -> None:
        check()
        if within and confirmed and confirmed[0].seconds() <= within:
            return
        try:
            asked = Elapsed(ledger.effects)
            ask()
            confirmed[:] = [asked]
        except TargetHeldError as error:
            lost.append(error)
            raise

    asking = ledger.leases.confirming(run_id, entered.epochs, part)
    with asking as ask, ledger.effects.beside(lasts / 6, renew, "trueup-lease"):
        yield Fence(
            check=check,
            confirm=confirm,
            anew=entered.anew,
            epochs=entered.epochs,
            part=f"{run_id} {part.step} {part.part}" if part else "",
            tries=part.tries if part else 0,
            lasts=lasts,
        )
