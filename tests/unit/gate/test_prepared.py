"""What Great Expectations worked out of an expectation before gives what it gives when it works it out anew, to the letter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import great_expectations.expectations as gxe
import pandas as pd
import pytest
from great_expectations.expectations.expectation import ColumnMapExpectation, Expectation
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.row_conditions import Column
from great_expectations.validator.validation_graph import ValidationGraph

from include.trueup.gate import evaluate, native, prepared, tally
from include.trueup.gate.suites import ExpectFiguresThere, ExpectFirstToBeSumOfRest
from include.trueup.gate.tally import Judge, Tally

EXPECTATIONS: tuple[Expectation, ...] = (
    gxe.ExpectColumnValuesToNotBeNull(column="a", description="a is there", meta={"rule": "A1"}),
    gxe.ExpectColumnValuesToNotBeNull(column="a", mostly=0.5, notes="twice"),
    gxe.ExpectColumnValuesToBeNull(column="a", severity=FailureSeverity.WARNING),
    gxe.ExpectColumnValuesToBeInSet(column="a", value_set=["x", "y"]),
    gxe.ExpectColumnValuesToNotBeInSet(column="a", value_set=["x"], row_condition=Column("n") > 1),
    gxe.ExpectColumnValuesToBeUnique(column="_key"),
    gxe.ExpectColumnValuesToMatchRegex(column="a", regex="^[xy]$"),
    gxe.ExpectColumnValuesToNotMatchRegex(column="a", regex="z"),
    gxe.ExpectColumnValuesToMatchRegexList(column="a", regex_list=["x", "y"], match_on="any"),
    gxe.ExpectColumnValueLengthsToBeBetween(column="a", max_value=1),
    gxe.ExpectColumnValueLengthsToEqual(column="a", value=1),
    gxe.ExpectColumnValuesToBeBetween(column="n", min_value=0, max_value=2, strict_min=True),
    gxe.ExpectColumnValuesToBeBetween(column="n", max_value=1, mostly=0.3),
    gxe.ExpectColumnValuesToBeIncreasing(column="n", strictly=True),
    gxe.ExpectColumnValueZScoresToBeLessThan(column="n", threshold=1.0, double_sided=True),
    gxe.ExpectColumnPairValuesToBeEqual(column_A="n", column_B="m", ignore_row_if="neither"),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="n", column_B="m", or_equal=True),
    gxe.ExpectColumnPairValuesToBeInSet(column_A="n", column_B="m", value_pairs_set=[(1, 1), (2, 2)]),
    gxe.ExpectCompoundColumnsToBeUnique(column_list=["_key", "a"]),
    gxe.ExpectSelectColumnValuesToBeUniqueWithinRecord(column_list=["n", "m"]),
    gxe.ExpectMulticolumnSumToEqual(column_list=["n", "m"], sum_total=4),
    gxe.ExpectColumnMaxToBeBetween(column="n", max_value=2),
    gxe.ExpectColumnMeanToBeBetween(column="n", min_value=0, max_value=2),
    gxe.ExpectColumnSumToBeBetween(column="n", max_value=5),
    gxe.ExpectColumnMostCommonValueToBeInSet(column="a", value_set=["x"]),
    gxe.ExpectColumnDistinctValuesToEqualSet(column="m", value_set=[1, 2, 3]),
    gxe.ExpectColumnDistinctValuesToBeInSet(column="m", value_set=[1, 2]),
    gxe.ExpectColumnUniqueValueCountToBeBetween(column="m", max_value=2),
    gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(column="m", min_value=0.9),
    gxe.ExpectColumnQuantileValuesToBeBetween(
        column="n", quantile_ranges={"quantiles": [0.5], "value_ranges": [[1, 2]]}
    ),
    gxe.ExpectColumnToExist(column="a", column_index=1),
    gxe.ExpectTableColumnsToMatchSet(column_set=["a", "n"], exact_match=False),
    gxe.ExpectTableColumnCountToEqual(value=4),
    gxe.ExpectTableRowCountToBeBetween(min_value=1, max_value=2),
    gxe.ExpectTableRowCountToEqual(value=2, row_condition=Column("n") < 3),
    ExpectFiguresThere(column_list=["n", "m"]),
    ExpectFirstToBeSumOfRest(column_list=["n", "m"]),
)
OF_TYPES = (
    gxe.ExpectColumnValuesToBeOfType(column="n", type_="int64"),
    gxe.ExpectColumnValuesToBeInTypeList(column="n", type_list=["int64", "float64"]),
)
KEYS = ["k1", "k2", "k3"]
FRAMES = {
    "holds": pd.DataFrame({"_key": KEYS, "a": ["x", "y", "x"], "n": [1, 2, 3], "m": [1, 2, 3]}),
    "broken": pd.DataFrame({"_key": ["k1"] * 3, "a": ["x", None, "zz"], "n": [3, 2, 1], "m": [1, 2, 2]}),
    "nulls": pd.DataFrame({"_key": KEYS, "a": [None] * 3, "n": [1.5, None, 3], "m": [1, 2, None]}),
    "objects": pd.DataFrame(
        {"_key": [Decimal("1.5"), True, "k"], "a": [1, "x", dt.date(2020, 1, 1)], "n": [1, 2, 3], "m": [1, 2, 3]}
    ),
    "no rows": pd.DataFrame({"_key": [], "a": [], "n": [], "m": []}),
}


class ExpectFewer(gxe.ExpectColumnValuesToBeInSet):
    """Forgets one of its values each time that it judges."""

    def _validate(self, *args: Any, **kwargs: Any) -> Any:
        assert isinstance(self.value_set, list)
        self.value_set.pop()
        return {**super()._validate(*args, **kwargs), "success": bool(self.value_set)}


class ExpectByItself(ColumnMapExpectation):
    """Works out by itself what it needs."""

    map_metric = "column_values.nonnull"

    def get_validation_dependencies(self, *args: Any, **kwargs: Any) -> Any:
        return super().get_validation_dependencies(*args, **kwargs)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Each test begins without what others left."""
    prepared._kept.clear()
    yield
    prepared._kept.clear()


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def _said(results: dict[int, Any]) -> dict[int, Any]:
    said = {at: result.to_json_dict() for at, result in results.items()}
    for each in said.values():
        each["expectation_config"]["meta"].pop(tally._POSITION, None)
    return said


