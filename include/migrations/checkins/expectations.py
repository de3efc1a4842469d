"""What the suites need beyond Great Expectations' own. It imports that, so a suite imports this when it is built."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import MulticolumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)

from .dates import days_later

SERIES, WEEK, DUE = ("clientId", "formId"), "recurringWeek", "dueDate"


class DueOfOneBase(MulticolumnMapMetricProvider):
    """Which rows are due so many weeks after a base that the whole series shares; a series lies in one frame."""

    condition_metric_name = "multicolumn_values.due_of_one_base"
    condition_domain_keys = ("batch_id", "table", "column_list", "row_condition", "condition_parser", "ignore_row_if")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> pd.Series:
        bases = [_base(week, due) for week, due in zip(column_list[WEEK], column_list[DUE], strict=True)]
        base = pd.Series(bases, index=column_list.index, dtype=object)
        first = base.groupby([column_list[name] for name in SERIES], dropna=False).transform("first")
        return base.notna() & (base == first)


class ExpectDueOfOneBase(MulticolumnMapExpectation):
    """Every week is due 7 days for each week before it after one and the same date, in its notation: that of the series'
    base. Reckoned in Python, so that it is a second opinion on the SQL."""

    map_metric = "multicolumn_values.due_of_one_base"
    ignore_row_if: Literal["never"] = "never"


def _base(week: Any, due: Any) -> str | None:
    """When the base is due of which that week is due then; None where either is no such thing."""
    text = str(week)
    return days_later(due, -7 * (int(text) - 1)) if text.isascii() and text.isdigit() and len(text) < 8 else None
