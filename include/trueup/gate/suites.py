"""The suites that every migration gets: on its counts, its budgets and its proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import Expectation, MulticolumnMapExpectation
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.metrics.map_metric_provider import MulticolumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)

from ..declare.migration import SuiteFactory, Table
from ..declare.names import KEY
from .evaluation import BUDGETS

_DOMAIN = ("batch_id", "table", "column_list", "row_condition", "condition_parser", "ignore_row_if")


class FiguresThere(MulticolumnMapMetricProvider):
    """Which rows hold a number, zero or more, in each of the columns."""

    condition_metric_name = "multicolumn_values.figures_there"
    condition_domain_keys = _DOMAIN

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> pd.Series:
        return (column_list >= 0).all(axis=1)


class ExpectFiguresThere(MulticolumnMapExpectation):
    """Every column holds a number, zero or more, in every row. Null does not pass, unlike with most expectations."""

    map_metric = "multicolumn_values.figures_there"
    ignore_row_if: Literal["never"] = "never"


class FirstIsSumOfRest(MulticolumnMapMetricProvider):
    """In which rows the first column is the sum of the others."""

    condition_metric_name = "multicolumn_values.first_is_sum_of_rest"
    condition_domain_keys = _DOMAIN

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> pd.Series:
        return column_list.iloc[:, 0] == column_list.iloc[:, 1:].sum(axis=1, skipna=False)


class ExpectFirstToBeSumOfRest(MulticolumnMapExpectation):
    """The first column of `column_list` is the sum of the others, in every row."""

    map_metric = "multicolumn_values.first_is_sum_of_rest"
    ignore_row_if: Literal["never"] = "never"


def _figures(rule: str, names: list[str]) -> Expectation:
    return ExpectFiguresThere(
        column_list=names, description="Every figure is there, and none is negative", meta={"rule": rule}
    )


def _zero(
    rule: str, column: str, description: str, severity: FailureSeverity = FailureSeverity.CRITICAL
) -> Expectation:
    return gxe.ExpectColumnValuesToBeInSet(
        column=column, value_set=[0], description=description, severity=severity, meta={"rule": rule}
    )


def proof() -> list[Expectation]:
    """See `evaluation.proof_suite`."""
    return [
        _figures("proof.figures", ["compared", "missing", "different", "extra", "unverified"]),
        _zero("proof.missing", "missing", "No row of the plan is missing from the target"),
        _zero("proof.different", "different", "No row of the target differs from the plan"),
        _zero("proof.unverified", "unverified", "Every row of the plan could be read back"),
        _zero(
            "proof.extra", "extra", "The target holds no row that is not in the plan", severity=FailureSeverity.WARNING
        ),
    ]


def rows(table: Table, also: SuiteFactory | None) -> list[Expectation]:
    """On the planned rows of a table (its columns, `_key`, `_source`): each has a key that no other has, and nothing is null
    in a column of the key or one that is required (critical); and what `also` expects. What it says itself of such a column
    stands in place of that."""
    expected = list(also()) if also is not None else []
    covered = {(type(e), getattr(e, "column", None)) for e in expected if getattr(e, "row_condition", None) is None}
    own: list[Expectation] = [
        gxe.ExpectColumnValuesToNotBeNull(
            column=KEY, description="Every row has a key", meta={"rule": "rows.key_there"}
        ),
        gxe.ExpectColumnValuesToBeUnique(
            column=KEY, description="No two rows have the same key", meta={"rule": "rows.key_unique"}
        ),
        *(
            gxe.ExpectColumnValuesToNotBeNull(
                column=name, description=f"{name} is never null", meta={"rule": f"rows.{name}_there"}
            )
            for name in dict.fromkeys((*table.key, *table.required))
        ),
    ]
    return [*expected, *(each for each in own if (type(each), getattr(each, "column", None)) not in covered)]


def counts() -> list[Expectation]:
    """See `evaluation.count_suite`."""
    parts = ["source_rows", "written", "kept", "rejected", "skipped"]
    return [
        _figures("counts.figures", [*parts, "unaccounted"]),
        _zero("counts.unaccounted", "unaccounted", "Every source row is accounted for"),
        ExpectFirstToBeSumOfRest(
            column_list=parts,
            description="Written, kept, rejected and skipped rows add up to the source rows",
            meta={"rule": "counts.add_up"},
        ),
    ]


def values() -> list[Expectation]:
    """See `evaluation.value_suite`."""
    return [
        _zero("values.undeclared", "undeclared", "No row has an attribute that nobody declares, carries or ignores"),
        _zero("values.unread", "unread", "No value is read as null since it is not of its declared type"),
    ]


def statements() -> list[Expectation]:
    """See `evaluation.statement_suite`."""
    return [
        gxe.ExpectColumnValuesToNotBeNull(
            column="holds", description="Every statement has an answer", meta={"rule": "statements.answered"}
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="holds",
            value_set=[True],
            description="No statement about the run is answered NO",
            meta={"rule": "statements.hold"},
        ),
    ]


def budget(limits: Mapping[str, float]) -> list[Expectation]:
    """See `evaluation.budget_suite`."""
    suite = [_figures("budget.figures", ["source_rows", *(BUDGETS[option][0] for option in limits)])]
    for option, most in limits.items():
        figure, rule, words = BUDGETS[option]
        description = words.format(most * 100 if option.endswith("_share") else most)
        suite.append(
            gxe.ExpectColumnValuesToBeBetween(
                column=figure, max_value=most, description=description, meta={"rule": rule}
            )
        )
    return suite
