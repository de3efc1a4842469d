"""What the histories are to have met: errors, transitions of runs, turns of the switch, what becomes of leases, verbs, and all
that may happen between two effects."""

from __future__ import annotations

from collections import Counter

from include.trueup.ledger.status import TRANSITIONS, TURNS
from include.trueup.plan.files import VERBS

from .history import WEIGHTS

ERRORS = (
    *("SourceError", "StoreRejectedError", "TargetHeldError", "StatusError", "ArtifactError", "GateError"),
    *("ApprovalError", "StoreUnavailableError", "_UnprovenError"),
)
NOT_HERE = {
    "DeclarationError": "the declaration of the world is sound",
    "OptionsError": "what is asked for is allowed",
    "MemoryLimitError": "rows are few",
    "UnreadableValueError": "no value is without a canonical form",
}
"""Errors that the world has no way to."""
WANTED = (
    *(f"error {name}" for name in ERRORS),
    *(f"run {was or 'none'} -> {to}" for was, ways in TRANSITIONS.items() for to in sorted(ways) if was != to),
    *(f"switch {was} -> {to}" for was, ways in TURNS.items() for to in sorted(ways)),
    *("lease taken", "lease writes", "lease taken over", "lease waits"),
    *(f"verb {verb}" for verb in VERBS),
    *(f"event {what}" for what in WEIGHTS),
)


def table(met: Counter[str]) -> str:
    """How often each was met, and which was not."""
    lines = [f"{met[name]:>8}  {name}" for name in WANTED if met[name]]
    missed = [name for name in WANTED if not met[name]]
    lines += [f"not met: {', '.join(missed)}"] if missed else ["everything was met"]
    return "\n".join(lines)
