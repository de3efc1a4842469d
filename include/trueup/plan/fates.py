"""What becomes of each source row of a phase: it is made into rows, rejected, kept or skipped, once and once only; and which
are astray, for the message of the gate that stops them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from ..declare.migration import Derived, Phase, Source
from ..declare.names import SOURCE_KEY, own
from ..rows import duck
from ..rows.statements import Statements
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
_SQL = Statements(__file__, fates=FATES, wanted=WANTED, findings=FOUND_BESIDE)
EXAMPLES = 3
"""Rows of each kind that are named."""
_ASTRAY = (
    "is neither in rows nor in findings",
    "is accounted for more than once (in rows and by a finding that rejects, skips or keeps it, or by two of these)",
    "is not of the source, though rows or findings name it in _source",
)
"""What is said of a row that is not accounted for once and once only: it has no fate, several, or is no source row."""


def account(
    connection: duckdb.DuckDBPyConnection, phase: Phase, driver: Source | Derived, figures: dict[str, int]
) -> Fates:
    """Count the fates of a phase's source rows, and leave the relation `FATES`. Unaccounted are wanted rows with no fate or
    with two, and what rows or findings claim of source rows that are not there."""
    made = " UNION ".join(f"SELECT {SOURCE_KEY} FROM {own(output.view)}" for output in phase.outputs)
    connection.execute(_SQL("fates", made_rows=made))
    total = duck.count(connection, f"SELECT count(*) FROM {as_read(driver)}")
    wanted = duck.count(connection, f"SELECT count(*) FROM {WANTED}")
    queries = _SQL("none"), _SQL("several"), _SQL("strangers", source=as_read(driver))
    astray = dict(zip(_ASTRAY, queries, strict=True))
    unaccounted = sum(duck.count(connection, f"SELECT count(*) FROM ({query})") for query in astray.values())
    fates = connection.execute(_SQL("counted")).fetchall()
    count = {(fate, rule): n for fate, rule, n in fates}
    return Fates(
        source_rows=total,
        skipped={OUTSIDE_WINDOW: total - wanted} | {rule: n for (fate, rule), n in count.items() if fate == "skip"},
        rejected=count.get(("reject", ""), 0),
        kept=count.get(("keep", ""), 0),
        unaccounted=unaccounted,
        figures=figures,
        astray=_in_words(connection, astray) if unaccounted else (),
    )


def _in_words(connection: duckdb.DuckDBPyConnection, astray: Mapping[str, str]) -> tuple[str, ...]:
    """The first rows of each kind that are not accounted for; `astray` has the queries, by what is said of such a row."""
    words = []
    for what, query in astray.items():
        rows = connection.execute(f"SELECT DISTINCT * FROM ({query}) ORDER BY 1 LIMIT {EXAMPLES}").fetchall()
        words += [f"{'(null)' if key is None else key} {what}" for (key,) in rows]
    return tuple(words)


def _together(astray: Sequence[str]) -> list[str]:
    """Rows of which the same is said, in one: `a is not …` and `b is not …` make `a, b are not …`."""
    together: list[str] = []
    for ending in _ASTRAY:
        keys = [each.removesuffix(f" {ending}") for each in astray if each.endswith(f" {ending}")]
        if keys:
            together.append(f"{', '.join(keys)} {ending if len(keys) == 1 else 'are' + ending.removeprefix('is')}")
    return together + [each for each in astray if not each.endswith(_ASTRAY)]  # as an earlier release said it


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
            such_as = f", such as: {'; '.join(_together(which))}" if which else ""
            unaccounted.append(f"{p.unaccounted:,} {of} are not accounted for once and once only{such_as}")
        if four != p.source_rows:
            sums.append(f"{of.removeprefix('of ')} are {four:,} by their fates (written, kept, rejected, skipped)")
    then = "A transform puts each source row into rows, or names it in findings (reject, skip or keep), by its _source"
    return {
        **({"counts.unaccounted": f"{'; '.join(unaccounted)}. {then}"} if unaccounted else {}),
        **({"counts.add_up": "; ".join(sums)} if sums else {}),
    }
