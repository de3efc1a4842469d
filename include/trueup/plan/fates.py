"""What becomes of each source row of a phase: it is made into rows, rejected, kept or skipped, once and once only; and which
are astray, for the message of the gate that stops them."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from ..declare.migration import Derived, Phase, Source
from ..declare.names import IS, KEY, SOURCE_KEY, own
from ..rows import duck
from ..run import PhaseCounts, Run, StepName
from ..run.facts import Fates, Transformed
from .inputs import as_read

FOUND_BESIDE = own("findings")
"""Relation: the findings of the phase's script and of the engine: `_source`, key, severity, code, message (all text)."""
WANTED = own("wanted")
"""Relation: `_key` (text) of the source rows that the run is about."""
FATES = own("fates")
"""Relation: `_source`, fate (made, reject, keep, skip) and rule (of a skip; else empty), all text; a row each fate."""
OUTSIDE_WINDOW = "outside_window"
"""Skipping rule: the row is not of the run's window."""
EXAMPLES = 3
"""Rows of each kind that are named."""


def account(
    connection: duckdb.DuckDBPyConnection, phase: Phase, driver: Source | Derived, figures: dict[str, int]
) -> Fates:
    """Count the fates of a phase's source rows, and leave the relation `FATES`. Unaccounted are wanted rows with no fate or
    with two, and what rows or findings claim of source rows that are not there."""
    made = " UNION ".join(f"SELECT {SOURCE_KEY} FROM {own(output.view)}" for output in phase.outputs)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {FATES} AS "
        f"SELECT DISTINCT {SOURCE_KEY}, 'made' AS fate, '' AS rule FROM ({made}) UNION ALL "
        f"SELECT DISTINCT {SOURCE_KEY}, severity, CASE severity WHEN 'skip' THEN code ELSE '' END FROM {FOUND_BESIDE} "
        "WHERE severity IN ('reject', 'keep', 'skip')"
    )
    total = duck.count(connection, f"SELECT count(*) FROM {as_read(driver)}")
    wanted = duck.count(connection, f"SELECT count(*) FROM {WANTED}")
    none = duck.count(
        connection, f"SELECT count(*) FROM {WANTED} ANTI JOIN {FATES} ON {WANTED}.{KEY} = {FATES}.{SOURCE_KEY}"
    )
    several = duck.count(
        connection,
        f"SELECT count(*) FROM (FROM {FATES} SELECT {SOURCE_KEY} GROUP BY {SOURCE_KEY} HAVING count(*) > 1)",
    )
    strangers = duck.count(
        connection,
        f"SELECT count(*) FROM {FATES} ANTI JOIN {as_read(driver)} {IS} ON {FATES}.{SOURCE_KEY} = {IS}.{KEY}",
    )
    fates = connection.execute(
        f"SELECT fate, rule, count(*) FROM {FATES} SEMI JOIN {WANTED} ON {FATES}.{SOURCE_KEY} = {WANTED}.{KEY} "
        "GROUP BY ALL"
    ).fetchall()
    count = {(fate, rule): n for fate, rule, n in fates}
    unaccounted = none + several + strangers
    return Fates(
        source_rows=total,
        skipped={OUTSIDE_WINDOW: total - wanted} | {rule: n for (fate, rule), n in count.items() if fate == "skip"},
        rejected=count.get(("reject", ""), 0),
        kept=count.get(("keep", ""), 0),
        unaccounted=unaccounted,
        figures=figures,
        astray=_astray(connection, as_read(driver)) if unaccounted else (),
    )


def _astray(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[str, ...]:
    """In words, the first rows of each kind that are not accounted for; `source` is the relation of all rows (`_key`)."""
    several = f"SELECT {SOURCE_KEY} FROM {FATES} GROUP BY 1 HAVING count(*) > 1"
    kinds = {
        "is neither in rows nor in findings": f"SELECT {WANTED}.{KEY} FROM {WANTED} "
        f"ANTI JOIN {FATES} ON {WANTED}.{KEY} = {FATES}.{SOURCE_KEY}",
        "is accounted for more than once (in rows and by a finding that rejects, skips or keeps it, or by two of these)": several,
        "is not a row of the source, though rows or findings name it in _source": f"SELECT {FATES}.{SOURCE_KEY} "
        f"FROM {FATES} ANTI JOIN {source} {IS} ON {FATES}.{SOURCE_KEY} = {IS}.{KEY}",
    }
    words = []
    for what, query in kinds.items():
        rows = connection.execute(f"SELECT DISTINCT * FROM ({query}) ORDER BY 1 LIMIT {EXAMPLES}").fetchall()
        words += [f"{'(null)' if key is None else key} {what}" for (key,) in rows]
    return tuple(words)


def words(run: Run, phases: Sequence[PhaseCounts]) -> dict[str, str]:
    """What is wrong with the counts of these phases (`accounting.phase_counts`), by the rule that it breaks."""
    parts = [Transformed.from_json(manifest.facts) for manifest in run.folder.manifests(StepName.TRANSFORM)]
    unaccounted, sums = [], []
    for p in phases:
        four = p.written + p.kept + p.rejected + sum(p.skipped.values())
        of = f"of {p.source_rows:,} source rows of {p.source_table} (phase {p.phase})"
        if p.unaccounted:
            which = [each for part in parts if p.phase in part.phases for each in part.phases[p.phase].astray][
                :EXAMPLES
            ]
            such_as = f", such as: {'; '.join(which)}" if which else ""
            unaccounted.append(f"{p.unaccounted:,} {of} are not accounted for once and once only{such_as}")
        if four != p.source_rows:
            sums.append(f"{of.removeprefix('of ')} are {four:,} by their fates (written, kept, rejected, skipped)")
    then = "A transform puts each source row into rows, or names it in findings (reject, skip or keep), by its _source"
    return {
        **({"counts.unaccounted": f"{'; '.join(unaccounted)}. {then}"} if unaccounted else {}),
        **({"counts.add_up": "; ".join(sums)} if sums else {}),
    }
