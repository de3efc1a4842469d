"""A rollback enters that a run is rolled back only while nothing was written since it took that back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.errors import StatusError, TargetHeldError
from include.trueup.ledger import Ledger, SwitchState
from include.trueup.ledger.leases import Leases
from include.trueup.ledger.tables import leases
from include.trueup.report import report
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.faults.test_older_approvals import stands_before
from tests.stepping import Stepped, broken_off, do


@pytest.fixture
def small(
    postgres_server: postgres.Server,
    ledger: Ledger,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Stepped:
    """Where run `a` has written in part, and failed."""
    small = Stepped(postgres_server, ledger, workspace, tmp_path, people=4)
    broken_off(small, small.begin("a", to="create_tables"), monkeypatch, batches=1)
    return small


@pytest.fixture
def back(small: Stepped) -> Run:
    """Its rollback, which has taken all back, and proven it."""
    return small.begin("back", to="validate", undoes="a")


def stays_proven(small: Stepped, back: Run) -> None:
    report(back)
    assert (small.status("a"), small.status("back")) == ("proven", "failed")
    assert small.database.persons() == small.database.should()


def test_a_run_that_was_proven_since_is_not_entered_as_rolled_back(small: Stepped, back: Run) -> None:
    small.fail(back, "settle")
    walk(small.run("a"))
    with pytest.raises(StatusError, match="run a has written to"):
        do(back, "settle")
    stays_proven(small, back)


def test_nor_by_one_that_stood_still_meanwhile(small: Stepped, back: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def expires() -> None:
        with small.ledger._engine.begin() as connection:
            connection.execute(leases.update().values(expires_at=leases.c.expires_at - timedelta(hours=1)))
        walk(small.run("a"))

    stands_before(monkeypatch, Leases, "roll_back", expires)
    with pytest.raises(TargetHeldError, match="has lost its right"):
        do(back, "settle")
    stays_proven(small, back)


def test_one_that_was_left_as_it_is_settles_it_later(small: Stepped, back: Run) -> None:
    small.fail(back, "settle")
    do(back, "settle")
    assert report(back).status == "passed"
    assert (small.status("a"), small.status("back")) == ("rolled_back", "proven")


def test_one_that_goes_on_late_takes_nothing_back_once_applications_rely_on_it(small: Stepped) -> None:
    walk(small.run("a"))
    back = small.begin("back", undoes="a")
    small.fail(back, "approve")
    for to in (SwitchState.DUAL, SwitchState.NEW):
        small.ledger.switches.turn("small", to, by=None, why="", run_id=f"turn to {to}", proof_run_id="a")
    do(back, "approve", "approve")
    with pytest.raises(StatusError, match="the switch of small is new by now"):
        do(back, "prepare")
    stays_proven(small, back)
