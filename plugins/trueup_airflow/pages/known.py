"""A run as ledger and Airflow know it together, and the order in which a migration's runs count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from include.trueup.ledger import Ledger, RunRow, Status
from include.trueup.ledger.latest import last_at, might_write_until
from include.trueup.steps import Mode

from . import evidence
from .scheduled import AskedRun

ENDED = frozenset({"success", "failed"})
"""States of a run of Airflow that is over."""
_SETTLED = frozenset({Status.PROVEN, Status.ROLLED_BACK})
_FAILED = frozenset({Status.FAILED, Status.INTERRUPTED})


@dataclass(frozen=True, kw_only=True)
class Window:
    """From `start` (inclusive) to `end` (exclusive), ISO 8601."""

    start: str
    end: str

    @property
    def words(self) -> str:
        """From when to when, in UTC: in days where it is of whole ones."""
        bounds = [datetime.fromisoformat(bound).astimezone(UTC) for bound in (self.start, self.end)]
        if all(bound.time() == time() for bound in bounds):
            return " to ".join(bound.date().isoformat() for bound in bounds)
        return " to ".join(bound.isoformat(sep=" ").removesuffix("+00:00") for bound in bounds) + " UTC"


@dataclass(frozen=True, kw_only=True)
class Entered:
    """A run as the ledger has it; `schemas`: it is one of schemas, which has no rows."""

    id: str
    migration_id: str
    dag_id: str
    airflow_run_id: str | None
    triggered_by: str | None
    status: Status
    mode: str
    window: Window | None
    approval: bool
    write_rate: float | None
    plan_sha256: str | None
    planned_at: datetime | None
    undoes: str | None
    started_at: datetime
    ended_at: datetime | None
    schemas: bool = False

    @property
    def writes(self) -> bool:
        """Whether it was asked to write."""
        return self.mode == Mode.APPLY


def entered(row: RunRow) -> Entered:
    """The ledger's row of a run."""
    window, rate = row.options.get("window"), row.options.get("write_rate")
    return Entered(
        id=row.run_id,
        migration_id=row.migration_id,
        dag_id=row.dag_id,
        airflow_run_id=row.airflow_run_id,
        triggered_by=row.triggered_by,
        status=row.status,
        mode=row.mode,
        window=Window(start=str(window["start"]), end=str(window["end"])) if isinstance(window, Mapping) else None,
        approval=bool(row.options.get("approval")),
        write_rate=float(rate) if isinstance(rate, int | float) else None,
        plan_sha256=row.plan_sha256,
        planned_at=row.planned_at,
        undoes=row.undoes,
        started_at=row.started_at,
        ended_at=row.ended_at,
        schemas="target_phase" in row.options,
    )


@dataclass(frozen=True, kw_only=True)
class Known:
    """A run: `entered` in the ledger (None: it has not reached it), `asked` as Airflow has it (None: it has it no more, or
    never had it); `waits` for a person; `holds` a target; `wrote` rows; `refuted`: it compared the rows and found some that are
    not as they should be; `exceptions`: rows that it left alone."""

    entered: Entered | None
    asked: AskedRun | None
    waits: bool = False
    holds: bool = False
    wrote: bool = False
    refuted: bool = False
    exceptions: int = 0

    @property
    def id(self) -> str:
        """Its id in the ledger."""
        return self.entered.id if self.entered else self.asked.id if self.asked else ""

    @property
    def dag_id(self) -> str:
        """The DAG that it is a run of."""
        return self.asked.dag_id if self.asked else self.entered.dag_id if self.entered else ""

    @property
    def over(self) -> bool:
        """Whether it has ended: what Airflow knows to be over is not running, whatever the ledger last heard."""
        if self.asked is not None:
            return self.asked.state in ENDED
        return not self.holds or self.entered is None or self.entered.status is not Status.RUNNING

    @property
    def kind(self) -> str:
        """run, rollback or cutover."""
        tail = next((c for c in ("rollback", "cutover") if self.dag_id.endswith(f"_{c}")), "run")
        return "rollback" if self.entered and self.entered.undoes else tail


def runs(
    book: Ledger,
    migration_id: str,
    rows: Sequence[Entered],
    asked: Mapping[str, AskedRun],
    waiting: Iterable[tuple[str, str]],
    holding: Iterable[str] = (),
    most: int | None = None,
) -> list[Known]:
    """The runs of the migration, the last that began, planned or might write first, as the switch has them: `rows` of the
    ledger (all that it has), and those of Airflow that have not come as far. With `most`, of the older rows only those that
    Airflow was asked about or that hold a target, and where no other says what is in the tables, the last that does.
    `holding`: the runs that hold a target."""
    entered_ids, until = {row.id for row in rows}, might_write_until(book, migration_id)

    def last_of(row: Entered) -> datetime:
        return last_at(row.started_at, row.planned_at, until.get(row.id))

    waits, holds, wrote = set(waiting), set(holding), book.writers(row.id for row in rows if row.writes)
    rows = sorted(rows, key=last_of, reverse=True)
    shown, older = rows[:most], rows[len(rows[:most]) :]
    if not any(row.status in _SETTLED or row.id in wrote for row in shown):
        shown += [row for row in older if row.status in _SETTLED or row.id in wrote][:1]
    known_ids = {row.id for row in shown}
    rows = [*shown, *(row for row in older if row.id not in known_ids and (row.id in asked or row.id in holds))]

    def of(row: Entered | None, run: AskedRun | None) -> Known:
        waiting = run is not None and (run.dag_id, run.run_id) in waits
        if row is None:
            return Known(entered=None, asked=run, waits=waiting)
        beside = {"waits": waiting, "holds": row.id in holds, "wrote": row.id in wrote}
        if row.status is Status.PROVEN:
            return Known(entered=row, asked=run, **beside, exceptions=evidence.exceptions(row.id, row.ended_at))
        refuted = row.undoes is None and row.status in _FAILED and _refuted(row)
        return Known(entered=row, asked=run, **beside, refuted=refuted)

    unentered = [of(None, run) for id, run in asked.items() if id not in entered_ids]

    def last(run: Known) -> datetime:
        if run.entered is not None:
            return last_of(run.entered)
        began = run.asked.started_at if run.asked else None
        return began or datetime.max.replace(tzinfo=UTC)  # it is still to begin

    return sorted([*unentered, *(of(row, asked.get(row.id)) for row in rows)], key=last, reverse=True)


def _refuted(row: Entered) -> bool:
    """Whether a run compared the rows of the target and found some that are not as they should be."""
    proof = evidence.summary(row.id, row.ended_at).proof if row.ended_at else None
    return proof is not None and any(proof[kind] for kind in ("missing", "different", "unverified"))
