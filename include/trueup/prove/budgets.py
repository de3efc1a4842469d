"""Budgets: whatever can lose rows is limited, and the default is small.

Judged with the plan, so before anything is written. What is over its budget is said in words: how many rows of which
table, by which rule, such as which, and the param that allows more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from ..declare.migration import Phase
from ..declare.names import KEY, VERB
from ..gate import BUDGETS, Expected, GateResult, evaluation
from ..gate.evaluation import budget_suite
from ..plan import irremovable
from ..plan.fates import OUTSIDE_WINDOW
from ..plan.files import DRIFT, REJECTS, REMOVE, all_planned, plan_schema
from ..rows import duck
from ..run import Day, Mode, PhaseCounts, Proof, Run, StepName, ranges
from ..run.facts import planned as planned_parts
from ..run.files import REJECT_FILES
from .accounting import CONFLICT, MISSING
from .proofs import total

EXAMPLES = 3

Words = dict[str, str]
"""What is said of a rule that does not hold, by the rule."""


def judge(run: Run, phases: Sequence[PhaseCounts], drift_checked: bool | None) -> tuple[GateResult, Words] | None:
    """Judge the plan's counts (`accounting.phase_counts`) by the run's budgets; the result, and what is said of those that
    are over. None where the run has no budget, as a rollback has none unless it is given."""
    limits = _limits(run)
    if not limits:
        return None
    figures = _figures(run, phases, drift_checked)
    frame = pd.DataFrame({"_key": ["run"], **{name: [value] for name, value in figures.items()}})
    result = evaluation.evaluate(partial(budget_suite, limits), [frame], gate="budget")
    result = replace(result, expectations=tuple(_seen(e, figures) for e in result.expectations))
    over = {e.rule for e in result.expectations if not e.passed}
    words = {
        BUDGETS[option][1]: _words(run, option, figures, phases) for option in limits if BUDGETS[option][1] in over
    }
    return result, words


def _seen(expected: Expected, figures: dict[str, float]) -> Expected:
    """The expectation with the figure that it was judged by, in words: it is of the run, not of rows that break it."""
    figure = next((figure for figure, rule, _ in BUDGETS.values() if rule == expected.rule), None)
    if figure is None or expected.error:
        return expected
    number = figures[figure]
    if figure == "baseline_lost":
        words = "it is not known" if number else "it is known"
    elif figure == "rejected_share":
        words = f"{number:.1%}: {figures['rejected']:,} of {figures['source_rows']:,}"
    elif figure == "removed_share":
        words = f"{number:.1%}: {figures['removed']:,}"
    else:
        words = f"{number:.1%}" if figure.endswith("_share") else f"{number:,}"
    return replace(expected, observed=words, unexpected=None, examples=())


def judge_left_alone(run: Run, phase: Phase, proofs: Sequence[Proof]) -> list[GateResult]:
    """Judge the rows that were left alone by the phases so far, as their proofs say; nothing where any number may be."""
    if run.max_left_alone is None:
        return []
    left = total(proofs, "left_alone")
    frame = pd.DataFrame([{"_key": phase.id, "source_rows": sum(p.compared for p in proofs), "left_alone": left}])
    suite = partial(budget_suite, {"max_left_alone": run.max_left_alone})
    return [evaluation.evaluate(suite, [frame], gate="budget", output=phase.id)]


def _limits(run: Run) -> dict[str, float]:
    """The most that each figure may be, by the option that says so."""
    options = run.options
    limits: dict[str, float | None] = {"max_left_alone": run.max_left_alone}
    if run.undoes is None:
        # a day that is only planned is counted, and judged with the others when it is applied
        judged = not (options.range_budget and options.mode is Mode.PLAN)
        limits |= {
            "max_reject_share": options.max_reject_share if judged else None,
            "max_rejects": options.max_rejects if judged else None,
            "max_remove_share": options.max_remove_share,
            "max_skip_share": options.max_skip_share,
            # what is overwritten by intent needs no protection
            "allow_lost_baseline": 1 if options.allow_lost_baseline or options.overwrite_drift else 0,
        }
    return {name: limit for name, limit in limits.items() if limit is not None}


def _figures(run: Run, phases: Sequence[PhaseCounts], drift_checked: bool | None) -> dict[str, float]:
    others = [p for day in _others(run) for p in day.phases]
    rows = sum(_in_window(p) for p in (*phases, *others))
    rejected = sum(p.rejected for p in (*phases, *others))
    removed = sum(p.rows[REMOVE] for p in phases)
    skipped = (sum(rules.values()) / max(_in_window(p), 1) for p, rules in _unexpected(run, phases))
    return {
        "source_rows": rows,
        "rejected": rejected,
        "rejected_share": rejected / max(rows, 1),
        "removed": removed,
        "removed_share": removed / max(_owned(run), 1),
        "skipped_share": max(skipped, default=0.0),
        "left_alone": sum(p.rows[DRIFT] for p in phases) + irremovable.total(run)[0],
        "baseline_lost": int(drift_checked is False),
    }


def _others(run: Run) -> list[Day]:
    """The other days over which the run's budget for rejects is."""
    if not run.options.range_budget or run.options.window is None:
        return []
    own = run.options.window.to_json()
    return [day for day in ranges.days(run) if (day.start, day.end) != (own["start"], own["end"])]


def _in_window(phase: PhaseCounts) -> int:
    return phase.source_rows - phase.skipped.get(OUTSIDE_WINDOW, 0)


