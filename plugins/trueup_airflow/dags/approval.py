"""The task that waits for a person: Airflow's own approval, with the decision entered in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from . import place

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.trueup.run import AnyRun, PlanRecord, RangeRecord, Run
    from include.trueup.steps import Step

log = logging.getLogger(__name__)
Question = Callable[[Any, Any, str], str]
"""From the run, its plan and the address of its page, what a person is asked, as Markdown."""
TAB = "migration"
"""The route of the tab that a run's page has for it."""

COMMENT = Param(
    None,
    type=["null", "string"],
    maxLength=2000,
    title="Comment",
    description="Why, for whoever reads the report. Optional.",
)

RANGE = "range_sha256"
"""The field of the form that says which days were listed."""
SHOWN = "plan_sha256"
"""The field of the form that says what was shown."""


class Approval(ApprovalOperator):
    """Waits in the UI until somebody approves or rejects; a rejection fails the task. What is asked for, and whether it
    is at all, is for the subclass."""

    def __init__(self, *, subject: str, **kwargs: Any) -> None:
        # Airflow's defaults have put the DAG's params into kwargs: they are not fields of this form
        super().__init__(**{**kwargs, "subject": subject, "fail_on_reject": True, "params": {"comment": COMMENT}})

    answer: Mapping[str, Any] | None = None
    """The fields of the form as somebody filled them in; None before that, and where nobody was asked."""

    def question(self, context: Context) -> str | None:
        """What is to be decided, as Markdown; None if nobody is to be asked, and the task ends well at once."""
        raise NotImplementedError

    def approved(self, by: str | None, comment: str | None, shown: str | None) -> Any:
        """Enter the approval of what was `shown` (`show`; None: the answer does not say); what the task returns."""
        raise NotImplementedError

    def show(self, sha256: str) -> None:
        """Make the hash of what is asked about a part of the question, and so of its answer."""
        self.params[SHOWN] = Param(
            sha256, enum=[sha256], title="Plan", description="The plan that you decide on, by its hash."
        )

    def rejected(self, by: str | None, comment: str | None) -> None:
        """Enter the rejection and raise it."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Ask, and wait for the answer."""
        self.body = self.question(context)
        if self.body is None:
            return self.approved(triggered_by(context), None, None)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:  # noqa: ARG002  as Airflow calls it
        """Take the answer. Its comment may come from the API, which checks nothing, so it is cut to its length."""
        if "error" in event:
            self.process_trigger_event_error(event)
        self.validate_chosen_options(event["chosen_options"])
        by = kept((event.get("responded_by_user") or {}).get("name"))
        self.answer = answer = event.get("params_input") or {}
        given, shown = answer.get("comment"), answer.get(SHOWN)
        comment = kept(given)
        if event["chosen_options"] == [self.REJECT]:
            self.rejected(by, comment)
        log.info("approved by %s", by)
        return self.approved(by, comment, None if shown is None else str(shown))


class PlanApproval(Approval):
    """Asks for the approval of a run's plan, where the run needs one. `question` puts the plan into words."""

    def __init__(self, *, step: Step, current: Callable[[], Any], question: Question, **kwargs: Any) -> None:
        subject = "Approve the plan of {{ dag_run.dag_id }}, run {{ dag_run.run_id }}?"
        super().__init__(subject=subject, task_id=str(step.id), doc_md=step.title, **kwargs)
        self._step = step
        self._current = current
        self._question = question

    def execute(self, context: Context) -> Any:
        """Ask, in mode apply; not again about a plan that was approved before and is made again as it was. In mode plan
        there is a plan, and nobody is asked."""
        from include.trueup.run import Mode
        from include.trueup.write.approval import approved_already, plans_of

        run = self._current()
        if not self._step.skipped(run.options.mode):
            self._begin(run)
        if run.options.mode is Mode.PLAN:
            raise AirflowSkipException("mode plan: nothing is written, so there is nothing to approve")
        if run.options.mode is Mode.VERIFY:
            return None
        if self.with_range(run):
            from include.trueup.write.approval import approved_with_range

            if (with_it := approved_with_range(run)) is not None:
                log.info(
                    "approved by %s with the range, at %s (run %s)",
                    with_it.decided_by,
                    with_it.decided_at,
                    with_it.run_id,
                )
                return {"plan_sha256": with_it.plan_sha256, "by": with_it.decided_by}
        if plans_of(run).asks(run) and (before := approved_already(run)) is not None:
            log.info("approved by %s, at %s", before.decided_by, before.decided_at)
            return {"plan_sha256": before.plan_sha256, "by": before.decided_by}
        return super().execute(context)

    def _begin(self, run: AnyRun) -> None:
        """Before anything else: whether the run may take this step at all, and has its place while it waits; one that failed
        has given that up. Then there is a plan."""
        from include.trueup.run import Mode, order
        from include.trueup.write.approval import plans_of

        order.enter(run, self._step.id)
        if run.options.mode is Mode.APPLY:
            run.ledger.leases.enter(run.id, run.held_targets, run.holder)
        plans_of(run).make(run)

    def question(self, context: Context) -> str | None:
        """The plan in words."""
        from include.trueup.write.approval import ask, plans_of

        run = self._current()
        if not plans_of(run).asks(run):
            return None
        plan = ask(run)
        self.show(plan.sha256)
        begun = run.files.begun
        where = place.in_words(begun.where if begun is not None else None)
        if self.with_range(run):
            from include.trueup.run import ranges

            record = ranges.write(run)
            listed = ranges.sha256(record)
            self.params[RANGE] = Param(
                listed, enum=[listed], title="Range", description="The list of days, by its hash."
            )
            return where + of_range(record) + self._question(run, plan, f"{run_page(context)}/plugin/{TAB}")
        return where + self._question(run, plan, f"{run_page(context)}/plugin/{TAB}")

    def approved(self, by: str | None, comment: str | None, shown: str | None) -> Any:
        """Enter the approval of the plan that was shown; its hash."""
        from include.trueup.write.approval import approve, approve_others, range_shown

        run = self._current()
        record = None
        if self.answer is not None and self.with_range(run):
            record = range_shown(run, self.answer.get(RANGE))
        sha256 = approve(run, by, comment, shown_sha256=shown)
        if record is not None:
            log.info("%s other days of the range are approved", approve_others(run, record, by, comment))
        return {"plan_sha256": sha256, "by": by}

    def with_range(self, run: Any) -> bool:
        """Whether one approval is for all days of a range."""
        from include.trueup.write.approval import plans_of

        return bool(plans_of(run).asks(run) and getattr(run.options, "range_approval", False))

    def rejected(self, by: str | None, comment: str | None) -> None:
        """Enter the rejection. Raises `ApprovalError`."""
        from include.trueup.write.approval import reject

        reject(self._current(), by, comment)


