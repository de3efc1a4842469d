"""The revisions of a run on schemas while it runs them: which are done, which is under way, which are still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.trueup.run import Files

from . import evidence
from .files import folder
from .progress import Step

APPLY = "apply"
_LAST = {"done": "done", "failed": "failed", "retrying": "retrying"}
"""What the revision that was begun last is, by the state of the step that runs them; else it is running."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A revision of a run: `state` is done, running, retrying, failed, pending, or left out (the run is over)."""

    database: str
    revision: str
    title: str
    phase: int
    up: bool
    state: str


def of(id: str, steps: Sequence[Step]) -> tuple[Revision, ...]:
    """The revisions of the run's plan in the order in which they run; none where there is no such plan, or it is not to be
    carried out."""
    apply = next((step for step in steps if step.name == APPLY), None)
    plan = evidence.schema_plan(id) if apply is not None and apply.state != "skipped" else None
    if plan is None or apply is None:
        return ()
    begun = Files(folder(id)).revisions_begun
    revisions = [
        (database, one, number <= begun.get(database, 0))
        for database, planned in plan.databases.items()
        for number, one in enumerate(planned.steps, 1)
    ]
    up = all(one.up for _, one, _ in revisions)
    revisions.sort(key=lambda each: each[1].phase if up else -each[1].phase)  # phase by phase, each database in turn
    last = max((place for place, (_, _, is_begun) in enumerate(revisions) if is_begun), default=-1)
    return tuple(
        Revision(
            database=database,
            revision=one.revision,
            title=one.title,
            phase=one.phase,
            up=one.up,
            state="done" if place < last else _LAST.get(apply.state, "running") if place == last else _to_come(apply),
        )
        for place, (database, one, _) in enumerate(revisions)
    )


def _to_come(apply: Step) -> str:
    return "left out" if apply.state in ("done", "failed", "left out") else "pending"
