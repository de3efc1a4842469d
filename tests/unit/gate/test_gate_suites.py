"""The suites on counts, budget and proof: what they let pass and what not."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import pytest

from include.trueup.gate import BUDGETS, GateResult
from include.trueup.gate.evaluation import budget_suite, count_suite, evaluate, proof_suite


def proof(**changes: Any) -> GateResult:
    good = {"phase": "links", "compared": 9, "missing": 0, "different": 0, "extra": 0, "unverified": 0}
    return evaluate(
        proof_suite, [pd.DataFrame([good, good | {"phase": "milestones"} | changes])], gate="proof", key="phase"
    )


def test_proof_passes_only_with_nothing_missing_different_or_unverified() -> None:
    assert proof().passed
    assert proof(extra=1).passed
    assert [e.rule for e in proof(extra=1).expectations if not e.passed] == ["proof.extra"]
    for name in ("missing", "different", "unverified"):
        failed = proof(**{name: 1})
        assert not failed.passed
        assert failed.expectations[[e.rule for e in failed.expectations].index(f"proof.{name}")].examples == (
            {"phase": "milestones", name: "1"},
        )


@pytest.mark.parametrize("value", [None, float("nan"), -1, "0", pd.NA])
@pytest.mark.parametrize("name", ["compared", "missing", "extra"])
def test_a_figure_that_is_not_there_proves_nothing(name: str, value: Any) -> None:
    assert not proof(**{name: value}).passed


def counts(**changes: Any) -> GateResult:
    good = {"source_rows": 10, "written": 4, "kept": 3, "rejected": 2, "skipped": 1, "unaccounted": 0}
    return evaluate(count_suite, [pd.DataFrame([{"phase": "links"} | good | changes])], gate="counts", key="phase")


def test_counts_pass_only_when_they_add_up() -> None:
    assert counts().passed
    assert [e.rule for e in counts(written=5).expectations if not e.passed] == ["counts.add_up"]
    assert [e.rule for e in counts(source_rows=9).expectations if not e.passed] == ["counts.add_up"]
    both = counts(written=3, unaccounted=1)
    assert [e.rule for e in both.expectations if not e.passed] == ["counts.unaccounted", "counts.add_up"]
    unknown = counts(skipped=None, written=5)
    assert [e.rule for e in unknown.expectations if not e.passed] == ["counts.figures", "counts.add_up"]
    assert not counts(unaccounted=None).passed


def test_budget_limits_count_and_share() -> None:
    def spend(count: int | None, share: float, rejected: Any, of: int = 100) -> bool:
        row = {"source_rows": of, "rejected": rejected, "rejected_share": rejected / of if rejected else rejected}
        limits = {"max_reject_share": share} | ({} if count is None else {"max_rejects": count})
        return evaluate(partial(budget_suite, limits), [pd.DataFrame([row])], gate="budget").passed

    assert spend(None, 0.05, 5)
    assert not spend(None, 0.05, 6)
    assert spend(5, 1.0, 5)
    assert not spend(4, 1.0, 5)
    assert spend(0, 0.0, 0)
    assert not spend(None, 1.0, None)


@pytest.mark.parametrize(("option", "figure"), [(name, figure) for name, (figure, _, _) in BUDGETS.items()])
def test_every_budget_is_critical_and_fails_closed(option: str, figure: str) -> None:
    def passes(value: Any) -> bool:
        frame = pd.DataFrame([{"source_rows": 1, figure: value}])
        result = evaluate(partial(budget_suite, {option: 0}), [frame], gate="budget")
        assert all(e.severity == "critical" for e in result.expectations)
        return result.passed

    assert passes(0)
    assert not passes(1)
    assert not passes(None)
