"""What a migration's shadow comparison found, and whether a turn forward may rest on it.

It must be younger than the proof, have looked at everything, and have found no difference but those that the proven run has
reported itself, under the code that the migration declares for it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from ..declare.migration import Shadow
from ..errors import ProofError
from ..ledger import ComparisonRow, Ledger
from ..run import Files
from ..run.files import COMPARISON
from ..run.workspace import Workspace

LISTED = 50
"""Keys of differences that are listed; `comparison.json` has them all."""


@dataclass(frozen=True, kw_only=True)
class Shadowed:
    """The last comparison that came to an end: its run, when it was begun, how many were `compared` and the `differences`;
    `whole`: it looked at everything. `known`: keys of differences that the proven run has reported, and `unknown`: of the
    others, the first `LISTED` of each, with how many there are."""

    run_id: str
    begun_at: datetime
    compared: int
    differences: int
    whole: bool
    known: tuple[str, ...]
    known_keys: int
    unknown: tuple[str, ...]
    unknown_keys: int


def last(
    ledger: Ledger, workspace: Workspace, migration_id: str, shadow: Shadow, proven: str | None
) -> Shadowed | None:
    """The last comparison, beside what the run `proven` reported (None: there is none). None where none came to an end.
    Raises `ProofError` where the file of its differences is not what the ledger says."""
    row = _last(ledger, migration_id, shadow)
    if row is None or row.compared is None or row.differences is None:
        return None
    keys = _keys(workspace, row) if row.differences else []
    by_key = reported(workspace, proven, shadow)
    known, unknown = [key for key in keys if key in by_key], [key for key in keys if key not in by_key]
    return Shadowed(
        run_id=row.run_id,
        begun_at=row.begun_at,
        compared=row.compared,
        differences=row.differences,
        whole=bool(row.whole),
        known=tuple(known[:LISTED]),
        known_keys=len(known),
        unknown=tuple(unknown[:LISTED]),
        unknown_keys=len(unknown),
    )


def reported(workspace: Workspace, proven: str | None, shadow: Shadow) -> frozenset[str]:
    """The keys of which the run says itself that the two ways differ there."""
    if proven is None or shadow.known is None:
        return frozenset()
    return Files(workspace.run(proven)).keys_found(shadow.known)


def require(
    ledger: Ledger, workspace: Workspace, migration_id: str, shadow: Shadow, proven: str, proven_at: datetime
) -> Shadowed:
    """The comparison on which a turn forward may rest. Raises `ProofError`, saying why there is none."""
    comparison = last(ledger, workspace, migration_id, shadow, proven)
    if comparison is None:
        raise _refusal(migration_id, shadow, "no shadow comparison of it has come to an end")
    its = f"the last shadow comparison, {comparison.run_id},"
    if comparison.begun_at <= proven_at:
        at = f"{comparison.begun_at:%Y-%m-%d %H:%M:%S %Z}"
        raise _refusal(
            migration_id,
            shadow,
            f"{its} was begun {at}, before run {proven} was proven, {proven_at:%Y-%m-%d %H:%M:%S %Z}",
        )
    if not comparison.whole:
        raise _refusal(migration_id, shadow, f"{its} looked at a share, not at everything")
    if comparison.unknown_keys:
        few = ", ".join(comparison.unknown[:5])
        more = f" and {comparison.unknown_keys - 5:,} more" if comparison.unknown_keys > 5 else ""
        but = f" that run {proven} has not reported as {shadow.known}" if shadow.known else ""
        raise _refusal(
            migration_id,
            shadow,
            f"{its} found {comparison.unknown_keys:,} of {comparison.compared:,} to differ{but}: {few}{more}",
        )
    return comparison


def _last(ledger: Ledger, migration_id: str, shadow: Shadow) -> ComparisonRow | None:
    rows = ledger.comparisons.of(migration_id)
    ended = (row for row in rows if row.comparison_id == shadow.comparison and row.ended_at is not None)
    return next(ended, None)


def _keys(workspace: Workspace, row: ComparisonRow) -> list[str]:
    """The keys of all that differs, sorted."""
    content = workspace.run(row.run_id).read(COMPARISON)
    if content is None or hashlib.sha256(content).hexdigest() != row.sha256:
        raise ProofError(
            f"the file {COMPARISON} of the comparison {row.run_id} is missing, or is not what the ledger says of it, so what "
            f"differs is not known: trigger {row.comparison_id} again"
        )
    return sorted({str(each.get("key")) for each in json.loads(content)["differences"]})


def _refusal(migration_id: str, shadow: Shadow, why: str) -> ProofError:
    return ProofError(
        f"the switch of {migration_id} is not turned: {why}. Trigger {shadow.comparison} over everything, and cut over when it "
        "finds no difference that is not known"
    )
