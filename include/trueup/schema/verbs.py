"""The verbs before anything changes: lint, rehearse, back up."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from ..errors import GateError
from ..run import StepName, to_values
from ..run.schema_files import backed_up, linted_sql
from ..run.schema_records import BackedUp, Held, Level, LintFacts, LintFinding
from ..write import approval
from . import describe, plan, rehearse
from . import lint as linter
from .run import SchemaRun

UPLOAD_SECONDS = 3600.0
"""How long one table's backup may take to be published, in a transaction that only reads."""


def lint(run: SchemaRun) -> dict[str, int]:
    """Lint every revision that the run would run; publish its SQL, and what was found; findings by level.

    Raises `GateError` for what the revision does not excuse, and for what could not be linted."""
    refused: list[str] = []
    findings: list[LintFinding] = []
    covers: dict[str, str] = {}
    with run.part(StepName.LINT) as part:
        for database, history in run.histories.items():
            heads = run.files.start.heads[database]
            linted = linter.lint(history, heads, run.revisions(database))
            with describe.connected(run.uri_of(database), f"look at {database}") as connection:
                identity = describe.identity(connection)
            covers[database] = plan.sha256_of(plan.cover(identity, heads, [(one.step, one.sql) for one in linted]))
            for number, one in enumerate(linted):
                path = linted_sql(database, number, one.step.revision, one.step.way)
                part.files.append(run.folder.write(path, one.sql))
                findings += one.findings
            refused += linter.refusals(linted)
        part.facts = to_values(LintFacts(findings=tuple(findings), covers=covers))
        if refused:
            part.seal()  # the report shows what was refused
            raise GateError(
                f"the lint refuses {len(refused)} of what the run would do, so nothing was changed. {' | '.join(refused[:10])}"
            )
    return {str(level): sum(f.level is level for f in findings) for level in Level}


def rehearsal(run: SchemaRun, database: str) -> dict[str, int | str]:
    """Rehearse the run's steps on a clone of one database, and publish what was found; counts.

    Raises `GateError` with the problems; `StoreUnavailableError` when the database cannot be cloned now."""
    with run.part(StepName.REHEARSE, database) as part:
        covers = plan.sha256_of(plan.covered(run, database))
        clone = f"trueup_{run.migration.id[:20]}_{database[:20]}_{_short(run.id)}"
        rehearsed = rehearse.rehearse(
            run.histories[database],
            run.uri_of(database),
            run.revisions(database),
            clone,
            run.migration.lock_timeout,
            run.effects,
        )
        part.facts = to_values(replace(rehearsed, covers=covers))
        if rehearsed.problems:
            part.seal()
            raise GateError(
                f"the rehearsal on a clone of {database} failed, so nothing was changed. {' | '.join(rehearsed.problems[:10])}"
            )
    return {
        "steps": rehearsed.steps,
        "sample_rows": rehearsed.sample_rows,
        "notes": len(rehearsed.notes),
        "cloned_by": rehearsed.cloned_by,
    }


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def backup(run: SchemaRun, database: str) -> dict[str, int]:
    """Copy every row of every table that the run changes or drops to `backup/<database>/<table>.copy.gz` (PostgreSQL's COPY
    text format, columns as in `<table>.columns.json`), as one snapshot sees them; rows, by table.

    Raises `ApprovalError` unless the plan as it is now is approved."""
    with run.part(StepName.BACKUP, database) as part:
        approval.require(run, StepName.BACKUP)
        plan.check_age(run)
        wanted = run.rehearsed(database).touched
        rows = {}
        with describe.connected(run.uri_of(database), f"back up {database}", idle=UPLOAD_SECONDS) as connection:
            connection.execution_options(isolation_level="REPEATABLE READ")
            schema = describe.schema(connection, run.migration.history(database).version_table)
            states = describe.rows(connection, {k: d for k, d in schema.items() if d.table in wanted})
            for table in wanted:
                names = describe.columns(schema, table)
                local = part.scratch / "rows"
                rows[table] = _copy(connection, table, names, local)
                content, columns = backed_up(database, table)
                part.publish(local, content, rows[table])
                part.files.append(run.folder.write(columns, json.dumps(names)))
        held = {table: Held(count=r.count, checksums=r.checksums) for table, r in states.items()}
        part.facts = to_values(BackedUp(rows=rows, held=held))
    return rows


def _copy(connection: sa.Connection, table: str, names: list[str], local: Path) -> int:
    driver = connection.connection.driver_connection
    assert driver is not None
    columns = ", ".join(describe.quoted(n) for n in names)
    query = f"COPY (SELECT {columns} FROM {describe.qualified(table)}) TO STDOUT"
    with gzip.open(local, "wb", compresslevel=3) as out, driver.cursor() as cursor:
        with cursor.copy(query.encode()) as copy:
            for block in copy:
                out.write(block)
        return int(cursor.rowcount)
