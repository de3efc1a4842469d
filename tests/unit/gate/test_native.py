"""What a gate keeps in the form of Great Expectations: read back by its own classes, over all frames, and never large."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import (
    expectationSuiteValidationResultSchema,
)
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.row_conditions import Column

from include.trueup.gate import GateResult, evaluate, native
from include.trueup.gate.suites import ExpectFirstToBeSumOfRest
from include.trueup.gate.tally import Tally
from include.trueup.run import Files
from include.trueup.run.workspace import Workspace

FILLED = gxe.ExpectColumnValuesToNotBeNull(column="a", description="a is there", meta={"rule": "A1"})
AMONG = gxe.ExpectColumnValuesToBeInSet(column="a", value_set=["x"], severity=FailureSeverity.WARNING)
MOST_BYTES = 40_000


def kept(result: GateResult) -> tuple[ExpectationSuite, Any]:
    """Both, as a user of Great Expectations reads them from the files."""
    documents = result.documents("plan-rows", "run-1")
    assert documents is not None
    suite, validation = (json.loads(json.dumps(each, allow_nan=False)) for each in documents)
    return ExpectationSuite(**suite), expectationSuiteValidationResultSchema.load(validation)


def check(frames: list[pd.DataFrame], *expectations: Any, **options: Any) -> GateResult:
    return evaluate(lambda: [e.copy() for e in expectations], frames, gate="rows", output="links", **options)


def test_great_expectations_reads_what_it_wrote() -> None:
    rows = gxe.ExpectTableRowCountToEqual(value=3)
    sums = ExpectFirstToBeSumOfRest(column_list=["n", "m"])
    frame = pd.DataFrame({"_key": ["k1", "k2", "k3"], "a": ["x", None, "y"], "n": [1, 2, 3], "m": [1, 2, 3]})
    suite, validation = kept(check([frame], FILLED, AMONG, rows, sums, FILLED))
    assert suite.name == validation.suite_name == "plan-rows"
    assert [e.expectation_type for e in suite.expectations] == [r.expectation_config.type for r in validation.results]
    assert suite.expectations[0].meta == {"rule": "A1"}
    filled, among, counted, summed, again = validation.results
    assert filled.result["unexpected_count"] == again.result["unexpected_count"] == 1
    assert filled.expectation_config.description == "a is there"
    assert among.expectation_config.severity == "warning"
    assert among.result | {"partial_unexpected_index_list": 0} == {
        "element_count": 3, "unexpected_count": 1, "unexpected_percent": 50.0, "partial_unexpected_list": ["y"],
        "missing_count": 1, "missing_percent": 1 / 3 * 100, "unexpected_percent_total": 1 / 3 * 100,
        "unexpected_percent_nonmissing": 50.0, "unexpected_index_column_names": ["_key"],
        "partial_unexpected_index_list": 0,
    }  # fmt: skip
    assert among.result["partial_unexpected_index_list"] == [{"_key": "k3", "a": "y"}]
    assert counted.result == {"observed_value": 3}
    assert (counted.success, summed.success, validation.success) == (True, True, False)
    assert validation.statistics["unsuccessful_expectations"] == 3
    assert validation.meta["run_id"]["run_name"] == "run-1"
    assert validation.meta["run_id"]["run_time"]


def test_it_is_written_to_the_letter_as_great_expectations_writes_it() -> None:
    expectations = [
        FILLED,
        gxe.ExpectColumnValuesToBeInSet(
            column="a", value_set=["x", 1.5, None, dt.date(2020, 1, 1), Decimal("1.50")], mostly=0.5, notes="n"
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="a", min_value=dt.datetime(2020, 1, 1), row_condition=(Column("b") > 3) & Column("c").is_null()
        ),
        gxe.ExpectTableRowCountToEqual(value=3),
    ]
    tallies = [Tally(at, each, ()) for at, each in enumerate(expectations)]
    expected = tuple(tally.expected(1) for tally in tallies)
    mine = native.native(tallies, expected, "_key", None)
    suite = ExpectationSuite(name="gate", expectations=[each.copy() for each in expectations])
    assert json.dumps(mine.suite) == json.dumps(suite.to_json_dict())
    results = [tally.merged.result(each, "_key") for tally, each in zip(tallies, expected, strict=True)]
    assert json.dumps(mine.results) == json.dumps([each.to_json_dict() for each in results])


def test_a_configuration_is_written_once_and_no_use_changes_it_for_the_next() -> None:
    made = 0
    expectation = gxe.ExpectColumnValuesToBeInSet(column="a", value_set=["written once"])

    class Counted(gxe.ExpectColumnValuesToBeInSet):
        @property
        def configuration(self) -> Any:
            nonlocal made
            made += 1
            return expectation.configuration

    suites = []
    for _ in range(3):
        tally = Tally(0, Counted(column="a", value_set=["written once"]), ())
        written = native.native([tally], (tally.expected(1),), "_key", None)
        suites.append(json.dumps(written.suite))
        changed: Any = written.suite["expectations"]
        changed[0]["kwargs"]["value_set"].append("changed")
    assert suites == [suites[0]] * 3
    assert made == 1 + 3  # and for each result, which holds it as an object


def test_frames_are_added_up() -> None:
    frames = [pd.DataFrame({"_key": [f"{n}a", f"{n}b"], "a": ["x", "y"]}) for n in range(3)]
    (among, unique), validation = (
        (v := kept(check(frames, AMONG, gxe.ExpectColumnValuesToBeUnique(column="_key"))))[1].results,
        v[1],
    )
    assert among.result["element_count"] == 6
    assert among.result["unexpected_count"] == 3
    assert among.result["unexpected_percent"] == 50.0
    assert [row["_key"] for row in among.result["partial_unexpected_index_list"]] == ["0b", "1b", "2b"]
    assert unique.success
    assert validation.meta["batch_spec"]["rows"] == 6
    repeated = check([frames[0], frames[0]], gxe.ExpectColumnValuesToBeUnique(column="_key"))
    (unique,) = kept(repeated)[1].results
    assert (unique.success, unique.result["unexpected_count"]) == (False, 2)


def test_many_and_long_values_make_a_small_file() -> None:
    long = pd.DataFrame({"_key": range(5_000), "a": [f"{n}-{'z' * 2_000}" for n in range(5_000)]})
    distinct = gxe.ExpectColumnDistinctValuesToBeInSet(column="a", value_set=["x"])
    result = check([long], AMONG, distinct)
    documents = result.documents("plan-rows", "run-1")
    assert len(json.dumps(documents)) < MOST_BYTES
    among, distinct = kept(result)[1].results
    assert among.result["unexpected_count"] == 5_000
    assert len(among.result["partial_unexpected_list"]) == 20
    assert max(map(len, among.result["partial_unexpected_list"])) < 250
    assert not distinct.success


def test_what_could_not_be_judged_is_no_success_and_has_no_traceback() -> None:
    frame = pd.DataFrame({"_key": ["k1"], "a": ["x"]})
    result = check([frame], FILLED, gxe.ExpectColumnValuesToNotBeNull(column="absent"))
    validation = kept(result)[1]
    assert not validation.success
    raised = validation.results[1].exception_info
    assert raised["raised_exception"]
    assert "absent" in raised["exception_message"]
    assert "Traceback" not in json.dumps(result.documents("plan-rows", "run-1"))


def test_a_gate_that_is_not_passed_is_no_success_though_every_expectation_held() -> None:
    frame = pd.DataFrame({"_key": [], "a": []}, dtype=object)
    result = check([frame], FILLED)
    assert not result.passed
    validation = kept(result)[1]
    assert validation.results[0].success
    assert not validation.success
    assert "no rows" in validation.meta["trueup"]["errors"][0]


def test_values_of_no_json_type_are_text() -> None:
    frame = pd.DataFrame({"_key": ["k1", "k2"], "a": [float("nan"), float("inf")]})
    among = gxe.ExpectColumnValuesToBeBetween(column="a", max_value=1)
    result = kept(check([frame], among))[1].results[0].result
    assert result["partial_unexpected_list"] == ["inf"]


def test_a_gate_judged_again_leaves_nothing_of_the_former(workspace: Workspace) -> None:
    files = Files(workspace.run("run-1"))
    frame = pd.DataFrame({"_key": ["k1"], "a": ["x"]})
    files.write_gate("plan", [check([frame], FILLED), check([frame], AMONG)])
    assert [suite["name"] for suite, _ in files.native()] == ["plan-rows-links"] * 2
    assert files.judged() == ["plan"]
    files.write_gate("plan", [check([frame], AMONG)])
    ((_, validation),) = files.native()
    assert validation["success"] is True
    assert files.gate("plan")[0].native is None
    files.forget()
    assert [*files.native()] == []
