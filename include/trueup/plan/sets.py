"""Rows that belong to a row of a phase's first output, and are replaced as a set: `Output.parent`.

What is there of such a set and is no longer given is planned with the output itself, under the source row of the parent, so
that a set is written in one transaction with it: it is removed; or it is drift, as all that is written together with it, where
somebody else made or changed it since a run.
"""

from __future__ import annotations

import duckdb

from ..declare.migration import Output, Phase, Target
from ..declare.names import IN_WINDOW, IS, KEY, KNOWN, PLANNED, SHOULD, own
from ..rows import duck
from ..rows.statements import Statements
from ..run import Run
from ..stores import arrow_schema
from . import baseline
from .files import DRIFT, struct, warning

_PARENT, _DRIFTS = own("parent"), own("drifts")
SQL = Statements(__file__, parent=_PARENT, drifts=_DRIFTS)


def left_out(output: Output) -> str:
    return duck.identifier(own(f"left_out_{output.name}"))


def relate(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, output: Output, accounted: str, checked: bool | None
) -> None:
    """Make `left_out`, of an output with a parent: rows of the target (of `source_schema`) whose parent is given by the phase and
    which are not themselves, as the query `accounted` gives keys; with the parent's source row, and whether somebody else made
    them what they are."""
    if not output.parent:
        return
    target, first = run.migration.target(output.target), phase.outputs[0]
    key = run.migration.target(first.target).table.key
    pairs = zip(output.parent, key, strict=True)
    belongs = " AND ".join(f"{IS}.{duck.identifier(own_)} = {PLANNED}.{duck.identifier(its)}" for own_, its in pairs)
    tells_drift = checked is True and not run.options.overwrite_drift
    connection.execute(
        SQL(
            "left_out",
            left_out=left_out(output),
            there=duck.identifier(f"is_{target.id}"),
            parents=duck.identifier(f"should_{first.name}"),
            keys=duck.identifier(f"known_{target.id}"),
            belongs=belongs,
            theirs=f"NOT {baseline.is_ours(target, IS, KNOWN)}" if tells_drift else "false",
            accounted=accounted,
        )
    )


def keys(run: Run, target: Target) -> str:
    """SQL: the keys of rows of the target that are planned in this way, to be put behind a query for others."""
    outputs = [output for output in run.migration.outputs(target.id) if output.parent]
    return "".join(f" UNION ALL SELECT {KEY} FROM {left_out(output)}" for output in outputs)


def drifted(output: Output) -> str:
    """SQL: the source rows of which such a row is left alone, to be put behind a query for others."""
    return f" UNION SELECT {_PARENT} FROM {left_out(output)} WHERE {_DRIFTS}" if output.parent else ""


def planned(target: Target, output: Output, drifting: str) -> str:
    """SQL: the plan of these rows, to be put behind that of the others; `drifting` are the source rows that are left alone."""
    if not output.parent:
        return ""
    columns = ", ".join(f"{IS}.{duck.identifier(f.name)}" for f in arrow_schema(target.table))
    return SQL("planned", columns=columns, row=struct(target, IS), left_out=left_out(output), drifting=drifting)


def warnings(target: Target, output: Output) -> list[str]:
    """SQL: a warning on each of these rows that is left alone, since it is not Trueup's."""
    if not output.parent:
        return []
    words = (
        "'belongs to a row whose set is replaced whole, is no longer given, and was made or changed by somebody else; it is left "
        "alone, with all that is written together with it: let a run overwrite it (overwrite_drift)'"
    )
    return [warning(target, IS, DRIFT, words, f"FROM {left_out(output)} {IS} WHERE {IS}.{_DRIFTS}")]


def owned(run: Run, target: Target) -> str:
    """SQL: the keys of rows of the target that belong to a parent that a phase gives; none where there is no such output."""
    queries = []
    for phase in run.migration.phases:
        for output in phase.outputs:
            if output.target == target.id and output.parent:
                queries.append(f"SELECT {KEY} FROM {left_out(output)}")
                queries.append(
                    f"SELECT {SHOULD}.{KEY} FROM {duck.identifier(f'should_{output.name}')} {SHOULD} WHERE {IN_WINDOW}"
                )
    return " UNION ALL ".join(queries)
