"""How many checks a run was put to, and how many held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def count_checks(
    gates: Sequence[Mapping[str, Any]], statements: Sequence[Mapping[str, Any]], unanswered: int = 0
) -> dict[str, int]:
    """total, passed, failed: every expectation of the gates that the run came to, of whatever severity, and every
    statement. One that was not evaluated is failed: an expectation that raised, a statement without an answer
    (`unanswered` many), and, as one check, a gate that did not pass though each of its expectations held."""
    held = [e.get("passed") is True and not e.get("error") for gate in gates for e in gate.get("expectations") or []]
    held += [statement.get("holds") is True for statement in statements]
    held += [False for gate in gates if gate.get("passed") is not True and not _broken(gate)]
    held += [False] * unanswered
    return {"total": len(held), "passed": sum(held), "failed": len(held) - sum(held)}


def _broken(gate: Mapping[str, Any]) -> bool:
    return any(e.get("passed") is not True or e.get("error") for e in gate.get("expectations") or [])
