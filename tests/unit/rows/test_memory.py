"""A step that comes to the end of its memory."""

from __future__ import annotations

import pytest

from include.trueup.errors import MemoryLimitError
from include.trueup.plan import transform
from include.trueup.rows import duck
from include.trueup.run import Mode, Options, Run, order
from include.trueup.steps import Step
from include.trueup.walk import carry_out


def _run() -> Run:
    fields = dict.fromkeys(("id", "dag_id", "migration", "ledger", "workspace", "store"))
    return Run(**fields, options=Options(mode=Mode.PLAN))  # type: ignore[arg-type]


def test_it_is_done_again_with_more_and_a_setting_that_is_made_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "enter", lambda *_: None)
    monkeypatch.delenv(duck.MEMORY, raising=False)
    seen: list[str | None] = []

    def do(run: Run, part: int) -> int:
        seen.append(run.memory)
        if run.memory is None:
            raise MemoryLimitError("a step needs more memory than it may hold")
        return part

    step = Step(id="transform", title="", over="partition", do="plan.transform:transform")
    monkeypatch.setattr(transform, "transform", do)
    assert carry_out(step, _run(), 3) == 3
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1].endswith("MB")
    monkeypatch.setenv(duck.MEMORY, "300MB")
    with pytest.raises(MemoryLimitError):
        carry_out(step, _run(), 0)
