"""What verifying said, over all partitions."""

from __future__ import annotations

from typing import Any

from .model import Phase
from .run import Run

EXAMPLES = 20
KINDS = ("missing", "different", "unverified", "left_alone", "moved_on", "extra")
"""What may be said of a row that is not as planned, the worst first."""


def proof(run: Run, phase: Phase) -> list[dict[str, Any]] | None:
    """What verifying the phase gave over all partitions, one dict an output; None if it has not been verified whole."""
    manifests = run.folder.manifests(f"verify/{phase.id}")
    if len(manifests) != run.partitions:
        return None
    names = ("compared", *KINDS, "reread", "to_keep", "gone")
    found = []
    for output in phase.outputs:
        facts = [m.facts[output.name] for m in manifests]
        total: dict[str, Any] = {name: sum(fact.get(name, 0) for fact in facts) for name in names}
        about = {"phase": phase.id, "target_table": run.migration.target(output.target).table.name}
        passed = not (total["missing"] or total["different"] or total["unverified"])
        shown = _shown([e for fact in facts for e in fact["examples"]])
        found.append({**about, **total, "passed": passed, "examples": shown})
    return found


def _shown(examples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A few of the examples, of each kind as many, the worst kind first."""
    kinds = [kind for kind in KINDS if any(e["kind"] == kind for e in examples)]
    each = EXAMPLES // max(len(kinds), 1)
    by_key = sorted(examples, key=lambda e: str(e["key"]))
    return [e for kind in kinds for e in [e for e in by_key if e["kind"] == kind][:each]]
