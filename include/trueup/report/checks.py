"""How many checks a run was put to, and how many held."""

from __future__ import annotations

from collections.abc import Sequence

from ..gate import GateResult
from ..run import Answer
from ..run.reported import Checks


def count_checks(gates: Sequence[GateResult], statements: Sequence[Answer], unanswered: int = 0) -> Checks:
    """Every expectation of the gates that the run came to, of whatever severity, and every statement. One that was not
    evaluated is failed: an expectation that raised, a statement without an answer (`unanswered` many), and, as one check,
    a gate that did not pass though each of its expectations held. An informative statement that has an answer is not."""
    held = [e.passed and not e.error for gate in gates for e in gate.expectations]
    held += [not statement.fails for statement in statements]
    held += [False for gate in gates if not gate.passed and not _broken(gate)]
    held += [False] * unanswered
    return Checks(total=len(held), passed=sum(held), failed=len(held) - sum(held))


def _broken(gate: GateResult) -> bool:
    return any(not e.passed or e.error for e in gate.expectations)
