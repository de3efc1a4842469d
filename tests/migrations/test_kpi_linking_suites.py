"""The suites of KPI linking, by Great Expectations itself: legal dirt passes, and every expectation can fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from include.migrations.kpi_linking import sample, suites
from include.migrations.kpi_linking.migration import migration
from include.trueup.declare.migration import SuiteFactory
from include.trueup.declare.names import KEY, SOURCE_KEY
from include.trueup.gate import evaluation
from include.trueup.stores import arrow_schema

from .test_kpi_linking_transform import made_of

SUITES: dict[str, SuiteFactory] = {
    **{o.name: o.suite for phase in migration.phases for o in phase.outputs if o.suite is not None},
    "whole": suites.whole,
}
COUNTS = pd.DataFrame(
    {
        "phase": ["links", "milestones", "actuals", "readings"],
        "source_rows": [100, 50, 60, 70],
        "written": [90, 40, 55, 60],
        "kept": [5, 5, 5, 5],
        "rejected": [5, 5, 0, 0],
        "skipped": [0, 0, 0, 5],
        "unaccounted": [0, 0, 0, 0],
        "planned_rows": [95, 60, 70, 80],
        "to_add": [90, 50, 60, 70],
        "to_change": [0, 0, 0, 2],
        "extra": [0, 0, 0, 0],
        "adds_up": [True, True, True, True],
    }
)


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    """The planned rows of the whole sample, by phase, as the gate gets them; and counts that add up."""
    made = made_of(sample.rows())
    found = {"whole": COUNTS}
    for phase in migration.phases:
        schema = arrow_schema(migration.target(phase.target).table).append(pa.field(SOURCE_KEY, pa.string()))
        planned = [{**each.row, SOURCE_KEY: each.key} for each in made.planned if each.phase == phase.id]
        rows = pa.Table.from_pylist(planned, schema=schema)
        found[phase.id] = duckdb.execute(f"SELECT *, id AS {KEY}, 'add' AS _verb FROM rows").df()
        assert rows.num_rows == len(found[phase.id])
    return found


def test_the_dirty_sample_passes_with_warnings_only(frames: dict[str, pd.DataFrame]) -> None:
    warned = set()
    for name, suite in SUITES.items():
        whole = frames[name]
        parts = [whole] if name == "whole" else [whole.iloc[: len(whole) // 3], whole.iloc[len(whole) // 3 :]]
        key = "phase" if name == "whole" else KEY
        result = evaluation.evaluate(suite, parts, gate="rows", output=name, key=key, unique_by=("id",))
        assert result.passed, (name, [e for e in result.expectations if not e.passed])
        warned |= {(name, e.description) for e in result.expectations if not e.passed}
    assert warned == {
        ("links", "Every link has a person"),
        ("links", "Every link has a goal"),
        ("links", "Every link has a type"),
        ("links", "Every link has a place in its KPI's order"),
        ("links", "Every link says whether it is primary"),
        *((phase, "Every row has a value") for phase in ("milestones", "actuals", "readings")),
        *((phase, "Every row says who recorded it") for phase in ("milestones", "actuals", "readings")),
    }


@pytest.mark.parametrize("name", SUITES)
def test_every_expectation_says_its_rule_in_words_of_its_own(name: str) -> None:
    expectations = SUITES[name]()
    assert all((e.meta or {})["rule"].startswith("K") for e in expectations)
    descriptions = [e.description for e in expectations]
    assert all(descriptions)
    assert len(set(descriptions)) == len(descriptions)
    assert {e.severity.value for e in expectations} == {"critical", "warning"}


def broken(frame: pd.DataFrame, expectation: Any) -> pd.DataFrame:
    """The frame with one row that the expectation must not let through."""
    frame = frame.head(40).astype(object)
    column = getattr(expectation, "column", None)
    spoil: dict[str, Callable[[], Any]] = {
        "ExpectColumnValuesToNotBeNull": lambda: (column, None),
        "ExpectColumnValuesToBeNull": lambda: (column, "there"),
        "ExpectColumnValuesToBeUnique": lambda: (column, frame[column].iloc[1]),
        "ExpectColumnValuesToMatchRegex": lambda: (column, "1e+20"),
        "ExpectColumnValuesToBeInSet": lambda: (column, not expectation.value_set[0]),
        "ExpectColumnValuesToBeBetween": lambda: (column, 1),
        "ExpectColumnDistinctValuesToEqualSet": lambda: (column, "somewhere"),
        "ExpectColumnPairValuesToBeEqual": lambda: (expectation.column_A, "another"),
        "ExpectColumnPairValuesAToBeGreaterThanB": lambda: (expectation.column_A, 1),
        "ExpectIdLegacyOrDerived": lambda: ("id", "00000000-0000-5000-8000-000000000000"),
    }
    name, value = spoil[type(expectation).__name__]()
    frame.at[frame.index[0], name] = value
    return frame


@pytest.mark.parametrize("name", SUITES)
def test_every_expectation_can_fail(name: str, frames: dict[str, pd.DataFrame]) -> None:
    for expectation in SUITES[name]():
        alone = partial(lambda e: [e.copy()], expectation)
        key = "phase" if name == "whole" else KEY
        severe = expectation.severity.value == "critical"
        result = evaluation.evaluate(alone, [broken(frames[name], expectation)], gate="rows", key=key)
        assert [e.passed for e in result.expectations] == [False], expectation.description
        assert result.errors == (), expectation.description
        assert result.passed != severe


@pytest.mark.parametrize("part", ["legacy_table", "legacy_id", "kpi_link_id"])
def test_a_derived_id_is_of_its_own_row(frames: dict[str, pd.DataFrame], part: str) -> None:
    frame = frames["actuals"]
    derived = frame[frame["id"] != frame["legacy_id"]].head(1).copy()
    assert len(derived) == 1
    (expectation,) = [e for e in suites.data("actuals") if type(e).__name__ == "ExpectIdLegacyOrDerived"]
    assert evaluation.evaluate(lambda: [expectation], [derived], gate="rows").passed
    derived[part] = "another"
    assert not evaluation.evaluate(lambda: [expectation], [derived], gate="rows").passed


def test_the_declaration_imports_nothing_heavy() -> None:
    heavy = {"pandas", "great_expectations", "boto3", "botocore", "duckdb", "pyarrow", "orjson", "airflow"}
    code = f"import sys, include.migrations.kpi_linking.migration; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert printed.stdout == "[]\n"
