"""What would go wrong when a plan is applied or taken back, found in the plan: rows that could not be put back, rows that
refer to each other over several transactions, and unique values that one row hands on to another."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from ..declare.migration import Breach, Output, Phase, Target
from ..declare.names import BEFORE, EXTRA, KEY, MISTYPED, VERB, own
from ..rows import duck
from ..run import Run, SelfReference, Session
from ..stores import Unique
from . import target_checks
from .files import ADD, CHANGE, REMOVE, WRITTEN, all_planned, plan_schema

_ROW, _BATCH, _FROM, _TO, _PHASE = own("row"), own("batch"), own("from"), own("to"), own("phase")
_EXAMPLES = 3


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
    before = target.prepare.read_text(encoding="utf-8") if target.prepare is not None else ""
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
        values = ", ".join(f"CAST({duck.identifier(c)} AS VARCHAR)" for c in columns)
        null = " OR ".join(f"{duck.identifier(c)} IS NULL" for c in columns)
        return f"CASE WHEN NOT ({null}) THEN to_json([{values}]) END"

    numbered = " UNION ALL ".join(
        f"SELECT {KEY}, {VERB}, {text(reference.columns)} AS {_FROM}, {text(reference.refers_to)} AS {_TO}, "
        f"'{number} ' || CASE WHEN {VERB} = '{ADD}' THEN CAST((row_number() OVER (PARTITION BY {VERB} ORDER BY {KEY}) - 1) "
        f"// {size} AS VARCHAR) ELSE '' END AS {_BATCH} FROM ({part}) WHERE {VERB} IN ('{ADD}', '{CHANGE}')"
        for number, part in enumerate(parts)
    )
    a, b = own("a"), own("b")
    rows = connection.execute(
        f"WITH rows AS ({numbered}) SELECT {a}.{KEY}, {b}.{KEY}, count(*) OVER () FROM rows {a} JOIN rows {b} "
        f"ON {a}.{_FROM} = {b}.{_TO} WHERE {b}.{VERB} = '{ADD}' AND {a}.{_BATCH} <> {b}.{_BATCH} ORDER BY 1 LIMIT 1"
    ).fetchall()
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
    away = script is not None and name in script.read_text(encoding="utf-8")
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
            written = f"SELECT {KEY}, {VERB}, {', '.join([*new, *was])} FROM ({rows}) WHERE {VERB} IN {WRITTEN}"
            parts.append(f"SELECT *, {number} AS {_PHASE} FROM ({written}) WHERE {VERB} <> '{CHANGE}' OR NOT ({stays})")
    a, b = own("a"), own("b")
    same = " AND ".join(
        f"{a}.{one} {'IS NOT DISTINCT FROM' if index.nulls_equal else '='} {b}.{other}" for one, other in pairs
    )
    rows_of = session.connection.execute(
        f"WITH every AS ({' UNION ALL '.join(parts)}) SELECT {a}.{KEY}, min({b}.{KEY}), min({b}.{VERB}), count(*) OVER () "
        f"FROM every {a} JOIN every {b} ON {same} WHERE {a}.{VERB} <> '{REMOVE}' AND {b}.{VERB} <> '{ADD}' "
        f"AND {a}.{KEY} <> {b}.{KEY} AND {a}.{_PHASE} <= {b}.{_PHASE} GROUP BY {a}.{KEY} ORDER BY {a}.{KEY} LIMIT {_EXAMPLES}"
    ).fetchall()
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