def _tallies(*expectations: Expectation) -> list[Tally]:
    return [Tally(position, each.copy(), ()) for position, each in enumerate(expectations)]


@pytest.mark.parametrize("rows", FRAMES)
@pytest.mark.parametrize("form", ["BASIC", "SUMMARY"])
def test_each_says_the_same_on_any_frame_at_first_and_again(judge: Judge, rows: str, form: str) -> None:
    frame = FRAMES[rows]
    wanted = _said(judge._wholly(_tallies(*EXPECTATIONS), frame, form))
    raise_ = [at for at, each in wanted.items() if native.raised(each["exception_info"])]
    assert len(raise_) < len(EXPECTATIONS) / 4
    for at in raise_:
        with pytest.raises(Exception):  # noqa: B017, PT011  whatever: Great Expectations then judges anew
            judge._quickly(_tallies(EXPECTATIONS[at]), frame, form)
    whole = [at for at in range(len(EXPECTATIONS)) if at not in raise_]
    for _ in range(2):
        said = _said(judge._quickly(_tallies(*(EXPECTATIONS[at] for at in whole)), frame, form))
        assert said == {position: wanted[at] for position, at in enumerate(whole)}


def test_nothing_is_worked_out_again_for_another_frame_or_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    built = 0
    build = ValidationGraph.build_metric_dependency_graph

    def counted(*args: Any, **kwargs: Any) -> None:
        nonlocal built
        built += 1
        build(*args, **kwargs)

    monkeypatch.setattr(ValidationGraph, "build_metric_dependency_graph", counted)
    rows = [FRAMES["holds"].assign(_key=[f"{n}-{key}" for key in KEYS]) for n in range(2)]
    suite = EXPECTATIONS[:8]
    assert evaluate(lambda: [each.copy() for each in suite], rows[:1], gate="plan").rows == 3
    first, built = built, 0
    assert first
    assert evaluate(lambda: [each.copy() for each in suite], rows, gate="plan").rows == 6
    assert not built


