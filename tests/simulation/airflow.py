"""Airflow, as the engine meets it: runs of a DAG, whose tasks are tried in processes of their own; tries that are lost and
tried again, tries that were thought to be lost and go on; tasks that people clear, or mark as done or failed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from itertools import groupby
from typing import TYPE_CHECKING

from include.trueup.errors import ArtifactError, TargetHeldError, TerminalError
from include.trueup.run import Run
from include.trueup.steps import Step, StepName

from . import ranges
from .scheduling import BEGINNING, Process
from .seen import Plan
from .tries import Job, Said
from .tries import named as _named

if TYPE_CHECKING:
    from .world import World

RETRY_SECONDS = 5.0
_PLANNING = (StepName.SNAPSHOT, StepName.SHARED, StepName.TRANSFORM, StepName.PLAN, StepName.PLAN_GATE)
NOTICED_SECONDS = 40.0
"""After how long a try is missed whose process says nothing more."""


@dataclass(eq=False)
class Task:
    """A task, or one of those that it is mapped to. `state`: None (not begun), running, success, failed, deferred, skipped or
    upstream_failed."""

    id: str
    part: int
    step: Step | None
    state: str | None = None
    left: int = 0
    process: Process | None = None

    @property
    def name(self) -> str:
        """Its name, with its part."""
        return f"{self.id}[{self.part}]"

    @property
    def over(self) -> bool:
        """Whether it needs no more."""
        return self.state in ("success", "failed", "skipped", "upstream_failed")


@dataclass(eq=False)
class DagRun:
    """A run of a DAG: `given` is the engine's run as it was triggered."""

    world: World
    given: Run
    tasks: list[Task] = field(default_factory=list)
    shown: str | None = None
    listed: str | None = None
    days: list[Plan] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)
    waited: list[tuple[float, float]] = field(default_factory=list)
    """From when until when a person was asked, by the schedule, about a plan that could still be approved."""
    _asked_at: float = 0.0
    _too_old_at: float = math.inf

    def __post_init__(self) -> None:
        self.tasks = [self._task("preflight")]

    def _task(self, id: str, part: int = 0, step: Step | None = None) -> Task:
        return Task(id=id, part=part, step=step, left=self.world.setup.retries)

    @property
    def id(self) -> str:
        """The run's id."""
        return self.given.id

    @property
    def over(self) -> bool:
        """Whether nothing more is to be done."""
        return all(task.over for task in self.tasks) and self.tasks[-1].id == "report"

    @property
    def waiting(self) -> Task | None:
        """The task that waits for a person."""
        return next((t for t in self.tasks if t.state == "deferred"), None)

    def current(self) -> Run:
        """The run as a task finds it."""
        return replaced(self.given, migration=self.world.migration()).chosen()

    # ── going on ─────────────────────────────────────────────────────────────────────────────────────────────────

    def tick(self) -> None:
        """Begin what can be begun."""
        groups = [list(group) for _, group in groupby(self.tasks, key=lambda task: task.id)]
        failed = False
        for group in groups:
            if failed and group[0].id != "report":
                for task in group:
                    if task.state is None:
                        task.state = "upstream_failed"
            for task in group:
                if task.state is None:
                    self.begin(task)
            if any(not task.over for task in group):
                return
            failed = failed or any(task.state in ("failed", "upstream_failed") for task in group)
        if groups[-1][0].id != "report":
            self._listed()
            self.tick()

    def _listed(self) -> None:
        """After the preflight: the tasks that follow."""
        if all(t.state == "success" for t in self.tasks):
            run = self.current()
            with suppress(
                ArtifactError
            ):  # the preflight was only marked as done: nothing says over what tasks are mapped
                for step in run.steps:
                    name = f"{step.phase.id}.{step.id}" if step.phase else str(step.id)
                    self.tasks += [self._task(name, n, step) for n in run.parts(step)]
        self.tasks.append(self._task("report"))

    def begin(self, task: Task) -> None:
        """Begin a try of the task."""
        task.state = "running"
        name = self._try_name(task)
        process = self.world.schedule.process(name, self.id, lambda: self._try(task, process))
        task.process = process
        self.processes.append(process)

    def _try_name(self, task: Task) -> str:
        """The name of a task's next try: they are counted on where the run begins again."""
        self.tried[task.name] += 1
        return f"{self.given.airflow_run_id}/{task.name}#{self.tried[task.name]}"

    def again(self, task: Task) -> None:
        """Begin a further try though there is one: as when two schedulers send it, or the first is thought to be lost."""
        task.left = max(task.left - 1, 1)
        self.begin(task)

    def _try(self, task: Task, process: Process) -> None:
        def ended(state: str) -> None:
            if task.process is process and task.state == "running":
                task.state = state
                self.tick()

        try:
            said = self._work(task)
        except TerminalError as error:
            self.world.met(error, self.id, task.name)
            if (
                isinstance(error, TargetHeldError)
                and task.id == "preflight"
                and task.left > 0
                and self.world.waits(self)
            ):
                task.left -= 1
                self.world.after(30.0, lambda: self._go_on(task, process))
                return
            ended("failed")
        except Exception as error:
            self.world.met(error, self.id, task.name)
            if task.left > 0:
                task.left -= 1
                self.world.after(RETRY_SECONDS, lambda: self._go_on(task, process))
            else:
                ended("failed")
        else:
            ended(said or "success")

    def _go_on(self, task: Task, process: Process) -> None:
        """The task's next try, unless it has got another process meanwhile, or is over, or the run has begun again."""
        if task.process is process and task.state == "running" and task in self.tasks:
            self.begin(task)

    def lost(self, process: Process) -> None:
        """A process says nothing more: after a while its try is missed, and tried again. It may still go on by itself."""

        def missed() -> None:
            for task in self.tasks:
                if task.process is process and task.state == "running":
                    if task.left > 0:
                        self.again(task)
                    else:
                        task.state = "failed"
                        self.tick()

        self.world.after(NOTICED_SECONDS, missed)

    # ── what tasks do ────────────────────────────────────────────────────────────────────────────────────────────

    def _work(self, task: Task) -> str | None:
        """Have the task done, and tell the oracle what came of it."""
        failed = tuple(sorted({t.id for t in self.tasks if t.state == "failed"})) if task.id == "report" else ()
        step = _named(task.step) if task.step else None
        job = Job(what=task.id if step is None else "step", step=step, part=task.part, failed=failed)
        said = self._carried(job)
        oracle = self.world.oracle
        if task.id == "preflight":
            if task.process is self.world.schedule.present.process:  # of an older try the run goes by nothing
                oracle.begins(self.id)
        elif task.id == "report":
            oracle.reported(self)
        elif said.state == "asked":
            self.shown, self.listed = said.shown, said.listed
            self.days = [] if said.listed is None else ranges.shown(oracle, self)
            oracle.asked(self, oracle.plan(self._looked_at(), said.shown))
            return self._deferred()
        elif said.state == "approved":
            oracle.approved(self, oracle.plan(self._looked_at(), said.shown))
        elif said.state == "approved with range":
            ranges.goes_on(oracle, self, oracle.plan(self._looked_at(), said.shown))
        elif said.state == "approved before":
            oracle.approved_before(self, oracle.plan(self._looked_at(), said.shown))
        elif said.state is None and step is not None and step[0] == StepName.PLAN_GATE:
            oracle.gated(self._looked_at())
        return "skipped" if said.state == "skipped" else None

    def _carried(self, job: Job) -> Said:
        """What a process says that does the job, with the declaration that is deployed now."""
        return self.world.places.carry(job, replaced(self.given, migration=self.world.migration()))

    def _looked_at(self) -> Run:
        with self.world.looking():
            return self.current()

    def _deferred(self) -> str:
        self._asked_at = self.world.schedule.now
        run = self._looked_at()
        with self.world.looking():
            planned_at = run.ledger.entered(self.id).planned_at
        hours = run.options.plan_max_age
        # None: it has begun again meanwhile
        self._too_old_at = math.inf if planned_at is None else planned_at.timestamp() - BEGINNING + hours * 3600
        for share in (0.25, 0.5) if self.world.theme.visits else (0.5,):
            self.world.after(self.world.setup.answer_seconds * share, self.world.visit)
        self.world.after(self.world.setup.answer_seconds, lambda: self.answer(approve=True))
        return "deferred"

    def answer(self, *, approve: bool) -> None:
        """A person answers what is asked, about the plan that was shown to them."""
        task, shown, seen = self.waiting, self.shown, self.world.oracle.seen(self.id).shown
        listed = self.listed
        if task is None:
            return
        if approve and seen is not None:
            self.world.oracle.seen(self.id).answered.append(seen)
            self.world.oracle.seen(self.id).ranged += self.days
        task.state = "running"
        self.waited.append((self._asked_at, min(self.world.schedule.now, self._too_old_at)))
        name = f"{self._try_name(task)} answered"

        def decide() -> None:
            self._carried(Job(what="approve" if approve else "reject", shown=shown, listed=listed))
            if approve:
                self.world.oracle.approved(self, seen or self.world.oracle.plan(self._looked_at()))

        process = self.world.schedule.process(name, self.id, lambda: self._as_task(task, process, decide))
        task.process = process
        self.processes.append(process)

    def _as_task(self, task: Task, process: Process, work: Callable[[], None]) -> None:
        try:
            work()
            state = "success"
        except Exception as error:
            self.world.met(error, self.id, task.name)
            state = "failed"
        if task.process is process and task.state == "running":
            task.state = state
            self.tick()

    # ── what people do to tasks ──────────────────────────────────────────────────────────────────────────────────

    def clear(self, at: int, *, downstream: bool) -> None:
        """Clear a task, and what follows it."""
        for task in self.tasks[at:] if downstream else [self.tasks[at]]:
            self._end(task)
            task.state, task.left = None, self.world.setup.retries
        if self.tasks[-1].id == "report":
            self.tasks[-1].state = None
        if at == 0:
            self.tasks = self.tasks[:1]
        self.tick()

    def plan_again(self) -> None:
        """Clear what makes the plan, and nothing that follows."""
        for task in self.tasks:
            if task.step is not None and task.step.id in _PLANNING and task.state == "success":
                task.state, task.left = None, self.world.setup.retries
        self.tick()

    def stop(self) -> None:
        """Mark the whole run as failed: what runs is ended, and nothing else begins."""
        if self.tasks[-1].id != "report":
            self.tasks.append(self._task("report"))
        for task in self.tasks:
            if not task.over:
                self._end(task)
                task.state = "skipped" if task.state is None else "failed"

    def mark(self, at: int, state: str) -> None:
        """Mark a task as done, or as failed."""
        task = self.tasks[at]
        self._end(task)
        if task.step is not None and state == "success":
            self._done_before(task.step.id)
        task.state = state
        self.tick()

    def _done_before(self, step: str) -> None:
        """A plan may have passed its gate, or been approved, by a try that died as it had said so to the ledger."""
        with self.world.looking():
            run = self.current()
            passed = any(row.step == step and row.ended_at and not row.error for row in run.ledger.steps(run.id))
            given = run.ledger.approvals.of(run.id)
        oracle = self.world.oracle
        if step == StepName.PLAN_GATE and passed:
            oracle.gated(run)
        if step == StepName.APPROVE and given is not None and given.decision != "rejected":
            plan = oracle.plan(run, given.plan_sha256)
            (oracle.approved_before if given.decision == "approved" else oracle.approved)(self, plan)

    def _end(self, task: Task) -> None:
        """The task's process is ended, unless it stands still: then it does not hear of it, and goes on by itself."""
        process, task.process = task.process, None
        if task.state == "running" and process is not None and process.paused_until <= self.world.schedule.now:
            process.killed = True
