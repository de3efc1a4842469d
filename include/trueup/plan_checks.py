"""What would go wrong when a plan is applied or taken back, found in the plan: rows that could not be put back, and rows
that refer to each other over several transactions."""

from __future__ import annotations

from typing import Any

import duckdb

from . import duck, target_checks
from .model import Output, Phase, Target
from .names import BEFORE, EXTRA, KEY, MISTYPED, VERB, own
from .plan_files import ADD, CHANGE, REMOVE, plan_schema, planned
from .run import Run

_ROW, _BATCH, _FROM, _TO = own("row"), own("batch"), own("from"), own("to")


def refusals(run: Run) -> list[str]:
    """In words, why the plan may not be applied."""
    said: list[str] = []
    with run.workspace.scratch() as scratch, run.connect(scratch) as connection:
        for phase in run.migration.phases:
            for output in phase.outputs:
                target = run.migration.target(output.target)
                if run.store_of(target.table).kind != "postgres":  # DynamoDB holds every value that it held before
                    continue
                files = [run.folder.fetch(planned(run, output.name, n), scratch) for n in range(run.partitions)]
                parts = [duck.parquet([file], plan_schema(target)) for file in files]
                if run.undoes is None:
                    said += _irreversible(connection, output, target, parts)
                said += _circular(connection, run, phase, target, parts)
    return said


def _irreversible(connection: duckdb.DuckDBPyConnection, output: Output, target: Target, parts: list[str]) -> list[str]:
    """Rows whose before-image has values that the store would not take back: those of no canonical form and, of rows that
    are removed, those of columns that are not declared."""
    odd, extra = (f"{BEFORE}.{duck.identifier(name)}" for name in (MISTYPED, EXTRA))
    new = duck.identifier(MISTYPED)
    lost = f"({VERB} = '{CHANGE}' AND {odd} IS NOT NULL AND {odd} IS DISTINCT FROM {new}) OR "
    lost += f"({VERB} = '{REMOVE}' AND ({odd} IS NOT NULL OR {extra} IS NOT NULL))"
    query = " UNION ALL ".join(
        f"SELECT {KEY}, {odd} AS {_ROW}, {extra} AS {_TO} FROM ({part}) WHERE {lost}" for part in parts
    )
    rows = connection.execute(f"SELECT *, count(*) OVER () FROM ({query}) ORDER BY {KEY} LIMIT 1").fetchall()
    return [
        f"irreversible: {count:,} rows of {target.table.name} that {output.name!r} would change or remove hold what could not"
        f" be put back by a rollback, the first, {key!r}: {held or more}. Reject such rows in the transform, or give them"
        " another value before the migration"
        for key, held, more, count in rows
    ]


def _circular(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, target: Target, parts: list[str]
) -> list[str]:
    """Rows that refer to rows of the same table which are added in another transaction."""
    before = target.before.read_text(encoding="utf-8") if target.before is not None else ""
    size = run.folder.read_json("run.json")["batch_rows"][target.id]
    said = []
    for reference in target_checks.kept(run, target).get("refers_to_itself") or []:
        known = {*reference["columns"], *reference["refers_to"]} <= {*target.table.columns}
        if run.undoes is not None or phase.also is not None or not known or reference["name"] in before:
            continue
        said += _over_batches(connection, target, reference, parts, size)
    return said


def _over_batches(
    connection: duckdb.DuckDBPyConnection, target: Target, reference: dict[str, Any], parts: list[str], size: int
) -> list[str]:
    def text(columns: list[str]) -> str:
        values = ", ".join(f"CAST({duck.identifier(c)} AS VARCHAR)" for c in columns)
        null = " OR ".join(f"{duck.identifier(c)} IS NULL" for c in columns)
        return f"CASE WHEN NOT ({null}) THEN to_json([{values}]) END"

    numbered = " UNION ALL ".join(
        f"SELECT {KEY}, {VERB}, {text(reference['columns'])} AS {_FROM}, {text(reference['refers_to'])} AS {_TO}, "
        f"'{number} ' || CASE WHEN {VERB} = '{ADD}' THEN CAST((row_number() OVER (PARTITION BY {VERB} ORDER BY {KEY}) - 1) "
        f"// {size} AS VARCHAR) ELSE '' END AS {_BATCH} FROM ({part}) WHERE {VERB} IN ('{ADD}', '{CHANGE}')"
        for number, part in enumerate(parts)
    )
    a, b = own("a"), own("b")
    rows = connection.execute(
        f"WITH rows AS ({numbered}) SELECT {a}.{KEY}, {b}.{KEY}, count(*) OVER () FROM rows {a} JOIN rows {b} "
        f"ON {a}.{_FROM} = {b}.{_TO} WHERE {b}.{VERB} = '{ADD}' AND {a}.{_BATCH} <> {b}.{_BATCH} ORDER BY 1 LIMIT 1"
    ).fetchall()
    table, name = target.table.name, reference["name"]
    return [
        f"{count:,} rows of {table} refer by foreign key {name} to rows of the same table that are added in another"
        f" transaction, the first, {key!r}, to {other!r}: they could not be written in this order. Drop the constraint in a"
        f" script of Target.before (ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}), and add it again in one of"
        " Phase.after"
        for key, other, count in rows
    ]