@pytest.mark.parametrize("change", [{"mostly": 0.9}, {"value_set": ["x", True]}, {"value_set": ["x", 1.0]}])
def test_another_value_is_another_expectation(judge: Judge, change: dict[str, Any]) -> None:
    frame = pd.DataFrame({"_key": KEYS, "a": ["x", "x", 1]}, dtype=object)
    for fields in ({"mostly": 0.3}, {"value_set": ["x", 1]}, change):
        each = gxe.ExpectColumnValuesToBeInSet(**{"column": "a", "value_set": ["x"]} | fields)
        wanted = judge._wholly(_tallies(each), frame, "BASIC")
        assert _said(judge._quickly(_tallies(each), frame, "BASIC")) == _said(wanted)


def test_an_expectation_that_changes_itself_is_another_each_time(judge: Judge) -> None:
    each = ExpectFewer(column="a", value_set=["x", "y"])
    for _ in range(3):
        (result,) = judge._quickly(_tallies(each), FRAMES["holds"], "BASIC").values()
        assert result.success
    assert each.value_set == ["x", "y"]


def test_of_two_classes_with_one_name_the_last_one_judges_as_with_great_expectations() -> None:
    for metric, passes in (("column_values.nonnull", True), ("column_values.null", False)):
        kind: Any = type("ExpectNothing", (ColumnMapExpectation,), {"map_metric": metric, "__module__": __name__})
        for _ in range(2):
            assert evaluate(lambda kind=kind: [kind(column="a")], [FRAMES["holds"]], gate="plan").passed is passes  # type: ignore[misc]


@pytest.mark.parametrize(
    "expectation",
    [
        ExpectByItself(column="a"),
        gxe.ExpectColumnValuesToBeInSet(column="a", value_set={"$PARAMETER": "allowed"}),
        gxe.ExpectColumnValuesToNotBeNull(column="a", meta={"rule": lambda: "A1"}),
    ],
)
def test_what_cannot_be_kept_is_judged_by_great_expectations_alone(judge: Judge, expectation: Expectation) -> None:
    with pytest.raises(LookupError):
        judge._quickly(_tallies(expectation), FRAMES["holds"], "BASIC")
    assert not prepared._kept


@pytest.mark.parametrize("expectation", OF_TYPES)
def test_what_needs_other_metrics_for_other_types_of_a_frame_is_not_kept(
    judge: Judge, expectation: Expectation
) -> None:
    for frame in (FRAMES["holds"], FRAMES["holds"].assign(n=["one", 2, None])):
        wanted = _said(judge._wholly(_tallies(expectation), frame, "BASIC"))
        assert _said(judge.validate(_tallies(expectation), frame, "BASIC")) == wanted
    assert not wanted[0]["success"]
    assert not prepared._kept


def test_an_expectation_with_many_values_is_not_kept(judge: Judge) -> None:
    each = gxe.ExpectColumnValuesToBeInSet(column="a", value_set=[*"xy", *map(str, range(20_000))])
    assert judge.validate(_tallies(each), FRAMES["holds"], "BASIC")[0].success
    assert not prepared._kept


def test_no_more_are_kept_than_there_is_room_for(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "MOST", 3)
    for most in range(8):
        each = gxe.ExpectTableRowCountToBeBetween(max_value=most + 5)
        assert judge.validate(_tallies(each), FRAMES["holds"], "BASIC")[0].success
        assert len(prepared._kept) <= 3
