"""The task that says what a transform costs, and waits for a person before it is paid."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import place
from .approval import TAB, Approval, run_page

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.trueup.ledger import Part
    from include.trueup.run import CostRecord, Run
    from include.trueup.steps import Step

log = logging.getLogger(__name__)


class CostApproval(Approval):
    """Asks for the approval of what a run's transform costs, where the run asks, and there is something to pay for."""

    def __init__(self, *, step: Step, current: Callable[[], Any], **kwargs: Any) -> None:
        subject = "Approve the cost of {{ dag_run.dag_id }}, run {{ dag_run.run_id }}?"
        super().__init__(subject=subject, task_id=str(step.id), doc_md=step.title, **kwargs)
        self._step = step
        self._current = current

    _estimated: tuple[CostRecord, Part] | None = None

    def execute(self, context: Context) -> Any:
        """Estimate, and ask; not again about the same cost. In mode plan that is all that the run does."""
        from include.trueup.plan import cost
        from include.trueup.run import Mode, order

        run = self._current()
        order.enter(run, self._step.id)
        if run.options.mode is Mode.APPLY:
            run.ledger.leases.enter(run.id, run.held_targets, run.holder)
            with run.holding():
                record, by = cost.estimate(run)
        else:
            record, by = cost.estimate(run)
        log.info("%s", "; ".join(f"{name}: {words}" for name, words in record.words.items()))
        if run.options.mode is Mode.PLAN:
            return {"cost_sha256": record.sha256, "by": None}
        if cost.asks(run, record) and (before := cost.approved_already(run, record, by)) is not None:
            log.info("approved by %s, at %s", before.decided_by, before.decided_at)
            return {"cost_sha256": record.sha256, "by": before.decided_by}
        self._estimated = record, by
        return super().execute(context)

    def question(self, context: Context) -> str | None:
        """The cost in words."""
        from include.trueup.plan import cost

        run = self._current()
        assert self._estimated is not None, "this try has begun with it"
        record, by = self._estimated
        if not cost.asks(run, record):
            return None
        cost.wait(run, record, by)
        self.show(record.sha256)
        begun = run.files.begun
        where = place.in_words(begun.where if begun is not None else None)
        return where + question(run, record, f"{run_page(context)}/plugin/{TAB}")

    def approved(self, by: str | None, comment: str | None, shown: str | None) -> Any:
        """Enter the approval of the cost that was shown; its hash."""
        from include.trueup.plan import cost

        return {"cost_sha256": cost.approve(self._current(), by, comment, shown=shown), "by": by}

    def rejected(self, by: str | None, comment: str | None) -> None:
        """Enter the rejection. Raises `ApprovalError`."""
        from include.trueup.plan import cost

        cost.reject(self._current(), by, comment)


def question(run: Run, record: CostRecord, page: str) -> str:
    """A cost as the UI asks about it, as Markdown."""
    rows = "\n".join(f"| {name} | {words.replace('|', chr(92) + '|')} |" for name, words in record.words.items())
    return (
        f"Before there is a plan, this has to be computed:\n\n| | |\n| --- | --- |\n{rows}\n\nNothing is computed, and nothing "
        f"written, before it is approved; then the plan is made, and asks for itself. [The tab Migration of this run]({page}).\n\n"
        f"Cost `{record.sha256}`, estimated {record.created_at}; what you approve is exactly this, and it may be approved for "
        f"{run.options.plan_max_age:g} hours."
    )
