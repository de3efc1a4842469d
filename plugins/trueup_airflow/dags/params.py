"""The params of a migration's DAG: the form in the UI, and from it the run's options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from include.trueup.declare import migration as declaration

from .place import installation
from .range_params import of_range, range_params

if TYPE_CHECKING:
    from include.trueup.run import Options

MODES = {
    "apply": "Apply: plan, write, and prove every row",
    "plan": "Plan: read and compare only; nothing is written",
    "verify": "Verify: compare the target with what it should hold; nothing is written",
}

EXTRA = {
    "report": "Report: they are counted as extra and left alone",
    "remove": "Remove: what earlier runs added is deleted, if nobody changed it since",
}


BUDGETS = (
    "max_rejects",
    "max_reject_share",
    "max_remove_share",
    "max_skip_share",
    "max_left_alone",
    "allow_lost_baseline",
    "max_critical",
)
"""Params that limit what a plan may lose."""


def params() -> dict[str, Param]:
    """The params, in the order of the form."""
    return {
        "mode": Param(
            "apply",
            enum=list(MODES),
            values_display=MODES,
            title="Mode",
            description=f"How far the run goes. {installation()}",
        ),
        "approval": Param(
            True,
            type="boolean",
            title="A person approves the plan",
            description="The run waits after its plan has passed the gate, until somebody approves or rejects it. "
            "Without this, the plan is applied as soon as it has passed.",
        ),
        "plan": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9a-f]{64}$",
            title="Only this plan",
            description="The hash of a plan that was seen before, as the page of its run names it. The run "
            "makes its plan again, and fails before anyone is asked if that plan is a different "
            "one. Empty: whatever is planned.",
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
        "overwrite_drift": Param(
            False,
            type="boolean",
            title="Overwrite drift",
            description="Target rows that somebody else changed since a run wrote them are overwritten. "
            "Without this, they are left alone and reported.",
            section="Catching up",
        ),
        "extra": Param(
            "report",
            enum=list(EXTRA),
            values_display=EXTRA,
            title="Rows that the source no longer has",
            description="What happens to target rows that earlier runs added and that the source no longer "
            "gives. A run with a window only reports them.",
            section="Catching up",
        ),
        "cascade_to": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Foreign keys that may delete or empty other rows",
            description="schema.table.constraint, one a line: where rows are removed, rows that refer to them by these foreign "
            "keys (ON DELETE CASCADE, SET NULL, SET DEFAULT) may be deleted or emptied with them; or emptied where what they refer "
            "to is changed (ON UPDATE). Without it such a run, or such a row, is refused.",
            section="Catching up",
        ),
        "snapshot_max_age": Param(
            1,
            type="number",
            minimum=0,
            maximum=168,
            title="Snapshot's age limit in a backfill (hours)",
            description="The runs of a backfill use one snapshot of the sources, if it was taken after their window had "
            "closed and is not older than this. 0: each run reads for itself.",
            section="Window",
        ),
        **range_params(),
        "ignore_columns": Param(
            None,
            type=["null", "string", "array"],
            title="Columns to leave out",
            description="Columns of source tables that the migration does not declare, as table.column, "
            "separated by commas. Any other undeclared column stops the run, since its values "
            "would be lost.",
            section="Gate",
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
        "max_remove_share": Param(
            0.05,
            type="number",
            minimum=0,
            maximum=1,
            title="Removal budget: share",
            description="The plan fails its gate when it removes more than this share of the target rows that earlier runs "
            "added: a source that lost rows empties no target. 0.05 is 5 %.",
            section="Gate",
        ),
        "max_skip_share": Param(
            0.05,
            type="number",
            minimum=0,
            maximum=1,
            title="Skip budget: share",
            description="The plan fails its gate when more than this share of a phase's source rows is left out by a rule that "
            "the phase does not expect. Rows outside the window do not count.",
            section="Gate",
        ),
        "max_left_alone": Param(
            0,
            type="integer",
            minimum=0,
            maximum=1_000_000_000,
            title="Rows left alone, at most",
            description="Rows that somebody else changed are left alone. More of them than this fail the gate; up to this many, "
            "the run is proven with exceptions, each listed, and allows no cutover.",
            section="Gate",
        ),
        "allow_lost_baseline": Param(
            False,
            type="boolean",
            title="Go on without the baseline",
            description="The workspace has lost the record of what the last run wrote, so what others changed "
            "since is not known. Without this, the plan fails its gate; with it, such rows are "
            "overwritten.",
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
        "plan_max_age": Param(
            24,
            type="number",
            exclusiveMinimum=0,
            maximum=720,
            title="Plan's age limit (hours)",
            description="An older plan can no longer be approved or applied: it must be made again.",
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
    """The params that a declaration asks for in addition to the common ones."""
    return {param.id: _declared(param) for param in params}


def _declared(param: declaration.Param) -> Param:
    schema: dict[str, Any] = {"title": param.title, "description": param.description}
    schema["type"] = ["null", param.type] if param.optional else param.type
    if param.choices:
        schema["enum"] = [*param.choices, *([None] if param.optional else [])]
    bounds = {"minimum": param.minimum, "maximum": param.maximum}
    schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    return Param(param.default, **schema)


def _names(given: str | list[str] | None) -> tuple[str, ...]:
    """Names from a list, or from a text with commas between them."""
    listed = given.split(",") if isinstance(given, str) else given or []
    return tuple(name.strip() for name in listed if name.strip())


def options(params: dict[str, Any], migration: declaration.Migration, dag_run: Any) -> Options:
    """The options of a run of the migration. A run of a backfill is of its data interval, any other of whole tables,
    whatever interval Airflow gives it, unless its params name a window. Raises `OptionsError` for what the form cannot
    check."""
    from include.trueup.run import Extra, Mode, Options, Window

    given = ("partitions", "segments", "write_rate", "approval", "plan", "plan_max_age", "overwrite_drift", *BUDGETS)
    values = {name: params[name] for name in given}
    values["extra"] = Extra(params["extra"])
    values["cascade_to"] = tuple(params.get("cascade_to") or ())
    values["params"] = {param.id: params[param.id] for param in migration.params}
    values["ignore_columns"] = _names(params["ignore_columns"])
    window = Window.parse(params["window_start"], params["window_end"])
    if dag_run.run_type == "backfill":
        values["snapshot_max_age"] = params["snapshot_max_age"]
    if window is None and dag_run.run_type in ("backfill", "scheduled"):
        window = Window(start=dag_run.data_interval_start, end=dag_run.data_interval_end)
    return Options(mode=Mode(params["mode"]), window=window, **of_range(params), **values)
