"""What verifying said, over all partitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..declare.migration import Output, Phase
from ..rows import duck
from ..run import Example, Proof, Run, Session, StepName, entered
from ..run.facts import verified
from ..run.files import PROOF_FILES

EXAMPLES = 20
KINDS = ("missing", "different", "unverified", "left_alone", "moved_on", "extra")
"""What may be said of a row that is not as planned, the worst first."""
COUNTS = ("compared", *KINDS, "reread", "to_keep", "gone")
"""What a proof counts."""


def proof(run: Run, phase: Phase) -> list[Proof] | None:
    """What verifying the phase gave over all partitions, one of each output; None if it has not been verified whole."""
    manifests = run.folder.manifests(entered(StepName.VERIFY, phase.id))
    if len(manifests) != run.partitions:
        return None
    proofs = []
    for output in phase.outputs:
        parts = [verified(manifest.facts, output.name) for manifest in manifests]
        total = {name: sum(getattr(part, name) for part in parts) for name in COUNTS}
        table = run.migration.target(output.target).table.name
        passed = not (total["missing"] or total["different"] or total["unverified"])
        shown = _shown([example for part in parts for example in part.examples])
        proofs.append(
            Proof(phase=phase.id, target=output.target, target_table=table, **total, passed=passed, examples=shown)
        )
    return proofs


def there_again(session: Session, run: Run, phase: Phase, output: Output, gone: Iterable[str]) -> list[str]:
    """The keys of those rows, `gone` when they were to be written, that were there when they were read back: somebody put them
    back, so they were left alone, and are not missing."""
    keys = {*gone}
    manifests = run.folder.manifests(entered(StepName.VERIFY, phase.id)) if keys else []
    files = session.fetch(file for file in PROOF_FILES.among(manifests, output.name) if file.rows)
    if not files:
        return []
    left = f"SELECT key FROM ({duck.parquet(files, None)}) WHERE kind = 'left_alone' AND found IS NOT NULL ORDER BY key"
    return [key for (key,) in session.connection.execute(left).fetchall() if key in keys]


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
