"""Rows that are planned to be removed and that the store would leave alone though nobody changes them: others refer to
them, or no condition holds them whole. Told with the plan, and counted with the rows that are left alone."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from ..declare.migration import Output, Target
from ..declare.names import BEFORE, KEY, VERB, own
from ..rows import duck
from ..run import Run, StepName
from ..stores import arrow_schema
from .files import REMOVE, said
from .target_checks import facts_of, plain_name

ROWS = 20_000
"""Rows that a store is asked about at once."""
EXAMPLES = 3
IRREMOVABLE = "irremovable"
"""Code of the warning about such a row."""
_STUCK = own("stuck")


def entry(output: Output) -> str:
    """Under which name a plan's manifest has how many rows they are (`rows`) and the first of them (`examples`)."""
    return f"{IRREMOVABLE}/{output.name}"


def look(
    connection: duckdb.DuckDBPyConnection, run: Run, target: Target, output: Output, planned: dict[str, int]
) -> tuple[dict[str, Any], list[str]]:
    """Look at what one partition of `plan_<output>` would remove; what its manifest says of it, and queries for findings."""
    found: dict[str, str] = {}
    if planned[REMOVE]:
        ours = {plain_name(t.table.name) for t in run.migration.targets}
        # of the run's own targets, those rows may go before: which do is known when it comes to that
        left_out = [r.name for r in facts_of(run, target).references if r.table in ours]
        columns = ", ".join(
            f"{BEFORE}.{duck.identifier(f.name)} AS {duck.identifier(f.name)}" for f in arrow_schema(target.table)
        )
        rows = connection.sql(
            f"SELECT {columns} FROM {duck.identifier(f'plan_{output.name}')} WHERE {VERB} = '{REMOVE}'"
        ).to_arrow_reader(ROWS)
        for batch in rows:
            part = pa.Table.from_batches([batch]).cast(arrow_schema(target.table))
            cascade_to = (*run.options.cascade_to, *left_out)
            found |= run.store_of(target.table).stuck(target.table, part, cascade_to=cascade_to)
    examples = [{"key": key, "reason": found[key]} for key in sorted(found)[:EXAMPLES]]
    facts = {"rows": len(found), "examples": examples}
    if not found:
        return facts, []
    name = duck.identifier(f"{_STUCK}_{output.name}")
    given = pa.table({KEY: [*found], "reason": [*found.values()]})
    connection.register(own("given"), given)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {own('given')}")
    alias = own("x")
    words = f"'cannot be removed, and is left alone: ' || {alias}.reason"
    return facts, [said(target, alias, IRREMOVABLE, words, f"FROM {name} {alias}")]


def total(run: Run) -> tuple[int, str]:
    """How many rows they are in all partitions, and in words which."""
    rows, parts = 0, []
    manifests = run.manifests(StepName.PLAN)
    for output in (o for phase in run.phases for o in phase.outputs):
        found = [m.facts.get(entry(output)) or {"rows": 0, "examples": []} for m in manifests]
        number = sum(f["rows"] for f in found)
        if number:
            rows += number
            table = run.migration.target(output.target).table.name
            shown = ", ".join(
                f"{e['key']} ({e['reason']})" for e in [e for f in found for e in f["examples"]][:EXAMPLES]
            )
            parts.append(f"{number:,} of {table}, such as {shown}")
    return rows, "; ".join(parts)
