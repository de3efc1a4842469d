"""The steps of a run, in their order: one table, which the DAGs are built from and which `walk` walks. Those of runs on
schemas are in `schemas.py` beside it.

Imports nothing heavy, so that a DAG file may: `Step.do` names the function that does the step's work, as
`module:function` of `include.trueup`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from .names import APPROVE as APPROVE
from .names import APPROVE_COST as APPROVE_COST
from .names import Mode as Mode
from .names import StepName as StepName
from .names import entered as entered
from .names import task as task
from .names import writes as writes

if TYPE_CHECKING:
    from ..declare.migration import Migration, Phase

Over = Literal["run", "segment", "partition", "database"]
_ENGINE = __name__.removesuffix(".steps")


_FAR = (Mode.PLAN, Mode.VERIFY, Mode.APPLY)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `over` says what it is done for: the run, each segment, partition or database. `until` is the mode that goes
    just so far: a step until `verify` proves, one until `apply` is there for what is written. `do` is the function that does
    it: it takes the run, the phase if the step has one (`phase`), and the number of the segment or partition, or the id of
    the database, unless it is done for the run, and gives ids and counts."""

    id: str
    title: str
    over: Over
    do: str
    until: Mode = Mode.PLAN
    phase: Phase | None = None

    @property
    def writes(self) -> bool:
        """Whether it writes to a store."""
        return writes(self.id)

    def skipped(self, mode: Mode) -> bool:
        """Whether a run in this mode leaves the step out."""
        return _FAR.index(mode) < _FAR.index(self.until)

    def work(self, run: Any, part: int | str) -> Any:
        """Do a part of it (0 of a step for the run)."""
        return function(self.do)(run, *([self.phase] if self.phase else []), *([] if self.over == "run" else [part]))


def function(name: str) -> Callable[..., Any]:
    """The function that a `module:function` of the engine names, imported now."""
    module, _, attribute = name.partition(":")
    attributed: Callable[..., Any] = getattr(import_module(f"{_ENGINE}.{module}"), attribute)
    return attributed


def steps(migration: Migration) -> list[Step]:
    """Every step between preflight and report, in order."""
    if migration.cost is None:
        return _steps(migration)
    from .costs import with_cost

    return with_cost(_steps(migration))


def _steps(migration: Migration) -> list[Step]:
    return [
        Step(
            id=StepName.SNAPSHOT,
            title="Read every source, and every target that exists.",
            over="segment",
            do="read.snapshot:snapshot",
        ),
        Step(
            id=StepName.SHARED,
            title="Compute what each partition needs to know about the others.",
            over="run",
            do="read.snapshot:compute_shared",
        ),
        Step(
            id=StepName.TRANSFORM,
            title="What the targets should hold.",
            over="partition",
            do="plan.transform:transform",
        ),
        Step(
            id=StepName.PLAN,
            title="The difference between what should be and what is.",
            over="partition",
            do="plan.forward:plan",
        ),
        Step(
            id=StepName.PLAN_GATE,
            title="Judge the plan: its rows, its counts, its rejects.",
            over="run",
            do="prove.gates:plan_gate",
        ),
        Step(id=APPROVE, title="A person approves the plan.", over="run", do="write.approval:waive", until=Mode.APPLY),
        Step(
            id=StepName.CREATE_TABLES,
            title="Create the targets that do not exist yet.",
            over="run",
            do="write.apply:create_tables",
            until=Mode.APPLY,
        ),
        *(step for phase in migration.phases for step in phase_steps(phase)),
        Step(
            id=StepName.VALIDATE,
            title="Judge the whole: all proofs, and the counts as they came out.",
            over="run",
            do="prove.gates:validate",
            until=Mode.VERIFY,
        ),
    ]


