"""The runs of a migration, told one after the other: what each wrote, deleted and proved; rollbacks and cutovers as such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from include.trueup.ledger import Ledger, RunRow, Status, TurnRow

from . import evidence, state
from .progress import ENDED
from .scheduled import AskedRun

UNDID = "undone"
NOTHING = "nothing undone"
WRITES = ("add", "change", "remove")


@dataclass(frozen=True, kw_only=True)
class Past:
    """A run as a history tells it. `kind`: run, rollback or cutover; `over`: whether it has ended; `written` and `deleted`
    rows (None: not known apart); `planned` rows to write; `says`: what it is or came to, where its state does not say it."""

    id: str
    kind: str
    dag_id: str
    run_id: str | None
    state: str
    over: bool
    started_at: datetime | None
    ended_at: datetime | None
    triggered_by: str | None
    mode: str | None = None
    window: Mapping[str, JsonValue] | None = None
    undoes: str | None = None
    planned: int | None = None
    written: int | None = None
    deleted: int | None = None
    compared: int | None = None
    findings: Mapping[str, int] | None = None
    headline: str | None = None
    says: str | None = None


def run(book: Ledger, row: RunRow, asked: AskedRun | None, *, waits: bool) -> Past:
    """A run or a rollback: `row` as the ledger has it, `asked` as Airflow has it."""
    summary = evidence.summary(row.run_id, row.ended_at)
    plan, window = summary.plan, row.options.get("window")
    total = sum(phase.written for phase in book.applied(row.run_id).values())
    written, deleted = _apart(total, plan, summary.undone)
    now = state.of_run(row, asked, waiting=waits, exceptions=summary.exceptions)
    if row.undoes:
        now = _of_rollback(book, row, now)
    return Past(
        id=row.run_id,
        kind="rollback" if row.undoes else "run",
        dag_id=row.dag_id,
        run_id=asked.run_id if asked else None,
        state=now,
        over=asked is None or asked.state in ENDED,
        started_at=row.started_at,
        # in the ledger, a run that is rolled back ends then
        ended_at=asked.ended_at if asked else row.ended_at,
        triggered_by=row.triggered_by,
        mode=row.mode,
        window=window if isinstance(window, dict) else None,
        undoes=row.undoes,
        planned=None if plan is None else sum(plan.get(verb, 0) for verb in WRITES),
        written=written,
        deleted=deleted,
        compared=summary.proof["compared"] if summary.proof else None,
        findings=summary.findings,
        headline=summary.headline,
        says=_says(row, summary.undone),
    )


def cutover(dag_id: str, turn: TurnRow, asked: AskedRun | None) -> Past:
    """A turn of the switch."""
    return Past(
        id=turn.run_id,
        kind="cutover",
        dag_id=dag_id,
        run_id=asked.run_id if asked else None,
        state="turned",
        over=True,
        started_at=asked.started_at if asked else turn.at,
        ended_at=turn.at,
        triggered_by=turn.turned_by,
        says=f"{turn.from_state} → {turn.to_state}: {turn.why}",
    )


def _of_rollback(book: Ledger, row: RunRow, now: str) -> str:
    """A rollback proves nothing of the migration: its state says whether it undid the run."""
    status = Status(row.status)
    if status is Status.PROVEN:
        return UNDID
    if status in (Status.FAILED, Status.INTERRUPTED) and not book.began_to_write(row.run_id):
        return NOTHING
    return now


def _apart(
    total: int, plan: Mapping[str, int] | None, undone: Mapping[str, int] | None
) -> tuple[int | None, int | None]:
    """Rows written, and rows deleted, of `total` batches' rows; None where an unfinished run had both to do."""
    if undone is not None:
        return undone["put_back"], undone["deleted"]
    remove = 0 if plan is None else plan.get("remove", 0)
    others = 0 if plan is None else sum(plan.get(verb, 0) for verb in ("add", "change"))
    if not remove or not total:
        return total, 0
    if not others or total >= remove + others:
        return total - remove if others else 0, remove if others else total
    return None, None


def _says(row: RunRow, undone: Mapping[str, int] | None) -> str | None:
    if not row.undoes:
        return None
    if undone is None:
        return f"was to undo {row.undoes}"
    kept = f", {undone['kept']:,} left alone, changed since" if undone["kept"] else ""
    return f"undid {row.undoes}: {undone['deleted']:,} deleted, {undone['put_back']:,} put back{kept}"
