"""What steps and modes are called. Imported from the package."""

from __future__ import annotations

from enum import StrEnum


class StepName(StrEnum):
    """What a step is called: in the table, in the ledger and in the run's folder. A phase's has the phase behind it there
    (`entered`)."""

    PREFLIGHT = "preflight"
    SNAPSHOT = "snapshot"
    SHARED = "shared"
    APPROVE_COST = "approve_cost"
    TRANSFORM = "transform"
    PLAN = "plan"
    PLAN_GATE = "plan_gate"
    APPROVE = "approve"
    CREATE_TABLES = "create_tables"
    PREPARE = "prepare"
    APPLY = "apply"
    READ_BACK = "read_back"
    VERIFY = "verify"
    GATE = "gate"
    FINISH = "finish"
    VALIDATE = "validate"
    SETTLE = "settle"
    LINT = "lint"
    REHEARSE = "rehearse"
    BACKUP = "backup"


APPROVE = StepName.APPROVE.value
"""The step that waits for a person, where the run asks for one."""

APPROVE_COST = StepName.APPROVE_COST.value
_WRITING = frozenset({StepName.CREATE_TABLES, StepName.PREPARE, StepName.APPLY, StepName.FINISH, StepName.SETTLE})


def writes(name: str) -> bool:
    """Whether the step that the ledger knows by that name writes to a store, or enters that what was written is taken back."""
    return name.partition("/")[0] in _WRITING


def entered(step: str, phase: str | None = None) -> str:
    """What a step is called in the ledger and in the run's folder."""
    return str(step) if phase is None else f"{step}/{phase}"


def task(name: str) -> str:
    """The task of Airflow that does the step which the ledger knows by that name."""
    step, _, phase = name.partition("/")
    return f"{phase}.{step}" if phase else step


class Mode(StrEnum):
    """How far a run goes."""

    PLAN = "plan"  # snapshot, plan and gate; writes to no store
    APPLY = "apply"  # all of it
    VERIFY = "verify"  # compares the target with what it should hold; writes to no store
