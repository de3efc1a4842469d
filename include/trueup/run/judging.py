"""How a gate of a run ends, of whatever kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import GateError
from ..gate import GateResult, faults
from . import AnyRun


def judge(run: AnyRun, name: str, results: Sequence[GateResult], words: Mapping[str, str] | None = None) -> None:
    """Publish what the gate of that name found. Raises `GateError` if any result is not passed, with `words` (by rule) for
    what broke it."""
    run.files.write_gate(name, results)
    if not all(result.passed for result in results):
        raise GateError(
            f"{faults.in_words(results, words or {})}. So the {name} gate did not pass, and nothing after it runs"
        )
