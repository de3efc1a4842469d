"""The rows of the ledger's tables, as whoever asks the ledger gets them. A null column is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from ..errors import StatusError
from .status import Status


@dataclass(frozen=True, kw_only=True)
class _Asked:
    options: Mapping[str, JsonValue]

    @property
    def mode(self) -> str:
        """The option `mode`."""
        return str(self.options["mode"])

    @property
    def partitions(self) -> int | None:
        """How many partitions the preflight chose; None before it has, and of schemas."""
        chosen = self.options.get("partitions")
        return chosen if isinstance(chosen, int) else None


@dataclass(frozen=True, kw_only=True)
class RunRow(_Asked):
    """A run. `options` are those it was asked with, and what its preflight chose, as JSON values."""

    run_id: str
    migration_id: str
    dag_id: str
    airflow_run_id: str | None
    triggered_by: str | None
    status: Status
    attempt: int
    plan_sha256: str | None
    plan_files_sha256: str | None
    planned_at: datetime | None
    asked_sha256: str | None
    undoes: str | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class PlanRow(_Asked):
    """A plan that a run had, at one of its attempts; `options` with what the preflight of that attempt chose."""

    run_id: str
    attempt: int
    plan_sha256: str
    plan_files_sha256: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """A part of a step, at its last try."""

    run_id: str
    step: str
    part: str
    attempt: int
    plan_sha256: str | None
    holder: str | None
    renewed_at: datetime | None
    tries: int
    started_at: datetime
    ended_at: datetime | None
    error: str | None
    error_class: str | None


@dataclass(frozen=True, kw_only=True)
class LeaseRow:
    """A lease on a target."""

    epoch: int
    target: str
    run_id: str
    holder: str | None
    waits: bool
    taken_at: datetime
    right_at: datetime | None
    expires_at: datetime
    ended_at: datetime | None
    ended_by: str | None


@dataclass(frozen=True, kw_only=True)
class ApprovalRow:
    """A decision on a plan of a run: approved, rejected or waived."""

    run_id: str
    plan_sha256: str
    decision: str
    decided_by: str | None
    decided_at: datetime
    comment: str | None


@dataclass(frozen=True, kw_only=True)
class TurnRow:
    """A turn of a migration's switch."""

    id: int
    migration_id: str
    at: datetime
    from_state: str
    to_state: str
    turned_by: str | None
    why: str
    run_id: str
    proof_run_id: str | None


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """A comparison. What it found is None until it has ended; `whole`: it looked at everything, not at a share; `sha256`: of
    the file in its run's folder that lists the differences."""

    run_id: str
    migration_id: str
    comparison_id: str
    begun_at: datetime
    ended_at: datetime | None
    compared: int | None
    differences: int | None
    whole: bool | None
    sha256: str | None


@dataclass(frozen=True, kw_only=True)
class CallsRow:
    """How often a client called a deprecated route (method and path), when first, and when last."""

    route: str
    client: str
    calls: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What is written of an output so far: batches, rows of the plan in them, and of these the rows `written`, left alone as
    `conflicts` and `refused` by the store; tries again; seconds between the first batch and the last."""

    batches: int
    rows: int
    written: int
    conflicts: int
    refused: int
    retries: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ConflictRow:
    """A row of an output that was left alone, since it was not as planned: it was `found` so (JSON; None: there was none)."""

    output: str
    key: str
    reason: str
    found: str | None


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row of an output that the store refused, by the `constraint` that is known to have done so, if one is."""

    output: str
    key: str
    reason: str
    constraint: str | None


def refuse_other(row: RunRow, dag_id: str, airflow_run_id: str | None) -> None:
    """Raise `StatusError` if the run's row is that of another run of Airflow than the one named."""
    theirs = row.airflow_run_id
    if row.dag_id != dag_id or (theirs is not None and airflow_run_id is not None and theirs != airflow_run_id):
        raise StatusError(
            f"run {row.run_id} in the ledger is Airflow's run {theirs!r} of the DAG {row.dag_id}, not "
            f"{airflow_run_id!r} of {dag_id}; it is left as it is: trigger the DAG again under another run id"
        )
