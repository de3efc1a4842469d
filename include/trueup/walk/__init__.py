"""The steps of a run, carried out: one part of one, as a task of Airflow does, or the whole run in this process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import to_jsonable_python

from ..errors import MemoryLimitError
from ..ledger import GoneOnError
from ..rows import duck
from ..run import AnyRun, Mode, Run, order
from ..run.reported import Verdict
from ..steps import Step, function

log = logging.getLogger(__name__)


def carry_out(step: Step, run: AnyRun, part: int | str) -> Any:
    """Do a part of the step, if the run may still do it (`order.enter`); what it gives, as JSON values. In mode apply the run's
    hold on its targets is taken or renewed all the while, so that no other run writes between this one's plan and its last
    proof; steps that write do so themselves. Raises `TargetHeldError` once another run has them.

    A step that runs out of memory, over rows of megabytes, is done again with half of what the machine has
    left: every step may be done again."""
    order.enter(run, step.id, step.phase.id if step.phase else None)
    with run.holding() if run.options.mode is Mode.APPLY and not step.writes else nullcontext():
        try:
            return to_jsonable_python(step.work(run, part))
        except MemoryLimitError as error:
            if not isinstance(run, Run) or (more := duck.more_memory()) is None:
                raise
            log.warning("step %s is done again, with %s of memory: %s", step.id, more, error)
            return to_jsonable_python(step.work(replace(run, database=None, memory=more), part))


def walk(
    run: AnyRun, *, triggered_by: str | None = None, at_once: int = 1, seen: Callable[[Step], None] | None = None
) -> Verdict:
    """The whole run, of whatever kind, in this process, `at_once` parts of a step at a time; the report's verdict.

    `seen` is called before each step. Raises what a step raises, after the report is written.
    """
    with ExitStack() as opened:
        if isinstance(run, Run):
            scratch = opened.enter_context(run.workspace.scratch())
            run = replace(run, database=opened.enter_context(duck.connect(scratch, run.widest)))
        pool = opened.enter_context(run.effects.workers(at_once, "trueup-walk"))
        report = function(run.direction.report)
        # one by one, in this thread: each thread has to make Great Expectations ready for itself
        each: Callable[..., Iterable[Any]] = map if at_once == 1 else pool.map
        try:
            function(run.direction.preflight)(run, triggered_by)
            run = run.chosen()
            for step in run.steps:
                if step.skipped(run.options.mode):
                    continue
                if seen:
                    seen(step)
                list(each(partial(carry_out, step, run), run.parts(step)))
        except Exception:
            try:
                report(run)
            except GoneOnError as gone:
                log.warning("%s", gone)
            raise
        verdict: Verdict = report(run)
        return verdict
