"""A run that begins again plans anew: what it did for its first plan counts for nothing but what it knows of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.errors import StatusError, StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.plan.forward import plan
from include.trueup.report.lens import history
from include.trueup.report.lens.fates import Sought
from include.trueup.report.lens.shelf import Shelf
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.stepping import Stepped, broken_off, do


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, people=8)


def test_what_the_step_says_is_each_row_once(small: Stepped) -> None:
    """A person reads it, as the step's progress."""
    run = small.begin("a", to="transform")
    assert plan(run, 0) == {"copy": {"add": 8, "change": 0, "keep": 0, "drift": 0, "remove": 0}}


def test_conflicts_of_the_first_plan_are_no_conflicts_of_the_second(small: Stepped) -> None:
    run = small.begin("a", to="create_tables")
    small.database.sql("INSERT INTO persons VALUES ('p00', 'junk', 0), ('p01', 'junk', 0)")
    do(run, "apply", "apply")
    alone = small.ledger.conflicts("a")
    assert [c.key for c in alone] == ["p00", "p01"]
    (past,) = history.history(run.migration, small.ledger, Shelf(run.workspace), Sought(keys=("p00",))).runs
    assert [(t.verb, t.written_at, t.not_written) for t in past.targets] == [
        ("add", None, f"left alone: {alone[0].reason}")
    ]
    assert [finding.code for finding in past.findings] == ["conflict"]
    small.fail(run, "copy.read_back")
    small.database.sql("DELETE FROM persons WHERE name = 'junk'")
    walk(small.run("a"))
    assert small.status("a") == "proven"
    assert small.database.persons() == small.database.should()
    assert small.ledger.conflicts("a") == []


def test_batches_of_the_first_plan_are_no_batches_of_the_second(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.begin("a", to="create_tables")
    broken_off(small, before, monkeypatch, batches=2)
    assert 0 < len(small.database.persons()) < 8
    walk(small.run("a"))
    assert small.status("a") == "proven"
    assert small.database.persons() == small.database.should()


def test_the_same_plan_made_again_is_applied_from_its_beginning(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small.begin("a", to="create_tables")
    first = run.folder.read_json("plan.json")["covers"]["rows"]
    broken_off(small, run, monkeypatch, batches=2)
    small.database.sql("DELETE FROM persons")
    walk(small.run("a"))
    assert run.folder.read_json("plan.json")["covers"]["rows"] == first
    assert small.status("a") == "proven"
    assert small.database.persons() == small.database.should()


def test_what_the_first_plan_wrote_is_no_drift_of_the_second(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    small.proven("before")
    small.database.sql("UPDATE people SET name = name || ' b'")
    run = small.begin("a", to="create_tables")
    store = small.database.store
    real, calls = store.change, [0]

    def change(*args: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] > 2:
            raise StoreUnavailableError("gone")
        return real(*args, **named)

    store.writers = 1
    with monkeypatch.context() as patch:
        patch.setattr(store, "change", change)
        with pytest.raises(StoreUnavailableError):
            do(run, "apply", "apply")
    small.fail(run, "copy.apply")
    small.database.sql("UPDATE people SET name = name || ' c'")
    walk(small.run("a"))
    rows = small.workspace.run("a").read_json("report.json")["plan"]["phases"][0]["rows"]
    assert (rows["change"], rows["drift"]) == (8, 0)
    assert small.database.persons() == small.database.should()


@pytest.mark.parametrize("moved_on", [False, True])
def test_a_rollback_undoes_both_plans(small: Stepped, monkeypatch: pytest.MonkeyPatch, moved_on: bool) -> None:
    small.proven("before")
    small.database.sql(
        "DELETE FROM persons WHERE id IN ('p00', 'p01', 'p02', 'p03')",
        "UPDATE people SET name = name || ' b' WHERE id > 'p05'",
    )
    there = small.database.persons()
    run = small.begin("a", to="create_tables")
    broken_off(small, run, monkeypatch, batches=1)
    assert len(small.database.persons()) == 6
    if moved_on:
        small.database.sql("UPDATE people SET name = name || ' c'")
    walk(small.run("a"))
    assert small.database.persons() == small.database.should()
    walk(small.run("back", undoes="a"))
    assert small.status("a") == "rolled_back"
    assert small.database.persons() == there


def test_a_run_that_failed_before_its_second_plan_is_rolled_back(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small.begin("a", to="create_tables")
    broken_off(small, run, monkeypatch, batches=2)
    again = small.begin("a", to="snapshot")
    small.fail(again, "transform")
    walk(small.run("back", undoes="a"))
    assert small.status("a") == "rolled_back"
    assert small.database.persons() == {}
    small.proven("next")
    assert small.database.persons() == small.database.should()


def test_the_next_run_knows_what_a_run_wrote_that_did_not_come_to_its_second_plan(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small.begin("a", to="create_tables")
    broken_off(small, run, monkeypatch, batches=2)
    small.fail(small.begin("a", to="snapshot"), "transform")
    small.database.sql("UPDATE people SET name = name || ' c'")
    rows = small.proven("b")["plan"]["phases"][0]["rows"]
    assert (rows["drift"], rows["change"] + rows["add"]) == (0, 8)


def test_a_plan_that_is_being_written_is_not_made_again_under_it(small: Stepped) -> None:
    run = small.begin("a", to="create_tables")
    for step in ("snapshot", "transform", "plan"):
        with pytest.raises(StatusError, match="has begun to write its plan"):
            do(run, step, step)
    do(run, "apply")
    assert small.database.persons() == small.database.should()
