"""The form of a rollback, and what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from .params import params
from .place import installation

if TYPE_CHECKING:
    from include.trueup.run import Options


def rollback_params() -> dict[str, Param]:
    """The params of a rollback, in the order of the form."""
    shared = params()
    modes = {
        "apply": "Apply: plan, undo, and prove every row",
        "plan": "Plan: show what would be undone; nothing is written",
    }
    own = {
        "run": Param(
            None,
            type=["null", "string"],
            title="Run to undo",
            description=f"Its run id. Empty: the last run that wrote rows and is not rolled back. {installation()}",
        ),
        "mode": Param(
            "apply", enum=list(modes), values_display=modes, title="Mode", description="How far the rollback goes."
        ),
        "max_left_alone": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=1_000_000_000,
            title="Rows left alone, at most",
            description="Rows that somebody changed since are left alone, and listed. More of them than this "
            "fail the gate. Empty: any number.",
        ),
    }
    return own | {name: shared[name] for name in ("approval", "plan_max_age", "write_rate", "cascade_to")}


def rollback_options(params: dict[str, Any]) -> Options:
    """The options of a rollback. Raises `OptionsError` for what the form cannot check."""
    from include.trueup.run import Mode, Options

    given = {name: params[name] for name in ("approval", "plan_max_age", "write_rate", "max_left_alone")}
    given["cascade_to"] = tuple(params.get("cascade_to") or ())
    return Options(mode=Mode(params["mode"]), **given)
