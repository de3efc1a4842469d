"""One expectation, counted over frames. The part of a gate that knows Great Expectations; imported only when needed."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
from great_expectations.core import ExpectationSuite, ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation import (
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    Expectation,
    MulticolumnMapExpectation,
)

from ..errors import DeclarationError
from . import prepared
from .configurations import kept
from .native import EXAMPLES, Merged, raised, text
from .result import Expected

_FEW = 10
_POSITION = "trueup_position"
_BY_ROW = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
_UNIQUE = (gxe.ExpectColumnValuesToBeUnique, gxe.ExpectCompoundColumnsToBeUnique)
_ROW_COUNT = (gxe.ExpectTableRowCountToBeBetween, gxe.ExpectTableRowCountToEqual)
_AMONG_ROWS = (  # go row by row, yet judge a row by the others
    gxe.ExpectColumnValuesToBeIncreasing,
    gxe.ExpectColumnValuesToBeDecreasing,
    gxe.ExpectColumnValueZScoresToBeLessThan,
    gxe.ExpectColumnValuesToNotBeOutliers,
    gxe.ExpectMulticolumnValuesToBeUnique,
)
_GENERAL = {  # fields of every expectation that say nothing about what it expects
    *("id", "meta", "notes", "result_format", "description", "catch_exceptions", "rendered_content"),
    *("severity", "windows", "batch_id", "row_condition", "condition_parser", "ignore_row_if"),
}


def named_columns(expectation: Expectation) -> set[str]:
    """The columns that an expectation names. Raises `DeclarationError` for a row condition given as text."""
    named: set[str] = set()
    for field, value in expectation:
        if field.startswith("column") and value is not None:
            named.update([value] if isinstance(value, str) else value)
    return named | set(_condition_columns(getattr(expectation, "row_condition", None)))


def _condition_columns(condition: Any) -> Iterator[str]:
    if condition is None:
        return
    if hasattr(condition, "conditions"):
        for part in condition.conditions:
            yield from _condition_columns(part)
    elif hasattr(condition, "column"):
        yield condition.column.name
    else:
        raise DeclarationError(
            f"a suite filters rows by the text {str(condition)!r}, so which columns it needs cannot be known; "
            "write the condition with great_expectations.expectations.row_conditions.Column"
        )


class Judge:
    """Great Expectations, ready for one frame after the other; it keeps the last one until `forget`. Making it ready
    takes as long as ten frames of few rows."""

    def __init__(self) -> None:
        self._kept = 0
        self.loaded_at: str | None = None
        """When Great Expectations took the last frame, by its own clock."""
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("frames").add_dataframe_asset("rows")
        self._rows = asset.add_batch_definition_whole_dataframe("frame")

    def validate(
        self, tallies: list[Tally], frame: pd.DataFrame, result_format: str
    ) -> dict[int, ExpectationValidationResult]:
        """The result of each tally's expectation on the frame, by the tally's position.

        `frame` has the index 0, 1, 2, …; a result's index list then holds row numbers."""
        if not tallies:
            return {}
        try:
            return self._quickly(tallies, frame, result_format)
        except Exception:  # noqa: BLE001  Great Expectations does it all again, and says itself what is wrong
            return self._wholly(tallies, frame, result_format)

    def _quickly(
        self, tallies: list[Tally], frame: pd.DataFrame, result_format: str
    ) -> dict[int, ExpectationValidationResult]:
        """With what Great Expectations worked out before of the same expectations."""
        with kept():
            loaded_at = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")  # as Great Expectations writes it
            results = prepared.validate([tally.merged.expectation for tally in tallies], frame, _form(result_format))
        self.loaded_at = loaded_at
        return {tally.position: result for tally, result in zip(tallies, results, strict=True)}

    def _wholly(
        self, tallies: list[Tally], frame: pd.DataFrame, result_format: str
    ) -> dict[int, ExpectationValidationResult]:
        """As Great Expectations does it."""
        self._kept = len(frame)
        suite = ExpectationSuite(name="gate", expectations=[tally.expectation for tally in tallies])
        batch = self._rows.get_batch({"dataframe": frame})
        with kept():
            outcome = batch.validate(suite, result_format=_form(result_format))
        self.loaded_at = (outcome.meta.get("batch_markers") or {}).get("ge_load_time")
        return {_position(result): result for result in outcome.results}

    def forget(self) -> None:
        """Let go of the last frame, unless it is as small as the one that would take its place."""
        if self._kept <= _FEW:
            return
        self._kept = 0
        self._rows.get_batch({"dataframe": pd.DataFrame()})


def _form(result_format: str) -> dict[str, str | int]:
    return {
        "result_format": result_format,
        "partial_unexpected_count": EXAMPLES,
        "return_unexpected_index_query": False,
    }


_of_thread = threading.local()


@contextmanager
def judge() -> Iterator[Judge]:
    """The thread's judge."""
    if not hasattr(_of_thread, "judge"):
        _of_thread.judge = Judge()
    try:
        yield _of_thread.judge
    finally:
        _of_thread.judge.forget()


def _position(result: ExpectationValidationResult) -> int:
    """Which tally a result is for; Great Expectations does not keep the order of a suite."""
    configuration = result.expectation_config
    if configuration is None:
        raise LookupError("a result does not say which expectation it is for")
    return int(configuration.meta[_POSITION])


