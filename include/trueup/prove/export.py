"""Findings and rejects of a plan, for people and their tools: all partitions in one file each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pyarrow as pa

from ..declare.migration import Breach
from ..plan.files import FINDINGS, REJECTS
from ..rows import duck
from ..run import Run, Session, StepName
from ..run.files import FINDING_FILES, FINDINGS_CSV, REJECT_FILES, REJECTS_JSONL, Place
from ..run.workspace import Manifest


def findings_and_rejects(run: Run) -> None:
    """Findings and rejects of all partitions in one file each, for people and their tools."""
    manifests = [*run.manifests(StepName.TRANSFORM), *run.manifests(StepName.PLAN)]
    head = "phase,table,key,severity,code,message\n"
    with run.session() as session:
        _export(session, run, manifests, FINDING_FILES, FINDINGS, FINDINGS_CSV, "(FORMAT csv, HEADER)", head)
        _export(session, run, manifests, REJECT_FILES, REJECTS, REJECTS_JSONL, "(FORMAT json)", "")


def breaches(run: Run, unmet: Sequence[Breach]) -> None:
    """Add what does not hold of the migration's preconditions to the findings, for people: of no phase, and of a table whole."""
    if not unmet:
        return
    lines = io.StringIO(newline="")
    csv.writer(lines, lineterminator="\n").writerows(("", e.table, "", "reject", e.code, e.message) for e in unmet)
    run.folder.write(FINDINGS_CSV, (run.folder.read(FINDINGS_CSV) or b"") + lines.getvalue().encode())


def _export(
    session: Session,
    run: Run,
    manifests: list[Manifest],
    place: Place,
    schema: pa.Schema,
    path: str,
    format_: str,
    head: str,
) -> None:
    """One file; `head` is its content where there is nothing."""
    parts = []
    for phase in run.migration.phases:
        files = session.fetch(place.among(manifests, phase.id))
        if files:
            # one finding per key and code, though several partitions may have made it
            parts.append(
                f'SELECT {duck.literal(phase.id)} AS phase, {duck.literal(run.accounts_for(phase))} AS "table", * FROM '
                f"(SELECT DISTINCT ON (key, code) * FROM ({duck.parquet(files, schema)}) ORDER BY key, code)"
            )
    if not parts:
        run.folder.write(path, head)
        return
    local = session.scratch / path
    session.connection.execute(f"COPY ({' UNION ALL '.join(parts)}) TO {duck.literal(str(local))} {format_}")
    run.folder.publish(local, path)
