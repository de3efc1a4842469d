"""The statements that a migration makes about a whole run, answered over every row.

Before is the snapshot, after is what was last read back of each target; so they say what a run did to its tables by
what the tables hold, whatever the plan and the ledger say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from ..declare.migration import Statement, Target
from ..declare.names import KEY, VERB, own
from ..errors import DeclarationError
from ..plan.files import WRITTEN, all_planned, plan_schema
from ..plan.inputs import define_window
from ..rows import duck
from ..run import Answer, Mode, Run, Session, StepName, not_written, where
from ..run.files import PROOF_FILES, READ_BACK_FILES
from ..run.not_written import CONFLICTS, WHY
from ..run.partitions import before_files, relate_rows, relate_source
from ..run.workspace import Artifact

LISTED, SHOWN = 100, 3
"""Rows that break a statement: how many are listed with its answer, and how many a message names."""


def answer(run: Run) -> list[Answer]:
    """Answer every statement and publish the answers. Raises `DeclarationError` for a query that does not run or gives anything
    but one boolean or whole number."""
    if not run.migration.statements:
        run.files.write_answers([])
        return []
    with run.session() as session:
        _relate(session, run)
        answers = [_answer(session.connection, run, statement) for statement in run.migration.statements]
    run.files.write_answers(answers)
    return answers


def advance(run: Run) -> list[Answer]:
    """Bring the sequences of the targets behind what was written, and state that they are: an application's next row gets
    a value that is free."""
    if run.options.mode is not Mode.APPLY:
        return []
    where.check_same(run)
    answers = []
    for target in run.migration.targets:
        for one in run.store_of(target.table).advance(target.table):
            title = (
                f"The next value of sequence {one.sequence} is beyond every {one.column} of {one.table}"
                f" (last value {one.before:,} before, {one.after:,} now)"
            )
            answers.append(Answer(title=title, answer="YES" if one.holds else "NO", holds=one.holds))
    if answers:
        run.files.write_answers([*run.files.answers, *answers])
    return answers


def _answer(connection: duckdb.DuckDBPyConnection, run: Run, statement: Statement) -> Answer:
    try:
        rows = connection.execute(statement.query).fetchall()
    except duck.OF_NO_SCRIPT:
        raise
    except duckdb.Error as error:
        raise DeclarationError(
            f"statement {statement.title!r} of {run.migration.id!r} does not run: {error}"
        ) from error
    if statement.code is not None:
        keys = sorted(str(key) for (key,) in rows)
        return Answer(
            title=statement.title,
            answer="NO" if keys else "YES",
            holds=not keys,
            id=statement.id,
            code=statement.code,
            rows=len(keys),
            keys=tuple(keys[:LISTED]),
            informative=statement.informative,
        )
    value = rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else None
    if not isinstance(value, bool | int):
        raise DeclarationError(
            f"statement {statement.title!r} of {run.migration.id!r} must give one boolean or whole number, "
            f"not {rows[:3]}"
        )
    text: str | int = ("YES" if value else "NO") if isinstance(value, bool) else value
    return Answer(
        title=statement.title,
        answer=text,
        holds=value is not False,
        id=statement.id,
        informative=statement.informative,
    )


def broken(answers: Sequence[Answer]) -> list[str]:
    """Which rows break which statements."""
    messages = []
    for each in answers:
        if each.keys and each.fails:
            rows = f"{each.rows:,} row{'s' * (each.rows > 1)} ({each.code})"
            messages.append(
                f"“{each.title}” does not hold of {rows}, the first: {', '.join(map(repr, each.keys[:SHOWN]))}"
            )
    return messages


def _relate(session: Session, run: Run) -> None:
    """Make the sources, by their ids, `before_<target>` and `after_<target>` relations of the shape of `source_schema`, and
    `written` and `left_alone` relations of target (its id) and key, both text."""
    define_window(session.connection, run.options.window)
    snapshot = run.manifests(StepName.SNAPSHOT)
    for source in run.migration.sources:
        relate_source(session, source, snapshot, None)
    left_alone: list[tuple[str, str]] = []
    written = []
    for target in run.migration.targets:
        relate_rows(session, f"before_{target.id}", before_files(run, snapshot, target, None), target.table)
        relate_rows(session, f"after_{target.id}", _last_read(run, target), target.table)
        for output in run.migration.outputs(target.id):
            unwritten = not_written.rows(run, output)
            left_alone += [(target.id, row[KEY]) for row in unwritten.to_pylist() if row[WHY] in CONFLICTS]
            session.connection.register(own(f"unwritten_{output.name}"), unwritten)
            without = duck.identifier(own(f"unwritten_{output.name}"))
            rows = duck.parquet(session.fetch(all_planned(run, output.name)), plan_schema(target))
            written.append(
                f"SELECT {duck.literal(target.id)} AS target, {KEY} AS key FROM ({rows}) "
                f"WHERE {VERB} IN {WRITTEN} AND {KEY} NOT IN (SELECT {KEY} FROM {without})"
            )
        left_alone += [(target.id, key) for key in _moved_on(session, run, target)]
    schema = pa.schema([pa.field("target", pa.string()), pa.field("key", pa.string())])
    table = pa.Table.from_pylist([{"target": t, "key": k} for t, k in left_alone], schema)
    session.connection.register("left_alone", table)
    applied = "" if run.options.mode is Mode.APPLY else " WHERE false"
    session.connection.execute(f"CREATE OR REPLACE TEMP VIEW written AS FROM ({' UNION ALL '.join(written)}){applied}")


def _moved_on(session: Session, run: Run, target: Target) -> list[str]:
    """The keys of the target's rows that others changed between plan and read-back, though no phase meant to write them."""
    files = [
        file
        for phase in run.migration.phases
        for output in phase.outputs
        if output.target == target.id
        for file in PROOF_FILES.among(run.manifests(StepName.VERIFY, phase), output.name)
        if file.rows
    ]
    if not files:
        return []
    rows = f"SELECT DISTINCT key FROM ({duck.parquet(session.fetch(files), None)}) WHERE kind = 'moved_on'"
    return [key for (key,) in session.connection.execute(rows).fetchall()]


def _last_read(run: Run, target: Target) -> Iterator[Artifact]:
    """The files of what the last phase that writes the target read back."""
    phase, output = [(p, o) for p in run.migration.phases for o in p.outputs if o.target == target.id][-1]
    return READ_BACK_FILES.among(run.manifests(StepName.READ_BACK, phase), output.name)
