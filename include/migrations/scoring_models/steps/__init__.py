"""Steps between two neighbouring versions, and the chain of them between any two.

A module of this folder gives its steps, one for each direction, in `STEPS`; all are found when this package is imported.

"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from include.trueup.errors import DeclarationError

from .base import Score, ScoringMigration

__all__ = ["STEPS", "Score", "ScoringMigration", "chain", "rescore"]


def _declared() -> tuple[ScoringMigration, ...]:
    modules = [m.name for m in pkgutil.iter_modules(__path__) if m.name != "base"]
    return tuple(step for name in sorted(modules) for step in importlib.import_module(f"{__name__}.{name}").STEPS)


STEPS = _declared()
"""Every step there is."""


def chain(
    from_version: str, to_version: str, steps: Sequence[ScoringMigration] = STEPS
) -> tuple[ScoringMigration, ...]:
    """The shortest chain of steps from one version to another; empty where they are the same.

    Raises `DeclarationError` when there is none, and says how far one gets.
    """
    reached: dict[str, tuple[ScoringMigration, ...]] = {from_version: ()}
    front = [from_version]
    while to_version not in reached and front:
        here = front.pop(0)
        for step in steps:
            if step.from_version == here and step.to_version not in reached:
                reached[step.to_version] = (*reached[here], step)
                front.append(step.to_version)
    if to_version not in reached:
        raise DeclarationError(
            f"no chain of steps goes from scoring model {from_version} to {to_version}; from {from_version} "
            f"one gets to {', '.join(sorted(reached))}. Write the missing step in "
            "include/migrations/scoring_models/steps/"
        )
    return reached[to_version]


def rescore(score: Score, from_version: str, to_version: str, steps: Sequence[ScoringMigration] = STEPS) -> Score:
    """A score under another version, step by step. Raises `DeclarationError` as `chain` does."""
    for step in chain(from_version, to_version, steps):
        score = step.migrate_bands(step.migrate_scores(score))
    return score
