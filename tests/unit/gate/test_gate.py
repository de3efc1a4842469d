"""Gates: each known way in which a suite of Great Expectations passes without having checked, closed."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import great_expectations.expectations as gxe
import pandas as pd
import pytest
from great_expectations.compatibility.pydantic import Field
from great_expectations.core import ExpectationSuite
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.row_conditions import Column

from include.trueup.errors import ArtifactError, DeclarationError
from include.trueup.gate import GateResult, columns, evaluate, prepared
from include.trueup.run.records import from_json, to_json


def suite_of(*expectations: Any) -> Callable[[], list[Any]]:
    return lambda: [expectation.copy() for expectation in expectations]


def cannot_be_built() -> list[Any]:
    raise KeyError("no such rule")


NOT_NULL = gxe.ExpectColumnValuesToNotBeNull(column="a", description="a is there", meta={"rule": "A1"})
UNIQUE = gxe.ExpectColumnValuesToBeUnique(column="_key", meta={"rule": "K1"})


def frame(rows: int, start: int = 0, **values: Any) -> pd.DataFrame:
    return pd.DataFrame({"_key": [f"k{start + i}" for i in range(rows)], "a": ["x"] * rows} | values)


def check(suite: Callable[[], list[Any]], *frames: pd.DataFrame, **options: Any) -> GateResult:
    return evaluate(suite, frames, gate="plan", **options)


def test_passes_what_holds_and_says_what_it_checked() -> None:
    result = check(suite_of(NOT_NULL, UNIQUE), frame(3), output="links")
    assert (result.gate, result.output, result.rows, result.critical_failures) == ("plan", "links", 3, 0)
    assert result.passed
    assert result.errors == ()
    assert [e.rule for e in result.expectations] == ["A1", "K1"]
    assert all(e.passed and e.unexpected == 0 and e.examples == () for e in result.expectations)


def test_result_survives_json() -> None:
    result = check(suite_of(NOT_NULL, UNIQUE), frame(3, a=["x", None, 1.5]), output="links")
    assert from_json(GateResult, to_json(result)) == result
    assert result.expectations[0].examples == ({"_key": "k1", "a": "null"},)


# what must never pass


def test_an_empty_suite_fails() -> None:
    result = check(list, frame(3))
    assert not result.passed
    assert "the suite is empty" in result.errors[0]


def test_a_suite_that_cannot_be_built_fails() -> None:
    result = check(cannot_be_built, frame(3))
    assert not result.passed
    assert "KeyError" in result.errors[0]
    assert not evaluate([NOT_NULL], [frame(3)], gate="plan").passed  # type: ignore[arg-type]


def test_what_is_no_expectation_fails() -> None:
    result = check(lambda: [NOT_NULL, {"type": "expect_nothing", "kwargs": {}}], frame(3))
    assert not result.passed
    assert "expect_nothing" in result.errors[0]


def test_a_lost_expectation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    validate = prepared.validate

    def lose_the_last(expectations: Sequence[Any], *rest: Any) -> list[Any]:
        return validate(expectations, *rest)[:-1]

    monkeypatch.setattr(prepared, "validate", lose_the_last)  # so it is for Great Expectations itself to say
    assert check(suite_of(NOT_NULL, UNIQUE), frame(3)).passed
    build = ExpectationSuite.__init__

    def lose(self: ExpectationSuite, name: str, expectations: list[Any] | None = None) -> None:
        build(self, name=name, expectations=(expectations or [])[:-1])

    monkeypatch.setattr(ExpectationSuite, "__init__", lose)
    result = check(suite_of(NOT_NULL, UNIQUE), frame(3))
    assert not result.passed
    assert "1 of 2 expectations were evaluated" in result.errors[0]


def test_the_same_expectation_twice_is_two() -> None:
    result = check(suite_of(NOT_NULL, NOT_NULL), frame(3))
    assert result.passed
    assert len(result.expectations) == 2


def test_zero_rows_fail_unless_allowed() -> None:
    for frames in ([frame(0)], [frame(0), frame(0)]):
        refused = check(suite_of(NOT_NULL, UNIQUE), *frames)
        assert not refused.passed
        assert "no rows" in refused.errors[0]
        assert check(suite_of(NOT_NULL, UNIQUE), *frames, allow_empty=True).passed


def test_no_frame_fails_even_where_no_rows_may() -> None:
    result = check(suite_of(NOT_NULL, gxe.ExpectTableRowCountToEqual(value=0)), allow_empty=True)
    assert not result.passed
    assert "no frame" in result.errors[0]
    assert [e.passed for e in result.expectations] == [False, False]


@pytest.mark.parametrize("severity", ["critical", "warning"])
@pytest.mark.parametrize(
    "expectation",
    [
        pytest.param(partial(gxe.ExpectColumnValuesToNotBeNull, column="absent"), id="unknown column"),
        pytest.param(
            partial(gxe.ExpectColumnValuesToNotBeNull, column="a", row_condition=Column("absent") == "x"),
            id="unknown column in a condition",
        ),
        pytest.param(partial(gxe.ExpectColumnValuesToMatchRegex, column="a", regex="["), id="bad regex"),
        pytest.param(
            partial(gxe.UnexpectedRowsExpectation, unexpected_rows_query="select * from {batch}"), id="SQL on a frame"
        ),
        pytest.param(
            partial(gxe.ExpectColumnValuesToBeInSet, column="a", value_set={"$PARAMETER": "allowed"}), id="parameter"
        ),
    ],
)
def test_a_check_that_raises_fails_whatever_its_severity(expectation: Any, severity: str) -> None:
    result = check(suite_of(NOT_NULL, expectation(severity=severity)), frame(3))
    assert not result.passed
    assert result.errors
    assert not result.expectations[1].passed
    assert result.expectations[1].error


def test_an_unknown_column_fails_on_an_empty_frame_too() -> None:
    result = check(suite_of(gxe.ExpectColumnValuesToNotBeNull(column="absent")), frame(0), allow_empty=True)
    assert not result.passed


def test_errors_of_the_frames_go_through() -> None:
    def frames() -> Any:
        yield frame(3)
        raise ArtifactError("part 2 is missing")

    with pytest.raises(ArtifactError):
        evaluate(suite_of(NOT_NULL), frames(), gate="plan")


# merging


def test_counts_add_up_over_frames_and_later_frames_matter() -> None:
    result = check(suite_of(NOT_NULL), frame(3), frame(2, start=3, a=["x", None]), frame(2, start=5, a=[None, None]))
    assert not result.passed
    assert result.rows == 7
    assert result.expectations[0].unexpected == 3
    assert [e["_key"] for e in result.expectations[0].examples] == ["k4", "k5", "k6"]


def test_mostly_is_judged_over_all_frames() -> None:
    suite = suite_of(gxe.ExpectColumnValuesToBeInSet(column="a", value_set=["x"], mostly=0.8))
    assert check(suite, frame(8), frame(2, start=8, a=["y", "y"])).passed
    assert not check(suite, frame(7), frame(3, start=7, a=["y", "y", "y"])).passed
    assert check(suite, frame(8), frame(3, start=8, a=["y", "y", None])).passed  # null is not judged
    assert not check(suite, frame(7, a=[None] * 7), frame(3, start=7, a=["y", "y", "x"])).passed


def test_a_custom_check_that_fails_without_a_count_fails() -> None:
    class ExpectNever(ColumnMapExpectation):
        map_metric = "column_values.nonnull"

        def _validate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return {**super()._validate(*args, **kwargs), "success": False}

    assert not check(suite_of(ExpectNever(column="a")), frame(2), frame(2, start=2)).passed


def test_the_number_of_rows_is_that_of_all_frames() -> None:
    between = gxe.ExpectTableRowCountToBeBetween(min_value=1, max_value=4)
    assert check(suite_of(between), frame(0), frame(4)).passed
    result = check(suite_of(between), frame(3), frame(3))
    assert not result.passed
    assert result.expectations[0].observed == "6"


def test_a_type_is_judged_on_every_frame() -> None:
    suite = suite_of(gxe.ExpectColumnValuesToBeOfType(column="n", type_="int64"))
    assert check(suite, frame(2, n=[1, 2]), frame(2, n=[1, 2])).passed
    assert not check(suite, frame(2, n=[1, 2]), frame(2, n=[1.0, 2.5])).passed


@pytest.mark.parametrize("column", ["_key", "id"])
def test_a_duplicate_in_another_frame_is_seen(column: str) -> None:
    suite = suite_of(gxe.ExpectColumnValuesToBeUnique(column=column))
    frames = [frame(3, id=[1, 2, 3]), frame(3, start=3, id=[4, 5, 6]), frame(3, start=2, id=[2, 9, 9])]
    result = check(suite, *frames, unique_by=("id",))
    assert not result.passed
    assert result.expectations[0].unexpected == {"_key": 3, "id": 3}[column]
    assert check(suite, *frames[:2], unique_by=("id",)).passed


def test_nulls_are_no_duplicates() -> None:
    suite = suite_of(gxe.ExpectColumnValuesToBeUnique(column="id"))
    assert check(suite, frame(2, id=["p", None]), frame(2, start=2, id=["q", None]), unique_by=("id",)).passed


def test_values_whose_types_differ_between_frames_are_not_taken_for_different() -> None:
    suite = suite_of(gxe.ExpectColumnValuesToBeUnique(column="id"))
    result = check(suite, frame(2, id=[1, 2]), frame(2, start=2, id=[1.0, None]), unique_by=("id",))
    assert not result.passed
    assert "float64" in result.errors[0]
    assert not result.expectations[0].passed


def test_a_compound_duplicate_in_another_frame_is_seen() -> None:
    suite = suite_of(gxe.ExpectCompoundColumnsToBeUnique(column_list=["t", "id"]))
    one, other = frame(2, t=["p", "q"], id=["1", "1"]), frame(2, t=["p", "q"], id=["2", "1"])
    assert not check(suite, one, other, unique_by=("t", "id")).passed
    assert check(suite, one, frame(2, t=["p", "q"], id=["2", "2"]), unique_by=("t", "id")).passed


@pytest.mark.parametrize(
    "expectation",
    [
        gxe.ExpectColumnValuesToBeUnique(column="a"),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["_key", "a"]),
        gxe.ExpectColumnValuesToBeUnique(column="_key", row_condition=Column("a") == "x"),
        gxe.ExpectColumnMaxToBeBetween(column="n", max_value=9),
        gxe.ExpectColumnDistinctValuesToBeInSet(column="a", value_set=["x"]),
        gxe.ExpectColumnValuesToBeIncreasing(column="a"),
        gxe.ExpectTableRowCountToEqual(value=1, row_condition=Column("a") == "x"),
    ],
    ids=lambda e: str(e.expectation_type),
)
def test_what_frames_cannot_answer_one_by_one_is_refused(expectation: Any) -> None:
    with pytest.raises(DeclarationError, match="several frames"):
        check(suite_of(expectation), frame(1), frame(1, start=1))
    check(suite_of(expectation), frame(1))


def test_that_a_column_exists_is_asked_of_every_frame() -> None:
    suite = suite_of(gxe.ExpectColumnToExist(column="n"))
    assert check(suite, frame(1, n=1), frame(1, start=1, n=1)).passed
    assert not check(suite, frame(1, n=1), frame(1, start=1)).passed


# severity


def test_a_failed_warning_is_reported_and_does_not_block() -> None:
    warning = gxe.ExpectColumnValuesToBeInSet(column="a", value_set=["y"], severity=FailureSeverity.WARNING)
    result = check(suite_of(NOT_NULL, warning), frame(3))
    assert result.passed
    assert result.critical_failures == 0
    assert (result.expectations[1].passed, result.expectations[1].severity) == (False, "warning")
    assert result.expectations[1].unexpected == 3


def test_critical_failures_block_beyond_what_is_allowed() -> None:
    suite = suite_of(NOT_NULL, gxe.ExpectColumnValuesToBeInSet(column="a", value_set=["y"]))
    rows = frame(2, a=["x", None])
    assert check(suite, rows).critical_failures == 2
    assert not check(suite, rows, max_critical=1).passed
    assert check(suite, rows, max_critical=2).passed
    assert not check(suite_of(gxe.ExpectColumnMaxToBeBetween(column="b")), rows, max_critical=9).passed


# what is said


def test_examples_are_bounded_in_number_and_length() -> None:
    long = "y" * 1_000_000
    suite = suite_of(gxe.ExpectColumnValuesToBeInSet(column="a", value_set=["x"]))
    result = check(suite, frame(15, a=[long] * 15), frame(500, start=15, a=["y"] * 500))
    expected = result.expectations[0]
    assert expected.unexpected == 515
    assert len(expected.examples) == 20
    assert expected.examples[0]["a"].startswith("yyy")
    assert expected.examples[0]["a"].endswith("… (1,000,000 characters)")
    assert expected.examples[15] == {"_key": "k15", "a": "y"}
    assert len(to_json(result)) < 20_000


def test_examples_name_the_broken_rows_under_a_condition_and_any_index() -> None:
    pair = gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="n", column_B="m", row_condition=Column("a") == "x")
    rows = frame(4, a=["x", "y", "x", "x"], n=[5, 0, 0, 5], m=[1, 1, 1, 1]).set_index(pd.Index([9, 9, 7, 7]))
    result = check(suite_of(pair), rows)
    assert result.expectations[0].examples == ({"_key": "k2", "a": "x", "m": "1", "n": "0"},)


def test_every_expectation_describes_itself() -> None:
    class ExpectStatus(gxe.ExpectColumnValuesToBeInSet):
        column: str = "a"
        value_set: list[Any] = Field(default=["x"])

    plain = gxe.ExpectColumnValueLengthsToBeBetween(column="a", max_value=3, row_condition=Column("a") == "x")
    result = check(suite_of(NOT_NULL, plain, ExpectStatus()), frame(2))
    assert result.passed
    assert [e.description for e in result.expectations] == [
        "a is there",
        "column value lengths to be between (column = a, max_value = 3) where a == x",
        "status (column = a, value_set = ['x'])",
    ]
    assert [e.rule for e in result.expectations][1:] == ["expect_column_value_lengths_to_be_between", "expect_status"]


def test_columns_are_all_that_a_suite_names() -> None:
    condition = (Column("c") == 1) & Column("d").is_not_null()
    pair = gxe.ExpectColumnPairValuesToBeEqual(column_A="e", column_B="f", row_condition=condition)
    compound = gxe.ExpectCompoundColumnsToBeUnique(column_list=["g", "h"])
    rows = gxe.ExpectTableRowCountToBeBetween(min_value=1)
    assert columns(suite_of(NOT_NULL, pair, compound, rows)) == {"a", "c", "d", "e", "f", "g", "h"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # that Great Expectations deprecates it is not the point
def test_columns_refuses_what_it_cannot_know() -> None:
    text = gxe.ExpectColumnValuesToNotBeNull(column="a", row_condition='c == "1"', condition_parser="pandas")
    with pytest.raises(DeclarationError, match="filters rows by the text"):
        columns(suite_of(text))
    with pytest.raises(DeclarationError, match="could not be built"):
        columns(cannot_be_built)


# manners


def test_logs_nothing_below_warning_and_leaves_loggers_alone(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    ours = logging.getLogger("great_expectations")
    base = logging.getLogger("great_expectations.data_context.types.base")
    caplog.set_level(logging.INFO, logger="great_expectations")
    before = (ours.level, base.level, list(base.filters))
    with caplog.at_level(logging.INFO):
        check(suite_of(NOT_NULL, UNIQUE), frame(3, a=None), frame(3))
        root = logging.getLogger().level
    assert caplog.records == []
    assert (ours.level, base.level, list(base.filters)) == before
    assert root == logging.INFO
    assert capfd.readouterr() == ("", "")


def test_a_level_that_is_quiet_is_not_changed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    changed: list[int] = []
    ours = logging.getLogger("great_expectations")
    caplog.set_level(logging.WARNING, logger="great_expectations")
    monkeypatch.setattr(ours, "setLevel", changed.append)
    check(suite_of(NOT_NULL), frame(1))
    assert changed == []


def test_importing_a_gate_does_not_import_great_expectations_and_first_use_is_silent() -> None:
    script = """
import logging, sys
logging.basicConfig(level=logging.INFO)
from include.trueup.gate import evaluation
assert "great_expectations" not in sys.modules and "pandas" not in sys.modules
print(sorted(evaluation.columns(evaluation.proof_suite)))
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert "unverified" in done.stdout
    assert done.stderr == ""


def test_no_more_than_two_frames_are_in_memory() -> None:
    there: list[int] = []
    rows = 1_000

    def frames() -> Iterator[pd.DataFrame]:
        for number in range(5):
            there.append(sum(type(o) is pd.DataFrame and len(o) == rows for o in gc.get_objects()))
            yield pd.DataFrame({"_key": [f"{number}-{n}" for n in range(rows)]})

    gc.disable()  # whether it comes by just then is chance
    try:
        evaluate(suite_of(gxe.ExpectColumnValuesToNotBeNull(column="_key")), frames(), gate="rows")
    finally:
        gc.enable()
    assert max(there) <= 2, there
