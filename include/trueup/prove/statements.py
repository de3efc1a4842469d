"""The statements that a migration makes about a whole run, answered over every row.

Before is the snapshot, after is what was last read back of each target; so they say what a run did to its tables by
what the tables hold, whatever the plan and the ledger say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ..declare.migration import Statement, Target
from ..errors import DeclarationError
from ..rows import duck
from ..run import Mode, Run
from ..run.files import ANSWERS, PROOF_FILES, READ_BACK_FILES
from ..run.partitions import before_files, files_of, relate_rows, relate_source, source_schema


def answer(run: Run) -> list[dict[str, Any]]:
    """Answer every statement and publish the answers: `title`, `answer` (YES, NO or a whole number), and whether it
    `holds`, which only a NO does not. Raises `DeclarationError` for a query that does not run or gives anything else.
    """
    if not run.migration.statements:
        run.folder.write(ANSWERS, "[]")
        return []
    with run.workspace.scratch() as scratch, run.connect(scratch) as connection:
        _relate(connection, run, scratch)
        answers = [_answer(connection, run, statement) for statement in run.migration.statements]
    run.folder.write(ANSWERS, json.dumps(answers, indent=1))
    return answers


def advance(run: Run) -> list[dict[str, Any]]:
    """Bring the sequences of the targets behind what was written, and state that they are: an application's next row gets
    a value that is free."""
    if run.options.mode is not Mode.APPLY:
        return []
    said = []
    for target in run.migration.targets:
        for one in run.store_of(target.table).advance(target.table):
            title = (
                f"The next value of sequence {one.sequence} is beyond every {one.column} of {one.table}"
                f" (last value {one.before:,} before, {one.after:,} now)"
            )
            said.append({"title": title, "answer": "YES" if one.holds else "NO", "holds": one.holds})
    if said:
        answers = run.folder.read_json(ANSWERS) or []
        run.folder.write(ANSWERS, json.dumps([*answers, *said], indent=1))
    return said


def _answer(connection: duckdb.DuckDBPyConnection, run: Run, statement: Statement) -> dict[str, Any]:
    try:
        found = connection.execute(statement.query).fetchall()
    except duckdb.Error as error:
        raise DeclarationError(
            f"statement {statement.title!r} of {run.migration.id!r} does not run: {error}"
        ) from error
    value = found[0][0] if len(found) == 1 and len(found[0]) == 1 else None
    if not isinstance(value, bool | int):
        raise DeclarationError(
            f"statement {statement.title!r} of {run.migration.id!r} must give one boolean or whole number, "
            f"not {found[:3]}"
        )
    said: str | int = ("YES" if value else "NO") if isinstance(value, bool) else value
    return {"title": statement.title, "answer": said, "holds": value is not False}


def _relate(connection: duckdb.DuckDBPyConnection, run: Run, scratch: Path) -> None:
    snapshots = run.folder.manifests("snapshot", run.segments)
    for source in run.migration.sources:
        relate_source(connection, run, source, snapshots, None, scratch)
    alone: list[tuple[str, str]] = []
    for target in run.migration.targets:
        schema = source_schema(target.table)
        relate_rows(connection, f"before_{target.id}", before_files(run, snapshots, target, None, scratch), schema)
        relate_rows(connection, f"after_{target.id}", _last_read(run, target, scratch), schema)
        for output in run.migration.outputs(target.id):
            alone += [(target.id, conflict.key) for conflict in run.ledger.conflicts(run.id, output.name)]
        alone += [(target.id, key) for key in _moved_on(connection, run, target, scratch)]
    schema = pa.schema([pa.field("target", pa.string()), pa.field("key", pa.string())])
    connection.register("left_alone", pa.Table.from_pylist([{"target": t, "key": k} for t, k in alone], schema))


def _moved_on(connection: duckdb.DuckDBPyConnection, run: Run, target: Target, scratch: Path) -> list[str]:
    """The keys of the target's rows that others changed between plan and read-back, though no phase meant to write them."""
    files = [
        run.folder.fetch(file, scratch)
        for phase in run.migration.phases
        for output in phase.outputs
        if output.target == target.id
        for file in PROOF_FILES.among(run.folder.manifests(f"verify/{phase.id}"), output.name)
        if file.rows
    ]
    if not files:
        return []
    rows = connection.execute(f"SELECT DISTINCT key FROM ({duck.parquet(files, None)}) WHERE kind = 'moved_on'")
    return [key for (key,) in rows.fetchall()]


def _last_read(run: Run, target: Target, scratch: Path) -> list[Path]:
    """The files of what the last phase that writes the target read back."""
    phase, output = [(p, o) for p in run.migration.phases for o in p.outputs if o.target == target.id][-1]
    manifests = run.folder.manifests(f"read_back/{phase.id}", run.segments)
    return files_of(run, manifests, READ_BACK_FILES.of(output.name), None, scratch)
