"""Transform: what the target should hold, from the snapshot alone.

One partition of the sources at a time, phase by phase in the declared order; the rows go to
`should/<phase>/p<partition>-….parquet`, partitioned by a hash of the *target's* columns, where the plan compares them.
The transform sees whole tables; a window only marks the rows whose source row lies in it, so that what
is migrated day by day is what one full run gives.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from ..declare.migration import Output, Phase, Target
from ..declare.names import (
    EXTRA,
    FAULT,
    FOUND,
    IN_WINDOW,
    IS,
    KEY,
    MADE,
    MISTYPED,
    ROW_ID,
    SOURCE_KEY,
    UNWRITABLE_ROW,
    one_of,
    own,
)
from ..errors import DeclarationError
from ..rows import duck, wording
from ..run import Part, Run, StepName
from ..run.facts import Fates, Transformed
from ..run.files import FATE_FILES, FINDING_FILES, REJECT_FILES, SHOULD_FILES
from ..run.partitions import copy_partitions, publish_partitions
from ..stores import arrow_schema, key_text
from . import audit, cost, functions, unfit, windows
from .casting import columns, refuse_lossy, strict_json
from .fates import FATES, FOUND_BESIDE, WANTED, account
from .inputs import as_read, relate
from .target_checks import limits
from .unread import BESIDE, UNREAD, UNREADABLE_VALUE, look_beside, reject_unread

FINDINGS = {"_source": "VARCHAR", "key": "VARCHAR", "severity": "VARCHAR", "code": "VARCHAR", "message": "VARCHAR"}
_SETTINGS = (
    *("TimeZone", "Calendar", "default_collation", "default_null_order", "default_order", "integer_division"),
    *("ieee_floating_point_ops", "scalar_subquery_error_on_multiple_rows", "search_path", "schema"),
)
UNWRITABLE = "unwritable"
"""Code of the reject that the engine makes itself, for a row that the target's store cannot hold."""


def transform(run: Run, partition: int) -> Mapping[str, Fates]:
    """Run every phase's transform on one partition; counts of source rows, by phase."""
    cost.require(run)
    # a database of its own: what an author's script makes there, temporary or not, no other part may see
    with run.part(StepName.TRANSFORM, partition, alone=True) as part:
        relate(part, run, partition)
        beside, phases = look_beside(part.connection, run, partition), {}
        for phase in run.migration.phases:
            phases[phase.id] = run_phase(part.connection, run, phase)
            _write(part, run, phase, partition)
        audit.count(part, run, partition)
        part.facts = Transformed(phases=phases, sources=beside).to_json()
    return phases


def run_phase(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase) -> Fates:
    """Run a phase's script and check what it made, leaving what the engine made of each view; counts of its source
    rows.

    Raises `DeclarationError` when the script does not run or does not define what it must.
    """
    driver = run.migration.driver(phase)
    views = {output.view for each in run.migration.phases for output in each.outputs}
    _drop(connection, *views, "findings", "figures")
    try:
        before = _settings(connection)
        for script in phase.scripts:
            connection.execute(script.read_text(encoding="utf-8"))
        if phase.function is not None:
            functions.define(connection, run, phase)
        _refuse_settings(connection, phase, before)
        for output in phase.outputs:
            _collect(connection, run, output)
        _collect_findings(connection)
    except duck.OF_NO_SCRIPT:
        raise  # no fault of the script
    except duckdb.Error as error:
        raise DeclarationError(
            f"phase {phase.id!r}: {' and '.join(s.name for s in phase.code)} does not run: "
            + (unfit.words(connection, run, phase, error) or wording.in_words(error, wording.relations(run.migration)))
        ) from error
    _judge_findings(connection, phase)
    _quarantine(connection, run, phase)
    _check_together(connection, run, phase)
    windows.mark(connection, driver, WANTED)
    if run.options.window is not None:
        windows.tell_unreadable(connection, driver, FOUND_BESIDE)
    for output in phase.outputs:
        if phase is run.migration.phases[-1]:
            break  # nobody looks at them any more
        columns = ", ".join(duck.identifier(c) for c in run.migration.target(output.target).table.columns)
        into = duck.identifier(output.target)
        connection.execute(f"INSERT INTO {into} SELECT {columns}, {EXTRA} FROM {own(output.view)}")
    return account(connection, phase, driver, _figures(connection))


