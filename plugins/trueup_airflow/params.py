"""The params of a migration's DAG: the form in the UI, and from it the run's options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from include.trueup import model as declaration

if TYPE_CHECKING:
    from include.trueup.run import Options

MODES = {
    "apply": "Apply: plan, write, and prove every row",
    "plan": "Plan: read and compare only; nothing is written",
    "verify": "Verify: compare the target with what it should hold; nothing is written",
}


def params() -> dict[str, Param]:
    """The params, in the order of the form."""
    return {
        "mode": Param(
            "apply", enum=list(MODES), values_display=MODES, title="Mode", description="How far the run goes."
        ),
        "window_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Window start",
            description="Only rows from this instant on (inclusive). Empty: whole tables. Look-ups are never windowed.",
            section="Window",
        ),
        "window_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Window end",
            description="Only rows before this instant (exclusive). Give both or neither.",
            section="Window",
        ),
        "max_reject_share": Param(
            0.05,
            type="number",
            minimum=0,
            maximum=1,
            title="Reject budget: share",
            description="The plan fails its gate when more than this share of the source rows is rejected. 0.05 is 5 %.",
            section="Gate",
        ),
        "max_rejects": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            title="Reject budget: rows",
            description="The plan fails its gate when more source rows than this are rejected. Empty: only the share counts.",
            section="Gate",
        ),
        "max_critical": Param(
            0,
            type="integer",
            minimum=0,
            maximum=100,
            title="Critical failures allowed",
            description="How many critical expectations of a suite may fail. 0 unless you know exactly why.",
            section="Gate",
        ),
        "write_rate": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=1_000_000,
            title="Write rate",
            description="At most this many rows a second, over all workers. Empty: as fast as the target takes them.",
            section="Size and speed",
        ),
        "partitions": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=256,
            title="Partitions",
            description="Units of planning and writing, one task each. Empty: chosen from the tables' size.",
            section="Size and speed",
        ),
        "segments": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=256,
            title="Segments",
            description="Units of reading, one task each. Empty: chosen from the tables' size.",
            section="Size and speed",
        ),
    }


def declared(params: Iterable[declaration.Param]) -> dict[str, Param]:
    """The params that a declaration asks for beside those of all DAGs."""
    return {param.id: _declared(param) for param in params}


def _declared(param: declaration.Param) -> Param:
    schema: dict[str, Any] = {"title": param.title, "description": param.description}
    schema["type"] = ["null", param.type] if param.optional else param.type
    if param.choices:
        schema["enum"] = [*param.choices, *([None] if param.optional else [])]
    bounds = {"minimum": param.minimum, "maximum": param.maximum}
    schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    return Param(param.default, **schema)


def options(params: dict[str, Any], migration: declaration.Migration) -> Options:
    """The options of a run of the migration. Raises `OptionsError` for what the form cannot check."""
    from include.trueup.run import Mode, Options, Window

    values = {
        name: params[name]
        for name in ("partitions", "segments", "write_rate", "max_rejects", "max_reject_share", "max_critical")
    }
    values["params"] = {param.id: params[param.id] for param in migration.params}
    return Options(
        mode=Mode(params["mode"]), window=Window.parse(params["window_start"], params["window_end"]), **values
    )
