"""Accounting: every source row is written, kept, rejected or skipped by a named rule, and the four add up."""

from __future__ import annotations

import pyarrow as pa

from ..declare.migration import Migration, Phase, Target
from ..declare.names import KEY, own
from ..plan.files import DRIFT, VERBS, plan_schema
from ..rows.statements import Statements
from ..run import PhaseCounts, Run, Session, StepName, not_written
from ..run.facts import Fates, PartPlan, transformed
from ..run.files import PLAN_FILES
from ..run.not_written import Why
from ..run.workspace import Manifest
from .proofs import there_again

_SQL = Statements(__file__)
CONFLICT = "conflict"
"""Skipping rule: one of its target rows is not what the plan was made from, so it was left alone. The rule `drift`: a target
row of it was changed by somebody else before the plan was made, so it is left alone."""
MISSING = "missing"
"""Skipping rule: one of its target rows was to be written, and the store did not accept it."""


def phase_counts(run: Run) -> list[PhaseCounts]:
    """The counts of each phase, in order. Raises `ArtifactError` when the plan is not whole."""
    transforms, manifests = transformed(run), run.manifests(StepName.PLAN)
    plans = [PartPlan.from_json(manifest.facts) for manifest in manifests]
    counted: list[PhaseCounts] = []
    with run.session() as session:
        for phase in run.migration.phases:
            fates = [part.phases[phase.id] for part in transforms]
            written, kept, conflicts, drifted, refused = _fates(session, run, phase, manifests)
            skipped: dict[str, int] = {CONFLICT: conflicts, DRIFT: drifted, MISSING: refused}
            for each in fates:
                for rule, number in each.skipped.items():
                    skipped[rule] = skipped.get(rule, 0) + number
            source_rows = sum(each.source_rows for each in fates)
            rejected = sum(each.rejected for each in fates)
            rejected += sum(plan.not_unique.get(phase.id, 0) for plan in plans)
            kept += sum(each.kept for each in fates)
            four = written + kept + rejected + sum(skipped.values())
            rows = {v: sum(plan.outputs[o.name].verbs[v] for plan in plans for o in phase.outputs) for v in VERBS}
            rows["extra"] = sum(p.targets[t.id].extra for t in first_written(run.migration, phase) for p in plans)
            counted.append(
                PhaseCounts(
                    phase=phase.id,
                    title=phase.title,
                    source_table=run.accounts_for(phase),
                    target_table=" and ".join(run.migration.target(o.target).table.name for o in phase.outputs),
                    source_rows=source_rows,
                    written=written,
                    kept=kept,
                    rejected=rejected,
                    skipped={rule: n for rule, n in skipped.items() if n},
                    # what the transform could not place, and what would not add up for any other reason
                    unaccounted=max(sum(each.unaccounted for each in fates), abs(source_rows - four)),
                    rows=rows,
                    figures=_figures(fates),
                )
            )
    return counted


def _figures(fates: list[Fates]) -> dict[str, int]:
    """What the phase's transform counted in addition to rows, over all partitions."""
    total: dict[str, int] = {}
    for each in fates:
        for name, value in each.figures.items():
            total[name] = total.get(name, 0) + value
    return total


def first_written(migration: Migration, phase: Phase) -> list[Target]:
    """The targets that this phase is the first to write, whose extra rows, which belong to no phase, are reported under this one."""
    before = migration.phases[: migration.phases.index(phase)]
    earlier = {output.target for p in before for output in p.outputs}
    return [migration.target(o.target) for o in phase.outputs if o.target not in earlier]


def _fates(session: Session, run: Run, phase: Phase, plans: list[Manifest]) -> tuple[int, int, int, int, int]:
    """Source rows of which a target row is written, none is, and of which one was left alone as a conflict, as drift, or
    is missing, since it was refused or has gone."""
    parts = []
    for n, output in enumerate(phase.outputs):
        session.relate(
            plan := own(f"plan{n}"),
            PLAN_FILES.among(plans, output.name),
            plan_schema(run.migration.target(output.target)),
        )
        not_written.relate(session, left := own(f"not_written{n}"), run, [output])
        gone = session.connection.execute(f"FROM {not_written.keys(left, Why.GONE)}").fetchall()
        keys = pa.array(there_again(session, run, phase, output, (key for (key,) in gone)), pa.string())
        session.connection.register(back := own(f"back{n}"), pa.table({KEY: keys}))
        put_back = f"SELECT {KEY} FROM {back}"
        left_alone = f"({not_written.keys(left, Why.LEFT_ALONE)} UNION ALL {put_back})"
        missing = f"({not_written.keys(left, Why.REFUSED, Why.GONE)} EXCEPT {put_back})"
        parts.append(_SQL("of_rows", plan=plan, left_alone=left_alone, missing=missing))
    query = _SQL("of_sources", of_rows=" UNION ALL ".join(parts))
    ((written, kept, conflicts, drifted, lost),) = session.connection.execute(query).fetchall()
    return written, kept, conflicts, drifted, lost
