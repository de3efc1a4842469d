"""What must hold of the planned rows before anything is written.

A failing expectation of severity critical stops the run, so critical is only what no legal source row can bring about,
dirty as it may be: it would be a mistake of the transform. What a legal but odd source row brings (a link without a
type) is a warning. `meta["rule"]` is K and the number of the contract's rule. Number columns are text in the frames.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

    AnyExpectation = TypeVar("AnyExpectation", bound=Expectation)

NUMBER = r"^(?:0|-?[1-9]\d*|-?(?:0|[1-9]\d*)\.\d*[1-9])$"
"""A number in canonical form: no exponent, no trailing zero, which is what a float on the way would leave behind."""
ISO_DATE = (
    r"^\d{4}(?:-\d\d-\d\d|\d{4}|-?\d{3}|-?W\d\d-?[1-7])"
    r"(?:T\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$"
)

_CATEGORY = {"milestones": "Target", "actuals": "Actual", "readings": "Actual"}
_ALWAYS_NULL = {
    "milestones": "actual_subtype measured_period_start_date original_value override_comment source_reference_id"
    " auto_adjustment_applied",
    "actuals": "target_subtype measured_period_start_date label confidence_level rationale updated_by updated_at",
    "readings": "target_subtype label confidence_level rationale auto_adjustment_applied updated_by updated_at",
}
_ALWAYS: dict[str, dict[str, str | bool]] = {
    "milestones": {
        "target_subtype": "Expected",
        "data_source": "Manual",
        "is_manual_override": False,
        "triggers_replan": False,
        "replan_threshold_exceeded": False,
    },
    "actuals": {"actual_subtype": "Measured"},
    "readings": {"actual_subtype": "Measured", "triggers_replan": False, "replan_threshold_exceeded": False},
}
_OWN_RULE = {"milestones": "K5", "actuals": "K6", "readings": "K7"}


def _must(kind: type[AnyExpectation], rule: str, description: str, **arguments: Any) -> AnyExpectation:
    return _expectation(kind, rule, description, severity="critical", **arguments)


def _should(kind: type[AnyExpectation], rule: str, description: str, **arguments: Any) -> AnyExpectation:
    return _expectation(kind, rule, description, severity="warning", **arguments)


def _expectation(kind: type[AnyExpectation], rule: str, description: str, **arguments: Any) -> AnyExpectation:
    return kind(meta={"rule": rule}, description=description, **arguments)


def links() -> list[Expectation]:
    """The expectations on the planned rows of `purposepath-kpi-links`."""
    import great_expectations.expectations as gxe

    same = partial(_must, gxe.ExpectColumnPairValuesToBeEqual, ignore_row_if="neither")
    filled = gxe.ExpectColumnValuesToNotBeNull
    return [
        _must(filled, "K1", "Every link has an id", column="id"),
        _must(gxe.ExpectColumnValuesToBeUnique, "K1", "No two links share an id", column="id"),
        same("K1", "Every link keeps the id of its legacy link", column_A="id", column_B="_source"),
        _must(filled, "K8", "Every link has a tenant", column="tenant_id"),
        _must(filled, "K8", "Every link has a KPI", column="kpi_id"),
        _must(gxe.ExpectColumnValuesToBeNull, "K1", "No link has a strategy yet", column="strategy_id"),
        *(
            _must(gxe.ExpectColumnValuesToMatchRegex, "K1", f"Every {c} is an exact number", column=c, regex=NUMBER)
            for c in ("threshold_pct", "weight", "display_order")
        ),
        _should(filled, "K1", "Every link has a person", column="person_id"),
        _should(filled, "K1", "Every link has a goal", column="goal_id"),
        _should(filled, "K1", "Every link has a type", column="link_type"),
        _should(filled, "K1", "Every link has a place in its KPI's order", column="display_order"),
        _should(filled, "K1", "Every link says whether it is primary", column="is_primary"),
        _should(filled, "K10", "Every link says when it was made, so that a date window finds it", column="created_at"),
    ]


def data(phase: str) -> list[Expectation]:
    """The expectations on the rows of `purposepath-kpi-data` that `phase` (milestones, actuals or readings) plans."""
    import great_expectations.expectations as gxe

    from .expectations import OWN_ID, ExpectIdLegacyOrDerived

    own = _OWN_RULE[phase]
    same = partial(_must, gxe.ExpectColumnPairValuesToBeEqual)
    filled, null = gxe.ExpectColumnValuesToNotBeNull, gxe.ExpectColumnValuesToBeNull
    matches, in_set = gxe.ExpectColumnValuesToMatchRegex, gxe.ExpectColumnValuesToBeInSet
    always: dict[str, str | bool] = {
        "data_category": _CATEGORY[phase],
        "legacy_table": f"purposepath-kpi-{phase}",
        **_ALWAYS[phase],
    }
    expectations: list[Expectation] = [
        _must(filled, "K2", "Every row has an id", column="id"),
        _must(gxe.ExpectColumnValuesToBeUnique, "K2", "No two rows share an id", column="id"),
        _must(
            ExpectIdLegacyOrDerived,
            "K2",
            "Every id is the legacy id, or the name-based UUID of legacy table, legacy id and link",
            column_list=list(OWN_ID),
        ),
        _must(filled, "K2", "Every row names its link", column="kpi_link_id"),
        _must(filled, "K2", "Every row names its legacy row", column="legacy_id"),
        same(
            "K2",
            "Every row names the legacy row it came from",
            column_A="legacy_id",
            column_B="_source",
            ignore_row_if="neither",
        ),
        _must(filled, "K8", "Every row has a tenant", column="tenant_id"),
        _must(filled, "K8", "Every row has a date", column="post_date"),
        _must(matches, "K8", "Every date is an ISO 8601 date or timestamp", column="post_date", regex=ISO_DATE),
    ]
    for column in ("post_value", "confidence_level", "original_value"):
        if column not in _ALWAYS_NULL[phase].split():
            words = f"Every {column} is an exact number"
            expectations.append(_must(matches, own, words, column=column, regex=NUMBER))
    for column, value in always.items():
        rule = "K2" if column == "legacy_table" else own
        expectations.append(_must(in_set, rule, f"Every {column} is {value}", column=column, value_set=[value]))
        expectations.append(_must(filled, rule, f"No row lacks {column}", column=column))
    expectations += [
        _must(null, own, f"No row has {column}, which legacy {phase} do not know", column=column)
        for column in _ALWAYS_NULL[phase].split()
    ]
    for made, recorded in (("created_by", "recorded_by"), ("created_at", "recorded_at")):
        words = f"{made} and {recorded} are the same"
        expectations.append(same(own, words, column_A=made, column_B=recorded, ignore_row_if="both_values_are_missing"))
    return [
        *expectations,
        _should(filled, own, "Every row has a value", column="post_value"),
        _should(filled, own, "Every row says who recorded it", column="recorded_by"),
        _should(
            filled, "K10", "Every row says when it was recorded, so that a date window finds it", column="recorded_at"
        ),
    ]


def whole() -> list[Expectation]:
    """The expectations on the plan as a whole: a frame with one row per phase and its counts."""
    import great_expectations.expectations as gxe

    between, in_set = gxe.ExpectColumnValuesToBeBetween, gxe.ExpectColumnValuesToBeInSet
    at_least = partial(_must, gxe.ExpectColumnPairValuesAToBeGreaterThanB, or_equal=True, ignore_row_if="neither")
    phases = ["links", *_CATEGORY]
    return [
        _must(
            gxe.ExpectColumnDistinctValuesToEqualSet,
            "K0",
            "All four phases are planned",
            column="phase",
            value_set=phases,
        ),
        _must(gxe.ExpectColumnValuesToBeUnique, "K0", "No phase is planned twice", column="phase"),
        _must(
            in_set,
            "K0",
            "Written, kept, rejected and skipped source rows add up to all source rows, in every phase",
            column="adds_up",
            value_set=[True],
        ),
        _must(between, "K0", "No source row is unaccounted for", column="unaccounted", min_value=0, max_value=0),
        at_least(
            "K2",
            "Every source row that is written has at least one row in the plan",
            column_A="planned_rows",
            column_B="written",
        ),
        _should(
            between,
            "K0",
            "The target holds no row that no source row accounts for",
            column="extra",
            min_value=0,
            max_value=0,
        ),
    ]
