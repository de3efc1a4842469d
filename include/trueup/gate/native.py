"""Results and suites as Great Expectations writes them, so that its users' tools can read them: for each expectation one
result over all frames, bounded. Imported only when needed.

Of an expectation on rows, what each frame gave is added up; any other was judged once. Values of rows are kept as the
gate's own examples are: few, and cut. Tracebacks are not kept: they hold values and paths of this machine.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import great_expectations as gx
import numpy as np
import pandas as pd
from great_expectations.core import ExpectationSuite, ExpectationValidationResult
from great_expectations.expectations.expectation import Expectation
from pydantic import JsonValue

from . import prepared
from .result import Expected, Native

if TYPE_CHECKING:
    from .tally import Tally

EXAMPLES = 20
"""Most examples of broken rows kept per expectation."""
CUT = 200
"""Longest text of a value in an example, in characters."""
_DEEPEST = 4
_kept: dict[tuple[type, bytes], bytes] = {}


class Merged:
    """What Great Expectations gave for one expectation on the frames so far."""

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self._frames = self._elements = self._missing = 0
        self._unexpected: list[JsonValue] = []
        self._last: ExpectationValidationResult | None = None
        self._error: str | None = None

    def add(self, result: ExpectationValidationResult) -> None:
        """Add the result on one more frame."""
        self._error = self._error or raised(result.exception_info or {})
        self._last, counts = result, result.result
        self._frames += 1
        self._elements += int(counts.get("element_count") or 0)
        self._missing += int(counts.get("missing_count") or 0)
        room = EXAMPLES - len(self._unexpected)
        self._unexpected += [bounded(value) for value in list(counts.get("partial_unexpected_list") or [])[:room]]

    def result(self, expected: Expected, key: str) -> ExpectationValidationResult:
        """The result over all frames, whose verdict is `expected`; rows that broke it are named by `key`."""
        error = expected.error or self._error
        return ExpectationValidationResult(
            success=expected.passed,
            expectation_config=self.expectation.configuration,
            result={} if error else self._result(expected, key),
            exception_info={
                "raised_exception": error is not None,
                "exception_message": error,
                "exception_traceback": None if error is None else "(not kept)",  # its pages want a text
            },
        )

    def _result(self, expected: Expected, key: str) -> dict[str, JsonValue]:
        if expected.unexpected is None:
            return {name: bounded(value) for name, value in (self._last.result if self._last else {}).items()}
        considered, unexpected = self._elements - self._missing, expected.unexpected
        content: dict[str, JsonValue] = {
            "element_count": self._elements,
            "unexpected_count": unexpected,
            "unexpected_percent": _percent(unexpected, considered),
            "partial_unexpected_list": [*self._unexpected],
            "missing_count": self._missing,
            "missing_percent": _percent(self._missing, self._elements),
            "unexpected_percent_total": _percent(unexpected, self._elements),
            "unexpected_percent_nonmissing": _percent(unexpected, considered),
        }
        if expected.examples:
            content["unexpected_index_column_names"] = [key]
            content["partial_unexpected_index_list"] = [{**example} for example in expected.examples]
        return content


def native(tallies: Sequence[Tally], expectations: Sequence[Expected], key: str, loaded_at: str | None) -> Native:
    """The suite and its results; who it is of is for whoever knows the run (`Native.of`). Raises `TypeError` where the suite
    holds what is no JSON."""
    configurations = [_configuration(tally.merged.expectation) for tally in tallies]
    results = [tally.merged.result(expected, key) for tally, expected in zip(tallies, expectations, strict=True)]
    return Native(
        suite={**ExpectationSuite(name="gate").to_json_dict(), "expectations": [*configurations]},
        results=tuple(_written(*each) for each in zip(results, configurations, strict=True)),
        version=gx.__version__,
        loaded_at=loaded_at,
    )


def _configuration(expectation: Expectation) -> dict[str, JsonValue]:
    """Its configuration as JSON, which Great Expectations would make four times for each gate: for the suite, and for the
    result."""
    try:
        key = (type(expectation), prepared.content(expectation))
    except LookupError:
        return expectation.configuration.to_json_dict()
    if (written := _kept.get(key)) is None:
        if len(_kept) >= prepared.MOST:
            _kept.clear()
        written = _kept[key] = pickle.dumps(expectation.configuration.to_json_dict())
    made: dict[str, JsonValue] = pickle.loads(written)
    return made


def _written(result: ExpectationValidationResult, configuration: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The result as JSON, as Great Expectations writes it; what it holds has been bounded, and so is JSON."""
    return {
        "success": bool(result.success),
        "expectation_config": {**configuration},
        "result": result.result,
        "meta": result.meta,
        "exception_info": result.exception_info,
    }


def bounded(value: Any, depth: int = 0) -> JsonValue:
    """The value as JSON, with few items and short texts."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {text(name): bounded(item, depth + 1) for name, item in list(value.items())[:EXAMPLES]}
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
        return [bounded(item, depth + 1) for item in list(value)[:EXAMPLES]]
    return text(value)


def text(value: Any) -> str:
    """The value as text, cut."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "null"
    whole = str(value)
    return whole if len(whole) <= CUT else f"{whole[:CUT]}… ({len(whole):,} characters)"


def raised(info: Mapping[str, Any]) -> str | None:
    """The message of what a check raised, or None. Great Expectations gives one record, or one for each metric."""
    for record in [info] if "raised_exception" in info else info.values():
        if record.get("raised_exception"):
            return str(record.get("exception_message") or "the check raised an exception")[:500]
    return None


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None