def rollback_steps(migration: Migration) -> list[Step]:
    """Every step of a rollback between its preflight and its report, in order: the phases go backwards."""
    return [
        Step(id=StepName.SNAPSHOT, title="Read every target.", over="segment", do="read.snapshot:snapshot"),
        Step(
            id=StepName.TRANSFORM, title="Collect what the run wrote.", over="partition", do="plan.backward:transform"
        ),
        Step(
            id=StepName.PLAN,
            title="Read its plan backwards, and compare with what is.",
            over="partition",
            do="plan.backward:plan",
        ),
        Step(
            id=StepName.PLAN_GATE, title="Judge the counts of the reverse plan.", over="run", do="prove.gates:plan_gate"
        ),
        Step(
            id=APPROVE,
            title="A person approves the reverse plan.",
            over="run",
            do="write.approval:waive",
            until=Mode.APPLY,
        ),
        Step(
            id=StepName.PREPARE,
            title="Make the targets ready to hold what they held before.",
            over="run",
            do="write.put_back:prepare",
            until=Mode.APPLY,
        ),
        *(step for phase in reversed(migration.phases) for step in phase_steps(phase, finishes=False)),
        Step(
            id=StepName.VALIDATE,
            title="Judge the whole: all proofs, and the counts.",
            over="run",
            do="prove.gates:validate",
            until=Mode.VERIFY,
        ),
        Step(
            id=StepName.SETTLE,
            title="Record that the run is rolled back.",
            over="run",
            do="write.put_back:settle",
            until=Mode.APPLY,
        ),
    ]


def phase_steps(phase: Phase, *, finishes: bool = True) -> list[Step]:
    """The steps of one phase, in order; `finishes`: with its scripts (`Phase.finish`)."""
    steps_of_phase = [
        Step(
            id=StepName.APPLY,
            title="Write what the plan says.",
            over="partition",
            do="write.apply:apply",
            until=Mode.APPLY,
            phase=phase,
        ),
        Step(
            id=StepName.READ_BACK,
            title="Read the target again.",
            over="segment",
            do="read.snapshot:read_back",
            until=Mode.VERIFY,
            phase=phase,
        ),
        Step(
            id=StepName.VERIFY,
            title="Compare it with the plan, every row, both ways.",
            over="partition",
            do="prove.verify:verify",
            until=Mode.VERIFY,
            phase=phase,
        ),
        Step(
            id=StepName.GATE,
            title="Judge the phase by its proof; the next one waits.",
            over="run",
            do="prove.gates:phase_gate",
            until=Mode.VERIFY,
            phase=phase,
        ),
    ]
    if phase.finish and finishes:
        scripts = ", ".join(script.name for script in phase.finish)
        steps_of_phase.append(
            Step(
                id=StepName.FINISH,
                title=f"Run {scripts}.",
                over="run",
                do="write.apply:finish",
                until=Mode.APPLY,
                phase=phase,
            )
        )
    return steps_of_phase


@dataclass(frozen=True, kw_only=True)
class Direction:
    """What runs forward, rollbacks and runs on schemas do differently: their `steps`, given the migration, and what they are
    done over, the parts that preflight chooses first (`over`); the functions that do the preflight, look at the plan (`Plans`)
    and write the report; whether the phases are written `backwards`.

    `required` is the first step of which the ledger must say that it was done; `planned` the one that makes the plan whose
    hash all behind it are done for. Once a run has begun to write, no step before `afresh` is done again, unless the whole run
    begins again with a new plan, where it may (`begins_again`)."""

    over: tuple[Over, ...]
    steps: Callable[[Any], list[Step]]
    preflight: str
    plans: str
    report: str
    required: str
    planned: str
    afresh: str
    backwards: bool = False
    begins_again: bool = True


FORWARD = Direction(
    over=("segment", "partition"),
    steps=steps,
    preflight="walk.preflight:preflight",
    plans="write.approval:ROWS",
    report="report:report",
    required=StepName.PLAN_GATE,
    planned=StepName.PLAN_GATE,
    afresh=StepName.PLAN_GATE,
)
BACKWARD = replace(FORWARD, steps=rollback_steps, preflight="walk.rollback_preflight:preflight", backwards=True)


def direction(undoes: str | None) -> Direction:
    """Of a run on rows that undoes another one, or none."""
    return FORWARD if undoes is None else BACKWARD
