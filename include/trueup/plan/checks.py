"""What would go wrong when a plan is applied or taken back, found in the plan: rows that could not be put back, rows that
refer to each other over several transactions, and unique values that one row hands on to another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from ..declare.migration import Breach, Output, Phase, Target
from ..declare.names import BEFORE, EXTRA, KEY, MISTYPED, own
from ..rows import duck
from ..rows.statements import Statements
from ..run import Run, SelfReference, Session
from ..stores import Unique
from . import target_checks
from .files import CHANGE, REMOVE, WRITTEN, all_planned, plan_schema

_EXAMPLES = 3
_SQL = Statements(
    __file__,
    batch=own("batch"),
    **{name: own(name) for name in ("from", "to", "phase", "a", "b")},
    written=str(WRITTEN),
    examples=str(_EXAMPLES),
)


def breaches(run: Run) -> list[Breach]:
    """What does not hold of the migration's preconditions; of a rollback, nothing is asked."""
    if run.undoes is not None:
        return []
    given = {name: None if value is None else str(value) for name, value in run.options.params.items()}
    asked = {param.id: None if param.default is None else str(param.default) for param in run.migration.params} | given
    return [breach for each in run.migration.preconditions for breach in each.check(run.store(each.connection), asked)]


def refusals(run: Run) -> list[str]:
    """In words, why the plan may not be applied."""
    messages: list[str] = []
    with run.session() as session:
        for phase in run.migration.phases:
            for output in phase.outputs:
                target = run.migration.target(output.target)
                if run.store_of(target.table).kind != "postgres":  # DynamoDB holds every value that it held before
                    continue
                files = session.fetch(all_planned(run, output.name))
                parts = [duck.parquet([file], plan_schema(target)) for file in files]
                if run.undoes is None:
                    messages += _irreversible(session.connection, output, target, parts)
                messages += _circular(session.connection, run, phase, target, parts)
        for target in run.migration.targets:
            for index in target_checks.facts_of(run, target).unique:
                messages += _handed_on(session, run, target, index)
    return messages


def _irreversible(connection: duckdb.DuckDBPyConnection, output: Output, target: Target, parts: list[str]) -> list[str]:
    """Rows whose before-image has values that the store would not take back: those of no canonical form and, of rows that
    are removed, those of columns that are not declared."""
    odd, extra = (f"{BEFORE}.{duck.identifier(name)}" for name in (MISTYPED, EXTRA))
    lost = _SQL("lost", odd=odd, undeclared=extra)
    query = " UNION ALL ".join(
        f"SELECT {KEY}, {odd} AS odd, {extra} AS extra FROM ({part}) WHERE {lost}" for part in parts
    )
    rows = connection.execute(_SQL("irreversible", lost_rows=query)).fetchall()
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
    before = Path(target.prepare).read_text(encoding="utf-8") if target.prepare is not None else ""
    size = run.files.start.batch_rows[target.id]
    messages = []
    for reference in target_checks.facts_of(run, target).refers_to_itself:
        declared = {*reference.columns, *reference.refers_to} <= {*target.table.columns}
        if run.undoes is not None or phase.together or not declared or reference.name in before:
            continue
        messages += _over_batches(connection, target, reference, parts, size)
    return messages


def _over_batches(
    connection: duckdb.DuckDBPyConnection, target: Target, reference: SelfReference, parts: list[str], size: int
) -> list[str]:
    def text(columns: Sequence[str]) -> str:
        names = [duck.identifier(c) for c in columns]
        values = ", ".join(f"CAST({name} AS VARCHAR)" for name in names)
        return _SQL("reference", any_null=" OR ".join(f"{name} IS NULL" for name in names), values=values)

    refers_from, refers_to = text(reference.columns), text(reference.refers_to)
    numbered = (
        _SQL("numbered", planned_rows=part, nth=str(n), size=str(size), refers_from=refers_from, refers_to=refers_to)
        for n, part in enumerate(parts)
    )
    rows = connection.execute(_SQL("over_batches", numbered_rows=" UNION ALL ".join(numbered))).fetchall()
    table, name = target.table.name, reference.name
    return [
        f"{count:,} rows of {table} refer by foreign key {name} to rows of the same table that are added in another"
        f" transaction, the first, {key!r}, to {other!r}: they could not be written in this order. Drop the constraint in a"
        f" script of Target.prepare (ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}), and add it again in one of"
        " Phase.finish"
        for key, other, count in rows
    ]


def _handed_on(session: Session, run: Run, target: Target, index: Unique) -> list[str]:
    """Rows that are to have what another row has in a unique index until the plan changes or removes that one, in the same
    phase or a later one. The server judges row by row, so it would refuse them, unless it meets them in a lucky order."""
    script = target.prepare if run.undoes is None else target.undo
    columns, table, name = index.columns, target.table.name, index.name
    away = script is not None and name in Path(script).read_text(encoding="utf-8")
    if away or not {*columns} <= {*target.table.columns}:
        return []
    new = [f"{duck.identifier(c)} AS {own(f'new_{n}')}" for n, c in enumerate(columns)]
    was = [f"{BEFORE}.{duck.identifier(c)} AS {own(f'was_{n}')}" for n, c in enumerate(columns)]
    pairs = [(own(f"new_{n}"), own(f"was_{n}")) for n in range(len(columns))]
    stays = " AND ".join(f"{one} IS NOT DISTINCT FROM {other}" for one, other in pairs)
    parts = []
    for number, phase in enumerate(run.phases):
        for output in (o for o in phase.outputs if o.target == target.id):
            files = session.fetch(all_planned(run, output.name))
            rows = duck.parquet(files, plan_schema(target))
            new_columns, was_columns = ", ".join(new), ", ".join(was)
            parts.append(_SQL("moves", rows=rows, nth=str(number), stays=stays, new=new_columns, was=was_columns))
    equal = "IS NOT DISTINCT FROM" if index.nulls_equal else "="
    same = " AND ".join(f"{own('a')}.{one} {equal} {own('b')}.{other}" for one, other in pairs)
    query = _SQL("handed_on", moves=" UNION ALL ".join(parts), same=same)
    rows_of = session.connection.execute(query).fetchall()
    if not rows_of:
        return []
    verbs = {CHANGE: "changes", REMOVE: "removes"}
    shown = ", ".join(f"{key!r} (as {other!r}, which it {verbs[verb]})" for key, other, verb, _ in rows_of)
    where = "Target.prepare, and make it again in one of Phase.finish" if run.undoes is None else "Target.undo"
    message = (
        f"{rows_of[0][3]:,} rows of {table} are to have in unique index {name} ({', '.join(columns)}) what "
        f"another row still has when they are written, such as {shown}: the table would refuse them. Drop the "
        f"index temporarily in a script of {where} (ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, or "
        f"DROP INDEX IF EXISTS {name}); or write in two runs, of which the first frees those values"
    )
    return [message]
