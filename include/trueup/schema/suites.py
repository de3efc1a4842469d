"""The suites that every schema migration gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import SchemaSuite

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation


def kept() -> list[Expectation]:
    """On the changes of a phase that says nothing of breaking: it adds, and leaves all else as it was."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeInSet(
            column="fate",
            value_set=["same", "added"],
            description="Every object that was there before is there, as it was",
            meta={"rule": "schema.kept"},
        ),
    ]


def rows() -> list[Expectation]:
    """On one row a table that is there before and after (rows_before, rows_after, same_values)."""
    return [_no_fewer("critical"), _same_values()]


def rows_of_breaking() -> list[Expectation]:
    """The same where a revision says that it breaks something: it may remove rows, and that is reported."""
    return [_no_fewer("warning"), _same_values()]


def _no_fewer(severity: str) -> Expectation:
    import great_expectations.expectations as gxe
    from great_expectations.expectations.metadata_types import FailureSeverity

    return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="rows_after",
        column_B="rows_before",
        or_equal=True,
        severity=FailureSeverity(severity),
        description="No table that was there before has fewer rows",
        meta={"rule": "schema.rows"},
    )


def _same_values() -> Expectation:
    import great_expectations.expectations as gxe
    from great_expectations.expectations.metadata_types import FailureSeverity

    return gxe.ExpectColumnValuesToBeInSet(
        column="same_values",
        value_set=[True],
        severity=FailureSeverity.WARNING,  # an application may write meanwhile; the rehearsal, where nobody does, is strict about it
        description="Every table that was there before holds the same values",
        meta={"rule": "schema.values"},
    )


def standing(target: str) -> SchemaSuite:
    """On one row a database (at_target); `target` is in words."""

    def suite() -> list[Expectation]:
        import great_expectations.expectations as gxe

        return [
            gxe.ExpectColumnValuesToBeInSet(
                column="at_target",
                value_set=[True],
                description=f"Every database is at {target}",
                meta={"rule": "schema.standing"},
            )
        ]

    return suite
