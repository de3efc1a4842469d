"""The steps of a run, in their order: one table, which the DAG is built from and which `walk` walks.

Imports nothing heavy, so that a DAG file may.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .model import Migration, Phase
    from .run import Run

log = logging.getLogger(__name__)
Over = Literal["run", "segment", "partition"]
APPROVE = "approve"
"""The step that waits for a person, where the run asks for one."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `over` says what it is done for: the run, each segment, or each partition. `do` takes the run and the
    number of the segment or partition (0 for the run) and gives ids and counts. `writes` to a store: done in mode
    apply only. `proves`: not done in mode plan. `phase` is the phase it belongs to, if any."""

    id: str
    title: str
    over: Over
    do: Callable[[Run, int], Any]
    writes: bool = False
    proves: bool = False
    phase: Phase | None = None


def steps(migration: Migration) -> list[Step]:
    """Every step between preflight and report, in order."""
    return [
        Step(id="snapshot", title="Read every source, and every target that exists.", over="segment", do=_snapshot),
        Step(
            id="look_ups",
            title="Compute what every partition needs to know of all the others.",
            over="run",
            do=_look_ups,
        ),
        Step(id="transform", title="What the targets should hold.", over="partition", do=_transform),
        Step(id="plan", title="The difference between what should be and what is.", over="partition", do=_plan),
        Step(id="plan_gate", title="Judge the plan: its rows, its counts, its rejects.", over="run", do=_plan_gate),
        Step(id=APPROVE, title="A person approves the plan.", over="run", do=_approve, writes=True, proves=True),
        Step(
            id="create_tables",
            title="Make the targets that are not there yet.",
            over="run",
            do=_create_tables,
            writes=True,
            proves=True,
        ),
        *(step for phase in migration.phases for step in phase_steps(phase)),
        Step(
            id="validate",
            title="Judge the whole: all proofs, and the counts as they came out.",
            over="run",
            do=_validate,
            proves=True,
        ),
    ]


def rollback_steps(migration: Migration) -> list[Step]:
    """Every step of a rollback between its preflight and its report, in order: the phases go backwards."""
    return [
        Step(id="snapshot", title="Read every target.", over="segment", do=_snapshot),
        Step(id="transform", title="Collect what the run wrote.", over="partition", do=_collect),
        Step(id="plan", title="Read its plan backwards, and compare with what is.", over="partition", do=_plan_back),
        Step(id="plan_gate", title="Judge the counts of the reverse plan.", over="run", do=_plan_gate),
        Step(
            id=APPROVE, title="A person approves the reverse plan.", over="run", do=_approve, writes=True, proves=True
        ),
        Step(
            id="prepare",
            title="Make the targets ready to hold what they held before.",
            over="run",
            do=_prepare,
            writes=True,
            proves=True,
        ),
        *(step for phase in reversed(migration.phases) for step in phase_steps(phase, finishes=False)),
        Step(
            id="validate", title="Judge the whole: all proofs, and the counts.", over="run", do=_validate, proves=True
        ),
        Step(id="settle", title="Enter that the run is rolled back.", over="run", do=_settle, writes=True, proves=True),
    ]


def phase_steps(phase: Phase, *, finishes: bool = True) -> list[Step]:
    """The steps of one phase, in order; `finishes`: with its scripts (`Phase.after`)."""

    def apply(run: Run, partition: int) -> Any:
        from .apply import apply

        return apply(run, phase, partition)

    def read_back(run: Run, segment: int) -> Any:
        from .snapshot import read_back

        return read_back(run, phase, segment)

    def verify(run: Run, partition: int) -> Any:
        from .verify import verify

        return verify(run, phase, partition)

    def gate(run: Run, _: int) -> Any:
        from .prove import phase_gate

        return phase_gate(run, phase)

    def finish(run: Run, _: int) -> Any:
        from .apply import finish

        return finish(run, phase)

    made = [
        Step(id="apply", title="Write what the plan says.", over="partition", do=apply, writes=True, proves=True, phase=phase),
        Step(id="read_back", title="Read the target again.", over="segment", do=read_back, proves=True, phase=phase),
        Step(id="verify", title="Compare it with the plan, every row, both ways.", over="partition", do=verify, proves=True, phase=phase),
        Step(id="gate", title="Judge the phase by its proof; the next one waits.", over="run", do=gate, proves=True, phase=phase),
    ]  # fmt: skip
    if phase.after and finishes:
        made.append(
            Step(
                id="finish",
                title=f"Run {', '.join(script.name for script in phase.after)}.",
                over="run",
                do=finish,
                writes=True,
                proves=True,
                phase=phase,
            )
        )
    return made


def _snapshot(run: Run, segment: int) -> Any:
    from .snapshot import snapshot

    return snapshot(run, segment)


def _look_ups(run: Run, _: int) -> Any:
    from .snapshot import look_ups

    return look_ups(run)


def _transform(run: Run, partition: int) -> Any:
    from .transform import transform

    return transform(run, partition)


def _plan(run: Run, partition: int) -> Any:
    from .plan import plan

    return plan(run, partition)


def _plan_gate(run: Run, _: int) -> Any:
    from .prove import plan_gate

    return plan_gate(run)


def _approve(run: Run, _: int) -> Any:
    from .approval import approve
    from .errors import ApprovalError

    if run.options.approval:
        raise ApprovalError("this run asks for approval, and there is nobody here to ask: trigger it in Airflow")
    return approve(run)


def _create_tables(run: Run, _: int) -> Any:
    from .apply import create_tables

    return create_tables(run)


def _validate(run: Run, _: int) -> Any:
    from .prove import validate

    return validate(run)


def _collect(run: Run, partition: int) -> Any:
    from .rollback import transform

    return transform(run, partition)


def _plan_back(run: Run, partition: int) -> Any:
    from .rollback import plan

    return plan(run, partition)


def _prepare(run: Run, _: int) -> Any:
    from .rollback import prepare

    return prepare(run)


def _settle(run: Run, _: int) -> Any:
    from .rollback import settle

    return settle(run)


def step_of(run: Run, id: str) -> Step:
    """The step of that id, of those that belong to no phase."""
    every = steps(run.migration) if run.undoes is None else rollback_steps(run.migration)
    return next(step for step in every if step.id == id and step.phase is None)


def skipped(step: Step, run: Run) -> bool:
    """Whether the run's mode leaves the step out."""
    from .run import Mode

    return (step.writes and run.options.mode is not Mode.APPLY) or (step.proves and run.options.mode is Mode.PLAN)


