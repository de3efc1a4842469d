"""Faults in what holds a migration's phases together: they do harm only where it has more than one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from include.trueup import report, steps
from include.trueup.plan import hashing
from include.trueup.prove import gates

from .patching import Patch


def first_proof_is_all(patch: Patch) -> None:
    """What the first phase was proven by counts for the others, too."""
    for owner in (gates, report):
        real: Any = owner.proof

        def proof(run: Any, phase: Any, real: Any = real) -> Any:
            mine, first = real(run, phase), real(run, run.migration.phases[0])
            return mine if not mine or not first else [replace(each, phase=phase.id) for each in first]

        patch.setattr(owner, "proof", proof)


def first_phase_names_the_plan(patch: Patch) -> None:
    """The plan's name leaves out the rows of the phases after the first."""
    real: Any = hashing.covered

    def covered(run: Any, parts: Any = None) -> Any:
        covers, first = real(run, parts), {output.name for output in run.migration.phases[0].outputs}
        return {**covers, "rows": {name: rows for name, rows in covers["rows"].items() if name in first}}

    patch.setattr(hashing, "covered", covered)


def rolled_back_in_their_order(patch: Patch) -> None:
    """A rollback takes the phases in the order in which they were written."""
    real = steps.rollback_steps

    def in_their_order(migration: Any) -> Any:
        made = real(migration)
        at = [n for n, step in enumerate(made) if step.phase is not None]
        of_phases = [step for phase in migration.phases for step in made if step.phase is phase]
        return [*made[: at[0]], *of_phases, *made[at[-1] + 1 :]]

    patch.setattr(steps, "BACKWARD", replace(steps.BACKWARD, steps=in_their_order))


MUTANTS = {
    "own/the first proof is all": first_proof_is_all,
    "own/the first phase names the plan": first_phase_names_the_plan,
    "own/rolled back in their order": rolled_back_in_their_order,
}
