"""Accounting: every source row is written, kept, rejected or skipped by a named rule, and the four add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from . import duck
from .model import KEY, SOURCE_KEY, Phase
from .plan import ADD, CHANGE, KEEP
from .run import Run
from .snapshot import files_of
from .workspace import Manifest

OUTSIDE_WINDOW = "outside_window"
"""Skipping rule: the row is not of the run's window."""
CONFLICT = "conflict"
"""Skipping rule: a target row of it is not what the plan was made from, so it was left alone."""


def phase_counts(run: Run) -> list[dict[str, Any]]:
    """One dict a phase, in order: phase, title, source_table, target_table; source rows: source_rows, written, kept,
    rejected, skipped {rule: rows}, unaccounted; target rows: rows {add, change, keep, extra}.

    `written` and `kept` are what the plan says, less the rows that apply has left alone as conflicts so far.
    Raises `ArtifactError` when the plan is not whole.
    """
    made = run.folder.manifests("transform", run.partitions)
    plans = run.folder.manifests("plan", run.partitions)
    counted, targets_said = [], set()
    with run.workspace.scratch() as scratch, duck.connect(scratch) as connection:
        for phase in run.migration.phases:
            target = run.migration.target(phase.target)
            facts = {name: sum(m.facts[phase.id][name] for m in made) for name in made[0].facts[phase.id]}
            rows = {verb: sum(m.facts[phase.id][verb] for m in plans) for verb in (ADD, CHANGE, KEEP)}
            # a target's extra rows belong to no phase; they are told with the first one that writes it
            rows["extra"] = (
                0 if target.id in targets_said else sum(m.facts[f"extra/{target.id}"]["extra"] for m in plans)
            )
            targets_said.add(target.id)
            written, kept, conflicts = _fates(connection, run, phase, plans, scratch)
            skipped = {OUTSIDE_WINDOW: facts[OUTSIDE_WINDOW], CONFLICT: conflicts}
            four = written + kept + facts["rejected"] + sum(skipped.values())
            counted.append(
                {
                    "phase": phase.id,
                    "title": phase.title,
                    "source_table": run.migration.source(phase.source).table.name,
                    "target_table": target.table.name,
                    "source_rows": facts["source_rows"],
                    "written": written,
                    "kept": kept,
                    "rejected": facts["rejected"],
                    "skipped": {rule: n for rule, n in skipped.items() if n},
                    # what the transform could not place, and what would not add up for any other reason
                    "unaccounted": max(facts["unaccounted"], abs(facts["source_rows"] - four)),
                    "rows": rows,
                }
            )
    return counted


def _fates(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, plans: list[Manifest], scratch: Path
) -> tuple[int, int, int]:
    """Source rows that are written, kept, and left alone as conflicts."""
    files = files_of(run, plans, f"plan/{phase.id}", None, scratch)
    fields = [pa.field(name, pa.string()) for name in ("_verb", KEY, SOURCE_KEY)]
    duck.relation(connection, "_plan", files, pa.schema(fields))
    alone = [c["key"] for c in run.ledger.conflicts(run.id, phase.id)]
    connection.register("_alone", pa.table({"key": pa.array(alone, pa.string())}))
    ((written, kept, conflicts),) = connection.execute(f"""
        WITH fates AS (
            SELECT bool_or(_verb <> '{KEEP}') AS written, bool_or(a.key IS NOT NULL) AS alone
            FROM _plan p LEFT JOIN _alone a ON p.{KEY} = a.key GROUP BY p.{SOURCE_KEY}
        )
        SELECT count(*) FILTER (written AND NOT alone), count(*) FILTER (NOT written AND NOT alone), count(*) FILTER (alone) FROM fates
    """).fetchall()
    connection.unregister("_alone")
    return written, kept, conflicts
