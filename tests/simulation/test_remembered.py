"""What is remembered of verdicts is what they would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from include.trueup.gate import evaluation, tally
from include.trueup.gate.evaluation import proof_suite
from tests import verdicts

from .remembered import remembering

COUNTS = {"phase": "copy", "compared": 3, "missing": 0, "different": 0, "extra": 0, "unverified": 0}


def _verdict(gate: str, **counts: int) -> Any:
    return evaluation.evaluate(proof_suite, [pd.DataFrame([{**COUNTS, **counts}])], gate=gate, key="phase")


def test_only_what_an_expectation_names_is_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MOST_ROWS", -1)  # the tests' own memory is not asked
    plain = [_verdict("one"), _verdict("two"), _verdict("two", missing=1), _verdict("two", missing=1, extra=2)]
    asked: list[list[str]] = []
    real = tally.Judge.validate

    def validate(judge: Any, tallies: Any, *more: Any) -> Any:
        asked.append([each.expectation.meta["rule"] for each in tallies])
        return real(judge, tallies, *more)

    monkeypatch.setattr(tally.Judge, "validate", validate)
    with remembering(tmp_path) as database, database.playing():
        assert [_verdict("one"), _verdict("two")] == plain[:2]
        assert len([rules for rules in asked if rules]) == 1
        asked.clear()
        assert _verdict("two", missing=1) == plain[2]
        assert asked[0] == ["proof.figures", "proof.missing"]
        asked.clear()
        assert _verdict("two", missing=1, extra=2) == plain[3]
        assert asked[0] == ["proof.figures", "proof.extra"]
