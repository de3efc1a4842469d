"""What must hold of the planned rows before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

VECTOR = r"^\[(?:-?\d[\d.e-]*,){383}-?\d[\d.e-]*\]$"


def documents() -> list[Expectation]:
    """The expectations on the rows that get a vector."""
    import great_expectations.expectations as gxe

    from .expectations import ExpectUnitVectors

    filled, matches = gxe.ExpectColumnValuesToNotBeNull, gxe.ExpectColumnValuesToMatchRegex
    return [
        filled(column="embedding", description="Every row gets a vector", meta={"rule": "E1"}),
        matches(column="embedding", regex=VECTOR, description="Every vector has 384 numbers", meta={"rule": "E1"}),
        ExpectUnitVectors(column="embedding", description="Every vector has length 1", meta={"rule": "E1"}),
        gxe.ExpectColumnValuesToBeInSet(
            column="embedding_model",
            value_set=["all-MiniLM-L6-v2"],
            description="The model is named",
            meta={"rule": "E2"},
        ),
        filled(column="content_sha256", description="The content is named", meta={"rule": "E2"}),
        matches(column="content_sha256", regex="^[0-9a-f]{64}$", description="By its SHA-256", meta={"rule": "E2"}),
    ]


def whole() -> list[Expectation]:
    """The expectations on the plan as a whole."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeInSet(
            column="unaccounted", value_set=[0], description="Every document is accounted for", meta={"rule": "E0"}
        )
    ]
