"""What the suites need beyond Great Expectations' own. It imports that, so a suite imports this when it is built."""

from __future__ import annotations

from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import MulticolumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)

OWN_ID = ("id", "legacy_table", "legacy_id", "kpi_link_id")


class IdIsLegacyOrDerived(MulticolumnMapMetricProvider):
    """Which rows have an id that rule 2 gives: the legacy id, or the uuid5 of legacy table, legacy id and link."""

    condition_metric_name = "multicolumn_values.id_is_legacy_or_derived"
    condition_domain_keys = ("batch_id", "table", "column_list", "row_condition", "condition_parser", "ignore_row_if")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> pd.Series:
        frame = column_list[list(OWN_ID)]
        right = frame["id"] == frame["legacy_id"]
        for position, id, table, legacy_id, link in frame[~right].itertuples(name=None):
            right[position] = id == str(uuid5(NAMESPACE_URL, f"{table}/{legacy_id}/{link}"))
        return right


class ExpectIdLegacyOrDerived(MulticolumnMapExpectation):
    """Every id is the legacy id, or derived from legacy table, legacy id and link as rule 2 says. Reckoned in Python,
    so that it is a second opinion on the SQL."""

    map_metric = "multicolumn_values.id_is_legacy_or_derived"
    ignore_row_if: Literal["never"] = "never"
