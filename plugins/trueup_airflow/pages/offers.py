"""What may be done next with a run, and by whom: only what is allowed for whoever looks, and makes sense for this run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from pydantic import JsonValue

from include.trueup.ledger import Ledger, Status, SwitchState
from include.trueup.ledger.latest import last_written_first
from include.trueup.steps import Mode

from .known import Entered, Known, entered
from .progress import Step
from .rights import may, may_clear
from .scheduled import AskedRun

ROLLBACK, CUTOVER = "_rollback", "_cutover"
_JUDGED = ("GateError", "ApprovalError", "OptionsError", "StatusError", "ProofError")
"""Errors that the same step ends with again, however often it is done again."""
_LAST = ("report", "verdict")
"""Steps that fail because another did."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form to be opened filled: of which DAG, with what values."""

    dag_id: str
    conf: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Something to be done: run, verify, apply, retry, roll_back or cut_over. Either a form to open, or tasks (`task_id`, or
    `task_id` and part) to have done again with all that comes after them."""

    kind: str
    title: str
    form: Form | None = None
    clears: tuple[str | tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Offers:
    """What is offered, the most likely first; `withheld`: why what one may look for is not, in words."""

    offers: tuple[Offer, ...] = ()
    withheld: tuple[str, ...] = ()


def of_run(
    book: Ledger | None,
    asked: AskedRun,
    row: Entered | None,
    steps: Sequence[Step],
    companions: Sequence[str],
    user: BaseUser,
) -> Offers:
    """What may be done with a run that is over; nothing with any other."""
    if asked.state not in ("success", "failed") or book is None:
        return Offers()
    offers: list[Offer] = []
    withheld: list[str] = []

    def tell(what: Offer | str) -> None:
        if isinstance(what, Offer):
            offers.append(what)
        elif what:
            withheld.append(what)

    if asked.state == "failed" and may_clear(user, asked.dag_id):
        tell(_retry(book, row, steps))
    if row is not None and row.undoes is None and row.dag_id == row.migration_id:
        if (apply := _apply(row, asked)) is not None and may(user, "POST", asked.dag_id):
            offers.append(apply)
        if ROLLBACK in companions and may(user, "POST", asked.dag_id + ROLLBACK):
            tell(_roll_back(book, asked, row))
    return Offers(offers=tuple(offers), withheld=tuple(withheld))


def _apply(row: Entered, asked: AskedRun) -> Offer | None:
    """A run that only planned, and whose plan passed: the same options, and this plan alone. A run of schemas is bound to its
    plan by the approval; the days of a range are applied from the page of backfills."""
    if row.mode != Mode.PLAN or row.status is not Status.PLANNED:
        return None
    conf = {name: given for name, given in asked.conf.items() if not name.startswith("range_")}
    conf |= {"mode": str(Mode.APPLY)}
    if row.schemas or row.plan_sha256 is None:  # it ended with what its transform costs
        return Offer(kind="run", title="Run in mode apply …", form=Form(dag_id=asked.dag_id, conf=conf))
    conf |= {"plan": row.plan_sha256}
    if row.window is not None:
        conf |= {"window_start": row.window.start, "window_end": row.window.end}
    return Offer(kind="apply", title="Apply this plan …", form=Form(dag_id=asked.dag_id, conf=conf))


def _retry(book: Ledger, row: Entered | None, steps: Sequence[Step]) -> Offer | str:
    """The failed tasks, done again; or why not (empty: it needs no words)."""
    failed = [step for step in steps if step.state == "failed" and step.name not in _LAST]
    if not failed or (row is not None and row.status not in (Status.FAILED, Status.INTERRUPTED, Status.RUNNING)):
        return ""
    if any(step.error_class in _JUDGED for step in failed):
        return "Trying again ends the same way: trigger a new run when what it says is fixed."
    if row is not None:
        if (newer := book.leases.newer_writer(row.id)) is not None:
            return f"It cannot go on: run {newer} has written to its targets since. Trigger a new run."
        if row.status is Status.INTERRUPTED:
            return "It cannot go on: another run took over its targets. Trigger a new run."
    clears: list[str | tuple[str, int]] = []
    for step in failed:
        clears += [step.task_id if part < 0 else (step.task_id, part) for part in step.failed]
    return Offer(kind="retry", title="Retry the failed step", clears=tuple(clears))


def _roll_back(book: Ledger, asked: AskedRun, row: Entered) -> Offer | str:
    """The rollback of this very run; or why not (empty: there is nothing to undo, which needs no words)."""
    if row.status is Status.ROLLED_BACK or not row.writes or not book.written_ever(row.id):
        return ""
    if book.switches.state(row.migration_id) is SwitchState.NEW:
        return "It cannot be rolled back while the switch is at the new shape: cut back first."
    if (later := _built_on_it(book, row)) is not None:
        return f"Run {later.airflow_run_id or later.id} built on it: roll that one back first."
    form = Form(dag_id=asked.dag_id + ROLLBACK, conf={"run": asked.run_id})
    return Offer(kind="roll_back", title="Roll back this run …", form=form)


def _built_on_it(book: Ledger, row: Entered) -> Entered | None:
    """A run that wrote after it, and is not undone."""
    for later in map(entered, last_written_first(book, row.migration_id)):
        if later.id == row.id:
            return None
        if (
            later.undoes is None
            and later.writes
            and later.status is not Status.ROLLED_BACK
            and book.written_ever(later.id)
        ):
            return later
    return None


def of_migration(
    book: Ledger | None,
    migration_id: str,
    state: str,
    last: Known | None,
    companions: Sequence[str],
    switch: SwitchState,
    user: BaseUser,
) -> Offers:
    """What may be done with a migration of which this is the case."""
    busy = last is not None and not last.over
    offers = []
    if may(user, "POST", migration_id) and not busy:
        first = state == "never run"
        conf = {"mode": str(Mode.PLAN)} if first else {}
        offers.append(
            Offer(kind="run", title="Plan …" if first else "Run …", form=Form(dag_id=migration_id, conf=conf))
        )
    turns = switch is not SwitchState.NEW and state == "proven"
    if turns and CUTOVER in companions and may(user, "POST", migration_id + CUTOVER):
        offers.append(Offer(kind="cut_over", title="Cut over …", form=Form(dag_id=migration_id + CUTOVER)))
    wrote = last is not None and last.kind == "run" and last.wrote and last.over and last.asked is not None
    if (
        wrote
        and ROLLBACK in companions
        and switch is not SwitchState.NEW
        and may(user, "POST", migration_id + ROLLBACK)
    ):
        assert last is not None and last.asked is not None  # noqa: PT018  # or it did not write
        form = Form(dag_id=migration_id + ROLLBACK, conf={"run": last.asked.run_id})
        row = last.entered
        over = row is not None and book is not None and (row.status is Status.ROLLED_BACK or _built_on_it(book, row))
        offers += [] if over else [Offer(kind="roll_back", title="Roll back …", form=form)]
    return Offers(offers=tuple(offers))
