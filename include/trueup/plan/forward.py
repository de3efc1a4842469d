"""Plan: the exact difference between what the target should hold and what it holds.

One partition of a target's rows at a time; `plan/files.py` says what a plan looks like. Drift is found by what earlier
runs are known to have written (`baseline.py`). Rows to be removed are those that earlier runs added and that the source no
longer gives, where the run is to remove them; their `_source` is null, and they are planned with the first output that
writes the target. Those of a set that is replaced whole are planned with their own output (`plan/sets.py`). Rows of the
target that nothing accounts for go to `rest/<target>/…`: of a table that is the migration's they are extra; of one where it
owns columns only, they stay as they are. Pure: reads the workspace, writes
the workspace, and asks a store only whether what is to be removed could be (`plan/irremovable.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from ..declare.migration import Output, Phase, Target
from ..declare.names import IN_WINDOW, IS, KEY, KNOWN, PLANNED, SHOULD, SOURCE_KEY, VERB, own
from ..errors import DeclarationError
from ..rows import duck
from ..run import Mode, Part, Run, Session, StepName
from ..run.facts import OutputPlan, PartPlan, TargetPlan
from ..run.files import SHOULD_FILES
from ..run.partitions import before_files, source_schema
from ..stores import arrow_schema
from . import baseline, estimates, hashing, irremovable, not_unique, sets, target_checks
from .files import (
    ADD,
    DRIFT,
    drifting,
    relate_drifted,
    should_schema,
    struct,
    unit_verb,
    warning,
    write_findings,
    write_plan,
    write_rest,
)
from .verbs import SQL, changed, keys_of, leaving, relate_leaving, replaced, rows_of, value_of, verb_of

DELETED_SINCE = "deleted_since"
"""Code of the warning about a row that was there and that somebody deleted: it is added again."""


def plan(run: Run, partition: int) -> dict[str, Mapping[str, int]]:
    """Give every target row of one partition its verb; rows by verb, by output."""
    outputs: dict[str, OutputPlan] = {}
    target_plans: dict[str, TargetPlan] = {}
    checked: dict[str, bool | None] = {}
    targets = run.migration.targets
    with run.part(StepName.PLAN, partition) as part:
        # a row of a phase that has rejects is planned unless its source row is one
        rejects = not_unique.relate(part, run)
        for target in targets:
            relate(part, run, target, partition, rejects)
            _check_unique(part.connection, run, target)
            checked[target.id] = baseline.relate(part, run, target, partition)
        for phase, output in ((p, o) for p in run.migration.phases for o in p.outputs):
            accounted = keys_of(run, run.migration.target(output.target))
            sets.relate(part.connection, run, phase, output, accounted, checked[output.target])
        for target in targets:
            relate_leaving(part.connection, run, target, sets.keys(run, target))
        for phase in run.migration.phases:
            verbs = {o.name: verb_of(run, phase, o, checked) for o in phase.outputs}
            relate_drifted(part.connection, phase, " UNION ".join(_drifted(o, verbs[o.name]) for o in phase.outputs))
            for output in phase.outputs:
                verb, checks = verbs[output.name], checked[output.target]
                outputs[output.name] = _plan(part, run, phase, output, partition, verb, checks)
        for target in targets:
            # where the migration owns columns only, a row outside the window stays as it is, and that is proven too
            accounted = keys_of(run, target, "" if target.owned is None else f" WHERE {IN_WINDOW}")
            accounted += f" UNION ALL SELECT {KEY} FROM {leaving(target)}{sets.keys(run, target)}"
            rest = write_rest(part, target, accounted, partition)
            extra = rest if target.owned is None else 0
            target_plans[target.id] = TargetPlan(rest=rest, extra=extra, owned=_removable(part.connection, run, target))
            if run.options.mode is Mode.APPLY:
                baseline.write(part, run, target, partition, checked[target.id] is True)
        rejected = not_unique.write(part, run, rejects, partition)
        drift_checks = [each for each in checked.values() if each is not None]
        part.facts = PartPlan(
            outputs=outputs,
            targets=target_plans,
            not_unique=rejected,
            drift_checked=all(drift_checks) if drift_checks else None,
        ).to_json()
    return {o.name: outputs[o.name].verbs for phase in run.phases for o in phase.outputs}


def _plan(
    part: Part, run: Run, phase: Phase, output: Output, partition: int, verb: str, checked: bool | None
) -> OutputPlan:
    """Plan one output, given the SQL of the verb of a row looked at alone."""
    target, rows = run.migration.target(output.target), rows_of(output)
    verbs = write_plan(
        part, target, output, _planned(run, phase, output, rows, unit_verb(phase, verb, SHOULD)), partition
    )
    stuck, warnings = irremovable.look(part.connection, run, target, output, verbs)
    findings = [*_findings(run, phase, output, rows, verbs, checked), *warnings]
    if output == phase.outputs[0]:
        findings += [*estimates.far(run, phase, partition), *target_checks.warnings(run, phase, partition)]
    write_findings(part, phase, output, findings, partition)
    digest = hashing.digest(part.connection, target, duck.identifier(f"plan_{output.name}"))
    return OutputPlan(verbs=verbs, digest=digest, stuck=stuck)


def _drifted(output: Output, verb: str) -> str:
    """SQL: the source rows of which a row of this output is left alone."""
    return f"SELECT {SHOULD}.{SOURCE_KEY} {rows_of(output)} AND {verb} = '{DRIFT}'{sets.drifted(output)}"


def relate(part: Session, run: Run, target: Target, partition: int, rejects: set[str]) -> None:
    """Make what should be (`should_<output>`, each, of the shape of `should_schema`) and what is (`is_<target>`, of
    `source_schema`) relations of one partition. What the plan itself rejects, of phases that have `rejects`, is as what lies
    outside the window: the run is not about it."""
    transformed = run.manifests(StepName.TRANSFORM)
    for phase, output in ((p, o) for p in run.migration.phases for o in p.outputs if o.target == target.id):
        files = SHOULD_FILES.among(transformed, output.name, partition)
        if phase.id not in rejects:
            part.relate(f"should_{output.name}", files, should_schema(target))
            continue
        part.relate(every := own(f"every_{output.name}"), files, should_schema(target))
        part.connection.execute(
            SQL(
                "rejected",
                view=duck.identifier(f"should_{output.name}"),
                rejects=not_unique.REJECTED,
                phase=duck.literal(phase.id),
                every=duck.identifier(every),
            )
        )
    before = before_files(run, run.manifests(StepName.SNAPSHOT), target, partition)
    part.relate(f"is_{target.id}", before, source_schema(target.table))


def _removable(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> int:
    """How many rows of the target earlier runs added, or belong to rows that the run gives (`Output.parent`)."""
    is_there, known = duck.identifier(f"is_{target.id}"), duck.identifier(f"known_{target.id}")
    mine = f"SELECT {KEY} FROM {known} WHERE added"
    if of_sets := sets.owned(run, target):
        mine += f" UNION {of_sets}"
    return duck.count(connection, f"SELECT count(*) FROM {is_there} WHERE {KEY} IN ({mine})")


def _planned(run: Run, phase: Phase, output: Output, rows: str, verb: str) -> str:
    """SQL: the plan of an output."""
    target = run.migration.target(output.target)
    names = [f.name for f in arrow_schema(target.table)]
    columns = ", ".join(value_of(target, phase, name) for name in names)
    query = SQL("planned", decided=verb, columns=columns, row=struct(target, IS), rows=rows)
    if output == run.migration.outputs(target.id)[0]:
        removed = ", ".join(f"{IS}.{duck.identifier(name)}" for name in names)
        removed = SQL("removed", columns=removed, row=struct(target, IS), leaving=leaving(target))
        query = f"{query}\n{removed}"
    return f"{query}\n{sets.planned(target, output, drifting(phase))}"


def _findings(
    run: Run, phase: Phase, output: Output, rows: str, verbs: dict[str, int], checked: bool | None
) -> list[str]:
    """SQL: the findings of planning an output, a query each; `checked` is None where no run was before this one."""
    target = run.migration.target(output.target)
    plan, known = duck.identifier(f"plan_{output.name}"), duck.identifier(f"known_{target.id}")
    queries = []
    if verbs[DRIFT]:
        reason = (
            f"CASE WHEN {KNOWN}.hashes IS NULL THEN 'was made by somebody else' "
            "ELSE 'was changed by somebody else since a run wrote it' END"
        )
        if phase.together:
            reason = (
                f"CASE WHEN {IS}.{KEY} IS NULL OR {baseline.is_ours(target, IS, KNOWN)} THEN 'would be written in one transaction "
                f"with a row that somebody else changed' ELSE {reason} END"
            )
        advice = "'; it is left alone: fix it, or let a run overwrite it (overwrite_drift)'"
        matching = f"{rows} AND {SHOULD}.{KEY} IN (SELECT {KEY} FROM {plan} WHERE {VERB} = '{DRIFT}')"
        queries.append(warning(target, SHOULD, DRIFT, f"{reason} || {advice}", matching))
    if verbs[ADD] and checked is not None:
        matching = (
            f"FROM {plan} {PLANNED} JOIN {known} {KNOWN} ON {PLANNED}.{KEY} = {KNOWN}.{KEY} "
            f"WHERE {PLANNED}.{VERB} = '{ADD}' AND {KNOWN}.there"
        )
        message = "'was there and is gone: somebody deleted it; it is added again'"
        queries.append(warning(target, PLANNED, DELETED_SINCE, message, matching))
    queries += sets.warnings(target, output)
    if phase.keeps_existing:
        kept = f"{rows} AND {IS}.{KEY} IS NOT NULL AND {changed(target, phase)} AND NOT {replaced(phase)}"
        message = "'exists and is not what the source gives; it is left as it is'"
        queries.append(warning(target, SHOULD, phase.keeps_existing, message, kept))
    return queries


def _check_unique(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> None:
    twice = f"SELECT {KEY}, count(*) AS n FROM ({keys_of(run, target)}) GROUP BY {KEY} HAVING n > 1"
    rows = duck.count(connection, f"SELECT sum(n - 1) FROM ({twice})")
    if rows:
        ((key, _),) = connection.execute(f"{twice} ORDER BY {KEY} LIMIT 1").fetchall()
        outputs = [output.name for output in run.migration.outputs(target.id)]
        raise DeclarationError(
            f"{rows:,} rows of target {target.table.name!r} are planned twice, the first with key {key!r}; "
            f"nothing is written: a transform must give every target row once. Fix what makes {outputs}, or the source rows "
            "that give that key; where the script puts rows together itself, the Source needs partition_by=(…), the columns "
            "that they have in common, so that it sees them together"
        )
