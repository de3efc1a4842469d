"""The first page of a report: what was done, where, by whom, on what proof, and how to undo it, for whoever signs."""

from __future__ import annotations

from collections.abc import Sequence

from ..run import Proof, Where
from ..run.reported import Report
from .shown import PhaseView, ProvenView, SummaryView

WRONG = ("missing", "different", "unverified")


def summary(report: Report, phases: Sequence[PhaseView]) -> SummaryView:
    """The summary of a report, whose phases have these counts."""
    rejected, rows = sum(phase.rejected for phase in phases), sum(phase.source_rows for phase in phases)
    return SummaryView(
        from_tables=tuple(dict.fromkeys(phase.source_table for phase in phases)),
        to_tables=tuple(dict.fromkeys(phase.target_table for phase in phases)),
        where=report.where,
        version=_version(report.where),
        proven=_proven(report.proof, report.verdict.exceptions),
        reject_share=f"{rejected / rows * 100:.1f} % of {rows:,} source rows" if rows else "no source rows",
    )


def _proven(proofs: Sequence[Proof], exceptions: int) -> ProvenView | None:
    """What the proofs came to. A later phase's proof includes the earlier phases' rows of the same target."""
    if not proofs:
        return None
    compared = sum({proof.target_table: proof.compared for proof in proofs}.values())
    wrong = {kind: sum(proof.rows(kind) for proof in proofs) for kind in WRONG}
    differences = ", ".join(f"{rows:,} {kind}" for kind, rows in wrong.items() if rows)
    how = differences or (
        "every one as planned" if not exceptions else f"{exceptions:,} left alone, every other one as planned"
    )
    row = "row" if compared == 1 else "rows"
    return ProvenView(
        words=f"{compared:,} {row} read back and compared: {how}", wrong=bool(differences), left_alone=exceptions
    )


def _version(where: Where | None) -> str | None:
    if where is None or where.code is None:
        return None
    commit = f", commit {where.code.commit}" if where.code.commit else ""
    changed = ", with changes that are not committed" if where.code.changed else ""
    return f"code {where.code.sha256[:16]}{commit}{changed}"
