"""What the report shows, from its facts: sums, marks and words; here the whole, the verdict, the run and its counts.

A run may have failed anywhere, so any part may be missing; what is missing is shown as missing, and anything not marked as
passed counts as failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..declare.names import phase_of
from ..plan.files import VERBS
from ..run import PhaseCounts, Proof
from ..run.reported import OfOutput, OfRun, PublishedFile, Report, Timing
from .checks import count_checks
from .checks_view import GateView, findings_view, gate_view
from .shown import (
    ArtifactsView,
    CountsView,
    ExceptionsView,
    FailedView,
    PhaseView,
    TargetView,
    TimingView,
    VerdictView,
    View,
)
from .summary import summary
from .text import instant, untold

MODES = {
    "plan": "Plan only: find out what would be written, and write nothing",
    "apply": "Apply: plan, write, and prove every row",
    "verify": "Verify: prove the target against the source, and write nothing",
}
OPTIONS = {
    "partitions": "Partitions",
    "segments": "Segments",
    "write_rate": "Rows written per second, at most",
    "max_rejects": "Rejected rows allowed",
    "max_reject_share": "Share of rejected rows allowed",
    "max_remove_share": "Share of removed rows allowed",
    "max_skip_share": "Share of rows skipped by a rule allowed",
    "max_left_alone": "Rows left alone allowed",
    "allow_lost_baseline": "Goes on without the baseline",
    "max_critical": "Critical expectations that may fail",
    "approval": "A person approves the plan",
    "plan": "Only this plan",
    "plan_max_age": "Hours for which the plan may be used",
    "overwrite_drift": "Rows that others changed are overwritten",
    "extra": "Rows that the source no longer gives",
    "cascade_to": "Foreign keys that may delete or empty other rows",
    "ignore_columns": "Source columns left out by name",
    "snapshot_max_age": "Hours for which runs share a snapshot",
    "params": "The migration's own params",
    "range": "The range that it is a day of",
    "range_approval": "One approval for all days of the range",
    "range_budget": "The budget for rejects is over the range",
    "target_phase": "Target phase",
    "target_revision": "Target revisions",
    "approve_down": "The plan that may go down, where nobody is asked",
    "realign": "Databases may be out of step",
}
NO_LIMIT = {
    "plan": "whatever is planned",
    "write_rate": "as fast as the store takes them",
    "max_rejects": "any number within the share",
    "max_left_alone": "none; of a rollback, any number",
}
EXCEPTIONS = 100
"""Most exceptions listed; report.json lists more."""
ARTIFACTS = 400
"""Most artifacts listed; report.json names all."""


def view(report: Report) -> View:
    """What is shown of a report."""
    counted = tuple(_count(phase) for phase in (report.plan.phases if report.plan else ()))
    gates = tuple(gate_view(gate) for gate in report.gates)
    applied = _applied(report.applied)
    verdict = _verdict(report, counted, gates)
    # a report of the first release does not count them itself
    checks = report.checks or count_checks(report.gates, report.statements)
    approved = report.approval.plan_sha256 if report.approval else None
    return View(
        migration=report.migration,
        run=report.run,
        mode_words=MODES.get(str(report.run.mode), report.run.mode),
        options=tuple(
            (OPTIONS.get(name, name.replace("_", " ").capitalize()), _option(name, value))
            for name, value in report.run.options.items()
        ),
        seconds=_seconds(report.run),
        verdict=verdict,
        figures=tuple(_figures(report.run, counted, applied, report.proof)),
        plan=report.plan,
        counts=CountsView(phases=counted, total=_total(counted), done=verdict.passed and report.run.mode == "apply"),
        targets=tuple(_target(phase, applied.get(phase.phase)) for phase in counted),
        gates=gates,
        checks=f"{checks.passed:,} of {checks.total:,} checks passed" if checks.total else None,
        failed_checks=checks.failed,
        proofs=report.proof,
        exceptions=ExceptionsView(
            total=report.verdict.exceptions or len(report.exceptions), listed=report.exceptions[:EXCEPTIONS]
        ),
        statements=report.statements,
        findings=findings_view(report.findings),
        approval=report.approval,
        cost=report.cost,
        this_plan=approved is not None and approved == report.plan_sha256,
        timings=tuple(_timings(report.timings)),
        artifacts=_artifacts(report.artifacts),
        undo=report.undo.how,
        summary=summary(report, counted),
        schema=report.schema,
    )


def _verdict(report: Report, counted: Sequence[PhaseView], gates: Sequence[GateView]) -> VerdictView:
    verdict, failed = report.verdict, report.run.failed
    doubts = [f"the rows of phase {c.phase} do not add up" for c in counted if not c.adds_up]
    doubts += [f"the gate “{g.name}” did not pass" for g in gates if not g.passed]
    doubts += [f"the proof of phase {p.phase} did not pass" for p in report.proof if not p.passed]
    doubts += [f"“{s.title}” is answered {s.answer}" for s in report.statements if s.fails]
    if failed:
        doubts.append(f"the step {failed.step} failed")
    said_passed = verdict.status == "passed"
    passed = said_passed and not doubts
    exceptions = verdict.proof == "proven_with_exceptions"
    return VerdictView(
        passed=passed,
        exceptions=passed and exceptions,
        word="Failed" if not passed else "Passed with exceptions" if exceptions else "Passed",
        headline=verdict.headline or "The run left no verdict, so it does not count as passed.",
        next=verdict.next,
        failed=None
        if failed is None
        else FailedView(step=failed.step, next=failed.next, error=untold(failed.error, verdict.headline)),
        doubts=tuple(doubts) if said_passed else (),
    )


def _seconds(run: OfRun) -> float | None:
    started, ended = instant(run.started_at), instant(run.ended_at)
    return (ended - started).total_seconds() if started and ended else None


def _option(name: str, value: object) -> str:
    if value is None:
        return NO_LIMIT.get(name, "not given")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_option('', each)}" for key, each in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if name.endswith("_share") and isinstance(value, int | float):
        return f"{value * 100:g} %"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _figures(
    run: OfRun, counted: Sequence[PhaseView], applied: Mapping[str, OfOutput], proofs: Sequence[Proof]
) -> list[tuple[str, int]]:
    """The few numbers that a reader looks for first."""
    figures: list[tuple[str, int]] = []
    if counted:
        source = "rows that the other run wrote" if run.undoes else "source rows"
        figures.append((source, sum(c.source_rows for c in counted)))
    if run.mode == "plan" and counted:
        figures += [
            (words, sum(c.rows[verb] for c in counted))
            for verb, words in (
                ("add", "target rows to add"),
                ("change", "target rows to change"),
                ("remove", "target rows to remove"),
                ("drift", "target rows left as others changed them"),
                ("keep", "target rows as they are"),
            )
            if verb in ("add", "change", "keep") or any(c.rows[verb] for c in counted)
        ]
    elif run.mode == "apply" and (applied or counted):
        figures.append(("target rows written", sum(a.written for a in applied.values())))
    if proofs:  # a later phase's proof includes the earlier phases' rows of the same target
        proven = {p.target_table: p.compared - p.missing - p.different for p in proofs}
        figures.append(("target rows proven", sum(proven.values())))
    if counted and not run.undoes:
        figures.append(("source rows rejected", sum(c.rejected for c in counted)))
    return figures


def _count(phase: PhaseCounts) -> PhaseView:
    skipped = sum(phase.skipped.values())
    off = phase.source_rows - (phase.written + phase.kept + phase.rejected + skipped)
    return PhaseView(
        phase=phase.phase,
        title=phase.title,
        source_table=phase.source_table,
        target_table=phase.target_table,
        source_rows=phase.source_rows,
        written=phase.written,
        kept=phase.kept,
        rejected=phase.rejected,
        skipped=skipped,
        rules=phase.skipped,
        figures=phase.figures,
        off=f"{-off:,} counted twice" if off < 0 else f"{off or phase.unaccounted:,} unaccounted for",
        adds_up=off == 0 and phase.unaccounted == 0,
        rows={verb: phase.rows.get(verb, 0) for verb in (*VERBS, "extra")},
    )


def _total(counted: Sequence[PhaseView]) -> PhaseView:
    return PhaseView(
        phase=f"all {len(counted)} phases",
        source_rows=sum(c.source_rows for c in counted),
        written=sum(c.written for c in counted),
        kept=sum(c.kept for c in counted),
        rejected=sum(c.rejected for c in counted),
        skipped=sum(c.skipped for c in counted),
        off="no",
        adds_up=all(c.adds_up for c in counted),
    )


def _applied(applied: Sequence[OfOutput]) -> dict[str, OfOutput]:
    """What was done, by phase: of one with two targets, for both together."""
    by_phase: dict[str, OfOutput] = {}
    for each in applied:
        phase = phase_of(each.output)
        was = by_phase.get(phase)
        if was is not None:
            names = ("rows", "written", "conflicts", "refused", "retries", "batches")
            each = replace(each, **{name: getattr(was, name) + getattr(each, name) for name in names})
        by_phase[phase] = each
    return by_phase


def _target(phase: PhaseView, applied: OfOutput | None) -> TargetView:
    target = TargetView(phase=phase.phase, title=phase.title, target_table=phase.target_table, plan=phase.rows)
    if applied is None:
        return target
    names = ("written", "conflicts", "retries", "seconds")
    return replace(target, **{name: getattr(applied, name) for name in names})


def _timings(timings: Sequence[Timing]) -> list[TimingView]:
    steps = [(t, instant(t.started_at), t.seconds or 0.0) for t in timings]
    first = min((at for _, at, _ in steps if at), default=None)
    offsets = [(at - first).total_seconds() if at and first else None for _, at, _ in steps]
    whole = (
        max((o + seconds for o, (_, _, seconds) in zip(offsets, steps, strict=True) if o is not None), default=0) or 1
    )
    rows = []
    for offset, (timing, at, seconds) in zip(offsets, steps, strict=True):
        width = max(seconds / whole * 100, 0.4)  # what is too short to see is still drawn
        rows.append(
            TimingView(
                step=timing.step,
                phase=timing.phase,
                seconds=timing.seconds,
                tasks=timing.tasks,
                clock=f"{at:%H:%M:%S}" if at else "–",
                start=None if offset is None else min(offset / whole * 100, 100 - width),
                width=width,
            )
        )
    return rows


def _artifacts(artifacts: Sequence[PublishedFile]) -> ArtifactsView:
    listed = tuple(artifacts[:ARTIFACTS])
    size = sum(a.bytes for a in artifacts)
    return ArtifactsView(count=len(artifacts), bytes=size, listed=listed, more=len(artifacts) - len(listed))
