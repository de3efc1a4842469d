"""An older try of `approve` that goes on when somebody is asked, or has answered, takes nothing from the newer one."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Cost
from include.trueup.errors import ApprovalError, StatusError, StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.ledger.decisions import Approvals
from include.trueup.ledger.leases import Leases
from include.trueup.plan import cost
from include.trueup.report import report
from include.trueup.run import Run, StepName, order, part
from include.trueup.run.workspace import Workspace
from include.trueup.write import approval
from tests.stepping import Stepped, do


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, 4)


@pytest.fixture
def run(small: Stepped) -> Run:
    return small.begin("a", approval=True)


def stands_before(patch: pytest.MonkeyPatch, of: Any, name: str, meanwhile: Callable[[], None]) -> None:
    """Who calls it stands still before it, the first time, while that happens."""
    real = getattr(of, name)

    def stands(*given: Any, **more: Any) -> Any:
        patch.setattr(of, name, real)
        Context().run(meanwhile)  # as another process does it
        return real(*given, **more)

    patch.setattr(of, name, stands)


def planned_again(small: Stepped, run: Run) -> str:
    """The hash of the plan that is made again, over other rows, and that somebody is asked about."""
    small.database.sql("UPDATE people SET name = 'other'")
    do(run, "snapshot", "plan_gate")
    return approval.ask(run.chosen()).sha256


def waits(small: Stepped) -> bool:
    (lease,) = small.ledger.leases.present()
    return lease.waits


def test_one_that_asks_about_an_older_plan(small: Stepped, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    stands_before(monkeypatch, Approvals, "asked", lambda: asked.append(planned_again(small, run)))
    with pytest.raises(StatusError, match="leaves nothing more"):
        approval.ask(run)
    assert approval.approve(run, "alice", shown_sha256=asked[0]) == asked[0]


@pytest.mark.parametrize(("of", "name"), [(Approvals, "asked"), (Leases, "wait")], ids=["asked", "wait"])
def test_one_that_asks_when_the_answer_was_given(
    small: Stepped, run: Run, monkeypatch: pytest.MonkeyPatch, of: Any, name: str
) -> None:
    """The run's place is kept no longer for it."""

    def answered() -> None:
        approval.approve(run, "alice", shown_sha256=approval.ask(run).sha256)

    stands_before(monkeypatch, of, name, answered)
    approval.ask(run)
    assert not waits(small)


def asked_about_its_cost(small: Stepped, folder: Path) -> Run:
    """A run whose transform costs something."""
    script = folder / "cost.sql"
    script.write_text(
        "CREATE VIEW paid AS SELECT * FROM people; CREATE VIEW figures AS SELECT 'people' AS name, 4 AS value"
    )
    small.migration = replace(small.migration, cost=Cost(scripts=(script,), words=lambda *_: {}))
    return small.begin("a", to="shared", approval=True)


def test_one_that_asks_about_the_cost_when_the_plan_is_asked_about(
    small: Stepped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = asked_about_its_cost(small, tmp_path)
    asked: list[str] = []

    def goes_on() -> None:
        record, by = cost.estimate(run)
        cost.wait(run, record, by)
        cost.approve(run, "alice", shown=record.sha256)
        do(run, "transform", "plan_gate")
        asked.append(approval.ask(run.chosen()).sha256)

    older = cost.estimate(run)
    stands_before(monkeypatch, Approvals, "cost_asked", goes_on)
    with pytest.raises(StatusError, match="leaves nothing more"):
        cost.wait(run, *older)
    assert approval.approve(run, "alice", shown_sha256=asked[0]) == asked[0]


def test_an_answer_about_an_older_plan(small: Stepped, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run keeps its place for the newer one's."""
    shown = approval.ask(run).sha256
    stands_before(monkeypatch, Leases, "answered", lambda: (planned_again(small, run), None)[1])
    approval.approve(run, "alice", shown_sha256=shown)
    assert waits(small)


def test_a_plan_that_is_made_again_as_it_was_approved_waits_for_nobody(small: Stepped, run: Run) -> None:
    approval.approve(run, "alice", shown_sha256=approval.ask(run).sha256)
    planned_again(small, run)
    assert waits(small)
    small.database.sql("UPDATE people SET name = 'name ' || substr(id, 2)::int")
    do(run, "snapshot", "plan_gate")
    assert (given := approval.approved_already(run.chosen())) is not None
    assert given.decided_by == "alice"
    assert not waits(small)


def test_a_cost_that_is_estimated_again_as_it_was_approved_waits_for_nobody(small: Stepped, tmp_path: Path) -> None:
    run = asked_about_its_cost(small, tmp_path)
    record, by = cost.estimate(run)
    cost.wait(run, record, by)
    cost.approve(run, "alice", shown=record.sha256)
    for name, again in (("other", False), ("name 0", True)):
        small.database.sql(f"UPDATE people SET name = '{name}' WHERE id = 'p00'")
        do(run, "snapshot", "shared")
        record, by = cost.estimate(run)
        given = cost.approved_already(run, record, by)
        assert (given is not None) == again
        if not again:
            cost.wait(run, record, by)
        assert waits(small) != again


def test_one_that_fails_or_does_not_end_after_the_plan_was_approved(small: Stepped, run: Run) -> None:
    shown = approval.ask(run).sha256
    fails(run, StepName.APPROVE)
    with pytest.raises(ApprovalError, match="has not been through 'approve'"):
        order.require(run, "create_tables")
    approval.approve(run, "alice", shown_sha256=shown)
    fails(run, StepName.APPROVE)
    do(run, "create_tables")
    assert report(run.chosen(), ["approve"]).status == "passed"


def fails(run: Run, step: StepName, phase: str | None = None) -> None:
    with pytest.raises(StoreUnavailableError), part(run, step, phase=phase):
        raise StoreUnavailableError(f"gone in {step}")


@pytest.mark.parametrize("entered", [True, False], ids=["that the ledger has", "that was lost"])
def test_the_report_blames_no_further_try_of_approve_for_what_failed_later(run: Run, entered: bool) -> None:
    approval.approve(run, "alice", shown_sha256=approval.ask(run).sha256)
    if entered:
        fails(run, StepName.APPROVE)
    fails(run, StepName.CREATE_TABLES)
    assert "gone in create_tables" in report(run.chosen(), ["approve", "create_tables"]).headline.lower()


@pytest.mark.parametrize("of_step", [True, False])
def test_a_further_try_of_approve_is_named_where_the_run_went_no_further(run: Run, of_step: bool) -> None:
    approval.approve(run, "alice", shown_sha256=approval.ask(run).sha256)
    if of_step:
        fails(run, StepName.APPROVE)
    said = report(run.chosen(), ["approve"]).headline.lower()
    assert ("gone in approve" if of_step else "the task approve failed") in said
