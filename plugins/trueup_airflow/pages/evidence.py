"""What a run left in the workspace, for the pages: plan, gates, proof and report, cut to what a page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache

from pydantic import JsonValue

from include.trueup.prove.differing import differences
from include.trueup.prove.proofs import KINDS, total
from include.trueup.report.text import untold
from include.trueup.run import Files, PhaseCounts, Proof, to_values
from include.trueup.run.files import EXAMPLES
from include.trueup.run.records import from_values
from include.trueup.run.schema_records import SchemaPlan

from . import findings
from .files import SQL, cut, folder, reported
from .findings import Count


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan: its name, when it was made, the counts of its phases and of all, and `outputs` with example rows, at most
    `rows_each` of a verb, as they lie in the workspace; `audit`: what the migration counts of what is there."""

    sha256: str
    created_at: str
    drift_checked: bool | None
    phases: tuple[PhaseCounts, ...]
    totals: Mapping[str, int]
    outputs: JsonValue
    rows_each: int
    audit: JsonValue = None


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a gate found: `file` (plan, phase-…, validate, whole) and its results, as they lie in the workspace."""

    file: str
    results: tuple[JsonValue, ...]


@dataclass(frozen=True, kw_only=True)
class Differing:
    """A row that is not as planned, with the attributes in which it `differs`: name, planned, found."""

    kind: str
    key: str
    planned: str | None
    found: str | None
    reason: str | None
    constraint: str | None
    differs: tuple[tuple[str, str | None, str | None], ...]


@dataclass(frozen=True, kw_only=True)
class Proven:
    """The proof of an output (`run.Proof`), in rows."""

    phase: str
    target: str
    target_table: str
    compared: int
    missing: int
    different: int
    unverified: int
    left_alone: int
    moved_on: int
    extra: int
    reread: int
    to_keep: int
    gone: int
    passed: bool
    examples: tuple[Differing, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A report's verdict; `next`: what to do, `exceptions`: rows left alone."""

    status: str | None = None
    proof: str | None = None
    headline: str | None = None
    next: str | None = None
    exceptions: int = 0


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The step that a run failed at, and its error, unless the headline says it."""

    step: str | None
    error: str | None


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Findings of one severity, code and phase."""

    severity: str
    code: str
    phase: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """The parts of a report that a page shows. `statements`, `schema` and `undo` are as report.json has them."""

    mode: str | None
    triggered_by: str | None
    failed: Failed | None
    verdict: Verdict
    statements: JsonValue
    schema: JsonValue
    undo: JsonValue
    findings: tuple[Counted, ...]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A run in a few numbers: `plan`, its rows by verb; `proof`, rows compared and what was found wrong; `findings` by
    severity, and `counts` of them by code; `headline` of its report; `exceptions`, rows left alone by its report; `undone`,
    what a rollback undid. None: the run has not got as far."""

    plan: Mapping[str, int] | None = None
    proof: Mapping[str, int] | None = None
    findings: Mapping[str, int] | None = None
    counts: tuple[Count, ...] = ()
    headline: str | None = None
    exceptions: int = 0
    undone: Mapping[str, int] | None = None


def plan(id: str) -> Plan | None:
    """The plan; None if none is published."""
    record = Files(folder(id)).plan
    if record is None:
        return None
    shown = folder(id).read_json(EXAMPLES) or {"outputs": [], "rows_each": 0}
    return Plan(
        sha256=record.sha256,
        created_at=record.created_at,
        drift_checked=record.drift_checked,
        phases=record.phases,
        totals=totals(record.phases),
        outputs=cut(shown["outputs"]),
        rows_each=shown["rows_each"],
        audit=cut({**record.audit}),
    )


def schema_plan(id: str) -> SchemaPlan | None:
    """The plan of a run on schemas, with what a page shows of its texts; None if none is made."""
    record = Files(folder(id)).schema_plan
    if record is None:
        return None
    return from_values(SchemaPlan, cut(to_values(record), SQL))


def totals(phases: Sequence[PhaseCounts]) -> dict[str, int]:
    """Rows of a plan by verb, and source rows rejected and skipped, over all phases."""
    sums: dict[str, int] = {}
    for phase in phases:
        for verb, rows in phase.rows.items():
            sums[verb] = sums.get(verb, 0) + rows
        sums["rejected"] = sums.get("rejected", 0) + phase.rejected
        sums["skipped"] = sums.get("skipped", 0) + sum(phase.skipped.values())
    return sums


def gates(id: str) -> list[Gate]:
    """The gates in the order of the run."""
    names = Files(folder(id)).judged()
    known = _phases(id)

    def place(stem: str) -> tuple[int, int, str]:
        phase = stem.removeprefix("phase-")
        at = 0 if stem == "plan" else 2 if stem in ("validate", "whole") else 1
        return at, known.index(phase) if phase in known else 0, stem.zfill(20)

    gates_read = []
    for name in sorted(names, key=place):
        results = Files(folder(id)).gate(name)
        gates_read.append(Gate(file=name, results=tuple(cut(to_values(result)) for result in results)))
    return gates_read


def counts(id: str) -> tuple[PhaseCounts, ...]:
    """The counts of the phases, as the plan has them; none before it is made."""
    plan = Files(folder(id)).plan
    return () if plan is None else plan.phases


def _phases(id: str) -> list[str]:
    return [counted.phase for counted in counts(id)]


def proofs(id: str) -> list[Proven]:
    """The proofs of the phases, gated or about to be."""
    return [_shown(proof) for proof in _proofs(id)]


def _shown(proof: Proof) -> Proven:
    examples = [
        Differing(
            kind=e.kind,
            key=cut(e.key),
            planned=cut(e.planned),
            found=cut(e.found),
            reason=cut(e.reason),
            constraint=e.constraint,
            differs=tuple(
                (name, cut(planned), cut(actual)) for name, planned, actual in differences(e.planned, e.found)
            ),
        )
        for e in proof.examples
    ]
    names = [each.name for each in fields(Proven) if each.name != "examples"]
    return Proven(**{name: getattr(proof, name) for name in names}, examples=tuple(examples))


def _proofs(id: str) -> list[Proof]:
    """The same, in the order of the plan's phases."""
    files, known = Files(folder(id)), _phases(id)
    names = [name.removesuffix(".json") for name in files.folder.names("proof") if name.endswith(".json")]
    read = [proof for name in names for proof in files.proof(name)]
    return sorted(read, key=lambda p: known.index(p.phase) if p.phase in known else len(known))


