"""Gates: what a phase changed, and what it must not have changed, judged by Great Expectations and published."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..gate import GateResult, evaluation
from ..run.judging import judge
from ..run.schema_records import REVISIONS, DatabaseState, Hop
from . import describe, suites
from .describe import Definition, Rows, Schema
from .run import SchemaRun, named

Looked = dict[str, tuple[Schema, dict[str, Rows]]]
"""By database: its schema and its rows."""


def look(run: SchemaRun) -> Looked:
    """Every database, as it is now."""
    by_database = {}
    for database in run.histories:
        with describe.connected(run.uri_of(database), f"look at the schema of {database}") as connection:
            schema = describe.schema(connection, run.migration.history(database).version_table)
            by_database[database] = (schema, describe.rows(connection, schema))
    return by_database


def save(looked: Looked) -> dict[str, DatabaseState]:
    """As records, for `load`."""
    return {
        database: DatabaseState(
            objects=tuple((kind, name, d.text, d.table) for (kind, name), d in schema.items()),
            rows={table: (r.count, r.checksums, r.values) for table, r in rows.items()},
        )
        for database, (schema, rows) in looked.items()
    }


def load(saved: Mapping[str, DatabaseState]) -> Looked:
    """The opposite of `save`."""
    return {
        database: (
            {(kind, name): Definition(text, table) for kind, name, text, table in state.objects},
            {
                table: Rows(count, dict(checksums), dict(values))
                for table, (count, checksums, values) in state.rows.items()
            },
        )
        for database, state in saved.items()
    }


def phase_gate(run: SchemaRun, number: int, before: Looked, after: Looked, *, up: bool) -> None:
    """Judge one phase, by its own suite and by what no phase may do. Raises `GateError`."""
    phase = run.migration.phases[number if up else number + 1]
    older, newer = (before, after) if up else (after, before)  # going down is going up, read backwards
    changes = _changes(older, newer)
    breaking = [s.name for d in run.histories for s in run.revisions(d) if s.breaking and s.phase == phase.number]
    name, title = f"phase-{number}", f"{'up to' if up else 'down from'} phase {phase.number}"
    results = [evaluation.evaluate(phase.suite, [changes], gate=f"what {title} changed", unique_by=())]
    if not breaking:
        results.append(evaluation.evaluate(suites.kept, [changes], gate=f"what {title} left alone"))
    results.append(_rows_gate(before, after, f"rows, {title}", strict=not breaking))
    judge(run, name, results)


def revisions_gate(run: SchemaRun, before: Looked, after: Looked) -> None:
    """Judge the revisions behind the last phase that the run passes: what they found is kept, except by those that break
    something, or go down. Raises `GateError`."""
    steps = [s for d in run.histories for s in run.revisions(d)]
    results = []
    if not any(s.breaking or not s.up for s in steps):
        changes = _changes(before, after)
        results.append(evaluation.evaluate(suites.kept, [changes], gate=f"what {named(REVISIONS)} left alone"))
    results.append(_rows_gate(before, after, f"rows, {named(REVISIONS)}", strict=not any(s.breaking for s in steps)))
    judge(run, f"phase-{REVISIONS}", results)


def whole_gate(run: SchemaRun, before: Looked, after: Looked, at: dict[str, bool]) -> None:
    """Judge the whole run: every database at the target (`at`), and the rows of the tables that are still there."""
    target = named(run.target)
    standing = pd.DataFrame({"_key": list(at), "at_target": list(at.values())})
    strict = not any(s.breaking for d in run.histories for s in run.revisions(d))
    results = [
        evaluation.evaluate(suites.standing(target), [standing], gate=f"every database at {target}"),
        _rows_gate(before, after, "rows, over the whole run", strict=strict),
    ]
    judge(run, "whole", results)


def passed(run: SchemaRun, number: Hop) -> bool:
    """Whether the run has come through that hop's gate."""
    results = run.files.gate(f"phase-{number}")
    return bool(results) and all(result.passed for result in results)


def _changes(before: Looked, after: Looked) -> pd.DataFrame:
    """One row for each object before or after; see `SchemaPhase`."""
    rows = []
    for database in after:
        was, now = before[database][0], after[database][0]
        for kind, name in sorted({*was, *now}):
            old, new = was.get((kind, name)), now.get((kind, name))
            fate = "added" if old is None else "removed" if new is None else "same" if old == new else "changed"
            rows.append(
                {
                    "_key": f"{database} {kind} {name}", "database": database, "kind": kind, "name": name, "fate": fate,
                    "before": old and old.text, "after": new and new.text,
                    "added_table": f"{database}.{name}" if kind == "table" and fate == "added" else None,
                    "there": None if new is None else f"{database}: {kind} {name}: {new.text}".removesuffix(": "),
                }
            )  # fmt: skip
    names = ["_key", "database", "kind", "name", "fate", "before", "after", "added_table", "there"]
    return pd.DataFrame(rows, columns=names, dtype=object)


def _rows_gate(before: Looked, after: Looked, title: str, *, strict: bool) -> GateResult:
    rows = []
    for database in after:
        was, now = before[database][1], after[database][1]
        for table in sorted(set(was) & set(now)):
            other = [c for c, x in was[table].checksums.items() if now[table].checksums.get(c, x) != x]
            rows.append(
                {
                    "_key": f"{database}.{table}", "rows_before": was[table].count, "rows_after": now[table].count,
                    "same_values": not other,
                }
            )  # fmt: skip
    frame = pd.DataFrame(rows, columns=["_key", "rows_before", "rows_after", "same_values"])
    return evaluation.evaluate(
        suites.rows if strict else suites.rows_of_breaking, [frame], gate=title, allow_empty=True
    )