def question(run: Run, plan: PlanRecord, page: str) -> str:
    """A plan of rows as the UI asks about it, in numbers, as Markdown."""
    verbs = list(dict.fromkeys(verb for phase in plan.phases for verb in phase.rows))
    head = ["phase", "target", *verbs, "rejected"]
    rows = [
        [p.title, p.target_table, *(f"{p.rows.get(v, 0):,}" for v in verbs), f"{p.rejected:,}"] for p in plan.phases
    ]
    lines = [head, ["---", "---", *["--:"] * (len(verbs) + 1)], *rows]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    figures = [f"{name}: {value:,}" for p in plan.phases for name, value in p.figures.items()]
    beside = f"\n\n{'; '.join(figures)}" if figures else ""
    undoes = f"{taken_back(plan)}It undoes run `{run.undoes}`.\n\n" if run.undoes else removed(plan)
    return undoes + (
        f"{table}{beside}\n\nExample rows, gates and findings: [the tab Migration of this run]({page}).\n\n"
        f"Plan `{plan.sha256[:12]}`, made {plan.created_at}; what you approve is exactly this plan, "
        f"and it may be approved for {run.options.plan_max_age:g} hours."
    )


def of_range(record: RangeRecord) -> str:
    """The days of a range as the UI asks about them, as Markdown."""
    lines = ["| day | add | change | remove | rejected | plan |", "| --- | --: | --: | --: | --: | --- |"]
    for day in record.days:
        counts = [sum(p.rows.get(verb, 0) for p in day.phases) for verb in ("add", "change", "remove")]
        figures = [*counts, sum(p.rejected for p in day.phases)]
        cells = " | ".join(f"{n:,}" for n in figures) if day.phases else "? | ? | ? | ?"
        lines.append(f"| {day.start[:10]} | {cells} | `{day.sha256[:12]}` |")
    return (
        f"**One approval for {len(record.days)} {'day' if len(record.days) == 1 else 'days'}**, from {record.start[:10]} to "
        f"{record.end[:10]} (exclusive), as they are planned now. Each plans again at its turn, and goes on unasked only under the "
        "hash that is listed; a day whose plan is another by then, or that is not listed, asks again.\n\n"
        + "\n".join(lines)
        + "\n\nThe plan of this day:\n\n"
    )


def removed(plan: PlanRecord) -> str:
    """What a plan deletes in all, as Markdown; nothing where it deletes nothing."""
    total = sum(p.rows.get("remove", 0) for p in plan.phases)
    return f"**{total:,} {_rows(total)} will be deleted.**\n\n" if total else ""


def taken_back(plan: PlanRecord) -> str:
    """What a rollback's plan does in all, as Markdown: deletions first, in bold."""
    total = {verb: sum(p.rows.get(verb, 0) for p in plan.phases) for verb in ("remove", "add", "change", "drift")}
    parts = [f"**{total['remove']:,} {_rows(total['remove'])} will be deleted**"]
    if back := total["add"] + total["change"]:
        parts.append(f"{back:,} {_rows(back)} put back as they were")
    if total["drift"]:
        parts.append(f"{total['drift']:,} {_rows(total['drift'])} left alone, since somebody changed them")
    return ", ".join(parts) + ".\n\n"


def _rows(number: int) -> str:
    return "row" if number == 1 else "rows"


def kept(given: object) -> str | None:
    """What somebody wrote, as the ledger can keep it: at most 2,000 characters, none that PostgreSQL has no text for; None for
    nothing."""
    text = "" if given is None else str(given).replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode(errors="replace").decode()[:2000].strip() or None


def run_page(context: Context) -> str:
    """The address of the run's page in Airflow's UI, on the same server."""
    from urllib.parse import quote

    dag_run = context["dag_run"]
    return f"/dags/{quote(dag_run.dag_id, safe='')}/runs/{quote(dag_run.run_id, safe='')}"


def triggered_by(context: Context) -> str | None:
    """Who started the run, if Airflow knows."""
    return getattr(context["dag_run"], "triggering_user_name", None)
