"""What is to be done for a target row: the SQL of its verb and of its new values, over the relations `should_<output>`,
`is_<target>` and `known_<target>`."""

from __future__ import annotations

import duckdb

from ..declare.migration import Output, Phase, Target
from ..declare.names import EXTRA, IS, KEY, KNOWN, MISTYPED, SHOULD, WITHOUT_NULLS
from ..rows import duck
from ..rows.statements import Statements
from ..run import Extra, Mode, Run
from ..stores import arrow_schema
from . import baseline
from .files import CHANGE, KEEP, differ

SQL = Statements(__file__)


def leaving(target: Target) -> str:
    return duck.identifier(f"leaving_{target.id}")


def relate_leaving(connection: duckdb.DuckDBPyConnection, run: Run, target: Target, more: str = "") -> None:
    """`leaving_<target>`: rows to be removed: nothing accounts for them, Trueup added them, and nobody changed them; `more`: SQL
    that follows, for further keys that are accounted for."""
    options, known = run.options, duck.identifier(f"known_{target.id}")
    removing = options.extra is Extra.REMOVE and options.window is None and options.mode is not Mode.VERIFY
    wanted = (
        f"{KNOWN}.added AND {baseline.is_ours(target, IS, KNOWN)}" if removing and target.owned is None else "false"
    )
    connection.execute(
        SQL(
            "leaving",
            leaving=leaving(target),
            there=duck.identifier(f"is_{target.id}"),
            keys=known,
            accounted=keys_of(run, target) + more,
            wanted=wanted,
        )
    )


def rows_of(output: Output) -> str:
    """SQL: FROM what should be (`SHOULD`), with what is (`IS`) and what is known of it (`KNOWN`), null where there is
    none."""
    return SQL(
        "rows",
        should_rows=duck.identifier(f"should_{output.name}"),
        there=duck.identifier(f"is_{output.target}"),
        keys=duck.identifier(f"known_{output.target}"),
    )


def changed(target: Target, phase: Phase) -> str:
    compared = [f.name for f in arrow_schema(target.table)] if target.owned is None else target.owned
    if phase.keeps_existing:  # columns that the transform knows nothing of say nothing about its result
        compared = [name for name in compared if name != EXTRA]
    return differ(target, compared, SHOULD, IS)


def replaced(phase: Phase) -> str:
    """SQL: whether a row that exists is changed although the phase keeps such rows (`Phase.replaces`)."""
    held = (
        f"coalesce({IS}.{duck.identifier(column)} IN ({', '.join(map(duck.literal, values))}), false)"
        for column, values in phase.replaces.items()
    )
    return f"({' AND '.join(held)})" if phase.replaces else "false"


def verb_of(run: Run, phase: Phase, output: Output, checked: dict[str, bool | None]) -> str:
    """SQL: the verb of a row of `_rows`, looked at alone."""
    target = run.migration.target(output.target)
    tells_drift = checked[target.id] is True and not phase.keeps_existing and not run.options.overwrite_drift
    differing = (
        f"CASE WHEN {replaced(phase)} THEN '{CHANGE}' ELSE '{KEEP}' END" if phase.keeps_existing else f"'{CHANGE}'"
    )
    if tells_drift:
        differing = SQL("ours_or_drift", ours=baseline.is_ours(target, IS, KNOWN))
    return SQL("verb", changed=changed(target, phase), differing=differing)


def value_of(target: Target, phase: Phase, column: str) -> str:
    """What the new row has in this column: of a row that exists, what is not to be changed stays."""
    name = duck.identifier(column)
    if column == MISTYPED and target.owned is not None and not phase.keeps_existing:
        # a value of another type than declared goes where the migration gives that column a value of its own
        columns = ", ".join(
            f"CASE WHEN {SHOULD}.{duck.identifier(c)} IS NOT NULL THEN {duck.literal(c)} END" for c in target.owned
        )
        left = f"CASE WHEN {IS}.{name} IS NOT NULL THEN canonical_json(json_without({WITHOUT_NULLS}({IS}.{name}), [{columns}])) END"
        return f"CASE WHEN {IS}.{KEY} IS NULL THEN {SHOULD}.{name} ELSE {left} END AS {name}"
    if phase.keeps_existing or (target.owned is not None and column not in target.owned):
        new = f"{IS}.{KEY} IS NULL"
        if phase.replaces and column != EXTRA:  # what the transform knows nothing of stays
            new += f" OR {replaced(phase)}"
        return f"CASE WHEN {new} THEN {SHOULD}.{name} ELSE {IS}.{name} END AS {name}"
    return f"{SHOULD}.{name}"


def keys_of(run: Run, target: Target, where: str = "") -> str:
    names = [f"should_{output.name}" for output in run.migration.outputs(target.id)]
    return " UNION ALL ".join(f"SELECT {KEY} FROM {duck.identifier(name)}{where}" for name in names)
