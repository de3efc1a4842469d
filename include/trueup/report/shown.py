"""What the report shows, as its templates take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..run import Answer, PlanRecord, Proof, Where
from ..run.reported import Decided, LeftAlone, OfCost, OfMigration, OfRun, OfSchemas, PublishedFile
from .checks_view import FindingsView, GateView


@dataclass(frozen=True, kw_only=True)
class FailedView:
    """Why a run failed; `error` is None where the headline has it whole."""

    step: str
    next: str
    error: str | None


@dataclass(frozen=True, kw_only=True)
class VerdictView:
    """Only `passed` is passed, and only where nothing in the report speaks against it: those are the `doubts`."""

    passed: bool
    exceptions: bool
    word: str
    headline: str
    next: str
    failed: FailedView | None
    doubts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PhaseView:
    """A phase's source rows (of all phases: their sum), and whether the four add up to them: by the sum, and by what was
    counted as left over."""

    phase: str = ""
    title: str = ""
    source_table: str = ""
    target_table: str = ""
    source_rows: int
    written: int
    kept: int
    rejected: int
    skipped: int
    rules: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, int] = field(default_factory=dict)
    off: str
    adds_up: bool
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CountsView:
    """The counts of all phases. `done`: what is to be written is written."""

    phases: tuple[PhaseView, ...]
    total: PhaseView
    done: bool


@dataclass(frozen=True, kw_only=True)
class TargetView:
    """What the plan wanted of a phase's target rows, and what was done; None where nothing was."""

    phase: str
    title: str
    target_table: str
    plan: Mapping[str, int]
    written: int | None = None
    conflicts: int | None = None
    retries: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class ExceptionsView:
    """The rows that were left alone: how many, and some of them."""

    total: int
    listed: tuple[LeftAlone, ...]


@dataclass(frozen=True, kw_only=True)
class TimingView:
    """A step with its place on the run's time line, in per cent."""

    step: str
    phase: str | None
    seconds: float | None
    tasks: int
    clock: str
    start: float | None
    width: float


@dataclass(frozen=True, kw_only=True)
class ArtifactsView:
    """The files of the run: how many, their bytes, those that are listed and how many are not."""

    count: int
    bytes: int
    listed: tuple[PublishedFile, ...]
    more: int


@dataclass(frozen=True, kw_only=True)
class ProvenView:
    """What the proofs came to, in words; whether any row is `wrong`, and how many were `left_alone`."""

    words: str
    wrong: bool
    left_alone: int


@dataclass(frozen=True, kw_only=True)
class SummaryView:
    """What a person who signs has to know, beside what the rest of the view says: tables, `where` (None: not noted), the
    `version` of the code, the proofs (None: there are none), and the share of rejected rows, in words."""

    from_tables: tuple[str, ...]
    to_tables: tuple[str, ...]
    where: Where | None
    version: str | None
    proven: ProvenView | None
    reject_share: str


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything that the report shows. `mode_words`, `options` and `checks`: in words; `seconds` from the run's start to its
    end; `this_plan`: whether the approved plan is the run's."""

    migration: OfMigration
    run: OfRun
    mode_words: str | None
    options: tuple[tuple[str, str], ...]
    seconds: float | None
    verdict: VerdictView
    figures: tuple[tuple[str, int], ...]
    plan: PlanRecord | None
    counts: CountsView
    targets: tuple[TargetView, ...]
    gates: tuple[GateView, ...]
    checks: str | None
    failed_checks: int
    proofs: tuple[Proof, ...]
    exceptions: ExceptionsView
    statements: tuple[Answer, ...]
    findings: tuple[FindingsView, ...]
    approval: Decided | None
    cost: OfCost | None
    this_plan: bool
    timings: tuple[TimingView, ...]
    artifacts: ArtifactsView
    undo: str
    schema: OfSchemas | None
    summary: SummaryView
