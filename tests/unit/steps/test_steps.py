"""The one table of steps: of runs forward, of rollbacks, and of runs on schemas."""

from __future__ import annotations

from typing import Any

import pytest

from include.migrations.kpi_linking.migration import migration
from include.trueup.steps import BACKWARD, FORWARD, Direction, Mode, function, writes
from include.trueup.steps.schemas import OF_SCHEMAS
from include.trueup.write.approval import Plans

DIRECTIONS = {"forward": FORWARD, "backward": BACKWARD, "schemas": OF_SCHEMAS}


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_what_the_table_names_is_there(direction: Direction) -> None:
    every = direction.steps(migration)
    for name in (direction.preflight, direction.report, *(step.do for step in every)):
        assert callable(function(name)), name
    plans: Any = function(direction.plans)
    assert isinstance(plans, Plans)
    assert {direction.required, direction.planned, direction.afresh} <= {step.id for step in every}
    assert {step.over for step in every} - {"run"} == {*direction.over}


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_nothing_is_written_before_the_approval_or_in_another_mode_than_apply(direction: Direction) -> None:
    every = direction.steps(migration)
    approve = [step.id for step in every].index("approve")
    assert not [step.id for step in every[: approve + 1] if step.writes]
    writing = [step for step in every if step.writes]
    assert writing
    assert all(step.skipped(Mode.PLAN) and step.skipped(Mode.VERIFY) for step in writing)


def test_a_step_is_known_to_write_by_the_name_that_the_ledger_has() -> None:
    assert [writes(name) for name in ("apply", "apply/links", "finish/links", "verify/links", "applying")] == [
        True,
        True,
        True,
        False,
        False,
    ]
