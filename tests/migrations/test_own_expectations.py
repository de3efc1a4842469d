"""Expectations that are a migration's own: each holds on what it is for, and can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from include.migrations.checkins import suites as checkins
from include.migrations.knowledge_embeddings import suites as embeddings
from include.migrations.knowledge_embeddings.embed import notation
from include.trueup.gate import Expected, evaluation

UNIT = [0.6, -0.8, *[0.0] * 382]


def judged(suite: Callable[[], list[Any]], type_: str, *frames: pd.DataFrame) -> Expected:
    """What becomes of the suite's one expectation of that type."""
    (expectation,) = [e for e in suite() if type(e).__name__ == type_]
    (found,) = evaluation.evaluate(lambda: [expectation], frames, gate="rows").expectations
    assert found.error is None
    assert found.severity == "critical"
    return found


def weeks(*rows: tuple[str, Any, Any], verb: str = "add") -> pd.DataFrame:
    """Planned assignments of one client: form, week and due date of each."""
    return pd.DataFrame(
        [
            {"_key": f"{n}", "clientId": "c", "formId": form, "recurringWeek": week, "dueDate": due, "_verb": verb}
            for n, (form, week, due) in enumerate(rows)
        ]
    )


RIGHT = [("f", "2", "2025-01-08T09:30:00+02:00"), ("f", "3", "2025-01-15T09:30:00+02:00"), ("g", "10", "2025-060")]


@pytest.mark.parametrize("suite", [checkins.weeks, checkins.linked_assignments])
def test_due_dates_of_one_base_hold(suite: Callable[[], list[Any]]) -> None:
    assert judged(suite, "ExpectDueOfOneBase", weeks(*RIGHT)).passed
    # two frames, as the gate gives them: a series is in one
    assert judged(suite, "ExpectDueOfOneBase", weeks(*RIGHT), weeks(("h", "2", "2024-03-07"))).passed


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(("f", "4", "2025-01-23T09:30:00+02:00"), id="a day late"),
        pytest.param(("f", "5", "2025-01-22T09:30:00+02:00"), id="of another week"),
        pytest.param(("f", "4", "2025-01-22T08:30:00+01:00"), id="the same instant in another notation"),
        pytest.param(("f", "4", "22.01.2025"), id="no ISO date"),
        pytest.param(("f", "4", None), id="none"),
        pytest.param(("f", "x", "2025-01-22T09:30:00+02:00"), id="no week"),
    ],
)
@pytest.mark.parametrize("suite", [checkins.weeks, checkins.linked_assignments])
def test_a_due_date_that_the_base_does_not_give_fails(suite: Callable[[], list[Any]], wrong: Any) -> None:
    found = judged(suite, "ExpectDueOfOneBase", weeks(*RIGHT, wrong))
    assert not found.passed
    assert found.unexpected == 1
    assert found.examples[0]["_key"] == "3"


def test_due_dates_that_were_there_before_are_not_judged() -> None:
    found = judged(checkins.linked_assignments, "ExpectDueOfOneBase", weeks(("f", "4", "nonsense"), verb="change"))
    assert found.passed


def vectors(*values: list[float] | str) -> pd.DataFrame:
    texts = [value if isinstance(value, str) else notation(value) for value in values]
    return pd.DataFrame({"_key": [str(n) for n in range(len(texts))], "embedding": texts})


def test_unit_vectors_hold() -> None:
    assert judged(embeddings.documents, "ExpectUnitVectors", vectors(UNIT, [0.0] * 383 + [-1.0])).passed


@pytest.mark.parametrize(
    "wrong",
    [[x * 1.01 for x in UNIT], [0.0] * 384, "[NaN,1]", "[Infinity]", "nothing", "[", '["x"]', "[[1],[1,2]]", "[1"],
)
def test_what_is_no_unit_vector_fails(wrong: Any) -> None:
    found = judged(embeddings.documents, "ExpectUnitVectors", vectors(UNIT, wrong))
    assert not found.passed
    assert [example["_key"] for example in found.examples] == ["1"]
