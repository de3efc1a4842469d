"""What the suites need beyond Great Expectations' own. It imports that, so a suite imports this when it is built."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import ColumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)

OFF = 1e-4
"""How far from 1 a length may be: its numbers are float4, of seven digits."""


class IsUnitVector(ColumnMapMetricProvider):
    """Which texts, in pgvector's notation, are vectors of length 1."""

    condition_metric_name = "column_values.unit_vector"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **_: Any) -> pd.Series:
        return column.map(lambda text: abs(_length(text) - 1) <= OFF).astype(bool)


class ExpectUnitVectors(ColumnMapExpectation):
    """Every vector has length 1, so that the nearest by cosine is the nearest by any distance. Null is left out."""

    map_metric = "column_values.unit_vector"


def _length(text: Any) -> float:
    """The length of the vector; NaN of what is none."""
    try:
        return float(np.linalg.norm(np.asarray(json.loads(text), dtype=np.float64)))
    except (TypeError, ValueError):
        return float("nan")