def _owned(run: Run) -> int:
    """The rows of the targets that earlier runs added, or that belong to rows that the run gives."""
    return sum(part.targets[t.id].owned for part in planned_parts(run) for t in run.migration.targets)


def _of_sets(run: Run) -> str:
    """In words, the other rows that may be removed, where there are such."""
    has_parents = any(output.parent for phase in run.migration.phases for output in phase.outputs)
    return ", or that belong to rows of the source," if has_parents else ""


def _unexpected(run: Run, phases: Sequence[PhaseCounts]) -> list[tuple[PhaseCounts, dict[str, int]]]:
    """Each phase, with the source rows that are left out by rules that it does not expect, by rule."""
    skips = []
    for counted in phases:
        expected = {OUTSIDE_WINDOW, CONFLICT, DRIFT, MISSING, *run.migration.phase(counted.phase).expected_skips}
        skips.append((counted, {rule: n for rule, n in counted.skipped.items() if rule not in expected}))
    return skips


def _words(run: Run, option: str, figures: dict[str, float], phases: Sequence[PhaseCounts]) -> str:
    limit = getattr(run.options, option)
    if option in ("max_reject_share", "max_rejects"):
        which = "; ".join(_rejects(run))
        days = len(_others(run)) + 1
        planned_days = f"{days} day of the range that is" if days == 1 else f"{days} days of the range that are"
        of_days = f" of the {planned_days} planned" if run.options.range_budget else ""
        alone = run.options.window is not None and not run.options.range_budget
        instead = ", or judge all days of the backfill together (range_budget)" if alone else ""
        return (
            f"{figures['rejected']:,} of {figures['source_rows']:,} source rows{of_days} "
            f"{'is' if figures['rejected'] == 1 else 'are'} rejected ({figures['rejected_share']:.1%}): {which}. Fix them, or "
            f"raise {option} (it is {limit}){instead}"
        )
    if option == "max_remove_share":
        return (
            f"{figures['removed']:,} of the {_owned(run):,} rows that earlier runs added{_of_sets(run)} would be removed "
            f"({figures['removed_share']:.1%}), since the source no longer gives them: {_planned_so(run, REMOVE)}. See that the "
            f"source is whole; if it is, raise {option} (it is {limit}), or let those that runs added be with extra: report"
        )
    if option == "max_skip_share":
        over = [
            f"{n:,} of {_in_window(p):,} source rows of {p.source_table} by rule {rule} (phase {p.phase})"
            for p, rules in _unexpected(run, phases)
            if sum(rules.values()) / max(_in_window(p), 1) > run.options.max_skip_share
            for rule, n in rules.items()
        ]
        return (
            f"the transform leaves out {'; '.join(over)}. If that is meant, name the rule in Phase.expected_skips, or raise "
            f"{option} (it is {limit})"
        )
    if option == "max_left_alone":
        who = "changed since the run that is undone" if run.undoes else "changed by somebody else"
        advice = "Fix them" if run.undoes else "Fix them, let the run overwrite them (overwrite_drift)"
        drifted, (stuck, which) = sum(p.rows[DRIFT] for p in phases), irremovable.total(run)
        messages = []
        if drifted:
            messages.append(
                f"{drifted:,} rows were {who}, and would be left alone (drift): {_planned_so(run, DRIFT)}. {advice}"
            )
        if stuck:
            messages.append(
                f"{stuck:,} rows cannot be removed, and would be left alone: {which}. Remove them by hand first"
            )
        return f"{'. '.join(messages)}, or allow as many with {option} (it is {run.max_left_alone})"
    lost = run.files.start.baseline
    return (
        f"what earlier runs wrote is not known, since the baseline that run {lost.run if lost else None} left "
        "in the workspace is missing or was changed: rows that somebody else changed cannot be told from rows "
        "that the source changed, and would be overwritten. Bring the files below its baseline/ back, or "
        "accept that with allow_lost_baseline"
    )


def _rejects(run: Run) -> list[str]:
    """The codes of the rejects, with how many of which phase, and the first key of each."""
    manifests = [*run.manifests(StepName.TRANSFORM), *run.manifests(StepName.PLAN)]
    listed = []
    with run.session() as session:
        for phase in run.migration.phases:
            files = session.fetch(REJECT_FILES.among(manifests, phase.id))
            if not files:
                continue
            rows = session.connection.execute(
                f"SELECT code, count(*), min(key) FROM ({duck.parquet(files, REJECTS)}) GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
            listed += [f"{code} {n:,} (phase {phase.id}, such as {key})" for code, n, key in rows]
    return listed


def _planned_so(run: Run, verb: str) -> str:
    """The tables that have planned rows of that verb, with how many, and the first keys of each."""
    listed = []
    with run.session() as session:
        for phase in run.phases:
            for output in phase.outputs:
                files = session.fetch(all_planned(run, output.name))
                target = run.migration.target(output.target)
                planned_rows = f"FROM ({duck.parquet(files, plan_schema(target))}) WHERE {VERB} = '{verb}'"
                rows = duck.count(session.connection, f"SELECT count(*) {planned_rows}")
                if not rows:
                    continue
                keys = session.connection.execute(f"SELECT {KEY} {planned_rows} ORDER BY 1 LIMIT {EXAMPLES}").fetchall()
                listed.append(f"{rows:,} of {target.table.name}, such as {', '.join(key for (key,) in keys)}")
    return "; ".join(listed)
