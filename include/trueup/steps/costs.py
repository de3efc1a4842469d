"""The steps of a migration whose transform costs something: that is approved before it, and mode plan ends there."""

from __future__ import annotations

from dataclasses import replace

from . import APPROVE_COST, Mode, Step, StepName

_PAID = (StepName.TRANSFORM, StepName.PLAN, StepName.PLAN_GATE)


def with_cost(steps: list[Step]) -> list[Step]:
    """The same steps, with the one that asks about the cost before the transform."""
    title = "Say what the transform costs; a person approves it."
    ask = Step(id=APPROVE_COST, title=title, over="run", do="plan.cost:waive")
    at = [step.id for step in steps].index(StepName.TRANSFORM)
    behind = [replace(step, until=Mode.VERIFY) if step.id in _PAID else step for step in steps[at:]]
    return [*steps[:at], ask, *behind]
