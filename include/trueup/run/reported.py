"""What `report.json` says, with its form in JSON. A part that a report does not have says nothing good: whoever reads one
of an older release, or of a run that ended early, finds the default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, JsonValue

from ..gate import GateResult
from .records import Answer, PlanRecord, Proof, to_values
from .reported_rows import FindingExample as FindingExample
from .reported_rows import FindingGroup as FindingGroup
from .reported_rows import LeftAlone as LeftAlone
from .where import ReportedStore as ReportedStore
from .where import Where

FORMAT = 1
_OF_ROWS = ("cost", "exceptions", "statements", "undone", "left")
"""Parts that a report on schemas does not have."""


@dataclass(frozen=True, kw_only=True)
class OfMigration:
    """The migration."""

    id: str = ""
    title: str = ""
    owner: str | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The `step` that ended a run, with what `error`, and what to do `next`."""

    step: str
    error: str
    next: str


@dataclass(frozen=True, kw_only=True)
class ReportedWindow:
    """The window of a run: from `start` up to, not including, `end` (ISO 8601)."""

    start: str
    end: str


@dataclass(frozen=True, kw_only=True)
class OfRun:
    """The run: what was asked, when it began and ended (ISO 8601, UTC), and how it ended."""

    id: str = ""
    dag_id: str = ""
    mode: str | None = None
    triggered_by: str | None = None
    undoes: str | None = None
    window: ReportedWindow | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    started_at: str | None = None
    ended_at: str | None = None
    status: str | None = None
    failed: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a run ended. `status`: passed or failed; `headline` and what to do `next`, a sentence each. `proof`: proven,
    proven_with_exceptions or not_proven (None: a report of the first release); `exceptions`: rows left alone, as others
    changed them; `moved_on`: rows that the plan did not mean to write, and that others changed meanwhile."""

    status: str = "failed"
    headline: str = ""
    next: str = ""
    proof: str | None = None
    exceptions: int = 0
    moved_on: int = 0


@dataclass(frozen=True, kw_only=True)
class OfOutput:
    """What was written of an output (`ledger.Applied`)."""

    output: Annotated[str, Field(alias="phase")]
    batches: int = 0
    rows: int = 0
    written: int = 0
    conflicts: int = 0
    refused: int = 0
    retries: int = 0
    seconds: float = 0


@dataclass(frozen=True, kw_only=True)
class Checks:
    """How many checks a run was put to, and how many held."""

    total: int
    passed: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Decided:
    """Who decided what on which plan, when (ISO 8601, UTC), and with what comment."""

    decision: str
    by: str | None
    at: str | None
    comment: str | None
    plan_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class OfCost:
    """What a run's transform costs (`costs.CostRecord`), and who approved that before it ran."""

    sha256: str
    paid: int
    figures: Mapping[str, int]
    words: Mapping[str, str]
    approval: Decided | None = None


@dataclass(frozen=True, kw_only=True)
class Timing:
    """A step: when its first part began (ISO 8601, UTC), seconds to the end of its last one (None: none has ended), and how
    many parts."""

    step: str
    phase: str | None
    started_at: str | None
    seconds: float | None
    tasks: int


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file of the run, below its folder."""

    path: str
    rows: int | None
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What a rollback did, in rows: `kept` are those that were touched since."""

    deleted: int
    put_back: int
    as_before: int
    kept: int


@dataclass(frozen=True, kw_only=True)
class Undo:
    """How to undo what the run did, in words."""

    how: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportedLint:
    """What the lint found in the SQL of a revision."""

    database: str
    revision: str
    way: str
    rule: str
    level: str
    line: int
    message: str
    excuse: str | None
    refused: bool


@dataclass(frozen=True, kw_only=True)
class ReportedStep:
    """A revision that a run on schemas was to go through, up or down (`way`); from its plan (None, or nothing: it had none)
    the `sql`, the `seconds` and the locks of its rehearsal, and what goes with it, `table x` or `column x.y`, in rows."""

    database: str
    phase: int
    revision: str
    title: str
    breaking: str | None
    locks: str | None
    irreversible: str | None
    way: str
    findings: tuple[ReportedLint, ...] = ()
    sql: str | None = None
    seconds: float | None = None
    locked: Mapping[str, str] = field(default_factory=dict)
    goes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ReportedRehearsal:
    """A rehearsal on a clone, as `schema.rehearse.Rehearsed` explains it; `covers`: the hash of what was rehearsed."""

    database: str
    cloned_by: str = ""
    steps: int = 0
    sample_rows: int = 0
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
    measured: tuple[Mapping[str, JsonValue], ...] = ()
    covers: str | None = None


@dataclass(frozen=True, kw_only=True)
class BackedUp:
    """The tables of a database that were backed up, with their rows."""

    database: str
    rows: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class OfSchemas:
    """What was to be done to schemas, what was found before it, and `where` the databases are. `target_phase` is None where the
    run ends at the revisions of `target_revision` (by database), which are no phase."""

    sha256: str | None = None
    target_phase: int | None
    target_revision: Mapping[str, str] = field(default_factory=dict)
    from_phase: int | None
    where: str
    steps: tuple[ReportedStep, ...] = ()
    rehearsals: tuple[ReportedRehearsal, ...] = ()
    going: tuple[str, ...] = ()
    backups: tuple[BackedUp, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report of a run on rows, or on schemas (`schema`). `environment`: what the installation is called (None: a report
    of an older release); `where` says it too, with the version of the code."""

    format: int = FORMAT
    environment: str | None = None
    stores: tuple[ReportedStore, ...] = ()
    migration: OfMigration = field(default_factory=OfMigration)
    run: OfRun = field(default_factory=OfRun)
    verdict: Verdict = field(default_factory=Verdict)
    plan: PlanRecord | None = None
    applied: tuple[OfOutput, ...] = ()
    gates: tuple[GateResult, ...] = ()
    checks: Checks | None = None
    proof: tuple[Proof, ...] = ()
    exceptions: tuple[LeftAlone, ...] = ()
    statements: tuple[Answer, ...] = ()
    findings: tuple[FindingGroup, ...] = ()
    approval: Decided | None = None
    cost: OfCost | None = None
    schema: OfSchemas | None = None
    timings: tuple[Timing, ...] = ()
    artifacts: tuple[PublishedFile, ...] = ()
    undone: Undone | None = None
    left: tuple[str, ...] = ()
    undo: Undo = field(default_factory=Undo)
    where: Where | None = None

    @property
    def plan_sha256(self) -> str | None:
        """The hash of the plan, of rows or of schemas."""
        if self.plan is not None:
            return self.plan.sha256
        return self.schema.sha256 if self.schema is not None else None


def report_to_json(report: Report) -> str:
    """A report as it is published."""
    values = to_values(report)
    of_run = to_values(report.run)
    if report.schema is not None:
        del of_run["undoes"]
    left_out = ("schema",) if report.schema is None else _OF_ROWS
    named = {name: value for name, value in values.items() if name not in left_out}
    return json.dumps({**named, "run": of_run}, indent=1)