def carry_out(step: Step, run: Run, part: int) -> Any:
    """Do a part of the step, if the run may still do it (`order.enter`). In mode apply the run's hold on its targets is
    taken or renewed all the while, so that no other run writes between this one's plan and its last proof; steps that
    write do so themselves. Raises `TargetHeldError` once another run has them.

    A step that comes to the end of its memory, over rows of megabytes, is done again with half of what the machine has
    left: every step may be done again."""
    from . import duck, order
    from .errors import MemoryLimitError
    from .run import Mode

    order.enter(run, step)
    with run.holding() if run.options.mode is Mode.APPLY and not step.writes else nullcontext():
        try:
            return step.do(run, part)
        except MemoryLimitError as error:
            if (more := duck.more_memory()) is None:
                raise
            log.warning("step %s is done again, with %s of memory: %s", step.id, more, error)
            return step.do(replace(run, database=None, memory=more), part)


def parts(step: Step, run: Run) -> int:
    """How many segments or partitions the step is done for."""
    if step.over == "run":
        return 1
    return run.segments if step.over == "segment" else run.partitions


def walk(
    run: Run, *, triggered_by: str | None = None, at_once: int = 1, seen: Callable[[Step], None] | None = None
) -> dict[str, Any]:
    """The whole run, or rollback, in this process, `at_once` parts of a step at a time; the report's verdict.

    `seen` is called before each step. Raises what a step raises, after the report is written.
    """
    from . import duck, rollback_preflight
    from . import preflight as forward_preflight
    from .report import report

    forward = run.undoes is None
    preflight = forward_preflight.preflight if forward else rollback_preflight.preflight
    with (
        run.workspace.scratch() as scratch,
        duck.connect(scratch, run.widest) as database,
        ThreadPoolExecutor(at_once) as pool,
    ):
        run = replace(run, database=database)
        # one by one, in this thread: each thread has to make Great Expectations ready for itself
        each: Callable[..., Iterator[Any]] = map if at_once == 1 else pool.map
        try:
            preflight(run, triggered_by)
            run = run.chosen()
            for step in steps(run.migration) if forward else rollback_steps(run.migration):
                if skipped(step, run):
                    continue
                if seen:
                    seen(step)
                list(each(partial(carry_out, step, run), range(parts(step, run))))
        except Exception:
            report(run)
            raise
        return report(run)
