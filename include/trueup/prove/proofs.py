"""What verifying said, over all partitions."""

from __future__ import annotations

from collections.abc import Sequence

from ..declare.migration import Phase
from ..run import Example, Proof, Run, StepName, entered

EXAMPLES = 20
KINDS = ("missing", "different", "unverified", "left_alone", "moved_on", "extra")
"""What may be said of a row that is not as planned, the worst first."""


def proof(run: Run, phase: Phase) -> list[Proof] | None:
    """What verifying the phase gave over all partitions, one of each output; None if it has not been verified whole."""
    manifests = run.folder.manifests(entered(StepName.VERIFY, phase.id))
    if len(manifests) != run.partitions:
        return None
    names = ("compared", *KINDS, "reread", "to_keep", "gone")
    found = []
    for output in phase.outputs:
        facts = [m.facts[output.name] for m in manifests]
        total = {name: sum(fact.get(name, 0) for fact in facts) for name in names}
        table = run.migration.target(output.target).table.name
        passed = not (total["missing"] or total["different"] or total["unverified"])
        shown = _shown([Example(**e) for fact in facts for e in fact["examples"]])
        found.append(
            Proof(phase=phase.id, target=output.target, target_table=table, **total, passed=passed, examples=shown)
        )
    return found


def last(proofs: Sequence[Proof]) -> list[Proof]:
    """Of each target the last proof, which includes the earlier phases' rows."""
    return list({proof.target or proof.target_table: proof for proof in proofs}.values())


def total(proofs: Sequence[Proof], kind: str) -> int:
    """How many target rows are of that kind (`KINDS`, or `compared`), over all phases, each counted once."""
    return sum(proof.rows(kind) for proof in last(proofs))


def _shown(examples: list[Example]) -> tuple[Example, ...]:
    """A few of the examples, of each kind as many, the worst kind first."""
    kinds = [kind for kind in KINDS if any(e.kind == kind for e in examples)]
    each = EXAMPLES // max(len(kinds), 1)
    by_key = sorted(examples, key=lambda e: str(e.key))
    return tuple(e for kind in kinds for e in [e for e in by_key if e.kind == kind][:each])
