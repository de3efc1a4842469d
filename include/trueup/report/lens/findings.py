"""The findings of a run about some keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from ...ledger import Ledger
from ...plan.files import FINDINGS
from ...rows import duck
from ...run.files import FINDING_FILES
from .rows import Looked
from .search import CONFLICT

MOST = 50
"""Findings of a run that are shown."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding, as in findings.csv."""

    phase: str
    table: str
    key: str
    severity: str
    code: str
    message: str


def findings_of(
    connection: duckdb.DuckDBPyConnection, looked: Looked, ledger: Ledger, keys: Sequence[str]
) -> tuple[Finding, ...]:
    """What the run found of rows with these keys, and those that apply left alone; at most `MOST`."""
    if not keys:
        return ()
    made = [*looked.manifests("transform"), *looked.manifests("plan")]
    findings: list[Finding] = []
    marks = ", ".join("?" for _ in keys)
    for phase in dict.fromkeys(stack.phase for stack in looked.stacks if stack.phase):
        files = [looked.path(f) for f in FINDING_FILES.among(made, phase) if f.rows]
        if not files:
            continue
        query = (
            f"SELECT DISTINCT ON (key, code) key, severity, code, left(message, 4000) FROM ({duck.parquet(files, FINDINGS)}) "
            f"WHERE key IN ({marks}) ORDER BY key, code LIMIT {MOST}"
        )
        for key, severity, code, message in connection.execute(query, [*keys]).fetchall():
            table = looked.source_table(phase)
            findings.append(Finding(phase=phase, table=table, key=key, severity=severity, code=code, message=message))
    for each in ledger.conflicts(looked.folder.run_id):
        if each.key in keys:
            phase, table = looked.phase_of(each.output), looked.table(each.output)
            conflict = {"severity": "warning", "code": CONFLICT, "message": each.reason[:4000]}
            findings.append(Finding(phase=phase, table=table, key=each.key, **conflict))
    return tuple(findings[:MOST])
