"""What a run was asked to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import JsonValue

from ..errors import OptionsError
from ..steps import Mode

MAX_PARTS = 256
"""Upper bound of partitions and of segments: each is a mapped task in Airflow."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Extra(StrEnum):
    """What happens to target rows that earlier runs added and that the source no longer gives."""

    REPORT = "report"
    REMOVE = "remove"


@dataclass(frozen=True, kw_only=True)
class Window:
    """From `start` (inclusive) to `end` (exclusive), both with a time zone. Raises `OptionsError` if they are not so."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise OptionsError("window_start and window_end need a time zone, such as 2025-01-31T00:00:00Z")
        if self.start >= self.end:
            raise OptionsError(f"the window is empty: it starts at {self.start} and ends at {self.end}")

    @classmethod
    def parse(cls, start: str | None, end: str | None) -> Window | None:
        """From two ISO 8601 texts; both or neither. A date without a time is its midnight, UTC."""
        if not start and not end:
            return None
        if not start or not end:
            raise OptionsError("give both window_start and window_end, or neither")
        try:
            instants = [datetime.fromisoformat(t if "T" in t else f"{t}T00:00:00+00:00") for t in (start, end)]
        except ValueError as error:
            raise OptionsError(f"window_start and window_end must be ISO 8601: {error}") from None
        return cls(start=instants[0], end=instants[1])

    def holds(self, other: Window) -> bool:
        """Whether the other lies within this one."""
        return self.start <= other.start and other.end <= self.end

    def to_json(self) -> dict[str, str]:
        """As JSON values."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run was asked to do.

    `partitions` (units of planning and applying) and `segments` (units of reading) are 1 … 256, or None to be chosen
    from the tables' size. `write_rate`: rows a second over the whole run, or None for as fast as the store takes them.
    Budgets, of which a plan that is over any fails its gate; shares are 0 … 1. `max_rejects` (rows) and
    `max_reject_share`: source rows that are rejected. `max_remove_share`: of the target rows that earlier runs added,
    those that are to be removed. `max_skip_share`: of a phase's source rows in the window, those that a rule skips which
    the phase does not expect (`Phase.expected_skips`). `max_left_alone` (rows): those that somebody else changed and that
    are left alone (drift at the plan, conflicts when it is applied); None: none in a run, any number in a rollback.
    `allow_lost_baseline`: a plan for which it is not known what earlier runs wrote passes anyway, and what others
    changed since is overwritten. `max_critical`: how many critical expectations may fail. `approval`: a person must approve the plan before
    anything is written. `plan_max_age`: hours after which a plan can no longer be approved or started to be applied.
    `overwrite_drift`: target rows that somebody else changed since a run wrote them are overwritten, not left alone.
    `extra`: what becomes of target rows that earlier runs added and that the source no longer gives: they are
    reported, or removed.
    `cascade_to`: foreign keys (`schema.table.constraint`) by which rows that refer to a removed row
    may be deleted or emptied with it (ON DELETE CASCADE, SET NULL, SET DEFAULT), or emptied as what they refer to changes.
    `snapshot_max_age`: hours for which runs with a window, if they say the same, may share
    one snapshot of the sources; 0: each reads for itself. `params`: what was chosen of `Migration.params`, by id.
    `ignore_columns`: undeclared columns of sources to leave out, each as `table.column`.
    `plan`: the hash of a plan that was seen before; the run makes its plan again, and a different one fails its gate.
    `range`: the days that a backfill is of, this run's window among them. `range_approval`: one person's approval is for all
    days of it that are planned: each plans again at its turn, and goes on unasked under the hash that was listed.
    `range_budget`: the budget for rejects is over all days of it that are planned, not over each alone.
    Raises `OptionsError` for values out of bounds.
    """

    mode: Mode = Mode.APPLY
    partitions: int | None = None
    segments: int | None = None
    write_rate: float | None = None
    window: Window | None = None
    max_rejects: int | None = None
    max_reject_share: float = 0.05
    max_remove_share: float = 0.05
    max_skip_share: float = 0.05
    max_left_alone: int | None = None
    allow_lost_baseline: bool = False
    max_critical: int = 0
    approval: bool = False
    plan_max_age: float = 24
    overwrite_drift: bool = False
    extra: Extra = Extra.REPORT
    cascade_to: tuple[str, ...] = ()
    snapshot_max_age: float = 0
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    ignore_columns: tuple[str, ...] = ()
    plan: str | None = None
    range: Window | None = None
    range_approval: bool = False
    range_budget: bool = False

    def __post_init__(self) -> None:
        self._check_range()
        if self.plan is not None and not _SHA256.fullmatch(self.plan):
            raise OptionsError(
                f"plan is {self.plan!r}; it must be the hash of a plan (64 hexadecimal digits), as the page of its run names it"
            )
        for name in ("partitions", "segments"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_PARTS:
                raise OptionsError(f"{name} is {value}; it must be between 1 and {MAX_PARTS}")
        if self.write_rate is not None and self.write_rate <= 0:
            raise OptionsError(f"write_rate is {self.write_rate}; it must be above 0, or left out for no limit")
        if self.plan_max_age <= 0:
            raise OptionsError(f"plan_max_age is {self.plan_max_age} hours; it must be above 0")
        for name in ("max_reject_share", "max_remove_share", "max_skip_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionsError(f"{name} is {getattr(self, name)}; it must be between 0 and 1")
        for name in ("max_rejects", "max_left_alone", "max_critical"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise OptionsError(f"{name} is {value}; it may not be negative")

    def _check_range(self) -> None:
        if self.range is None:
            if self.range_approval or self.range_budget:
                raise OptionsError("range_approval and range_budget are of a range: give range_start and range_end")
            return
        if self.window is None or not self.range.holds(self.window):
            window = f"from {self.window.start} to {self.window.end}" if self.window else "whole tables"
            raise OptionsError(
                f"the run is of {window}, which is not a day of the range from {self.range.start} to "
                f"{self.range.end}: a range is for the runs of a backfill within it"
            )

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON values."""
        windows = {name: (window := getattr(self, name)) and window.to_json() for name in ("window", "range")}
        return {**asdict(self), "mode": str(self.mode), "extra": str(self.extra), **windows}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Options:
        """The opposite of `to_json`."""
        windows = {name: values.get(name) for name in ("window", "range")}
        windows = {name: window and Window.parse(window["start"], window["end"]) for name, window in windows.items()}
        extra = Extra(values.get("extra", Extra.REPORT))  # runs that are older than the option have none
        converted = {"mode": Mode(values["mode"]), "extra": extra, **windows}
        names = {name: tuple(values.get(name, ())) for name in ("cascade_to", "ignore_columns")}
        return cls(**{**values, **converted, **names})


