"""Faults, to be put back one at a time: the bench must find each. `review/<n>` and `security/<n>` are faults that the engine once
had; `own/…` are others: a condition dropped, a check moved behind the write, a hash that leaves something out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import phases, proofs, rights

Mutant = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Mutant] = {**rights.MUTANTS, **proofs.MUTANTS, **phases.MUTANTS}
"""By name."""
NOT_HERE = {
    "review/12": "what a run costs: no law is about it",
    "review/13": "faults of a declaration: the world's one is sound",
    "review/17": "notations, a snapshot held for long, replicas: only real servers have them",
}
"""Faults of the reviews that the world cannot meet, each with the reason."""
