"""Source rows that a transform does not account for once and once only: which, for the message of the gate that stops them."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from ..declare.names import IS, KEY, SOURCE_KEY
from ..run import PhaseCounts, Run, StepName

EXAMPLES = 3
"""Rows of each kind that are named."""
FACT = "astray"
"""The name of what is said of them among a partition's facts."""


def examples(connection: duckdb.DuckDBPyConnection, wanted: str, fates: str, source: str) -> list[str]:
    """In words, the first rows of each kind. `wanted` (`_key`), `fates` (`_source`, fate) and `source` (`_key`) are the
    names of the relations of the source rows that are asked for, what became of each, and all of them."""
    several = f"SELECT {SOURCE_KEY} FROM {fates} GROUP BY 1 HAVING count(*) > 1"
    kinds = {
        "is neither in rows nor in findings": f"SELECT {wanted}.{KEY} FROM {wanted} "
        f"ANTI JOIN {fates} ON {wanted}.{KEY} = {fates}.{SOURCE_KEY}",
        "is accounted for more than once (in rows and by a finding that rejects, skips or keeps it, or by two of these)": several,
        "is not a row of the source, though rows or findings name it in _source": f"SELECT {fates}.{SOURCE_KEY} "
        f"FROM {fates} ANTI JOIN {source} {IS} ON {fates}.{SOURCE_KEY} = {IS}.{KEY}",
    }
    found = []
    for what, query in kinds.items():
        rows = connection.execute(f"SELECT DISTINCT * FROM ({query}) ORDER BY 1 LIMIT {EXAMPLES}").fetchall()
        found += [f"{'(null)' if key is None else key} {what}" for (key,) in rows]
    return found


def words(run: Run, phases: Sequence[PhaseCounts]) -> dict[str, str]:
    """What is wrong with the counts of these phases (`accounting.phase_counts`), by the rule that it breaks."""
    manifests = run.folder.manifests(StepName.TRANSFORM)
    unaccounted, sums = [], []
    for p in phases:
        four = p.written + p.kept + p.rejected + sum(p.skipped.values())
        of = f"of {p.source_rows:,} source rows of {p.source_table} (phase {p.phase})"
        if p.unaccounted:
            which = [one for m in manifests for one in (m.facts.get(p.phase) or {}).get(FACT, [])][:EXAMPLES]
            such_as = f", such as: {'; '.join(which)}" if which else ""
            unaccounted.append(f"{p.unaccounted:,} {of} are not accounted for once and once only{such_as}")
        if four != p.source_rows:
            sums.append(f"{of.removeprefix('of ')} are {four:,} by their fates (written, kept, rejected, skipped)")
    then = "A transform puts each source row into rows, or names it in findings (reject, skip or keep), by its _source"
    return {
        **({"counts.unaccounted": f"{'; '.join(unaccounted)}. {then}"} if unaccounted else {}),
        **({"counts.add_up": "; ".join(sums)} if sums else {}),
    }
