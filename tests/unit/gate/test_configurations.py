"""Configurations are made once while a frame is validated, and what a gate says is the same."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import great_expectations.expectations as gxe
import pandas as pd
import pytest
from great_expectations.expectations.metadata_types import FailureSeverity

from include.trueup.gate import configurations, evaluate, tally

SUITE = (
    gxe.ExpectColumnValuesToNotBeNull(column="a", meta={"rule": "A1"}),
    gxe.ExpectColumnValuesToBeInSet(column="a", value_set=["x", "y"], meta={"rule": "A2"}),
    gxe.ExpectColumnValuesToBeInSet(column="b", value_set=["x"], severity=FailureSeverity.WARNING, meta={"rule": "A3"}),
)
FRAME = pd.DataFrame({"_key": ["k1", "k2", "k3"], "a": ["x", "z", None], "b": ["x", "y", "x"]})


def _verdict() -> Any:
    return evaluate(lambda: [each.copy() for each in SUITE], [FRAME], gate="plan").expectations


def test_the_verdict_is_the_same_and_fewer_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    anew = configurations._made_anew

    def counted(expectation: Any) -> Any:
        nonlocal made
        made += 1
        return anew(expectation)

    monkeypatch.setattr(tally.Judge, "_quickly", tally.Judge._wholly)
    monkeypatch.setattr(configurations, "_made_anew", counted)
    kept = _verdict()
    few, made = made, 0
    monkeypatch.setattr(tally, "kept", nullcontext)
    assert _verdict() == kept
    assert [each.passed for each in kept] == [False, False, False]
    assert few * 4 < made


def test_a_field_that_is_set_is_seen_and_nothing_is_kept_afterwards() -> None:
    expectation = gxe.ExpectColumnValuesToNotBeNull(column="a")
    with configurations.kept():
        first = expectation.configuration
        assert expectation.configuration is first
        expectation.column = "b"
        assert expectation.configuration.kwargs["column"] == "b"
    assert expectation.configuration is not expectation.configuration
