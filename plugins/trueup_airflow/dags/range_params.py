"""The params of a run that is a day of a backfill's range: what is decided over all its days together."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param


def range_params() -> dict[str, Param]:
    """The params, in the order of the form."""
    return {
        "range_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Range start",
            description="The range that this backfill is of, for what is decided over all its days together.",
            section="Range of a backfill",
        ),
        "range_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Range end",
            description="The end of its last day (exclusive). Give both or neither.",
            section="Range of a backfill",
        ),
        "range_approval": Param(
            False,
            type="boolean",
            title="One approval for the whole range",
            description="The first day asks for all days that are planned, each with its plan's hash (plan the range first, in "
            "mode plan). Each day plans again at its turn, and goes on unasked under the hash that was listed; else it asks.",
            section="Range of a backfill",
        ),
        "range_budget": Param(
            False,
            type="boolean",
            title="One reject budget for the whole range",
            description="Rejects are judged over all days of the range that are planned, so that a small day is not over its "
            "share by one row.",
            section="Range of a backfill",
        ),
    }


def of_range(params: dict[str, Any]) -> dict[str, Any]:
    """The options that they say. Raises `OptionsError` for what is no range."""
    from include.trueup.run import Window

    within = Window.parse(params["range_start"], params["range_end"])
    return {"range": within, **{name: params[name] for name in ("range_approval", "range_budget")}}
