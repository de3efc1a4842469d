"""What must hold of the planned rows before anything is written.

Critical is only what no legal source row can bring about, dirty as it may be: it would be a mistake of the transform.
`meta["rule"]` is C and the part of the contract. Number columns are text in the frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

    AnyExpectation = TypeVar("AnyExpectation", bound=Expectation)

WEEK = r"^[1-9]\d*$"
"""A whole week from 1 on, as text."""
LATER_WEEK = r"^(?:[2-9]|[1-9]\d+)$"
DERIVED_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


def _must(kind: type[AnyExpectation], rule: str, description: str, **arguments: Any) -> AnyExpectation:
    from great_expectations.expectations.metadata_types import FailureSeverity

    return kind(meta={"rule": rule}, description=description, severity=FailureSeverity.CRITICAL, **arguments)


def _due(rule: str, description: str, **arguments: Any) -> Expectation:
    from .expectations import DUE, SERIES, WEEK, ExpectDueOfOneBase

    return _must(ExpectDueOfOneBase, rule, description, column_list=[*SERIES, WEEK, DUE], **arguments)


def weeks() -> list[Expectation]:
    """The expectations on assignments that are added for weeks without a response, and on those that are there and lose
    theirs to another series (relink)."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    filled, null = gxe.ExpectColumnValuesToNotBeNull, gxe.ExpectColumnValuesToBeNull
    matches, in_set = gxe.ExpectColumnValuesToMatchRegex, gxe.ExpectColumnValuesToBeInSet
    added = {"row_condition": Column("_verb") == "add"}
    return [
        *(
            _must(filled, "C.weeks", f"Every added assignment has {column}", column=column, **added)
            for column in ("id", "clientId", "formId", "recurringWeek", "dueDate", "status")
        ),
        _must(gxe.ExpectColumnValuesToBeUnique, "C.weeks", "No two assignments share an id", column="id"),
        _must(matches, "C.weeks", "Every added assignment's id is derived", column="id", regex=DERIVED_ID, **added),
        _must(
            matches,
            "C.weeks",
            "Every added week is whole, from 2 on",
            column="recurringWeek",
            regex=LATER_WEEK,
            **added,
        ),
        _due("C.weeks", "Every added week is due as many weeks after its base as it says", **added),
        _must(in_set, "C.weeks", "Every one of them is pending", column="status", value_set=["pending"]),
        *(
            _must(null, "C.weeks", f"None of them has {column}", column=column)
            for column in ("responseId", "score", "completedAt")
        ),
    ]


def responses() -> list[Expectation]:
    """The expectations on responses that are linked."""
    import great_expectations.expectations as gxe

    filled = gxe.ExpectColumnValuesToNotBeNull
    return [
        _must(filled, "C.links", "Every linked response has an id", column="id"),
        _must(gxe.ExpectColumnValuesToBeUnique, "C.links", "No response is linked twice", column="id"),
        _must(filled, "C.links", "Every linked response names its assignment", column="assignmentId"),
        _must(
            gxe.ExpectColumnValuesToBeUnique, "C.links", "No two responses share an assignment", column="assignmentId"
        ),
        _must(
            gxe.ExpectColumnValuesToBeInSet,
            "C.links",
            "No response is added",
            column="_verb",
            value_set=["change", "keep"],
        ),
    ]


def linked_assignments() -> list[Expectation]:
    """The expectations on the assignments that responses are linked to, and on those that lose theirs so (relink)."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    filled, same = gxe.ExpectColumnValuesToNotBeNull, gxe.ExpectColumnPairValuesToBeEqual
    matches, in_set, null = (
        gxe.ExpectColumnValuesToMatchRegex,
        gxe.ExpectColumnValuesToBeInSet,
        gxe.ExpectColumnValuesToBeNull,
    )
    linked, opened = ({"row_condition": Column("status") == status} for status in ("completed", "pending"))
    return [
        *(
            _must(filled, "C.links", f"Every assignment has {column}", column=column)
            for column in ("id", "clientId", "formId", "status")
        ),
        *(
            _must(filled, "C.links", f"Every linked assignment has {column}", column=column, **linked)
            for column in ("recurringWeek", "responseId")
        ),
        _must(gxe.ExpectColumnValuesToBeUnique, "C.links", "No assignment is written twice", column="id"),
        _must(
            same,
            "C.links",
            "Every assignment is linked to the response that it is written with",
            column_A="responseId",
            column_B="_source",
            ignore_row_if="neither",
            **linked,
        ),
        _must(
            matches, "C.links", "Every linked week is whole, from 1 on", column="recurringWeek", regex=WEEK, **linked
        ),
        _must(
            in_set,
            "C.links",
            "Every assignment is completed, or open again",
            column="status",
            value_set=["completed", "pending"],
        ),
        _due(
            "C.links",
            "Every assignment that is added for a response is due as many weeks after its base as it says",
            row_condition=Column("_verb") == "add",
        ),
        *(
            _must(null, "C.relink", f"No assignment that is open again has {column}", column=column, **opened)
            for column in ("responseId", "score", "completedAt")
        ),
    ]


def whole() -> list[Expectation]:
    """The expectations on the plan as a whole: a frame with one row per phase and its counts."""
    import great_expectations.expectations as gxe

    between, in_set = gxe.ExpectColumnValuesToBeBetween, gxe.ExpectColumnValuesToBeInSet
    return [
        _must(
            gxe.ExpectColumnDistinctValuesToEqualSet,
            "C.whole",
            "Both phases are planned",
            column="phase",
            value_set=["weeks", "responses"],
        ),
        _must(in_set, "C.whole", "Source rows add up, in both phases", column="adds_up", value_set=[True]),
        _must(between, "C.whole", "No source row is unaccounted for", column="unaccounted", min_value=0, max_value=0),
    ]
