"""The gates of a run: of the plan, of each phase, and of the whole. Each is evaluated by Great Expectations, published
in `gates/`, and raises `GateError` if it does not pass, so that nothing after it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from ..declare.migration import Output, Phase
from ..declare.names import KEY, SOURCE_KEY, VERB
from ..errors import ApprovalError, GateError
from ..gate import GateResult, evaluation
from ..gate.evaluation import count_suite, proof_suite, statement_suite
from ..plan import audit, checks, examples, fates, hashing, made_by, target_checks, unread
from ..plan.casting import in_suites
from ..plan.files import REMOVE, VERBS, all_planned, plan_schema
from ..rows import duck
from ..run import PhaseCounts, PlanRecord, Proof, Run, StepName
from ..run.facts import planned as planned_parts
from ..run.judging import judge
from ..run.workspace import Artifact
from . import budgets, export, left_alone, statements
from .accounting import phase_counts
from .proofs import KINDS, proof, total

_VERB_IN_SUITES = "_verb"
"""What a suite calls a row's verb, of a table that has no column of that name."""
FRAME_ROWS = 50_000
"""Rows that a suite gets at once, if one partition's are not more: Great Expectations takes ten milliseconds for an
expectation on a frame, however few its rows are."""


def plan_gate(run: Run) -> dict[str, int | str]:
    """Judge the plan: each phase's suite over its planned rows, the counts, and the budgets; publish `plan.json`,
    findings.csv and rejects.jsonl; rows by verb, rejects, and the plan's hash. Of a rollback, whose rows no transform
    made, the counts alone are judged, and rows left alone where they are limited.

    Raises `GateError`; `ApprovalError` where the run was asked for another plan. The plan is published then too. Before that:
    `ArtifactError` where the rows were made by several versions of the code.
    """
    with run.part(StepName.PLAN_GATE) as part:
        if run.undoes is None:
            made_by.refuse_several(run)
        phases = phase_counts(run)
        covers = hashing.covered(run)
        sha256 = hashing.hash_of(covers)
        created_at = run.effects.now().isoformat(timespec="seconds")
        checked = drift_checked(run)
        record = PlanRecord(
            sha256=sha256,
            created_at=created_at,
            drift_checked=checked,
            phases=tuple(phases),
            covers=covers,
            audit=audit.collect(run) if run.undoes is None else {},
        )
        run.files.write_plan(record)
        run.ledger.planned(run.id, sha256, hashing.files_hash(run), by=part.this)
        export.findings_and_rejects(run)
        examples.write(run)
        counts = evaluation.evaluate(count_suite, [_count_frame(phases)], gate="counts", key="phase")
        broken = checks.breaches(run)
        export.breaches(run, broken)
        if wrong := [*checks.refusals(run), *(f"{each.code}: {each.message}" for each in broken)]:
            counts = replace(counts, passed=False, errors=(*counts.errors, *wrong))
        words = fates.words(run, phases)
        if run.undoes is None:
            results = [_suite(run, phase, output) for phase in run.migration.phases for output in phase.outputs]
            results += [counts, *_whole(run, phases, "whole")]
            if (beside := unread.judge(run)) is not None:
                results.append(beside[0])
                words |= beside[1]
        else:
            results = [counts]
        spent = budgets.judge(run, phases, checked)
        if spent is not None:
            results.append(spent[0])
            words |= spent[1]
        judge(run, "plan", results, words)
        _refuse_other_plan(run, sha256)
    verbs = {verb: sum(p.rows[verb] for p in phases) for verb in (*VERBS, "extra")}
    return {**verbs, "rejected": sum(p.rejected for p in phases), "sha256": sha256}


def _refuse_other_plan(run: Run, sha256: str) -> None:
    wanted = run.options.plan
    if wanted is not None and wanted != sha256:
        raise ApprovalError(
            f"the run was asked to apply plan {wanted}, and the plan that it made again is {sha256}: sources, "
            "targets, scripts or options are not what they were, so nothing is written. Read the plan of this "
            "run, and trigger it again with this hash, or without one"
        )


