"""The beginning of a run, of whatever kind: what every preflight does around what it finds and chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from ..ledger import RunRow
from ..ledger.holding import Elapsed, place
from . import AnyRun, Mode, Start, StepName, earlier, newest, part

R = TypeVar("R", bound=AnyRun)


def begin(
    run: R,
    triggered_by: str | None,
    choose: Callable[[R], Start],
    *,
    undoes: Callable[[R], RunRow | None] = lambda _: None,
    allowed: Callable[[R], R] = lambda run: run,
) -> Start:
    """Begin the run: it is in the ledger, what it had begun to write under an earlier plan is set aside, it has its place on
    its targets (mode apply), where nobody writes any more by an older lease, and `run.json` says what `choose` has found
    there and chosen. An older try of it, that goes on when a newer one has begun or the run has ended, does nothing more.

    `undoes` finds the run that it undoes; `allowed` gives the run as it may be, or raises, once it is entered and before it
    has its place. Raises `StatusError` for a run that has ended, or may not begin again; `TargetHeldError`."""
    run.ledger.upgrade()
    undone = undoes(run)
    stood = earlier.set_aside(run)
    since = Elapsed(run.ledger.effects)
    attempt = run.ledger.begin(
        run.id,
        migration_id=run.migration.id,
        dag_id=run.dag_id,
        airflow_run_id=run.airflow_run_id,
        triggered_by=triggered_by,
        options=run.options.to_json(),
        undoes=None if undone is None else undone.run_id,
        at=stood,
    )
    if attempt > 1 or run.files.left_over():  # of a run that the ledger has forgotten
        with newest.asking(run.ledger, run.id, since, attempt):
            run.files.forget(*earlier.former(run.folder, attempt))
    with part(run, StepName.PREFLIGHT, attempt=attempt):
        run = allowed(run)
        if run.options.mode is Mode.APPLY:
            run.end_older(place(run.ledger, run.id, run.held_targets, run.holder, attempt))
        start = replace(choose(run), attempt=attempt)
        run.ledger.choose(run.id, start.options.to_json(), attempt)
        run.files.write_start(start)
    return start
