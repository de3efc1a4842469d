"""What a run left in the workspace, for the pages: plan, gates, proof and report, cut to what a page shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from include.trueup.prove.differing import differences
from include.trueup.prove.proofs import KINDS, total
from include.trueup.report.text import untold
from include.trueup.run import Files, PhaseCounts, Proof, to_values
from include.trueup.run.files import EXAMPLES, REPORT

from . import findings
from .files import cut, folder


def plan(id: str) -> dict[str, Any] | None:
    """The plan: sha256, created_at, phases with counts, and `outputs` with example rows; None if none is published."""
    found = Files(folder(id)).plan
    if found is None:
        return None
    shown = folder(id).read_json(EXAMPLES) or {"outputs": [], "rows_each": 0}
    return cut(
        {
            **to_values(found),
            "totals": totals(found.phases),
            "outputs": shown["outputs"],
            "rows_each": shown["rows_each"],
        }
    )


def totals(phases: Sequence[PhaseCounts]) -> dict[str, int]:
    """Rows of a plan by verb, and source rows rejected and skipped, over all phases."""
    found: dict[str, int] = {}
    for phase in phases:
        for verb, rows in phase.rows.items():
            found[verb] = found.get(verb, 0) + rows
        found["rejected"] = found.get("rejected", 0) + phase.rejected
        found["skipped"] = found.get("skipped", 0) + sum(phase.skipped.values())
    return found


def gates(id: str) -> list[dict[str, Any]]:
    """The gates in the order of the run: `file` (plan, phase-…, validate, whole) and its results."""
    names = Files(folder(id)).judged()
    known = _phases(id)

    def place(stem: str) -> tuple[int, int, str]:
        phase = stem.removeprefix("phase-")
        at = 0 if stem == "plan" else 2 if stem in ("validate", "whole") else 1
        return at, known.index(phase) if phase in known else 0, stem.zfill(20)

    found = []
    for name in sorted(names, key=place):
        results = Files(folder(id)).gate(name)
        found.append({"file": name, "results": [to_values(result) for result in results]})
    return cut(found)


def counts(id: str) -> tuple[PhaseCounts, ...]:
    """The counts of the phases, as the plan has them; none before it is made."""
    plan = Files(folder(id)).plan
    return () if plan is None else plan.phases


def _phases(id: str) -> list[str]:
    return [counted.phase for counted in counts(id)]


def proofs(id: str) -> list[dict[str, Any]]:
    """The proofs of the phases, gated or about to be; examples with the attributes in which they `differ`."""
    found = []
    for proof in _proofs(id):
        examples = [{**to_values(e), "differs": differences(e.planned, e.found)} for e in proof.examples]
        found.append({**to_values(proof), "examples": examples})
    return cut(found)


def _proofs(id: str) -> list[Proof]:
    """The same, in the order of the plan's phases."""
    files, known = Files(folder(id)), _phases(id)
    names = [name.removesuffix(".json") for name in files.folder.names("proof") if name.endswith(".json")]
    found = [proof for name in names for proof in files.proof(name)]
    return sorted(found, key=lambda p: known.index(p.phase) if p.phase in known else len(known))


def report(id: str) -> dict[str, Any] | None:
    """The parts of the report that a page shows: mode, options, window, verdict, statements, undo, schema."""
    facts = folder(id).read_json(REPORT)
    if facts is None:
        return None
    run = facts.get("run") or {}
    about = {name: run.get(name) for name in ("mode", "options", "window", "failed", "triggered_by")}
    if failed := about["failed"]:  # what the headline says already is not said again
        headline = str((facts.get("verdict") or {}).get("headline"))
        about["failed"] = {**failed, "error": untold(str(failed.get("error")), headline)}
    rest = {name: facts.get(name) for name in ("verdict", "statements", "schema", "undo")}
    counted = [{n: f.get(n) for n in ("severity", "code", "phase", "count")} for f in facts.get("findings") or []]
    return cut({**about, **rest, "findings": counted})


def summary(id: str, ended_at: datetime | None) -> dict[str, Any]:
    """A run in a few numbers: `plan` (totals or None), `proof` (compared and what was found wrong, or None), `findings`
    (by severity, or None), `headline` (of the report, or None), `exceptions` (rows left
    alone, by the report). Kept in memory once the run has ended."""
    return _ended(id, ended_at) if ended_at else _summary(id)


@lru_cache(maxsize=512)
def _ended(id: str, _: datetime) -> dict[str, Any]:
    return _summary(id)


def _summary(id: str) -> dict[str, Any]:
    made = counts(id)
    found, begun = _proofs(id), Files(folder(id)).begun
    if begun is not None and begun.undoes:  # a rollback writes its phases backwards
        found.reverse()
    proven = {name: total(found, name) for name in ("compared", *KINDS)} if found else None
    facts = folder(id).read_json(REPORT) or {}
    verdict = facts.get("verdict") or {}
    return {
        "plan": totals(made) if made else None,
        "proof": proven,
        "findings": findings.by_severity(id),
        "headline": cut(verdict.get("headline")),
        "exceptions": verdict.get("exceptions", 0),
        "undone": facts.get("undone"),
    }
