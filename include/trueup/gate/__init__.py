"""Great Expectations as a judge that fails closed: suites over frames, one result for each expectation.

Knows no run: the gates of a run are in `prove/` and `schema/`."""

from .evaluation import BUDGETS, columns, evaluate
from .later import load_later
from .result import Expected, GateResult, Native, Severity

__all__ = ["BUDGETS", "Expected", "GateResult", "Native", "Severity", "columns", "evaluate"]

load_later()
