"""A run: what it was asked to do, its folder, and what a step of it gets to work with. It imports no step."""

from ..steps import Mode, StepName, entered
from ..stores.effects import REAL, Effects
from .any_run import AnyRun
from .costs import CostRecord
from .files import PLAN, Files
from .options import MAX_PARTS, Extra, Options, SchemaOptions, Window
from .part import Part, Session, Written, part
from .records import (
    Afterwards,
    Answer,
    Baseline,
    Day,
    Example,
    PhaseCounts,
    PlanRecord,
    Proof,
    RangeRecord,
    Referring,
    Refusal,
    SelfReference,
    Start,
    TargetFacts,
    to_values,
)
from .run import LAST, MAX_ID, Run, former_run_id, run_id
from .where import Code, Place, Where

__all__ = [
    "LAST",
    "MAX_ID",
    "MAX_PARTS",
    "PLAN",
    "REAL",
    "Afterwards",
    "Answer",
    "AnyRun",
    "Baseline",
    "Code",
    "CostRecord",
    "Day",
    "Effects",
    "Example",
    "Extra",
    "Files",
    "Mode",
    "Options",
    "Part",
    "PhaseCounts",
    "Place",
    "PlanRecord",
    "Proof",
    "RangeRecord",
    "Referring",
    "Refusal",
    "Run",
    "SchemaOptions",
    "SelfReference",
    "Session",
    "Start",
    "StepName",
    "TargetFacts",
    "Where",
    "Window",
    "Written",
    "entered",
    "former_run_id",
    "part",
    "run_id",
    "to_values",
]