def report(id: str) -> Report | None:
    """The parts of the report that a page shows; None before there is one."""
    facts = reported(id)
    if facts is None:
        return None
    run, stated = facts.get("run") or {}, facts.get("verdict") or {}
    failed = run.get("failed")
    names = [each.name for each in fields(Verdict)]
    verdict = Verdict(**{name: cut(stated[name]) for name in names if stated.get(name) is not None})
    return Report(
        mode=run.get("mode"),
        triggered_by=run.get("triggered_by"),
        # what the headline says already is not said again
        failed=Failed(step=failed.get("step"), error=cut(untold(str(failed.get("error")), str(verdict.headline))))
        if failed
        else None,
        verdict=verdict,
        statements=cut(facts.get("statements")),
        schema=cut(facts.get("schema"), SQL),
        undo=cut(facts.get("undo")),
        findings=tuple(
            Counted(severity=f["severity"], code=f["code"], phase=f.get("phase") or "", count=f["count"])
            for f in facts.get("findings") or []
        ),
    )


def summary(id: str, ended_at: datetime | None) -> Summary:
    """A run in a few numbers, kept in memory once it has ended."""
    return _ended(id, ended_at) if ended_at else _summary(id)


def exceptions(id: str, ended_at: datetime | None) -> int:
    """The rows that a run left alone, by its report."""
    return summary(id, ended_at).exceptions


def headline(id: str, ended_at: datetime | None) -> str | None:
    """What a run's report says in a sentence; None before there is one."""
    return summary(id, ended_at).headline


@lru_cache(maxsize=512)
def _ended(id: str, _: datetime) -> Summary:
    return _summary(id)


def _summary(id: str) -> Summary:
    made = counts(id)
    proven, begun = _proofs(id), Files(folder(id)).begun
    if begun is not None and begun.undoes:  # a rollback writes its phases backwards
        proven.reverse()
    counted = findings.counted(id)
    facts = reported(id) or {}
    verdict = facts.get("verdict") or {}
    return Summary(
        plan=totals(made) if made else None,
        proof={name: total(proven, name) for name in ("compared", *KINDS)} if proven else None,
        findings=None if counted is None else findings.by_severity(counted),
        counts=counted or (),
        headline=cut(verdict.get("headline")),
        exceptions=verdict.get("exceptions") or 0,
        undone=facts.get("undone"),
    )