def drift_checked(run: Run) -> bool | None:
    """Whether drift could be detected in every partition; None: there was no run before."""
    per_partition = [part.drift_checked for part in planned_parts(run)]
    answers = [checked for checked in per_partition if checked is not None]
    return all(answers) if answers else None


def _whole(run: Run, phases: list[PhaseCounts], gate: str) -> list[GateResult]:
    """The migration's own suite over the counts of its phases, where it has one."""
    suite = run.migration.suite
    return [evaluation.evaluate(suite, [_count_frame(phases)], gate=gate, key="phase")] if suite is not None else []


def _suite(run: Run, phase: Phase, output: Output) -> GateResult:
    """The expectations on the planned rows of one of the phase's outputs, a few partitions at a time, only the columns that
    they name."""
    target = run.migration.target(output.target)
    suite = evaluation.row_suite(target.table, output.suite)

    def frames() -> Iterator[pd.DataFrame]:
        wanted = {KEY, SOURCE_KEY, *evaluation.columns(suite)}
        types = target.table.columns
        named = [field.name for field in plan_schema(target) if field.name in wanted]
        columns = [in_suites(n, types[n]) if n in types else duck.identifier(n) for n in named]
        if _VERB_IN_SUITES not in target.table.columns:
            columns.append(f"{VERB} AS {_VERB_IN_SUITES}")
        files = all_planned(run, output.name)
        with run.session() as session:
            for together in _frames(files):
                rows = duck.parquet(session.fetch(together), plan_schema(target))
                yield session.connection.sql(
                    f"SELECT {', '.join(columns)} FROM ({rows}) WHERE {VERB} <> '{REMOVE}'"
                ).df()

    empty = phase.allow_empty or run.options.window is not None
    return evaluation.evaluate(
        suite,
        frames(),
        gate="rows",
        output=output.name,
        unique_by=target.table.key,
        allow_empty=empty,
        max_critical=run.options.max_critical,
    )


def _frames(files: list[Artifact]) -> list[list[Artifact]]:
    """The files, in their order, in groups of at most `FRAME_ROWS` rows; a file that has more is a group of its own."""
    groups: list[list[Artifact]] = []
    rows = 0
    for file in files:
        rows += file.rows or 0
        if not groups or rows > FRAME_ROWS:
            groups.append([])
            rows = file.rows or 0
        groups[-1].append(file)
    return groups


def phase_gate(run: Run, phase: Phase) -> list[Proof]:
    """Judge a phase by its proof; the proof without its examples. Raises `GateError`."""
    with run.part(StepName.GATE, phase=phase):
        proofs = proof(run, phase)
        if proofs is None:
            raise GateError(
                f"phase {phase.id!r} has not been verified in every partition; run the missing verify tasks again"
            )
        run.files.write_proof(phase.id, proofs)
        result = evaluation.evaluate(proof_suite, [_proof_frame(proofs)], gate="proof", output=phase.id, key="phase")
        looked = any(p.rows(n) for p in proofs for n in ("compared", "missing", "different", "unverified", "moved_on"))
        if not looked and not (phase.allow_empty or run.options.window is not None or run.undoes is not None):
            errors = (*result.errors, "no row was compared, so nothing is proven")
            result = replace(result, passed=False, errors=errors)
        if wrong := _emptied(run, proofs):
            result = replace(result, passed=False, errors=(*result.errors, *wrong))
        refused = refusals(run, phase) if any(p.missing or p.different for p in proofs) else []
        if any(p.missing or p.different for p in proofs):
            result = replace(result, errors=(*result.errors, *refused, *target_checks.altered(run, phase, proofs)))
        so_far = [p for each in run.phases[: run.phases.index(phase) + 1] for p in proof(run, each) or []]
        results = [result, *budgets.judge_left_alone(run, phase, so_far)]
        judge(run, f"phase-{phase.id}", results, left_alone.words(so_far, brief=bool(refused)))
    return [replace(p, examples=()) for p in proofs]


