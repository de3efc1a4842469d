"""Rows that are planned to be removed and that the store would leave alone though nobody changes them: others refer to
them, or no condition holds them whole. Told with the plan, and counted with the rows that are left alone."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from ..declare.migration import Output, Target
from ..declare.names import BEFORE, KEY, own
from ..rows import duck
from ..rows.statements import Statements
from ..run import Run
from ..run.facts import Stuck, StuckRow
from ..run.facts import planned as planned_parts
from ..stores import arrow_schema
from .files import REMOVE, warning
from .target_checks import facts_of, plain_name

ROWS = 20_000
"""Rows that a store is asked about at once."""
EXAMPLES = 3
IRREMOVABLE = "irremovable"
"""Code of the warning about a row that is to be removed and will be left alone: others refer to it, or no condition holds it."""
_SQL = Statements(__file__)
_STUCK = own("stuck")


def look(
    connection: duckdb.DuckDBPyConnection, run: Run, target: Target, output: Output, planned: dict[str, int]
) -> tuple[Stuck, list[str]]:
    """Look at what one partition of `plan_<output>` would remove; which rows they are, and queries for findings."""
    reasons: dict[str, str] = {}
    if planned[REMOVE]:
        ours = {plain_name(t.table.name) for t in run.migration.targets}
        # of the run's own targets, those rows may go before: which do is known when it comes to that
        left_out = [r.name for r in facts_of(run, target).references if r.table in ours]
        columns = ", ".join(
            f"{BEFORE}.{duck.identifier(f.name)} AS {duck.identifier(f.name)}" for f in arrow_schema(target.table)
        )
        plan = duck.identifier(f"plan_{output.name}")
        rows = connection.sql(_SQL("removed", columns=columns, plan=plan)).to_arrow_reader(ROWS)
        for batch in rows:
            part = pa.Table.from_batches([batch]).cast(arrow_schema(target.table))
            cascade_to = (*run.options.cascade_to, *left_out)
            reasons |= run.store_of(target.table).stuck(target.table, part, cascade_to=cascade_to)
    examples = tuple(StuckRow(key=key, reason=reasons[key]) for key in sorted(reasons)[:EXAMPLES])
    stuck = Stuck(rows=len(reasons), examples=examples)
    if not reasons:
        return stuck, []
    name = duck.identifier(f"{_STUCK}_{output.name}")
    given = pa.table({KEY: [*reasons], "reason": [*reasons.values()]})
    connection.register(own("given"), given)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {own('given')}")
    alias = own("x")
    return stuck, [warning(target, alias, IRREMOVABLE, _SQL("told", stuck=alias), f"FROM {name} {alias}")]


def total(run: Run) -> tuple[int, str]:
    """How many rows they are in all partitions, and in words which."""
    rows, words, parts = 0, [], planned_parts(run)
    for output in (o for phase in run.phases for o in phase.outputs):
        stuck = [part.outputs[output.name].stuck for part in parts]
        number = sum(each.rows for each in stuck)
        if number:
            rows += number
            table = run.migration.target(output.target).table.name
            examples = [example for each in stuck for example in each.examples][:EXAMPLES]
            shown = ", ".join(f"{example.key} ({example.reason})" for example in examples)
            words.append(f"{number:,} of {table}, such as {shown}")
    return rows, "; ".join(words)
