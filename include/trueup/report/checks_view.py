"""What the report shows of what was checked: gates with their expectations, and findings by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..gate import Expected, GateResult
from ..run.reported import FindingGroup

KINDS = ("missing", "different", "unverified", "left_alone", "moved_on", "extra")
"""What a proof says of a row that is not as planned."""


@dataclass(frozen=True, kw_only=True)
class ExpectationView:
    """An expectation, with the `mark` and `word` for what became of it."""

    rule: str
    description: str
    observed: str | None
    unexpected: int | None
    mark: str
    word: str
    error: str | None
    examples: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class GateView:
    """A gate: its name in words, what broke it, and its expectations, those that do not hold first."""

    name: str
    rows: int
    passed: bool
    errors: tuple[str, ...]
    expectations: tuple[ExpectationView, ...]
    holding: int
    warnings: int


def gate_view(gate: GateResult) -> GateView:
    """What is shown of a gate."""
    expectations = [_expectation(e) for e in gate.expectations]
    errors = {f"{e.rule}: {e.error}" for e in expectations}
    return GateView(
        name=_capital(f"{gate.gate} of {gate.output}" if gate.output else gate.gate),
        rows=gate.rows,
        passed=gate.passed,
        errors=tuple(error for error in gate.errors if error not in errors),
        expectations=tuple(sorted(expectations, key=lambda e: ("bad", "warn", "note", "good").index(e.mark))),
        holding=sum(e.mark == "good" for e in expectations),
        warnings=sum(e.mark == "warn" for e in expectations),
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _expectation(expected: Expected) -> ExpectationView:
    if expected.error:
        mark, word = "bad", "Not judged"
    elif expected.passed:
        mark, word = "good", "Holds"
    else:
        mark, word = {"warning": ("warn", "Warning"), "info": ("note", "Note")}.get(
            expected.severity, ("bad", "Failed")
        )
    return ExpectationView(
        rule=expected.rule,
        description=expected.description,
        observed=expected.observed,
        unexpected=expected.unexpected,
        mark=mark,
        word=word,
        error=expected.error,
        examples=expected.examples,
    )


@dataclass(frozen=True, kw_only=True)
class CodeView:
    """The findings of one code: how many, what one of them says, and what they hit where."""

    code: str
    count: int
    message: str | None
    hits: tuple[FindingGroup, ...]


@dataclass(frozen=True, kw_only=True)
class FindingsView:
    """The findings that reject a source row, or those that do not, by code."""

    rejects: bool
    count: int
    codes: tuple[CodeView, ...]


def findings_view(findings: Sequence[FindingGroup]) -> tuple[FindingsView, ...]:
    """Two groups, rejects first; one in which there is nothing is left out."""
    grouped: dict[bool, dict[str, list[FindingGroup]]] = {True: {}, False: {}}
    for finding in findings:
        grouped[finding.severity == "reject"].setdefault(finding.code, []).append(finding)
    return tuple(
        FindingsView(
            rejects=rejects,
            count=sum(f.count for hits in codes.values() for f in hits),
            codes=tuple(
                CodeView(
                    code=code,
                    count=sum(f.count for f in hits),
                    message=next((e.message for f in hits for e in f.examples), None),
                    hits=tuple(hits),
                )
                for code, hits in codes.items()
            ),
        )
        for rejects, codes in grouped.items()
        if codes
    )