def _emptied(run: Run, proofs: list[Proof]) -> list[str]:
    """Which targets lost more of the rows that the plan keeps than may be removed (`Options.max_remove_share`, and at least one
    row): that is no longer an application at work. Of a rollback, rows that are gone were touched since."""
    most = run.options.max_remove_share
    return [
        f"{p.gone:,} of the {p.to_keep:,} rows of {p.target_table} that were there when the plan was made, and "
        f"that it keeps, are gone, such as {', '.join(_gone(p))}: somebody deleted them since, or the table "
        "was emptied or recreated. Find out what it was; then trigger the DAG again, which adds them again "
        f"(as many may go: max_remove_share, which is {most:g})"
        for p in proofs
        if run.undoes is None and p.gone > max(1, most * p.to_keep)
    ]


def _gone(emptied: Proof) -> list[str]:
    return [example.key for example in emptied.of("moved_on") if example.found is None][:3]


def refusals(run: Run, phase: Phase) -> list[str]:
    """What the store refused of the phase's rows, in words: by each constraint how many, and the first of them."""
    reasons: dict[tuple[str, str | None], list[str]] = {}
    for output in phase.outputs:
        table = run.migration.target(output.target).table.name
        for row in run.ledger.refused(run.id, output.name):
            reasons.setdefault((table, row.constraint), []).append(f"{row.key!r}: {row.reason}")
    return [
        f"{len(rows):,} planned rows of {table} were refused by {constraint or 'the server'}, the first, {rows[0]}"
        for (table, constraint), rows in sorted(reasons.items(), key=lambda each: -len(each[1]))
    ]


def validate(run: Run) -> dict[str, int]:
    """Judge the whole: all proofs, and the counts as they are after applying. Raises `GateError`."""
    with run.part(StepName.VALIDATE):
        verified = [p for p in (proof(run, phase) for phase in run.phases) if p is not None]
        if len(verified) != len(run.migration.phases):
            raise GateError(
                f"{len(verified)} of {len(run.migration.phases)} phases are verified; run the missing ones again"
            )
        proofs = [each for of_phase in verified for each in of_phase]
        phases = phase_counts(run)
        if hashing.plan_hash(run) != (plan.sha256 if (plan := run.files.plan) else None):
            raise GateError("the plan in the workspace is not the plan that passed its gate; run again")
        results = [
            evaluation.evaluate(proof_suite, [_proof_frame(proofs)], gate="proof of all phases", key="phase"),
            evaluation.evaluate(count_suite, [_count_frame(phases)], gate="counts after apply", key="phase"),
        ]
        if run.undoes is None:
            results += _whole(run, phases, "whole, after apply")
            if answers := [*statements.answer(run), *statements.advance(run)]:
                frame = pd.DataFrame({"title": [a.title for a in answers], "holds": [not a.fails for a in answers]})
                stated = evaluation.evaluate(statement_suite, [frame], gate="statements", key="title")
                results.append(replace(stated, errors=(*stated.errors, *statements.broken(answers))))
        judge(run, "validate", results, left_alone.words(proofs) | fates.words(run, phases))
    return {name: total(proofs, name) for name in ("compared", *KINDS)}


def _count_frame(phases: list[PhaseCounts]) -> pd.DataFrame:
    rows = []
    for p in phases:
        skipped = sum(p.skipped.values())
        rows.append(
            {
                "phase": p.phase,
                "source_rows": p.source_rows,
                "written": p.written,
                "kept": p.kept,
                "rejected": p.rejected,
                "unaccounted": p.unaccounted,
                "skipped": skipped,
                "planned_rows": sum(p.rows[verb] for verb in VERBS if verb != REMOVE),
                "to_add": p.rows["add"],
                "to_change": p.rows["change"],
                "to_remove": p.rows["remove"],
                "drift": p.rows["drift"],
                "extra": p.rows["extra"],
                "adds_up": p.source_rows == p.written + p.kept + p.rejected + skipped,
            }
        )
    return pd.DataFrame(rows)


def _proof_frame(proofs: Sequence[Proof]) -> pd.DataFrame:
    names = ("phase", "compared", "missing", "different", "extra", "unverified")
    return pd.DataFrame([{n: getattr(p, n) for n in names} for p in proofs])
