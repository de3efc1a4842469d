"""The steps of a run on schemas. Imports nothing heavy, so that a DAG file may."""

from __future__ import annotations

from typing import Any

from . import Direction, Mode, Step, StepName


def steps(_: Any = None) -> list[Step]:
    """Every step between preflight and report, in order; the same of every migration. The plan is made where a person is
    asked about it, in mode plan too, where nobody is."""
    return [
        Step(id=StepName.LINT, title="Judge the SQL that each revision would run.", over="run", do="schema.verbs:lint"),
        Step(
            id=StepName.REHEARSE,
            title="Run the revisions on a clone: up, sample rows in, down, up again.",
            over="database",
            do="schema.verbs:rehearsal",
        ),
        Step(id=StepName.APPROVE, title="Make the plan; a person approves it.", over="run", do="schema.plan:waive"),
        Step(
            id=StepName.BACKUP,
            title="Copy the rows of every table that will be changed or dropped.",
            over="database",
            do="schema.verbs:backup",
            until=Mode.APPLY,
        ),
        Step(
            id=StepName.APPLY,
            title="Run the revisions, phase by phase, with a gate after each.",
            over="run",
            do="schema.apply:apply",
            until=Mode.APPLY,
        ),
        Step(
            id=StepName.GATE,
            title="Judge the whole, from databases that are read again.",
            over="run",
            do="schema.apply:gate",
            until=Mode.VERIFY,
        ),
    ]


OF_SCHEMAS = Direction(
    over=("database",),
    steps=steps,
    preflight="schema.preflight:preflight",
    plans="schema.plan:SCHEMAS",
    report="schema.report:report",
    required=StepName.LINT,
    planned=StepName.APPROVE,
    afresh=StepName.APPLY,
    begins_again=False,
)