def _collect_findings(connection: duckdb.DuckDBPyConnection) -> None:
    """Take the findings into a table of the engine's own; there are none where the script says nothing of rows."""
    if not _relations_called(connection, "findings"):
        nothing = ", ".join(f"NULL::{type_} AS {name}" for name, type_ in FINDINGS.items())
        connection.execute(f"CREATE TEMP VIEW findings AS SELECT {nothing} WHERE false")
    columns = ", ".join(f"CAST({duck.identifier(c)} AS {t}) AS {duck.identifier(c)}" for c, t in FINDINGS.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {FOUND_BESIDE} AS SELECT {columns} FROM findings")


def _judge_findings(connection: duckdb.DuckDBPyConnection, phase: Phase) -> None:
    unknown = connection.execute(
        f"SELECT DISTINCT severity FROM {FOUND_BESIDE} WHERE severity IS NULL OR severity NOT IN ('reject', 'warning', 'keep', 'skip')"
    ).fetchall()
    if unknown:
        raise DeclarationError(
            f"phase {phase.id!r}: findings of severity {[s for (s,) in unknown]}; use reject, warning, keep, skip"
        )


def _quarantine(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase) -> None:
    """The rejects that the engine makes itself: of values that nobody reads, or that cannot be read or written."""
    reject_unread(connection, run, phase, FOUND_BESIDE)
    for code in (UNREAD, UNREADABLE_VALUE):
        _leave_out(connection, phase, code)
    for output in phase.outputs:
        _reject_unwritable(connection, run, phase, output)


def _figures(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """What the script counts in addition to rows, by name; empty where it has no such view."""
    if not _relations_called(connection, "figures"):
        return {}
    sums = connection.execute("SELECT name, CAST(sum(value) AS BIGINT) FROM figures GROUP BY name ORDER BY name")
    return {name: value or 0 for name, value in sums.fetchall()}


def _relations_called(connection: duckdb.DuckDBPyConnection, *names: str) -> list[tuple[str, str]]:
    """The relations of these names, in any case and schema: whether it is a view, and its whole name in SQL."""
    called = " UNION ALL ".join(
        f"SELECT '{kind}', database_name, schema_name, {kind}_name FROM duckdb_{kind}s() WHERE list_contains($1, lower({kind}_name))"
        for kind in ("view", "table")
    )
    rows = connection.execute(called, [[*names]]).fetchall()
    return [(kind.upper(), ".".join(map(duck.identifier, parts))) for kind, *parts in rows]


def _drop(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    for kind, whole_name in _relations_called(connection, *names):
        connection.execute(f"DROP {kind} {whole_name}")


def _settings(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The settings that decide what a value, or a name, is."""
    (values,) = connection.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in _SETTINGS)}").fetchall()
    return dict(zip(_SETTINGS, values, strict=True))


def _refuse_settings(connection: duckdb.DuckDBPyConnection, phase: Phase, before: dict[str, str]) -> None:
    now = _settings(connection)
    if changed := sorted(name for name in now if now[name] != before[name]):
        raise DeclarationError(
            f"phase {phase.id!r}: its script changes the setting {', '.join(changed)}, by which keys and values are compared; "
            "leave it, and say in the query what is meant (AT TIME ZONE, COLLATE, NULLS FIRST, a schema's name)"
        )


def _collect(connection: duckdb.DuckDBPyConnection, run: Run, output: Output) -> None:
    """Take the view's rows into a table of the engine's own: every column of the target, of its type and in canonical form,
    `_source`, a row number, and its fault, where a value has no such form."""
    target = run.migration.target(output.target)
    if not _relations_called(connection, output.view):
        raise DeclarationError(
            f"target {target.id!r}: the transform makes no view {output.view!r}: CREATE VIEW {output.view} AS SELECT …"
        )
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {output.view}").fetchall()}
    needed = {*target.table.columns} if target.owned is None else {*target.owned, *target.placed_by, *target.table.key}
    unknown = {*types} - {*target.table.columns, *target.table.sets, SOURCE_KEY, EXTRA, MISTYPED}
    if missing := {*needed, SOURCE_KEY} - {*types}:
        raise DeclarationError(
            f"target {target.id!r}: the transform's {output.view} lack the columns {sorted(missing)}"
            + "".join(f"; they have {each!r}, {one_of(each, missing)}" for each in sorted(unknown))
            + f"; {SOURCE_KEY} is the key of the source row: {KEY} AS {SOURCE_KEY}" * (SOURCE_KEY in missing)
            + f"; say what it is made from: … AS {min(missing)}" * (not unknown and SOURCE_KEY not in missing)
        )
    if unknown:
        raise DeclarationError(
            f"target {target.id!r}: the transform's {output.view} have columns {sorted(unknown)} that it does not declare"
        )
    refuse_lossy(target, output.view, types)
    values, in_form, fault = columns(target, types, run.store_of(target.table).kind == "dynamodb")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {own(output.view)} AS SELECT {in_form}, {SOURCE_KEY}, "
        f"row_number() OVER () AS {ROW_ID}, {fault} AS {FAULT} "
        f"FROM (SELECT {values}, CAST({SOURCE_KEY} AS VARCHAR) AS {SOURCE_KEY} FROM {output.view})"
    )


def _check_together(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase) -> None:
    """Raise `DeclarationError` where a source row's rows of both targets are not of one partition: they would not be
    written in one transaction."""
    if not phase.together:
        return
    parts = " UNION ".join(
        f"SELECT {SOURCE_KEY}, {duck.partition(run.migration.target(o.target).placed_by, run.partitions)} FROM {own(o.view)}"
        for o in phase.outputs
    )
    split = f"SELECT {SOURCE_KEY} FROM ({parts}) GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    for (source,) in connection.execute(split).fetchall():
        raise DeclarationError(
            f"phase {phase.id!r}: what source row {source!r} makes of both targets lies in several partitions, so it "
            "cannot be written in one transaction; give both targets a partition_by that is the same for such rows"
        )


def _reject_unwritable(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, output: Output) -> None:
    """Reject the source rows of rows that have a fault, or that the store could not hold."""
    target, rows = run.migration.target(output.target), own(output.view)
    if not connection.execute(f"FROM {rows} LIMIT 1").fetchall():  # what the store could hold is a long query
        return
    faulty = f"SELECT {ROW_ID}, {FAULT} AS message FROM {rows} WHERE {FAULT} IS NOT NULL"
    _reject_rows(connection, phase, output, target, faulty)
    unwritable = run.store_of(target.table).unwritable(target.table, rows, limits(run, target))
    _reject_rows(connection, phase, output, target, unwritable)


def _reject_rows(
    connection: duckdb.DuckDBPyConnection, phase: Phase, output: Output, target: Target, query: str
) -> None:
    key, table = key_text(target.table.key, MADE), target.table.name.replace("'", "''")
    connection.execute(
        f"INSERT INTO {FOUND_BESIDE} SELECT {MADE}.{SOURCE_KEY}, {MADE}.{SOURCE_KEY}, 'reject', '{UNWRITABLE}', any_value("
        f"'row ' || coalesce({key}, '(no key)') || ' of {table} cannot be stored: ' || {UNWRITABLE_ROW}.message) "
        f"FROM ({query}) {UNWRITABLE_ROW} JOIN {own(output.view)} {MADE} ON {UNWRITABLE_ROW}.{ROW_ID} = {MADE}.{ROW_ID} "
        f"GROUP BY {MADE}.{SOURCE_KEY}"
    )
    _leave_out(connection, phase, UNWRITABLE)


def _leave_out(connection: duckdb.DuckDBPyConnection, phase: Phase, code: str) -> None:
    """A source row is written whole or not at all; and what is rejected is not also warned about."""
    rejected = f"(SELECT {SOURCE_KEY} FROM {FOUND_BESIDE} WHERE code = {duck.literal(code)})"
    for each in phase.outputs:
        connection.execute(f"DELETE FROM {own(each.view)} WHERE {SOURCE_KEY} IN {rejected}")
    connection.execute(f"DELETE FROM {FOUND_BESIDE} WHERE severity <> 'reject' AND {SOURCE_KEY} IN {rejected}")


def _write(part: Part, run: Run, phase: Phase, partition: int) -> None:
    """Write what the phase made: its rows (`should_schema`), by the partition that they belong to, and findings and rejects
    (`files.FINDINGS`, `files.REJECTS`)."""
    for output in phase.outputs:
        target = run.migration.target(output.target)
        columns = ", ".join(duck.identifier(f.name) for f in arrow_schema(target.table))
        folder = part.scratch / f"should-{output.name}"
        rows = (
            f"SELECT {columns}, {key_text(target.table.key)} AS {KEY}, {SOURCE_KEY}, "
            f"{SOURCE_KEY} IN (SELECT {KEY} FROM {WANTED}) AS {IN_WINDOW} FROM {own(output.view)}"
        )
        copy_partitions(part.connection, rows, target.placed_by, run.partitions, folder)
        part.files += publish_partitions(part.folder, folder, SHOULD_FILES, output.name, f"t{partition:03}")
    driver = run.migration.driver(phase)
    source = strict_json(as_read(driver), driver.columns)
    wanted = f"{SOURCE_KEY} IN (SELECT {KEY} FROM {WANTED})"
    listed = f"{wanted} AND severity IN ('reject', 'warning') OR code = '{windows.UNREADABLE_WINDOW}'"
    beside = f" UNION ALL SELECT NULL, * FROM {BESIDE}" if phase is run.migration.phases[0] else ""
    findings = (
        f"SELECT DISTINCT ON (key, severity, code) key, severity, code, message FROM ("
        f"SELECT {SOURCE_KEY}, key, severity, code, message FROM {FOUND_BESIDE} WHERE {listed}{beside}) "
        f"ORDER BY severity, code, key, {SOURCE_KEY}"
    )
    rejects = (
        f"SELECT {IS}.{KEY} AS key, {FOUND}.code, {FOUND}.message, to_json({IS}) AS row FROM {source} {IS} "
        f"JOIN (SELECT DISTINCT ON ({SOURCE_KEY}) * FROM {FOUND_BESIDE} "
        f"WHERE severity = 'reject' AND {wanted} ORDER BY {SOURCE_KEY}, code) {FOUND} "
        f"ON {IS}.{KEY} = {FOUND}.{SOURCE_KEY} ORDER BY {IS}.{KEY}"
    )
    part.write(FINDING_FILES.made_by("t", phase.id, partition), findings)
    part.write(REJECT_FILES.made_by("t", phase.id, partition), rejects)
    fates = (
        f"SELECT {SOURCE_KEY} AS key, fate, rule AS code FROM {FATES} WHERE fate IN ('keep', 'skip') AND {wanted} "
        "ORDER BY ALL"
    )
    part.write(FATE_FILES.made_by("t", phase.id, partition), fates)
