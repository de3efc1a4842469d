"""Runs one after the other, late and out of order: a plan is written only while nothing newer was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from include.embedded import postgres
from include.trueup.errors import StatusError, TargetHeldError, TrueupError
from include.trueup.ledger import Ledger
from include.trueup.ledger.tables import leases
from include.trueup.report import report
from include.trueup.run import LAST, Run
from include.trueup.run.workspace import Workspace
from include.trueup.walk import rollback_preflight, walk
from include.trueup.write import approval
from tests.stepping import Stepped, broken_off, do


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, people=8)


def half_way(small: Stepped, id: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that failed when it had written some of its rows."""
    run = small.begin(id, to="create_tables")
    broken_off(small, run, monkeypatch, batches=2)
    return run


def later(small: Stepped, seconds: float) -> None:
    """So many seconds pass for every lease."""
    with small.ledger._engine.begin() as connection:
        past = leases.c.expires_at - timedelta(seconds=seconds)
        connection.execute(leases.update().where(leases.c.ended_at.is_(None)).values(expires_at=past))


def test_a_stale_plan_does_not_go_on_after_a_newer_run(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    run = half_way(small, "a", monkeypatch)
    small.database.sql("DELETE FROM people WHERE id = 'p06'")
    small.proven("b")
    with pytest.raises(StatusError, match=r"run b has written to .* trigger a new run"):
        do(run, "apply", "apply")
    report(run)
    assert (small.status("a"), small.status("b")) == ("failed", "proven")
    assert small.database.persons() == small.database.should()


def test_a_stale_plan_does_not_go_on_after_a_rollback(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    run = half_way(small, "a", monkeypatch)
    walk(small.run("back", undoes="a"))
    with pytest.raises(StatusError, match="rolled_back"):
        do(run, "apply", "apply")
    assert small.database.persons() == {}
    assert (small.status("a"), small.status("back")) == ("rolled_back", "proven")


def test_a_failed_run_goes_on_where_nothing_newer_was_written(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    run = half_way(small, "a", monkeypatch)
    small.fail(small.begin("b"), "approve")
    do(run, "apply")
    assert report(run).status == "passed"
    assert small.database.persons() == small.database.should()
    before = small.run("b").chosen()
    with pytest.raises(TrueupError, match=r"run a has written|not approved"):
        do(before, "create_tables", "create_tables")


def test_a_failed_run_takes_no_place_from_a_running_one(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    run = half_way(small, "a", monkeypatch)
    small.begin("b")
    later(small, 100)
    with pytest.raises(TargetHeldError, match="run b holds"):
        do(run, "apply", "apply")
    assert small.status("b") == "running"


def test_an_interrupted_run_that_is_answered_late_takes_nothing(small: Stepped) -> None:
    old = small.begin("old")
    later(small, 100)
    new = small.begin("new")
    later(small, 100)
    assert small.status("old") == "interrupted"
    for step in ("approve", "create_tables"):
        with pytest.raises(StatusError, match="another run took over"):
            do(old, step, step)
    report(old)
    do(new, "approve")
    assert report(new).status == "passed"
    assert (small.status("old"), small.status("new")) == ("failed", "proven")


def test_runs_that_wait_for_a_person_keep_their_places(small: Stepped) -> None:
    """As a backfill of three days: each waits its turn, and is applied, however late it is answered."""
    for id in ("d1", "d2", "d3"):
        run = small.begin(id, approval=True)
        shown = approval.ask(run).sha256
        later(small, 3600)
        for other in {"d1", "d2", "d3"} - {id}:
            if small.ledger.run(other) is None or small.status(other) != "proven":
                with pytest.raises(TargetHeldError, match=f"run {id} holds .* waits for a person"):
                    small.begin(other, approval=True)
        approval.approve(run, "ada", shown_sha256=shown)
        do(run, "create_tables")
        assert report(run).status == "passed"
    assert small.database.persons() == small.database.should()


def test_a_run_keeps_its_place_though_its_plan_is_made_again_while_it_waits(small: Stepped) -> None:
    run = small.begin("d1", approval=True)
    approval.ask(run)
    do(run, "snapshot", "plan_gate")
    later(small, 3600)
    with pytest.raises(TargetHeldError, match=r"run d1 holds .* waits for a person"):
        small.begin("d2")
    approval.approve(run, "ada")
    do(run, "create_tables", "create_tables")
    later(small, 100)
    small.proven("d2")
    assert small.status("d1") == "interrupted"


def test_a_run_that_waits_longer_than_its_plan_is_good_for_gives_way(small: Stepped) -> None:
    first = small.begin("d1", approval=True)
    shown = approval.ask(first).sha256
    later(small, 25 * 3600)
    small.proven("d2")
    with pytest.raises(StatusError, match="took over"):
        approval.approve(first, "ada", shown_sha256=shown)


def test_epochs_rise_and_every_taking_is_kept(small: Stepped) -> None:
    small.proven("a")
    small.fail(small.begin("a2"), "x")
    small.proven("b")
    with small.ledger._engine.begin() as connection:
        rows = connection.execute(sa.select(leases).order_by(leases.c.epoch)).mappings().all()
    assert [(r["run_id"], r["right_at"] is not None, r["ended_by"]) for r in rows] == [
        ("a", True, "a"), ("a2", False, "a2"), ("b", True, "b")
    ]  # fmt: skip


def test_a_rollback_undoes_the_run_that_it_was_entered_with(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    """And none that writes between the look for the last one and its own entry in the ledger."""
    real = small.ledger.begin

    def begin(*given: Any, **more: Any) -> int:
        monkeypatch.setattr(small.ledger, "begin", real)
        small.proven("a")
        return real(*given, **more)

    monkeypatch.setattr(small.ledger, "begin", begin)
    with pytest.raises(StatusError, match="there is nothing to undo"):
        rollback_preflight.preflight(small.run("back", undoes=LAST))
    assert small.ledger.entered("back").undoes is None
