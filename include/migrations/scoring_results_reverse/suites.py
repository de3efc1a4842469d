"""What must hold of the planned rows before anything is written. `meta["rule"]` is R and a word of the rules in README.md."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

NUMBER = r"^(?:0|-?[1-9]\d*|-?(?:0|[1-9]\d*)\.\d*[1-9])$"
"""A number in canonical form: no exponent, no trailing zero, which is what a float on the way would leave behind."""


def _critical(kind: Any) -> Any:
    return partial(kind, severity="critical")


def profiles() -> list[Expectation]:
    """The expectations on the planned rows of `profiles`."""
    import great_expectations.expectations as gxe

    filled = _critical(gxe.ExpectColumnValuesToNotBeNull)
    return [
        filled(column="session_id", description="Every profile has a session", meta={"rule": "R key"}),
        filled(column="results_version", description="Every profile has a version", meta={"rule": "R version"}),
        _critical(gxe.ExpectColumnPairValuesToBeEqual)(
            column_A="session_id",
            column_B="_source",
            ignore_row_if="either_value_is_missing",
            description="Every profile is that of its own session",
            meta={"rule": "R key"},
        ),
        _exact("confidence"),
    ]


def types() -> list[Expectation]:
    """The expectations on the planned rows of `scoring_results_types`."""
    return [_exact("fit"), _exact("share")]


def functions() -> list[Expectation]:
    """The expectations on the planned rows of `scoring_results_functions`."""
    return [_exact("strength")]


def _exact(column: str) -> Any:
    import great_expectations.expectations as gxe

    return _critical(gxe.ExpectColumnValuesToMatchRegex)(
        column=column,
        regex=NUMBER,
        description=f"Every {column} is an exact number",
        meta={"rule": "R number"},
    )


def whole() -> list[Expectation]:
    """The expectations on the plan as a whole: a frame with one row per phase and its counts."""
    import great_expectations.expectations as gxe

    must = partial(_critical(gxe.ExpectColumnValuesToBeInSet), meta={"rule": "R account"})
    kind: Any = gxe.ExpectColumnValuesToBeBetween
    should = partial(kind, severity="warning")
    return [
        must(
            column="adds_up",
            value_set=[True],
            description="Written, kept, rejected and skipped sessions add up to all of them",
        ),
        must(column="unaccounted", value_set=[0], description="No session is unaccounted for"),
        should(
            column="extra",
            min_value=0,
            max_value=0,
            description="The legacy tables hold no row of a session that scoring_results knows nothing of",
            meta={"rule": "R account"},
        ),
    ]
