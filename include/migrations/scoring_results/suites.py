"""What must hold of the planned rows before anything is written.

Critical is only what no legal source row can bring about. `meta["rule"]` is R and a word of the contract's section 2.
Number columns are text in the frames. A row that exists is kept as it is: a payload of such a row that the schema does not
know is a warning, one that is to be written is not written.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

    AnyExpectation = TypeVar("AnyExpectation", bound=Expectation)

NUMBER = r"^(?:0|-?[1-9]\d*|-?(?:0|[1-9]\d*)\.\d*[1-9])$"
"""A number in canonical form: no exponent, no trailing zero, which is what a float on the way would leave behind."""


def _expect(kind: type[AnyExpectation], rule: str, description: str, **arguments: Any) -> AnyExpectation:
    return kind(meta={"rule": rule}, description=description, **arguments)


def unified() -> list[Expectation]:
    """The expectations on the planned rows of `scoring_results`."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    from .expectations import ExpectPayloadToFitSchema

    must, should = (partial(_expect, severity=severity) for severity in ("critical", "warning"))
    filled, matches = gxe.ExpectColumnValuesToNotBeNull, gxe.ExpectColumnValuesToMatchRegex
    return [
        must(filled, rule="R key", description="Every row has a session", column="session_id"),
        must(
            gxe.ExpectColumnValuesToBeUnique,
            rule="R key",
            description="No two rows share a session",
            column="session_id",
        ),
        must(
            gxe.ExpectColumnPairValuesToBeEqual,
            rule="R key",
            description="Every row is that of its own session",
            column_A="session_id",
            column_B="_source",
            ignore_row_if="neither",
        ),
        must(filled, rule="R version", description="Every row has a scoring version", column="scoring_version"),
        must(
            matches,
            rule="R number",
            description="Every confidence is an exact number",
            column="confidence",
            regex=NUMBER,
        ),
        must(
            ExpectPayloadToFitSchema,
            rule="R payload",
            description="Every payload that is written is as payload.schema.json describes it",
            column="payload",
            row_condition=Column("_verb") != "keep",
        ),
        should(
            ExpectPayloadToFitSchema,
            rule="R payload kept",
            description="Every payload that is kept is as payload.schema.json describes it",
            column="payload",
            row_condition=Column("_verb") == "keep",
        ),
        should(filled, rule="R time", description="Every row says when it was computed", column="computed_at"),
    ]


def whole() -> list[Expectation]:
    """The expectations on the plan as a whole: a frame with one row per phase and its counts."""
    import great_expectations.expectations as gxe

    must, should = (partial(_expect, severity=severity) for severity in ("critical", "warning"))
    return [
        must(
            gxe.ExpectColumnValuesToBeInSet,
            rule="R account",
            description="Written, kept, rejected and skipped sessions add up to all of them",
            column="adds_up",
            value_set=[True],
        ),
        must(
            gxe.ExpectColumnValuesToBeBetween,
            rule="R account",
            description="No session is unaccounted for",
            column="unaccounted",
            min_value=0,
            max_value=0,
        ),
        should(
            gxe.ExpectColumnValuesToBeBetween,
            rule="R account",
            description="scoring_results holds no row that the legacy tables know nothing of",
            column="extra",
            min_value=0,
            max_value=0,
        ),
    ]
