"""Plan: the exact difference between what the target should hold and what it holds.

One partition of a target's rows at a time; `plan_files.py` says what a plan looks like. Drift is told by what earlier
runs are known to have written (`base.py`). Rows to be removed are those that earlier runs added and that the source no
longer gives, where the run is to remove them; their `_source` is null, and they are planned with the first output that
writes the target. Rows of the target that nothing accounts for go to `rest/<target>/…`: of a table that is the
migration's they are extra; of one where it owns columns only, they stay as they are. Pure: reads the workspace, writes
the workspace, touches no store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from . import base, duck, estimates, plan_hash, target_checks
from .errors import DeclarationError
from .model import Output, Phase, Target
from .names import BEFORE, EXTRA, IN_WINDOW, IS, KEY, KNOWN, MISTYPED, PLANNED, SHOULD, SOURCE_KEY, VERB, WITHOUT_NULLS
from .plan_files import (
    ADD,
    CHANGE,
    DRIFT,
    KEEP,
    REMOVE,
    Made,
    differ,
    relate_drifted,
    said,
    should_schema,
    struct,
    unit_verb,
    write_findings,
    write_plan,
    write_rest,
)
from .run import Extra, Mode, Run
from .snapshot import before_files, files_of, source_schema
from .stores import arrow_schema
from .workspace import Manifest

DELETED_SINCE = "deleted_since"
"""Code of the warning about a row that was there and that somebody deleted: it is added again."""


def plan(run: Run, partition: int) -> dict[str, Any]:
    """Give every target row of one partition its verb; rows by verb, by output; by target those that are `rest`, and
    how many of them are `extra`; and `drift_checked`, whether what others changed could be told (None: no run before).
    """
    facts: dict[str, Any] = {}
    made: list[Made] = []
    checked: dict[str, bool | None] = {}
    targets = run.migration.targets
    with run.ledger.step(run.id, "plan", str(partition)), run.workspace.scratch() as scratch:
        with run.connect(scratch) as connection:
            for target in targets:
                relate(connection, run, target, partition, scratch)
                _check_unique(connection, run, target)
                checked[target.id] = base.relate(connection, run, target, partition, scratch)
                _relate_leaving(connection, run, target)
            for phase in run.migration.phases:
                verbs = {o.name: _verb(run, phase, o, checked) for o in phase.outputs}
                alone = (
                    f"SELECT {SHOULD}.{SOURCE_KEY} {_rows(o)} AND {verbs[o.name]} = '{DRIFT}'" for o in phase.outputs
                )
                relate_drifted(connection, phase, " UNION ".join(alone))
                for output in phase.outputs:
                    rows, verb = _rows(output), verbs[output.name]
                    query = _planned(run, phase, output, rows, unit_verb(phase, verb, SHOULD))
                    file, facts[output.name] = write_plan(
                        connection, run.migration.target(output.target), output, query, partition, scratch
                    )
                    made.append(file)
                    planned = duck.identifier(f"plan_{output.name}")
                    target = run.migration.target(output.target)
                    facts[plan_hash.entry(output.name)] = plan_hash.digest(connection, target, planned)
                    findings = _findings(run, phase, output, rows, facts[output.name], checked[output.target])
                    if output == phase.outputs[0]:
                        findings = [*findings, *estimates.far(run, phase, partition)]
                        findings += target_checks.warnings(run, phase, partition)
                    made += write_findings(connection, phase, output, findings, partition, scratch)
            for target in targets:
                # where the migration owns columns only, a row outside the window stays as it is, and that is proven too
                accounted = _keys(run, target, "" if target.owned is None else f" WHERE {IN_WINDOW}")
                accounted += f" UNION ALL SELECT {KEY} FROM {_leaving(target)}"
                rest = write_rest(connection, target, accounted, partition, scratch)
                extra = rest.rows if target.owned is None else 0
                facts[f"rest/{target.id}"] = {"rest": rest.rows, "extra": extra, "owned": _added(connection, target)}
                made.append(rest)
                if run.options.mode is Mode.APPLY:
                    made.append(_base(connection, run, target, partition, checked[target.id], scratch))
        told = [found for found in checked.values() if found is not None]
        facts["drift_checked"] = all(told) if told else None
        files = [each.publish(run) for each in made]
        run.folder.seal(Manifest(step="plan", part=f"{partition:03}", files=tuple(files), facts=facts))
    return facts


def relate(connection: duckdb.DuckDBPyConnection, run: Run, target: Target, partition: int, scratch: Path) -> None:
    """Make what should be (`should_<output>`, each) and what is (`is_<target>`) relations of one partition."""
    made = run.folder.manifests("transform", run.partitions)
    for output in run.migration.outputs(target.id):
        files = files_of(run, made, f"should/{output.name}", partition, scratch)
        duck.relation(connection, f"should_{output.name}", files, should_schema(target))
    files = before_files(run, run.folder.manifests("snapshot", run.segments), target, partition, scratch)
    duck.relation(connection, f"is_{target.id}", files, source_schema(target.table))


def _added(connection: duckdb.DuckDBPyConnection, target: Target) -> int:
    """How many rows of the target earlier runs added."""
    there, known = duck.identifier(f"is_{target.id}"), duck.identifier(f"known_{target.id}")
    keys = f"FROM {there} SELECT {KEY}"
    return duck.count(connection, f"SELECT count(*) FROM {known} WHERE added AND {KEY} IN ({keys})")


def _leaving(target: Target) -> str:
    return duck.identifier(f"leaving_{target.id}")


def _relate_leaving(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> None:
    """`leaving_<target>`: rows to be removed: nothing accounts for them, Trueup added them, and nobody changed them."""
    options, known = run.options, duck.identifier(f"known_{target.id}")
    asked = options.extra is Extra.REMOVE and options.window is None and options.mode is not Mode.VERIFY
    wanted = f"{KNOWN}.added AND {base.is_ours(target, IS, KNOWN)}" if asked and target.owned is None else "false"
    connection.execute(
        f"CREATE TEMP TABLE {_leaving(target)} AS SELECT {IS}.* FROM {duck.identifier(f'is_{target.id}')} {IS} "
        f"JOIN {known} {KNOWN} ON {IS}.{KEY} = {KNOWN}.{KEY} "
        f"ANTI JOIN ({_keys(run, target)}) {SHOULD} ON {IS}.{KEY} = {SHOULD}.{KEY} WHERE {wanted}"
    )


def _rows(output: Output) -> str:
    """SQL: FROM what should be (`SHOULD`), with what is (`IS`) and what is known of it (`KNOWN`), null where there is
    none."""
    should = duck.identifier(f"should_{output.name}")
    others = (
        f"LEFT JOIN {duck.identifier(f'{name}_{output.target}')} {alias} ON {SHOULD}.{KEY} = {alias}.{KEY}"
        for name, alias in (("is", IS), ("known", KNOWN))
    )
    return f"FROM {should} {SHOULD} {' '.join(others)} WHERE {SHOULD}.{IN_WINDOW}"


def _changed(target: Target, phase: Phase) -> str:
    compared = [f.name for f in arrow_schema(target.table)] if target.owned is None else target.owned
    if phase.keeps_existing:  # columns that the transform knows nothing of say nothing about its result
        compared = [name for name in compared if name != EXTRA]
    return differ(target, compared, SHOULD, IS)


def _verb(run: Run, phase: Phase, output: Output, checked: dict[str, bool | None]) -> str:
    """SQL: the verb of a row of `_rows`, looked at alone."""
    target = run.migration.target(output.target)
    tells_drift = checked[target.id] is True and not phase.keeps_existing and not run.options.overwrite_drift
    differing = f"'{KEEP if phase.keeps_existing else CHANGE}'"
    if tells_drift:
        differing = f"CASE WHEN {base.is_ours(target, IS, KNOWN)} THEN '{CHANGE}' ELSE '{DRIFT}' END"
    return (
        f"CASE WHEN {IS}.{KEY} IS NULL THEN '{ADD}' WHEN {_changed(target, phase)} THEN {differing} ELSE '{KEEP}' END"
    )


def _planned(run: Run, phase: Phase, output: Output, rows: str, verb: str) -> str:
    """SQL: the plan of an output."""
    target = run.migration.target(output.target)
    names = [f.name for f in arrow_schema(target.table)]
    columns = ", ".join(_value(target, phase, name) for name in names)
    before = f"CASE WHEN {IS}.{KEY} IS NOT NULL THEN {struct(target, IS)} END"
    query = f"SELECT {verb} AS {VERB}, {SHOULD}.{KEY}, {SHOULD}.{SOURCE_KEY}, {columns}, {before} AS {BEFORE} {rows}"
    if output == run.migration.outputs(target.id)[0]:
        removed = ", ".join(f"{IS}.{duck.identifier(name)}" for name in names)
        query += f" UNION ALL SELECT '{REMOVE}', {IS}.{KEY}, NULL, {removed}, {struct(target, IS)}"
        query += f" FROM {_leaving(target)} {IS}"
    return query


def _findings(
    run: Run, phase: Phase, output: Output, rows: str, verbs: dict[str, int], checked: bool | None
) -> list[str]:
    """SQL: the findings of planning an output, a query each; `checked` is None where no run was before this one."""
    target = run.migration.target(output.target)
    plan, known = duck.identifier(f"plan_{output.name}"), duck.identifier(f"known_{target.id}")
    found = []
    if verbs[DRIFT]:
        alone = (
            f"CASE WHEN {KNOWN}.hashes IS NULL THEN 'was made by somebody else' "
            "ELSE 'was changed by somebody else since a run wrote it' END"
        )
        if phase.also:
            alone = (
                f"CASE WHEN {IS}.{KEY} IS NULL OR {base.is_ours(target, IS, KNOWN)} THEN 'would be written in one transaction "
                f"with a row that somebody else changed' ELSE {alone} END"
            )
        then = "'; it is left alone: mend it, or let a run overwrite it (overwrite_drift)'"
        those = f"{rows} AND {SHOULD}.{KEY} IN (SELECT {KEY} FROM {plan} WHERE {VERB} = '{DRIFT}')"
        found.append(said(target, SHOULD, DRIFT, f"{alone} || {then}", those))
    if verbs[ADD] and checked is not None:
        those = (
            f"FROM {plan} {PLANNED} JOIN {known} {KNOWN} ON {PLANNED}.{KEY} = {KNOWN}.{KEY} "
            f"WHERE {PLANNED}.{VERB} = '{ADD}' AND {KNOWN}.there"
        )
        words = "'was there and is gone: somebody deleted it; it is added again'"
        found.append(said(target, PLANNED, DELETED_SINCE, words, those))
    if phase.keeps_existing:
        kept = f"{rows} AND {IS}.{KEY} IS NOT NULL AND {_changed(target, phase)}"
        words = "'exists and is not what the source gives; it is kept'"
        found.append(said(target, SHOULD, phase.keeps_existing, words, kept))
    return found


def _value(target: Target, phase: Phase, column: str) -> str:
    """What the new row has in this column: of a row that exists, what is not to be changed stays."""
    name = duck.identifier(column)
    if column == MISTYPED and target.owned is not None and not phase.keeps_existing:
        # a value of another type than declared goes where the migration gives that column a value of its own
        given = ", ".join(
            f"CASE WHEN {SHOULD}.{duck.identifier(c)} IS NOT NULL THEN {duck.literal(c)} END" for c in target.owned
        )
        left = f"CASE WHEN {IS}.{name} IS NOT NULL THEN canonical_json(json_without({WITHOUT_NULLS}({IS}.{name}), [{given}])) END"
        return f"CASE WHEN {IS}.{KEY} IS NULL THEN {SHOULD}.{name} ELSE {left} END AS {name}"
    if phase.keeps_existing or (target.owned is not None and column not in target.owned):
        return f"CASE WHEN {IS}.{KEY} IS NULL THEN {SHOULD}.{name} ELSE {IS}.{name} END AS {name}"
    return f"{SHOULD}.{name}"


def _keys(run: Run, target: Target, where: str = "") -> str:
    names = [f"should_{output.name}" for output in run.migration.outputs(target.id)]
    return " UNION ALL ".join(f"SELECT {KEY} FROM {duck.identifier(name)}{where}" for name in names)


def _check_unique(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> None:
    twice = f"SELECT {KEY}, count(*) AS n FROM ({_keys(run, target)}) GROUP BY {KEY} HAVING n > 1"
    rows = duck.count(connection, f"SELECT sum(n - 1) FROM ({twice})")
    if rows:
        ((key, _),) = connection.execute(f"{twice} ORDER BY {KEY} LIMIT 1").fetchall()
        outputs = [output.name for output in run.migration.outputs(target.id)]
        raise DeclarationError(
            f"{rows:,} rows of target {target.table.name!r} are planned twice, the first with key {key!r}; nothing is written: "
            f"a transform must give every target row once (mend what makes {outputs}, or the source rows that give that key)"
        )


def _base(
    connection: duckdb.DuckDBPyConnection, run: Run, target: Target, partition: int, checked: bool | None, scratch: Path
) -> Made:
    local = scratch / f"base-{target.id}.parquet"
    rows = base.write(connection, run, target, checked is True, local)
    return Made(local=local, path=base.path(target, partition), rows=rows)
