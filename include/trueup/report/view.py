"""What the report shows, from its facts: sums, marks and words; here the whole, the verdict, the run and its counts.

A run may have failed anywhere, so any part may be missing; what is missing is shown as missing, and anything not marked as
passed counts as failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..declare.names import phase_of
from ..plan.files import VERBS
from .checks import count_checks
from .checks_view import Facts, findings_view, gate_view, proof_view
from .schema_view import schema_view
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


def view(facts: Facts) -> dict[str, Any]:
    """Everything that the report shows, with every name that a template uses present."""
    part = {name: facts.get(name) or {} for name in ("migration", "run", "verdict", "plan", "undo")}
    counted = [_count(phase) for phase in part["plan"].get("phases") or []]
    gates = [gate_view(gate) for gate in facts.get("gates") or []]
    proofs = [proof_view(proof) for proof in facts.get("proof") or []]
    applied = _applied(facts.get("applied") or [])
    statements = [{n: s.get(n) for n in ("title", "answer", "holds")} for s in facts.get("statements") or []]
    verdict = _verdict(part["verdict"], part["run"], counted, gates, proofs, statements)
    return {
        "migration": {name: part["migration"].get(name) for name in ("id", "title", "owner")},
        "run": _run(part["run"]),
        "verdict": verdict,
        "figures": _figures(part["run"], counted, applied, proofs),
        "plan": {name: part["plan"].get(name) for name in ("sha256", "created_at", "drift_checked")}
        if part["plan"]
        else None,
        "counts": {
            "phases": counted,
            "total": _total(counted),
            "done": verdict["passed"] and part["run"].get("mode") == "apply",
        },
        "targets": [_target(phase, applied.get(phase["phase"])) for phase in counted],
        "gates": gates,
        "checks": _checks(facts),
        "proofs": proofs,
        "exceptions": _exceptions(facts),
        "statements": statements,
        "findings": findings_view(facts.get("findings") or []),
        "approval": _approval(facts.get("approval"), (part["plan"] or facts.get("schema") or {}).get("sha256")),
        "timings": _timings(facts.get("timings") or []),
        "artifacts": _artifacts(facts.get("artifacts") or []),
        "undo": part["undo"].get("how"),
        "schema": schema_view(facts.get("schema")),
    }


def _verdict(
    verdict: Facts,
    run: Facts,
    counted: list[dict[str, Any]],
    gates: list[dict[str, Any]],
    proofs: list[dict[str, Any]],
    statements: list[dict[str, Any]],
) -> dict[str, Any]:
    """Only `passed` is passed, and only where nothing in the report speaks against it: those are the `doubts`."""
    doubts = [f"the rows of phase {c['phase']} do not add up" for c in counted if not c["adds_up"]]
    doubts += [f"the gate “{g['name']}” did not pass" for g in gates if not g["passed"]]
    doubts += [f"the proof of phase {p['phase']} did not pass" for p in proofs if not p["passed"]]
    doubts += [f"“{s['title']}” is answered {s['answer']}" for s in statements if s["holds"] is not True]
    failed = run.get("failed") or None
    if failed:
        doubts.append(f"the step {failed.get('step')} failed")
    said_passed = verdict.get("status") == "passed"
    passed = said_passed and not doubts
    exceptions = verdict.get("proof") == "proven_with_exceptions"
    return {
        "passed": passed,
        "exceptions": passed and exceptions,
        "word": "Failed" if not passed else "Passed with exceptions" if exceptions else "Passed",
        "headline": verdict.get("headline") or "The run left no verdict, so it does not count as passed.",
        "next": verdict.get("next"),
        "failed": _failed(failed, str(verdict.get("headline"))) if failed else None,
        "doubts": doubts if said_passed else [],
    }


def _failed(failed: Facts, headline: str) -> dict[str, Any]:
    """step, error (None where the headline has it whole), next."""
    return {**{n: failed.get(n) for n in ("step", "next")}, "error": untold(str(failed.get("error")), headline)}


def _checks(facts: Facts) -> dict[str, Any]:
    """total, passed, failed, and the same in words. A report of the first release does not count them itself."""
    counted = facts.get("checks") or count_checks(facts.get("gates") or [], facts.get("statements") or [])
    words = f"{counted['passed']:,} of {counted['total']:,} checks passed"
    return {**counted, "words": words if counted["total"] else None}


def _exceptions(facts: Facts) -> dict[str, Any]:
    """The rows that were left alone: how many, and those that the report lists."""
    names = ("phase", "table", "key", "kind", "reason")
    listed = [{n: e.get(n) for n in names} for e in facts.get("exceptions") or []]
    return {"total": int((facts.get("verdict") or {}).get("exceptions") or len(listed)), "listed": listed[:EXCEPTIONS]}


def _run(run: Facts) -> dict[str, Any]:
    started, ended = instant(run.get("started_at")), instant(run.get("ended_at"))
    window = run.get("window")
    options = [
        (OPTIONS.get(name, str(name).replace("_", " ").capitalize()), _option(name, value))
        for name, value in (run.get("options") or {}).items()
    ]
    return {
        **{
            name: run.get(name)
            for name in ("id", "dag_id", "status", "triggered_by", "started_at", "ended_at", "undoes")
        },
        "mode": run.get("mode"),
        "mode_words": MODES.get(str(run.get("mode")), run.get("mode")),
        "window": {name: window.get(name) for name in ("start", "end")} if window else None,
        "options": options,
        "seconds": (ended - started).total_seconds() if started and ended else None,
    }


def _option(name: str, value: Any) -> str:
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
    run: Facts, counted: list[dict[str, Any]], applied: Facts, proofs: list[dict[str, Any]]
) -> list[tuple[str, int]]:
    """The few numbers that a reader looks for first."""
    mode, undoes = run.get("mode"), run.get("undoes")
    figures: list[tuple[str, int]] = []
    if counted:
        figures.append(
            ("rows that the other run wrote" if undoes else "source rows", sum(c["source_rows"] for c in counted))
        )
    if mode == "plan" and counted:
        figures += [
            (words, sum(c["rows"][verb] for c in counted))
            for verb, words in (
                ("add", "target rows to add"),
                ("change", "target rows to change"),
                ("remove", "target rows to remove"),
                ("drift", "target rows left as others changed them"),
                ("keep", "target rows as they are"),
            )
            if verb in ("add", "change", "keep") or any(c["rows"][verb] for c in counted)
        ]
    elif mode == "apply" and (applied or counted):
        figures.append(("target rows written", sum(a.get("written", a.get("rows")) or 0 for a in applied.values())))
    if proofs:  # a later phase's proof includes the earlier phases' rows of the same target
        figures.append(
            (
                "target rows proven",
                sum({p["target_table"]: p["compared"] - p["missing"] - p["different"] for p in proofs}.values()),
            )
        )
    if counted and not undoes:
        figures.append(("source rows rejected", sum(c["rejected"] for c in counted)))
    return figures


def _count(phase: Facts) -> dict[str, Any]:
    """A phase's source rows, and whether the four add up to them: by the sum, and by what was counted as left over."""
    numbers = {n: int(phase.get(n) or 0) for n in ("source_rows", "written", "kept", "rejected", "unaccounted")}
    rules = {str(rule): int(n or 0) for rule, n in (phase.get("skipped") or {}).items()}
    skipped = sum(rules.values())
    off = numbers["source_rows"] - (numbers["written"] + numbers["kept"] + numbers["rejected"] + skipped)
    return {
        **{name: phase.get(name) for name in ("phase", "title", "source_table", "target_table")},
        **numbers,
        "skipped": skipped,
        "rules": rules,
        "figures": {str(name): int(n or 0) for name, n in (phase.get("figures") or {}).items()},
        "off": f"{-off:,} counted twice" if off < 0 else f"{off or numbers['unaccounted']:,} unaccounted for",
        "adds_up": off == 0 and numbers["unaccounted"] == 0,
        "rows": {verb: int((phase.get("rows") or {}).get(verb) or 0) for verb in (*VERBS, "extra")},
    }