@dataclass(frozen=True, kw_only=True)
class SchemaOptions:
    """What a run was asked to do: to go to `target_phase`, or each database to its revision in `target_revision` (those that it
    does not name stay where they are); one of the two. `approval`: a person must approve the plan before anything is changed.
    `approve_down`: where nobody is asked, the hash of the plan that may go down, as a refused run named it. `plan_max_age`:
    hours after which a plan can no longer be approved or started. `realign`: databases that are not at one phase are brought to
    the target each on its own way, and may end at revisions that are no phase. Raises `OptionsError`."""

    target_phase: int | None = None
    mode: Mode = Mode.APPLY
    approval: bool = False
    approve_down: str | None = None
    plan_max_age: float = 24
    realign: bool = False
    target_revision: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode is Mode.VERIFY:
            raise OptionsError("a schema migration has the modes plan and apply")
        if (self.target_phase is None) == (not self.target_revision):
            what = "one of them" if self.target_phase is None else f"not both (target_phase is {self.target_phase})"
            raise OptionsError(f"give target_phase or target_revision, {what}")
        if self.target_phase is not None and self.target_phase < 0:
            raise OptionsError(f"target_phase is {self.target_phase}; the first phase is 0")
        if self.plan_max_age <= 0:
            raise OptionsError(f"plan_max_age is {self.plan_max_age} hours; it must be above 0")
        named: object = self.approve_down  # the form, or whoever calls, may give anything
        if named is not None and not (isinstance(named, str) and _SHA256.fullmatch(named)):
            raise OptionsError(
                f"approve_down is {named!r}; it must be the hash of the plan (64 hexadecimal digits) that a run which was "
                "refused, or one in mode plan, named: what goes has to be seen before it is approved"
            )

    @classmethod
    def parse_revisions(cls, given: str | None) -> dict[str, str]:
        """From `auth=…, specs=…`, by database. Raises `OptionsError`."""
        revisions: dict[str, str] = {}
        for each in re.split(r"[\s,;]+", (given or "").strip()):
            database, equals, revision = each.partition("=")
            if each and not (database and equals and revision and revisions.setdefault(database, revision) == revision):
                raise OptionsError(
                    f"target_revision is {given!r}; it must name a revision for a database, once each: auth=…, specs=…"
                )
        return revisions

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON values."""
        return {**asdict(self), "target_revision": {**self.target_revision}, "mode": str(self.mode)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SchemaOptions:
        """The opposite of `to_json`; of a run of the first release, whose `approve_down` named no plan, too."""
        named = values.get("approve_down")
        return cls(
            **{**values, "mode": Mode(values["mode"]), "approve_down": None if isinstance(named, bool) else named}
        )
