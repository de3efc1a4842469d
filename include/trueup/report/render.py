"""The report for people: one HTML file that needs nothing else, and Markdown for a ticket."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..prove.differing import differences
from ..run import Answer, Example, Proof
from ..run.reported import OfSchemas, Report
from . import text
from .checks_view import KINDS, GateView
from .shown import ExceptionsView, View
from .text import markdown as md
from .view import view

TEMPLATES = Path(__file__).parent / "templates"


def html(report: Report) -> str:
    """The report as one HTML file: no script, nothing loaded from anywhere, readable on screen and on paper.

    What comes from rows is escaped, cut and isolated.
    """
    css = (TEMPLATES / "report.css").read_text()
    sha256 = b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return (
        _environment().get_template("report.html.j2").render(**vars(view(report)), css=Markup(css), css_sha256=sha256)
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": text.html,
        "code": text.code,
        "block": text.block,
        "plain": text.shown,
        "number": text.number,
        "size": text.size,
        "duration": text.duration,
        "time": text.time,
        "differences": _differences,
    }
    return environment


def _differences(example: Example) -> list[tuple[str, str, str]]:
    return differences(example.planned, example.found)


PHASES, GATES, PROOFS, FINDINGS, STEPS, EXCEPTIONS = 8, 6, 6, 8, 12, 4
"""Most lines of each list in Markdown, so that the whole stays under 60 lines."""


def markdown(report: Report) -> str:
    """The report as Markdown for a ticket comment: under 60 lines whatever the run was. Shows foreign text as it is:
    it formats nothing, mentions nobody and links nowhere."""
    seen = view(report)
    about_rows = [
        _proofs(seen.proofs),
        _exceptions(seen.exceptions),
        _statements(seen.statements),
        _findings(seen),
    ]
    counts = _schema(seen.schema) if seen.schema else _counts(seen)
    parts = [
        _head(seen),
        counts,
        _gates(seen.gates, seen.checks),
        *([] if seen.schema else about_rows),
        _tail(seen),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _head(seen: View) -> list[str]:
    verdict, run = seen.verdict, seen.run
    lines = [f"## {'✅' if verdict.passed else '❌'} {verdict.word}: {md(seen.migration.title)}", ""]
    lines += [f"**{md(verdict.headline, 1000)}**", ""]
    if verdict.failed:
        lines += [f"- Failed at: {text.markdown_code(verdict.failed.step)}"]
        if verdict.failed.error:
            lines += [f"- Why: {text.markdown_code(verdict.failed.error, 600)}"]
    lines += [f"- Next: {md(verdict.next, 600)}"] if verdict.next else []
    if verdict.doubts:
        lines += [f"- ⚠️ This report contradicts itself: {md('; '.join(verdict.doubts), 600)}"]
    took = f", took {text.duration(seen.seconds)}" if seen.seconds is not None else ""
    by = f", triggered by {md(run.triggered_by)}" if run.triggered_by else ""
    ended = f"ended {md(text.moment(run.ended_at))}{took}"
    return [*lines, f"- Run {text.markdown_code(run.id)}, mode {md(run.mode)}{by}, {ended}"]


def _counts(seen: View) -> list[str]:
    phases, total = seen.counts.phases, seen.counts.total
    if not phases:
        return ["No plan was made, so nothing was counted."]
    written = "written" if seen.counts.done else "to write"
    lines = [f"| Phase | Source rows | = {written} | + kept | + rejected | + skipped | adds up |"]
    lines += ["|:--|--:|--:|--:|--:|--:|:--|"]
    for c in [*phases[:PHASES], *([total] if len(phases) > 1 else [])]:
        numbers = " | ".join(f"{getattr(c, n):,}" for n in ("source_rows", "written", "kept", "rejected", "skipped"))
        verdict = "✓" if c.adds_up else f"✗ {c.off}"
        lines.append(f"| {md(c.phase)} | {numbers} | {verdict} |")
    figures = [f"{md(name)}: {value:,}" for c in phases[:PHASES] for name, value in c.figures.items()]
    return [*lines, "", ", ".join(figures)] if figures else lines


def _schema(schema: OfSchemas) -> list[str]:
    lines = [f"**Schemas:** {md(schema.where, 600)}", ""]
    lines += [
        f"- {'✗' if any(f.refused for f in s.findings) else '✓'} phase {s.phase}, {md(s.database)} {s.way}: {md(s.title)}"
        f"{'' if s.seconds is None else f'; rehearsed in {s.seconds:g} s'}{_held(s.locked)}"
        for s in schema.steps[:STEPS]
    ]
    lines += _more(schema.steps, STEPS)
    problems = [problem for rehearsal in schema.rehearsals for problem in rehearsal.problems]
    lines += [f"- ✗ rehearsal: {md(problem, 300)}" for problem in problems[:PROOFS]]
    return lines + [f"- goes: {md(what)}" for what in schema.going[:PROOFS]]


def _held(locked: Mapping[str, str]) -> str:
    locks = ", ".join(f"{table} ({mode})" for table, mode in locked.items())
    return f", locks {md(locks)}" if locks else ""


def _gates(gates: Sequence[GateView], checks: str | None) -> list[str]:
    if not gates:
        return ["**Gates:** none was reached."]
    broken = [
        (gate.name, message)
        for gate in gates
        if not gate.passed
        for message in [
            *gate.errors,
            *(e.description for e in gate.expectations if e.mark == "bad" and not e.error),
        ]
    ]
    held = sum(gate.passed for gate in gates)
    warnings = sum(g.warnings for g in gates)
    lines = [f"**Gates:** {held} of {len(gates)} passed, with {warnings:,} warnings; {checks or 'no check was made'}."]
    lines += [f"- ✗ {md(name)}: {md(message)}" for name, message in broken[:GATES]]
    return lines + _more(broken, GATES)


def _proofs(proofs: Sequence[Proof]) -> list[str]:
    if not proofs:
        return ["**Proof:** nothing was compared."]
    lines = ["**Proof:** every row read back and compared with the plan."]
    for p in proofs[:PROOFS]:
        counts = ", ".join(f"{p.rows(kind):,} {kind.replace('_', ' ')}" for kind in KINDS)
        lines.append(f"- {'✓' if p.passed else '✗'} {md(p.phase)}: {p.compared:,} compared, {counts}")
    return lines + _more(proofs, PROOFS)


def _exceptions(exceptions: ExceptionsView) -> list[str]:
    """Rows left alone as others changed them; no line where there are none."""
    if not exceptions.total:
        return []
    lines = [f"**Exceptions:** {exceptions.total:,} rows were left alone, since somebody else changed them."]
    lines += [
        f"- {text.markdown_code(e.key, 60)} of {md(e.table)} ({md(e.kind)}): {md(e.reason)}"
        for e in exceptions.listed[:EXCEPTIONS]
    ]
    more = exceptions.total - min(len(exceptions.listed), EXCEPTIONS)
    return [*lines, f"- and {more:,} more, in the report"] if more else lines


def _statements(statements: Sequence[Answer]) -> list[str]:
    lines = [f"{'✓' if s.holds else '✗'} {md(s.title)}: {md(s.answer)}" for s in statements]
    return [f"**Before and after:** {' · '.join(lines)}"] if lines else []


def _findings(seen: View) -> list[str]:
    codes = [("rejected" if group.rejects else "warning", code) for group in seen.findings for code in group.codes]
    if not codes:
        return ["**Findings:** none."] if seen.counts.phases else []
    lines = ["**Findings:**"]
    for severity, code in codes[:FINDINGS]:
        keys = [e.key for hit in code.hits for e in hit.examples][:2]
        such_as = f", such as {', '.join(text.markdown_code(key, 60) for key in keys)}" if keys else ""
        lines.append(f"- {text.markdown_code(code.code, 60)} ({severity}): {code.count:,}{such_as}")
    return lines + _more(codes, FINDINGS)


def _tail(seen: View) -> list[str]:
    lines, approval = [], seen.approval
    if approval:
        which = "this plan" if seen.this_plan else "another plan than this run's"
        by = f" by {md(approval.by)}" if approval.by else ", since the run asked for none"
        lines.append(f"- Approval: {md(approval.decision)}{by}, of {which}")
    if seen.plan:
        lines.append(f"- Plan: SHA-256 {text.markdown_code(seen.plan.sha256)}")
    return lines + ([f"- Undo: {md(seen.undo, 600)}"] if seen.undo else [])


def _more(things: Sequence[object], most: int) -> list[str]:
    return [f"- and {len(things) - most:,} more, in the report"] if len(things) > most else []
