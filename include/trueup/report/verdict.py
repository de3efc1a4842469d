"""The report's words: how a run ended, why, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..gate import GateResult
from ..ledger import Applied, RunRow, Status, StepRow
from ..plan.files import VERBS, WRITTEN
from ..prove.proofs import total as total_of
from ..run import AnyRun, Mode, PlanRecord, Proof, Run, order
from ..run.files import PLAN_FILES
from ..run.reported import Failure, Undone, Verdict
from .text import rows, sentence, were

PROVEN, WITH_EXCEPTIONS, NOT_PROVEN = "proven", "proven_with_exceptions", "not_proven"
"""What a verdict says of the proof."""
_SAYS_NOTHING = re.compile(r"\bnothing (was|is)( read or)? written\b", re.I)
NEXT = {
    "TargetHeldError": (
        "Wait until the other run has ended (or, if it is dead, until its lease has expired), "
        "then trigger this DAG again."
    ),
    "StoreUnavailableError": "The work done so far is kept. When the store answers again, clear the failed task in Airflow, or trigger "
    "the DAG again: it goes on with what is left.",
    "StoreRejectedError": "Trying again cannot help. Fix what the message names (permissions, the table, or "
    "the row), then trigger the DAG again: what is written already will be found and "
    "kept.",
    "MemoryLimitError": "What is written is kept. Do what the message says, then clear the failed task in Airflow.",
    "UnreadableValueError": ("Fix the transform or the value that the message names, then trigger the DAG again."),
    "SourceError": "Do what the message says, then trigger the DAG again.",
    "GateError": "Read the gates below, and fix what they name (the source rows, the transform, or the "
    "target); then trigger the DAG again.",
    "ArtifactError": "The workspace is not complete or was changed. Trigger the DAG again: it begins with a new snapshot.",
    "ApprovalError": "Read the plan and what was said of it; when that is settled, trigger the DAG again: it makes "
    "a new plan.",
    "StatusError": "Do what the message says, then trigger this DAG again.",
    "OptionsError": "Trigger this DAG again with what the message asks for.",
    "DeclarationError": ("Fix the migration's code where the message says, deploy it, then trigger the DAG again."),
}
_ACCOUNT = (
    "Let the transform put each source row either into rows, or into findings as reject, skip or keep, and never into both "
    "(the gate and make try name such rows); then trigger the DAG again."
)
OF_RULE = {
    "counts.unaccounted": _ACCOUNT,
    "counts.add_up": _ACCOUNT,
    "budget.share": "Fix the rejected source rows (rejects.jsonl has them whole) or the transform, or, if the "
    "rejects are acceptable, raise max_reject_share; then trigger the DAG again.",
    "budget.count": "Fix the rejected source rows (rejects.jsonl has them whole) or the transform, or, if the "
    "rejects are acceptable, raise max_rejects; then trigger the DAG again.",
    "budget.removals": "See that the source is whole. If it is, trigger the DAG again with a larger max_remove_share, or with "
    "extra: report.",
    "budget.skips": "Fix the transform, or name the rule in Phase.expected_skips, or trigger the DAG again "
    "with a larger max_skip_share.",
    "budget.left_alone": "Look at the rows that others changed (the exceptions below). Fix them, or trigger "
    "the DAG again with overwrite_drift, which overwrites them, or with a larger "
    "max_left_alone, which leaves them alone.",
    "budget.baseline": "Bring the files of the last run's baseline back into the workspace, or trigger the DAG again with "
    "allow_lost_baseline: rows that others changed since are then overwritten.",
    "proof.missing": ("Fix what keeps the rows out of the target (the gate names it), then trigger the DAG again."),
    "proof.different": "Find what else writes to the target, such as a trigger (the gate names rows and columns), then trigger "
    "the DAG again.",
    "proof.unverified": "Trigger the DAG again with mode verify when the store answers: it reads every row back.",
}
"""What to do next where a gate did not pass for that rule."""
GENERAL = (
    "Read the task's log in Airflow. What is written is kept: clear the failed task, or trigger the DAG again, "
    "and it goes on with what is left."
)


def failure(run: Run, steps: list[StepRow], failed_tasks: Sequence[str], gates: Sequence[GateResult]) -> Failure | None:
    """Which step ended the run, with what, and what to do next; None if the run came to its end."""
    broken = [e.rule for gate in gates if not gate.passed for e in gate.expectations if not e.passed]
    advice = next((OF_RULE[rule] for rule in broken if rule in OF_RULE), NEXT["GateError"])
    return ended_by(run, steps, failed_tasks, {**NEXT, "GateError": advice})


def ended_by(
    run: AnyRun, steps: Sequence[StepRow], failed_tasks: Sequence[str], advice: Mapping[str, str]
) -> Failure | None:
    """Why the run did not reach its end; None if it did. `advice`: what to do next, by the error's class. Once its plan is approved, a
    further try of the step that asks is nothing to it, unless nothing else says why it went no further."""
    last = order.last(run)
    broke = _broken(steps, failed_tasks, advice)
    if broke is not None and order.asks(broke.step) and order.approved(run):
        steps = [step for step in steps if not order.asks(step.step)]
        others = _broken(steps, [task for task in failed_tasks if not order.asks(task)], advice)
        broke = others if others is not None or last in {s.step for s in steps} else broke
    if broke is None and last not in {s.step for s in steps}:
        return Failure(step=last, error=f"the run ended before its last step, {last}", next=GENERAL)
    return broke


def not_done(run: AnyRun, entered: RunRow | None) -> Failure | None:
    """Why a run whose last step ended well is still not finished: another run took its targets, or a step
    was left out, such as one that was marked as done in Airflow; None if it did."""
    if entered is not None and entered.status is Status.INTERRUPTED:
        error = "another run took over its targets before this one ended"
        return Failure(step=order.last(run), error=error, next=NEXT["StatusError"])
    if entered is not None and entered.status is Status.PROVEN:
        return None  # its report was lost: the ledger never takes back that it is
    left_out = order.left_out(run)
    return None if left_out is None else Failure(**left_out, next=GENERAL)


def _broken(steps: Sequence[StepRow], failed_tasks: Sequence[str], advice: Mapping[str, str]) -> Failure | None:
    """The first step that failed, or was left in the middle, or of which the task failed; None if there is none."""
    for step in steps:
        if step.error is not None:
            name = step.step if step.part == "0" and "/" not in step.step else f"{step.step} (part {step.part})"
            return Failure(step=name, error=step.error, next=advice.get(step.error_class or "", GENERAL))
    for step in steps:
        if step.ended_at is None:
            error = f"the worker of the step {step.step} ended before the step did"
            return Failure(step=step.step, error=error, next=GENERAL)
    if failed_tasks:
        error = f"the task {failed_tasks[0]} failed before or after its step's work; its log in Airflow says why"
        return Failure(step=failed_tasks[0], error=error, next=GENERAL)
    return None


def status(run: Run, failed: Failure | None) -> Status:
    """The status that the run ends in."""
    if failed is not None:
        return Status.FAILED
    return Status.PLANNED if run.options.mode is Mode.PLAN else Status.PROVEN


def verdict(
    run: Run,
    status: Status,
    failed: Failure | None,
    plan: PlanRecord | None,
    proofs: Sequence[Proof],
    applied: dict[str, Applied],
    exceptions: int = 0,
    undone: Undone | None = None,
) -> Verdict:
    """status ('passed' | 'failed'), proof ('proven' | 'proven_with_exceptions' | 'not_proven'), headline, next (one
    sentence), exceptions (rows left alone, as others changed them), moved_on (rows that the plan did not mean to write,
    and that others changed meanwhile). `undone`: what a rollback did."""
    moved_on = total_of(proofs, "moved_on")
    proof = NOT_PROVEN
    if failed is None and status is Status.PROVEN:
        proof = WITH_EXCEPTIONS if exceptions else PROVEN
    words = _estimated(run, status) or _sentences(run, status, failed, plan, proofs, applied, exceptions, undone)
    headline = words.headline
    if moved_on and failed is None:
        headline += (
            f" {rows(moved_on)} that {were(moved_on)} not to be written {were(moved_on)} changed by somebody else since the plan was "
            "made (moved on)."
        )
    return Verdict(
        status=words.status, headline=headline, next=words.next, proof=proof, exceptions=exceptions, moved_on=moved_on
    )


class _Sentences(NamedTuple):
    status: str
    headline: str
    next: str


def _estimated(run: Run, status: Status) -> _Sentences | None:
    """Of a run in mode plan that ends with what its transform costs."""
    cost = run.files.cost if status is Status.PLANNED else None
    if cost is None:
        return None
    costs = "; ".join(f"{name}: {words}" for name, words in cost.words.items())
    then = "Read what it costs. To carry it out, trigger the DAG with mode apply, which asks about it, and then about its plan."
    return _Sentences("passed", f"Estimated, nothing computed and nothing written: {costs}.", then)


def _sentences(
    run: Run,
    status: Status,
    failed: Failure | None,
    plan: PlanRecord | None,
    proofs: Sequence[Proof],
    applied: dict[str, Applied],
    exceptions: int,
    undone: Undone | None,
) -> _Sentences:
    written = sum(a.written for a in applied.values())
    if failed is not None:
        return _Sentences("failed", _of_failed(failed.error, written), failed.next)
    phases = plan.phases if plan is not None else ()
    total = {verb: sum(p.rows[verb] for p in phases) for verb in (*VERBS, "extra")}
    rejected = sum(p.rejected for p in phases)
    aside = f"; {rows(rejected, 'source row')} {'is' if rejected == 1 else 'are'} in quarantine" if rejected else ""
    left_alone = _left_alone(run, total["drift"], plan.drift_checked if plan is not None else None)
    if status is Status.PLANNED:
        if not any(total[verb] for verb in (*WRITTEN, "drift")):
            headline = f"Nothing to add: all {total['keep']:,} rows are as they should be{aside}."
        else:
            removed = f"{total['remove']:,} to remove, " if total["remove"] else ""
            verbs = (
                f"{rows(total['add'])} to add, {total['change']:,} to change, {removed}{total['keep']:,} as they are"
            )
            headline = f"Planned, nothing written: {verbs}{aside}."
        return _Sentences(
            "passed", headline + left_alone, "Read the plan. To carry it out, trigger the DAG with mode apply."
        )
    compared = total_of(proofs, "compared")
    proven = f"Proven with {exceptions:,} exception{'s' if exceptions > 1 else ''}" if exceptions else "Proven"
    if undone is not None:
        return _rolled_back(run, undone, compared, proven)
    if run.options.mode is Mode.VERIFY:
        headline = f"{proven}: every one of {rows(compared)} is as it should be{aside}."
    elif not written:
        headline = f"Nothing to add: all {compared:,} rows were there already, and every one is proven{aside}."
        if exceptions:
            headline = f"{proven}: nothing to add, {compared:,} rows were there already as they should be{aside}."
    else:
        headline = (
            f"{proven}: {rows(written)} written, every one of {rows(compared)} read back and found as planned{aside}."
        )
        if total["remove"]:
            headline += f" {total['remove']:,} of them were removed, since the source no longer gives them."
    headline += left_alone
    conflicts = sum(a.conflicts for a in applied.values())
    if conflicts:
        headline += f" {rows(conflicts)} had been changed by somebody else since the plan and {were(conflicts)} left alone (conflict)."
    then = "Look through the findings; a run with mode verify proves it again at any time."
    return _Sentences("passed", headline, then)


def _of_failed(error: str, written: int) -> str:
    """What happened, and what of it stays."""
    happened = sentence(error)
    if written:
        return f"{happened} {rows(written)} {were(written)} written before and {'is' if written == 1 else 'are'} kept."
    return happened if _SAYS_NOTHING.search(happened) else f"{happened} Nothing was written."


def _left_alone(run: Run, drift: int, checked: bool | None) -> str:
    message = ""
    if drift:
        who = (
            "changed since, and left alone" if run.undoes else "changed by somebody else since, and left alone (drift)"
        )
        message = f" {rows(drift)} {were(drift)} {who}."
    if checked is False:
        message += (
            " Whether others changed rows since the last run is not known: what that run left in the workspace is gone."
        )
    return message


def _rolled_back(run: Run, undone: Undone, compared: int, proven: str) -> _Sentences:
    headline = (
        f"Rolled back: {rows(undone.deleted)} deleted, {undone.put_back:,} put back, {undone.kept:,} "
        f"left alone because somebody changed them since. {proven}: every one of {rows(compared)} was read "
        "back and found as planned."
    )
    if left := run.files.left:
        headline += f" What run {run.undoes} made besides is left as it is: {', '.join(left)}."
    then = f"No row that run {run.undoes} wrote is there any more"
    if undone.kept:
        then = "Look through the findings: they name the rows that were changed since and are left alone"
    return _Sentences("passed", headline, f"{then}. To migrate again, trigger {run.migration.id}.")


def undo(run: Run, applied: dict[str, Applied]) -> str:
    """How to undo what the run did, in words."""
    if not any(a.written for a in applied.values()):
        return "Nothing was written, so there is nothing to undo."
    if run.undoes is not None:
        return f"Trigger the DAG {run.migration.id} again: it migrates again what this run has rolled back."
    return (
        f"The source tables are untouched. Trigger the DAG {run.migration.id}_rollback with the run {run.id}: "
        "it deletes the rows that this run added, puts back those that it changed, as they were, and proves "
        "it; rows that somebody has changed since are left alone, and listed. What it will do is shown and "
        f"approved first. All of it can be read in {PLAN_FILES.part('<phase>', '<partition>')}: __trueup_verb says what "
        "was done, and __trueup_before holds each row as it was."
    )
