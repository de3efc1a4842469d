"""Roll back: the plan of a run, read backwards.

What run R wrote is taken from R's own plan, and compared with the targets as they are: a row that R added is removed, a
row that R changed or removed is put back as it was, each only if it still is as R left it: as R planned it, as an earlier plan
of R did (`plan/written.py`), or as what R's writing set off made of it (`plan/set_off.py`). What somebody touched since
is `drift`: it is kept, and listed. The reverse plan is a plan like any other (`plan/files.py`), so that the steps that
gate, apply, prove and report it are the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..declare.migration import Output, Phase
from ..declare.names import BEFORE, EXTRA, IS, KEY, SOURCE_KEY, VERB, WROTE, own
from ..rows import duck
from ..rows.statements import Statements
from ..run import Part, Run, StepName, earlier
from ..run.facts import Fates, OutputPlan, PartPlan, TargetPlan, Transformed
from ..run.files import WROTE_FILES
from ..run.partitions import before_files, source_schema
from ..stores import arrow_schema
from . import baseline, hashing, irremovable, written
from .files import (
    DRIFT,
    differ,
    put_back,
    relate_drifted,
    struct,
    unit_verb,
    warning,
    write_findings,
    write_plan,
    write_rest,
)
from .target_checks import added_differs
from .written import AS_FOUND, AS_GONE

_SQL = Statements(__file__, decided=own("d"), as_found=AS_FOUND, as_gone=AS_GONE)
TOUCHED_SINCE = "touched_since"
"""Code of the warning about a row that is kept because somebody touched it since the run that is undone."""


def transform(run: Run, partition: int) -> Mapping[str, Fates]:
    """Collect what the undone run wrote, of one partition, as `wrote/<output>/p<partition>.parquet`: the rows of its
    plan that it added, changed or removed, less those that it left alone as conflicts and those that the store refused;
    counts of them, by phase.

    Raises `ArtifactError` if its plan is missing, or is not of the columns that the migration declares now."""
    undone = run.undone
    phases: dict[str, Fates] = {}
    with run.part(StepName.TRANSFORM, partition) as part:
        applying = earlier.applying(undone.ledger, undone.id)
        for phase in run.phases:
            for output in phase.outputs:
                written.write(part, undone, phase, output, partition, applying)
            sources = " UNION ALL ".join(f"SELECT {SOURCE_KEY} FROM {_wrote(output)}" for output in phase.outputs)
            rows = duck.count(part.connection, f"SELECT count(DISTINCT {SOURCE_KEY}) FROM ({sources})")
            phases[phase.id] = Fates(source_rows=rows)
        part.facts = Transformed(phases=phases).to_json()
    return phases


def plan(run: Run, partition: int) -> dict[str, Mapping[str, int]]:
    """Give every row that the undone run wrote in one partition the verb that takes it back; rows by verb, by output."""
    outputs: dict[str, OutputPlan] = {}
    targets: dict[str, TargetPlan] = {}
    with run.part(StepName.PLAN, partition) as part:
        _relate(part, run, partition)
        for phase in run.phases:
            relate_drifted(part.connection, phase, " UNION ".join(_drifted(run, phase, o) for o in phase.outputs))
            for output in phase.outputs:
                outputs[output.name] = _plan(part, run, phase, output, partition)
        for target in run.migration.targets:
            every = run.migration.outputs(target.id)
            accounted = " UNION ALL ".join(f"SELECT {KEY} FROM {_wrote(output)}" for output in every)
            targets[target.id] = TargetPlan(rest=write_rest(part, target, accounted, partition), extra=0)
        part.facts = PartPlan(outputs=outputs, targets=targets).to_json()
    return {o.name: outputs[o.name].verbs for phase in run.phases for o in phase.outputs}


def _relate(part: Part, run: Run, partition: int) -> None:
    """Make what is (`is_<target>`, of the shape of `source_schema`), what the undone run wrote (`wrote_<output>`, of
    `wrote_schema`) and what that set off (`became_<target>`) relations."""
    undone, transformed, snapshot = run.undone, run.manifests(StepName.TRANSFORM), run.manifests(StepName.SNAPSHOT)
    for target in run.migration.targets:
        part.relate(f"is_{target.id}", before_files(run, snapshot, target, partition), source_schema(target.table))
        baseline.relate_became(part, undone, target)
        for output in run.migration.outputs(target.id):
            wrote = WROTE_FILES.among(transformed, output.name, partition)
            part.relate(f"wrote_{output.name}", wrote, written.wrote_schema(target))


def _plan(part: Part, run: Run, phase: Phase, output: Output, partition: int) -> OutputPlan:
    """Plan one output."""
    target = run.migration.target(output.target)
    verbs = write_plan(part, target, output, _planned(run, phase, output), partition)
    stuck, warnings = irremovable.look(part.connection, run, target, output, verbs)
    write_findings(part, phase, output, [_findings(run, phase, output), *warnings], partition)
    digest = hashing.digest(part.connection, target, duck.identifier(f"plan_{output.name}"))
    return OutputPlan(verbs=verbs, digest=digest, stuck=stuck)


def _drifted(run: Run, phase: Phase, output: Output) -> str:
    """SQL: the source rows of which a row of this output is left alone."""
    return f"SELECT {WROTE}.{SOURCE_KEY} {_rows(output)} WHERE {_verb(run, phase, output)} = '{DRIFT}'"


def _wrote(output: Output) -> str:
    return duck.identifier(f"wrote_{output.name}")


def _rows(output: Output) -> str:
    """SQL: FROM what the undone run wrote (`WROTE`), with what is (`IS`), null where there is none."""
    return _SQL("rows", written=_wrote(output), there=duck.identifier(f"is_{output.target}"))


def _verb(run: Run, phase: Phase, output: Output) -> str:
    """SQL: what takes back a row of `_rows`, looked at alone."""
    target = run.migration.target(output.target)
    names = [f.name for f in arrow_schema(target.table)]
    # of columns that the transform knows nothing of, a phase that keeps rows has not said what they should be
    declared = [name for name in names if name != EXTRA]
    kept = phase.keeps_existing
    owned, before, as_found = put_back(target), f"{WROTE}.{BEFORE}", f"{WROTE}.{AS_FOUND}"
    added, added_found = (
        differ(target, declared, row, IS) if kept else added_differs(run, target, row, IS) for row in (WROTE, as_found)
    )
    return _SQL(
        "verb",
        added_differs=added,
        added_found_differs=added_found,
        found_differs=differ(target, owned, as_found, IS),
        owned_differs=differ(target, owned, WROTE, IS),
        before_differs=differ(target, owned, before, IS),
        whole_differs=differ(target, names, before, IS),
        touched=f"NOT {baseline.became(target, f'{WROTE}.{KEY}', IS)}",
    )


def _planned(run: Run, phase: Phase, output: Output) -> str:
    """SQL: the reverse plan of an output. The new row of what is not put back is the row that is, or was written."""
    target = run.migration.target(output.target)
    owned, rows = put_back(target), _rows(output)
    columns = (
        _SQL("put_back", column=duck.identifier(field.name), owned=str(field.name in owned).lower())
        for field in arrow_schema(target.table)
    )
    verbs = _SQL("verbs", verb_of_unit=unit_verb(phase, _verb(run, phase, output), WROTE), rows=rows)
    return _SQL("planned", columns=", ".join(columns), row=struct(target, IS), rows=rows, verbs=verbs)


def _findings(run: Run, phase: Phase, output: Output) -> str:
    target = run.migration.target(output.target)
    plan = duck.identifier(f"plan_{output.name}")
    words = f"'was changed after run {run.undoes} wrote it, and is left alone'"
    if phase.together:
        left_alone = f"{_verb(run, phase, output)} = '{DRIFT}'"
        together = f"'is left alone: run {run.undoes} wrote it in one transaction with a row that was changed since'"
        words = f"CASE WHEN {left_alone} THEN {words} ELSE {together} END"
    drifted = f"{_rows(output)} WHERE {WROTE}.{KEY} IN (SELECT {KEY} FROM {plan} WHERE {VERB} = '{DRIFT}')"
    return warning(target, WROTE, TOUCHED_SINCE, words, drifted)
