"""What a phase's script or function makes, taken into tables of the engine's own: rows of the declared types in canonical form, and
what is said of rows."""

from __future__ import annotations

import duckdb

from ..declare.migration import Output, Phase
from ..declare.names import EXTRA, FAULT, KEY, MISTYPED, ROW_ID, SOURCE_KEY, one_of, own
from ..errors import DeclarationError
from ..rows import changing, duck, wording
from ..run import Run
from . import functions, unfit
from .casting import columns, refuse_lossy
from .fates import FOUND_BESIDE

FINDINGS = {"_source": "VARCHAR", "key": "VARCHAR", "severity": "VARCHAR", "code": "VARCHAR", "message": "VARCHAR"}
_SETTINGS = (
    *("TimeZone", "Calendar", "default_collation", "default_null_order", "default_order", "integer_division"),
    *("ieee_floating_point_ops", "scalar_subquery_error_on_multiple_rows", "search_path", "schema"),
)


def make(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase) -> None:
    """Run a phase's script, leaving what the engine made of each view; see `run_phase`."""
    views = {output.view for each in run.migration.phases for output in each.outputs}
    _drop(connection, *views, "findings", "figures")
    try:
        before = _settings(connection)
        for script in phase.scripts:
            changing.refuse(f"phase {phase.id!r}", script, run.migration)
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


def hand_on(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase) -> None:
    """Show the phase's rows to later phases, if there are any."""
    for output in phase.outputs if phase is not run.migration.phases[-1] else ():
        columns = ", ".join(duck.identifier(c) for c in run.migration.target(output.target).table.columns)
        into = duck.identifier(output.target)
        connection.execute(f"INSERT INTO {into} SELECT {columns}, {EXTRA} FROM {own(output.view)}")


def _collect(connection: duckdb.DuckDBPyConnection, run: Run, output: Output) -> None:
    """Take the view's rows into a table of the engine's own: every column of the target, of its type and in canonical form,
    `_source`, a row number, and its fault, where a value has no such form."""
    target = run.migration.target(output.target)
    if not relations_called(connection, output.view):
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
    refuse_lossy(f"target {target.id!r}", target.table.columns, f"the transform's {output.view}", types)
    values, in_form, fault = columns(target.table.columns, types, run.store_of(target.table).kind == "dynamodb")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {own(output.view)} AS SELECT {in_form}, {SOURCE_KEY}, "
        f"row_number() OVER () AS {ROW_ID}, {fault} AS {FAULT} "
        f"FROM (SELECT {values}, CAST({SOURCE_KEY} AS VARCHAR) AS {SOURCE_KEY} FROM {output.view})"
    )


def _collect_findings(connection: duckdb.DuckDBPyConnection) -> None:
    """Take the findings into a table of the engine's own; there are none where the script says nothing of rows."""
    if not relations_called(connection, "findings"):
        nothing = ", ".join(f"NULL::{type_} AS {name}" for name, type_ in FINDINGS.items())
        connection.execute(f"CREATE TEMP VIEW findings AS SELECT {nothing} WHERE false")
    columns = ", ".join(f"CAST({duck.identifier(c)} AS {t}) AS {duck.identifier(c)}" for c, t in FINDINGS.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {FOUND_BESIDE} AS SELECT {columns} FROM findings")


def relations_called(connection: duckdb.DuckDBPyConnection, *names: str) -> list[tuple[str, str]]:
    """The relations of these names, in any case and schema: whether it is a view, and its whole name in SQL."""
    called = " UNION ALL ".join(
        f"SELECT '{kind}', database_name, schema_name, {kind}_name FROM duckdb_{kind}s() WHERE list_contains($1, lower({kind}_name))"
        for kind in ("view", "table")
    )
    rows = connection.execute(called, [[*names]]).fetchall()
    return [(kind.upper(), ".".join(map(duck.identifier, parts))) for kind, *parts in rows]


def _drop(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    for kind, whole_name in relations_called(connection, *names):
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
