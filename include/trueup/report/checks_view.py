"""What the report shows of what was checked: gates with their expectations, proofs with the rows that differ, and
findings by code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..prove.differing import differences

KINDS = ("missing", "different", "unverified", "left_alone", "moved_on", "extra")
"""What a proof says of a row that is not as planned."""

Facts = Mapping[str, Any]


def gate_view(gate: Facts) -> dict[str, Any]:
    """A gate: its name in words, what broke it, and its expectations, those that do not hold first."""
    expectations = [_expectation(e) for e in gate.get("expectations") or []]
    holding = sum(e["mark"] == "good" for e in expectations)
    errors = {f"{e['rule']}: {e['error']}" for e in expectations}
    return {
        "name": _capital(f"{gate.get('gate')} of {gate.get('phase')}" if gate.get("phase") else str(gate.get("gate"))),
        "rows": gate.get("rows"),
        "passed": gate.get("passed") is True,
        "errors": [error for error in gate.get("errors") or [] if error not in errors],
        "expectations": sorted(expectations, key=lambda e: ("bad", "warn", "note", "good").index(e["mark"])),
        "holding": holding,
        "warnings": sum(e["mark"] == "warn" for e in expectations),
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _expectation(expected: Facts) -> dict[str, Any]:
    error, severity = expected.get("error"), expected.get("severity")
    if error:
        mark, word = "bad", "Not judged"
    elif expected.get("passed") is True:
        mark, word = "good", "Holds"
    else:
        mark, word = {"warning": ("warn", "Warning"), "info": ("note", "Note")}.get(str(severity), ("bad", "Failed"))
    fields = {name: expected.get(name) for name in ("rule", "description", "severity", "observed", "unexpected")}
    return {**fields, "mark": mark, "word": word, "error": error, "examples": list(expected.get("examples") or [])}


def proof_view(proof: Facts) -> dict[str, Any]:
    """A proof: its numbers, and of each example the attributes that differ."""
    numbers = {name: int(proof.get(name) or 0) for name in ("compared", *KINDS, "reread")}
    examples = [
        {
            **{n: e.get(n) for n in ("kind", "key", "planned", "found", "reason")},
            "differs": differences(e.get("planned"), e.get("found")),
        }
        for e in proof.get("examples") or []
    ]
    fields = {name: proof.get(name) for name in ("phase", "target_table")}
    return {**fields, **numbers, "passed": proof.get("passed") is True, "examples": examples}


def findings_view(findings: list[Facts]) -> list[dict[str, Any]]:
    """Two groups, rejects first; in each the codes, with what they hit where."""
    grouped: dict[bool, dict[str, list[dict[str, Any]]]] = {True: {}, False: {}}
    for finding in findings:
        one = {name: finding.get(name) for name in ("phase", "table", "count")}
        one["examples"] = list(finding.get("examples") or [])
        grouped[finding.get("severity") == "reject"].setdefault(str(finding.get("code")), []).append(one)
    return [
        {
            "rejects": rejects,
            "count": sum(f["count"] or 0 for hits in codes.values() for f in hits),
            "codes": [
                {
                    "code": code,
                    "count": sum(f["count"] or 0 for f in hits),
                    "message": next((e.get("message") for f in hits for e in f["examples"]), None),
                    "hits": hits,
                }
                for code, hits in codes.items()
            ],
        }
        for rejects, codes in grouped.items()
        if codes
    ]
