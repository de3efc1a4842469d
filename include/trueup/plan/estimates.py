"""What a source's own database expects in it, compared with what was read: one of them is wrong where they are far apart."""

from __future__ import annotations

from ..declare.migration import Phase
from ..rows import duck
from ..run import Run, StepName

FAR_FACTOR = 2
FAR_ROWS = 10_000
FAR = "count_far_from_estimate"
"""Code of the warning about a table: rows read and the estimate differ by this factor, and by this many rows."""


def far(run: Run, phase: Phase, partition: int) -> list[str]:
    """DuckDB queries for the warnings (key: the table) that belong to the phase, reported with its first partition: of the
    sources that it is the first to account for; the first phase has those that none accounts for."""
    if partition != 0:
        return []
    expected = run.files.start.expected_rows
    manifests = run.manifests(StepName.SNAPSHOT)
    warnings = []
    for source in run.migration.sources:
        first = next((p for p in run.migration.phases if p.source == source.id), run.migration.phases[0])
        estimate = expected.get(source.id)
        if first is not phase or estimate is None:
            continue
        rows = sum(m.facts.get(source.id, 0) for m in manifests)
        low, high = sorted((rows, estimate))
        if high - low >= FAR_ROWS and high >= FAR_FACTOR * low:
            message = (
                f"{rows:,} rows of {source.table.name} were read, but its database estimates {estimate:,}: see that the"
                " connection reads all of it, or ANALYZE the table"
            )
            warnings.append(
                f"SELECT {duck.literal(source.table.name)} AS key, 'warning' AS severity, '{FAR}' AS code, "
                f"{duck.literal(message)} AS message"
            )
    return warnings