def _total(counted: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("source_rows", "written", "kept", "rejected", "skipped")
    adds_up = all(c["adds_up"] for c in counted)
    return {**{n: sum(c[n] for c in counted) for n in names}, "adds_up": adds_up, "off": "no"}


def _applied(applied: list[Facts]) -> dict[str, Facts]:
    """What was done, by phase: of one with two targets, for both together."""
    found: dict[str, Facts] = {}
    for each in applied:
        phase = phase_of(str(each.get("phase")))
        was = found.get(phase, {})
        sums = {
            n: (was.get(n) or 0) + (each.get(n) or 0)
            for n in ("rows", "written", "conflicts", "retries", "batches")
            if n in each
        }
        found[phase] = {**was, **each, **sums, "phase": phase}
    return found


def _target(phase: dict[str, Any], applied: Facts | None) -> dict[str, Any]:
    """What the plan wanted of a phase's target rows, and what was done; None where nothing was."""
    applied = applied or {}
    done = {name: applied.get(name) for name in ("rows", "conflicts", "retries", "batches", "seconds")}
    written = applied.get("written", applied.get("rows"))
    return {
        **{n: phase[n] for n in ("phase", "title", "target_table")},
        "plan": phase["rows"],
        **done,
        "written": written,
    }


def _approval(approval: Facts | None, plan_sha256: Any) -> dict[str, Any] | None:
    if not approval:
        return None
    fields = {name: approval.get(name) for name in ("decision", "by", "at", "comment", "plan_sha256")}
    return {**fields, "this_plan": bool(plan_sha256) and approval.get("plan_sha256") == plan_sha256}


def _timings(timings: list[Facts]) -> list[dict[str, Any]]:
    """Each step with its place on the run's time line, in per cent."""
    steps = [(t, instant(t.get("started_at")), t.get("seconds") or 0.0) for t in timings]
    first = min((at for _, at, _ in steps if at), default=None)
    offsets = [(at - first).total_seconds() if at and first else None for _, at, _ in steps]
    whole = (
        max((o + seconds for o, (_, _, seconds) in zip(offsets, steps, strict=True) if o is not None), default=0) or 1
    )
    rows = []
    for offset, (timing, at, seconds) in zip(offsets, steps, strict=True):
        width = max(seconds / whole * 100, 0.4)  # what is too short to see is still drawn
        start = None if offset is None else min(offset / whole * 100, 100 - width)
        fields = {name: timing.get(name) for name in ("step", "phase", "seconds", "tasks")}
        rows.append({**fields, "clock": f"{at:%H:%M:%S}" if at else "–", "start": start, "width": width})
    return rows


def _artifacts(artifacts: list[Facts]) -> dict[str, Any]:
    listed = [{n: a.get(n) for n in ("path", "rows", "bytes", "sha256")} for a in artifacts[:ARTIFACTS]]
    size = sum(a.get("bytes") or 0 for a in artifacts)
    return {"count": len(artifacts), "bytes": size, "listed": listed, "more": len(artifacts) - len(listed)}