class Tally:
    """An expectation and what the frames so far said of it."""

    def __init__(self, position: int, expectation: Expectation, tracked: tuple[str, ...]) -> None:
        self.position = position
        self.expectation = expectation.copy(update={"meta": {**(expectation.meta or {}), _POSITION: position}})
        self.merged = Merged(expectation)
        self.at_end = isinstance(expectation, _ROW_COUNT) and expectation.row_condition is None
        """Whether it is evaluated once, on the number of all rows."""
        self._mostly = float(getattr(expectation, "mostly", 1))
        self._tracked = set(tracked)
        self._hashes = np.empty(0, dtype=np.uint64)
        self._types: list[str] = []
        self._verdicts: list[bool] = []
        self._counted = 0
        self._considered = 0
        self._unexpected = 0
        self._broken_now = 0
        self._refused = False
        self._observed: str | None = None
        self._examples: list[dict[str, str]] = []
        self._error: str | None = None

    @property
    def wants_examples(self) -> bool:
        """Whether rows of the last frame broke it and there is room for examples."""
        return self._broken_now > 0 and len(self._examples) < EXAMPLES

    def check_mergeable(self) -> None:
        """Raise `DeclarationError` when frames, one by one, cannot say whether the expectation holds for all."""
        unique = isinstance(self.expectation, _UNIQUE) and self.expectation.row_condition is None
        others = sorted(named_columns(self.expectation) - self._tracked)
        if unique and others:
            raise DeclarationError(
                f"{self._rule!r} wants {', '.join(others)} to be unique, but the rows come in several frames and "
                f"only {', '.join(sorted(self._tracked))} are remembered from frame to frame: "
                "a duplicate in another frame would pass unseen. Check the key, or name the column in `unique_by`"
            )
        if not unique and not isinstance(self.expectation, gxe.ExpectColumnToExist) and not self._judges_rows_alone():
            raise DeclarationError(
                f"{self._rule!r} ({_described(self.expectation)}) is about all rows together, but they come in several "
                "frames. Use an expectation on each row, or give one frame"
            )

    def _judges_rows_alone(self) -> bool:
        return isinstance(self.expectation, _BY_ROW) and not isinstance(self.expectation, (*_UNIQUE, *_AMONG_ROWS))

    def count(self, frame: pd.DataFrame, result: ExpectationValidationResult, key: str) -> None:
        """Add the result of one more frame."""
        self._verdicts.append(bool(result.success))
        self._broken_now = 0
        self.merged.add(result)
        error = raised(result.exception_info or {})
        if error is not None:
            self._error = self._error or error
            return
        counts = result.result
        if counts.get("element_count") is not None and counts.get("unexpected_count") is not None:
            self._counted += 1
            self._considered += int(counts["element_count"]) - int(counts.get("missing_count") or 0)
            self._broken_now = int(counts["unexpected_count"])
            self._unexpected += self._broken_now
            self._refused |= not result.success and not self._broken_now
        elif counts.get("observed_value") is not None:
            self._observed = text(counts["observed_value"])
        if isinstance(self.expectation, _UNIQUE):
            self._count_repeats(frame, key)

    def _count_repeats(self, frame: pd.DataFrame, key: str) -> None:
        """Count values that a frame before this one held already."""
        values = frame[sorted(named_columns(self.expectation))]
        values = values[values.notna().all(axis=1)]
        if values.empty:
            return
        types = [str(dtype) for dtype in values.dtypes]
        self._types = self._types or types
        if types != self._types:  # 1 and 1.0 have different hashes
            self._error = f"{', '.join(values)}: of type {types} here, of type {self._types} in a frame before"
            return
        hashes = pd.util.hash_pandas_object(values, index=False).to_numpy()
        place = np.searchsorted(self._hashes, hashes)
        again = np.append(self._hashes, 0)[place] == hashes
        self._hashes = np.sort(np.concatenate([self._hashes, hashes]))
        if again.any():
            self._unexpected += int(again.sum())
            self.add_examples(frame, list(values.index[again][:EXAMPLES]), key)

    def add_examples(self, frame: pd.DataFrame, positions: list[int], key: str) -> None:
        """Keep rows of the frame, by number, as examples, as far as there is room."""
        shown = [c for c in dict.fromkeys([key, *sorted(named_columns(self.expectation))]) if c in frame.columns]
        for record in frame.loc[positions[: EXAMPLES - len(self._examples)], shown].to_dict("records"):
            self._examples.append({str(column): text(value) for column, value in record.items()})

    def expected(self, frames: int) -> Expected:
        """The merged result, now that there were `frames` frames."""
        due = min(frames, 1) if self.at_end else frames
        if self._error is None and len(self._verdicts) != due:
            self._error = f"it was evaluated {len(self._verdicts)} times, not {due} times"
        return Expected(
            rule=self._rule,
            description=self.expectation.description or _described(self.expectation),
            severity=self.expectation.severity.value,
            passed=self._error is None and self._holds(),
            observed=self._observed,
            unexpected=self._unexpected if self._counted else None,
            examples=tuple(self._examples),
            error=self._error,
        )

    def _holds(self) -> bool:
        if not self._verdicts:
            return False
        if self._refused or self._counted < len(self._verdicts):
            return all(self._verdicts)
        if not self._considered:
            return True
        return (self._considered - self._unexpected) / self._considered >= self._mostly

    @property
    def _rule(self) -> str:
        return str((self.expectation.meta or {}).get("rule") or self.expectation.expectation_type)


def _described(expectation: Expectation) -> str:
    """An expectation in words, from its type and what it was given."""
    words = expectation.expectation_type.removeprefix("expect_").replace("_", " ")
    values = [
        f"{field} = {text(value)}"
        for field, value in expectation
        if field not in _GENERAL and value is not None and value is not False and (field, value) != ("mostly", 1)
    ]
    condition = getattr(expectation, "row_condition", None)
    where = f" where {text(repr(condition))}" if condition is not None else ""
    return (f"{words} ({', '.join(values)})" if values else words) + where
