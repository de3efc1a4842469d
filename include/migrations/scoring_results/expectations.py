"""What the suite needs beyond Great Expectations' own. It imports that, so the suite imports this when it is built."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import ColumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)

from . import payload


class PayloadFitsSchema(ColumnMapMetricProvider):
    """Which payloads are as `payload.schema.json` describes them. Great Expectations' own expectation compiles the schema for
    every row."""

    condition_metric_name = "column_values.payload_fits_schema"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **_: Any) -> pd.Series:
        fits = payload.validator().is_valid
        # what kind of number it is does not depend on digits that a double has no place for
        return pd.Series([fits(json.loads(text)) for text in column], index=column.index, dtype=bool)


class ExpectPayloadToFitSchema(ColumnMapExpectation):
    """Every payload, JSON text, is as `payload.schema.json` describes it."""

    map_metric = "column_values.payload_fits_schema"
