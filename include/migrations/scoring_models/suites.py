"""What must hold of the planned rows before anything is written. `meta["rule"]` is M and a word of section 3 of the
contract. Critical is only what no legal source row can bring about."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from .versions import VERSIONS

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

    AnyExpectation = TypeVar("AnyExpectation", bound=Expectation)

NUMBER = r"^(?:0|-?[1-9]\d*|-?(?:0|[1-9]\d*)\.\d*[1-9])$"
"""A number in canonical form."""


def _must(kind: type[AnyExpectation], rule: str, description: str, **arguments: Any) -> AnyExpectation:
    return kind(meta={"rule": rule}, description=description, **{"severity": "critical", **arguments})


def versions() -> list[Expectation]:
    """The expectations on the rows of `scoring_model_versions`: what is stored is kept, except definitions that the first
    release stored, so any other that is not the one of the code breaks one of these, and nothing is written."""
    import great_expectations.expectations as gxe

    pairs = partial(
        _must, gxe.ExpectColumnPairValuesToBeInSet, "M published", column_A="version", ignore_row_if="neither"
    )
    reason = "published versions never change; see docs/model-updates.md"
    return [
        pairs(
            f"Every stored definition is the one of the code: {reason}",
            column_B="definition",
            value_pairs_set=[(v.version, v.definition) for v in VERSIONS],
        ),
        pairs(
            f"Every stored checksum is the one of the code: {reason}",
            column_B="checksum",
            value_pairs_set=[(v.version, v.checksum) for v in VERSIONS],
        ),
    ]


def stamp() -> list[Expectation]:
    """The expectations on the planned rows of `survey_responses`."""
    import great_expectations.expectations as gxe

    filled, known = gxe.ExpectColumnValuesToNotBeNull, gxe.ExpectColumnValuesToBeInSet
    names = [v.version for v in VERSIONS]
    return [
        _must(filled, "M stamp", "Every response is known", column="id"),
        _must(gxe.ExpectColumnValuesToBeUnique, "M stamp", "No response is stamped twice", column="id"),
        _must(filled, "M stamp", "Every planned response has a version", column="scoring_model_version"),
        _must(known, "M stamp", "Every version is published", column="scoring_model_version", value_set=names),
    ]


def rescore() -> list[Expectation]:
    """The expectations on the planned rows of `response_scores`."""
    import great_expectations.expectations as gxe

    filled, known = gxe.ExpectColumnValuesToNotBeNull, gxe.ExpectColumnValuesToBeInSet
    matches, names = gxe.ExpectColumnValuesToMatchRegex, [v.version for v in VERSIONS]
    return [
        _must(filled, "M rescore", "Every score is of a response", column="response_id"),
        _must(known, "M rescore", "Every version is published", column="scoring_model_version", value_set=names),
        _must(filled, "M rescore", "Every score has an index", column="index_score"),
        _must(matches, "M rescore", "Every index is an exact number", column="index_score", regex=NUMBER),
    ]


def whole() -> list[Expectation]:
    """The expectations on the plan as a whole: a frame with one row per phase and its counts."""
    import great_expectations.expectations as gxe

    in_set, between = gxe.ExpectColumnValuesToBeInSet, gxe.ExpectColumnValuesToBeBetween
    return [
        _must(in_set, "M account", "All rows of every phase are accounted for", column="adds_up", value_set=[True]),
        _must(between, "M account", "No row is unaccounted for", column="unaccounted", min_value=0, max_value=0),
    ]
