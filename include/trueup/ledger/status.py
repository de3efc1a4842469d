"""The statuses of a run, and the only ways from one to another."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    PLANNED = "planned"
    PROVEN = "proven"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    ROLLED_BACK = "rolled_back"


TRANSITIONS: dict[Status | None, frozenset[Status]] = {
    None: frozenset(
        {
            Status.RUNNING,  # preflight begins
        }
    ),
    Status.RUNNING: frozenset(
        {
            Status.RUNNING,  # preflight is tried again
            Status.PLANNED,  # mode plan: the plan passed its gate, and there is nothing more to do
            Status.PROVEN,  # every row was read back and every gate passed
            Status.FAILED,  # a step failed; the report says which
            Status.INTERRUPTED,  # its workers are gone: another run took over its expired hold
        }
    ),
    Status.PLANNED: frozenset(
        {
            Status.RUNNING,  # the DAG run was cleared and runs again
            Status.PLANNED,  # the report is written again
            Status.FAILED,  # a step that was cleared is refused
        }
    ),
    Status.FAILED: frozenset(
        {
            Status.RUNNING,  # a failed task was cleared and the run goes on
            Status.FAILED,  # the report is written again
            Status.PROVEN,  # only the failed task was cleared, and what follows passed
            Status.PLANNED,  # the same, in mode plan
            Status.ROLLED_BACK,  # a rollback undid what it had written
        }
    ),
    Status.INTERRUPTED: frozenset(
        {
            Status.RUNNING,  # it comes back and may hold its targets again
            Status.FAILED,  # it comes back, and may not
            Status.ROLLED_BACK,  # a rollback undid what it had written
        }
    ),
    Status.PROVEN: frozenset(
        {
            Status.PROVEN,  # the report is written again
            Status.ROLLED_BACK,  # a rollback undid it, and proved that
        }
    ),
    Status.ROLLED_BACK: frozenset(),  # nothing of it is left; start another run
}
"""From (None: no run yet) → to. What is not listed is refused with a `StatusError`: a proven run stays proven, since
somebody may have signed for it; to do more, start another run."""


class SwitchState(StrEnum):
    """Where an application reads and writes: the old shape, both, or the new one."""

    LEGACY = "legacy"
    DUAL = "dual"
    NEW = "new"


TURNS: dict[SwitchState, frozenset[SwitchState]] = {
    SwitchState.LEGACY: frozenset(
        {
            SwitchState.DUAL,  # both are written, from a proven target on
        }
    ),
    SwitchState.DUAL: frozenset(
        {
            SwitchState.NEW,  # cut over
            SwitchState.LEGACY,  # back: nothing has relied on the new shape alone
        }
    ),
    SwitchState.NEW: frozenset(
        {
            SwitchState.DUAL,  # undo the cutover; from there on to legacy
        }
    ),
}
"""A switch's state → those it may be turned to: a step at a time, so that no step is taken unseen."""
