"""Transform: what the target should hold, from the snapshot alone.

One partition of the sources at a time, phase by phase in the declared order; the rows go to
`should/<phase>/p<partition>-….parquet`, partitioned by a hash of the *target's* columns, where the plan compares them.
The transform sees whole tables; a window only marks the rows whose source row lies in it, so that what
is migrated day by day is what one full run gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb

from ..declare.migration import Output, Phase, Target
from ..declare.names import FAULT, FOUND, IN_WINDOW, IS, KEY, MADE, ROW_ID, SOURCE_KEY, UNWRITABLE_ROW, own
from ..errors import DeclarationError
from ..rows import duck
from ..rows.digits import FAR, NEAR, NEIGHBOUR, WHY, first_long
from ..run import Part, Run, StepName
from ..run.facts import Fates, Transformed
from ..run.files import FATE_FILES, FINDING_FILES, REJECT_FILES, SHOULD_FILES, shared_name
from ..run.partitions import copy_partitions, publish_partitions
from ..run.workspace import Artifact
from ..stores import arrow_schema, key_text
from . import audit, cost, digits, made_by, windows
from .casting import strict_json
from .fates import FATES, FOUND_BESIDE, WANTED, account
from .inputs import as_read, relate
from .making import hand_on, make, relations_called
from .target_checks import limits
from .unread import BESIDE, UNREAD, UNREADABLE_VALUE, look_beside, reject_unread

UNWRITABLE = "unwritable"
"""Code of the reject that the engine makes itself, for a row that the target's store cannot hold."""


def transform(run: Run, partition: int) -> Mapping[str, Fates]:
    """Run every phase's transform on one partition; counts of source rows, by phase."""
    cost.require(run)
    # a database of its own: what an author's script makes there, temporary or not, no other part may see
    with run.part(StepName.TRANSFORM, partition, alone=True) as part:
        relate(part, run, partition)
        code = {phase.id: made_by.code_of(run.migration, phase) for phase in run.migration.phases}
        beside, phases = look_beside(part.connection, run, partition), {}
        neighbours = _neighbours(part, run, partition)
        for phase in run.migration.phases:
            phases[phase.id] = run_phase(part.connection, run, phase, neighbours)
            _write(part, run, phase, partition)
        audit.count(part, run, partition)
        part.facts = Transformed(phases=phases, sources=beside, code=code).to_json()
    return phases


def _neighbours(part: Part, run: Run, partition: int) -> digits.Neighbours | None:
    """What is made of neighbours of the partition's numbers that lose digits in a double; None where it has none."""
    sources = {as_read(source): source.columns for source in run.migration.sources}
    shared = run.manifests(StepName.SHARED)[0].files if run.migration.shared else ()
    of_shared = {shared_name(file).partition(NEIGHBOUR)[2]: file for file in shared}
    marks, costs = {NEAR, FAR, WHY} & {*of_shared}, run.migration.cost is not None
    if not marks and first_long(part.connection, sources, costs=costs) is None:
        return None
    if not costs and run.migration.shared and not {NEAR, FAR} <= marks:
        return digits.Neighbours(unknown=_why(part, of_shared.get(WHY)), shared=True)

    @contextmanager
    def related(neighbour: str) -> Iterator[duckdb.DuckDBPyConnection]:
        with run.session(alone=True) as session:
            relate(session, run, partition, neighbour)
            yield session.connection

    return digits.neighbours_of(run, part.scratch, related, shared=bool(marks))


def _why(part: Part, file: Artifact | None) -> str:
    """Why there are no neighbours of what all partitions share."""
    if file is None:
        return "what all partitions share was computed by a version that did not look for that; start the run anew"
    part.relate(WHY, [file], None)
    ((message,),) = part.connection.execute(f"SELECT message FROM {WHY}").fetchall()
    return f"with other digits in its place a relation that all partitions share is not computed ({message})"


def run_phase(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, neighbours: digits.Neighbours | None = None
) -> Fates:
    """Run a phase's script and check what it made, leaving what the engine made of each view; counts of its source
    rows. `neighbours`: what is made of neighbours of its numbers, where a double holds some as others.

    Raises `DeclarationError` when the script does not run or does not define what it must.
    """
    driver = run.migration.driver(phase)
    make(connection, run, phase)
    _judge_findings(connection, phase)
    if neighbours is not None:
        digits.reject(connection, run, phase, neighbours, FOUND_BESIDE)
        _leave_out(connection, phase, digits.DIGITS_LOST)
    _quarantine(connection, run, phase)
    _check_together(connection, run, phase)
    windows.mark(connection, driver, WANTED)
    if run.options.window is not None:
        windows.tell_unreadable(connection, driver, FOUND_BESIDE)
    hand_on(connection, run, phase)
    return account(connection, phase, driver, _figures(connection))


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
    if not relations_called(connection, "figures"):
        return {}
    sums = connection.execute("SELECT name, CAST(sum(value) AS BIGINT) FROM figures GROUP BY name ORDER BY name")
    return {name: value or 0 for name, value in sums.fetchall()}


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
