"""What people decided, in a ledger on a real PostgreSQL: approvals, and turns of the switch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from include.trueup.errors import StatusError
from include.trueup.ledger import Ledger, Status, SwitchState
from include.trueup.ledger.status import TURNS


def begin(ledger: Ledger, run_id: str) -> None:
    ledger.begin(run_id, migration_id="m", dag_id="m", triggered_by="ada", options={})


def turn(ledger: Ledger, to: SwitchState, run_id: str) -> None:
    ledger.switches.turn("m", to, by="ada", why="because", run_id=run_id, proof_run_id=None)


WAYS = {
    SwitchState.LEGACY: [],
    SwitchState.DUAL: [SwitchState.DUAL],
    SwitchState.NEW: [SwitchState.DUAL, SwitchState.NEW],
}
"""The turns that lead to each state."""


@pytest.mark.parametrize("was", list(SwitchState))
@pytest.mark.parametrize("to", list(SwitchState))
def test_every_turn_that_is_not_listed_is_refused(ledger: Ledger, was: SwitchState, to: SwitchState) -> None:
    for number, state in enumerate(WAYS[was]):
        turn(ledger, state, f"r{number}")
    if to in TURNS[was]:
        turn(ledger, to, "last")
        assert ledger.switches.state("m") == to
    else:
        with pytest.raises(StatusError, match=f"is {was} and may not be turned to {to}"):
            turn(ledger, to, "last")
        assert ledger.switches.state("m") == was


def test_the_journal_says_who_when_and_why_newest_first(ledger: Ledger) -> None:
    begin(ledger, "proof")
    ledger.switches.turn("m", SwitchState.DUAL, by="ada", why="proven", run_id="a", proof_run_id="proof")
    ledger.switches.turn("m", SwitchState.LEGACY, by=None, why="slow", run_id="b", proof_run_id=None)
    back, forth = ledger.switches.turns("m")
    assert (back.from_state, back.to_state, back.turned_by, back.why) == ("dual", "legacy", None, "slow")
    assert (forth.turned_by, forth.proof_run_id) == ("ada", "proof")
    assert back.at > forth.at
    assert ledger.switches.turns("another") == []


def test_a_turn_is_made_from_the_state_that_it_was_asked_in(ledger: Ledger) -> None:
    turn(ledger, SwitchState.DUAL, "a")
    turn(ledger, SwitchState.NEW, "b")
    why = "is new, and was legacy when this turn was asked for, so it is not turned to dual: trigger m_cutover again"
    asked: dict[str, Any] = {"by": "ada", "why": "because", "proof_run_id": None, "was": SwitchState.LEGACY}
    with pytest.raises(StatusError, match=why):
        ledger.switches.turn("m", SwitchState.DUAL, run_id="c", **asked)
    assert ledger.switches.state("m") == SwitchState.NEW
    ledger.switches.turn("m", SwitchState.DUAL, run_id="a", **asked)  # what it has done before is done
    assert len(ledger.switches.turns("m")) == 2


def test_a_turn_tried_again_is_one_turn(ledger: Ledger) -> None:
    turn(ledger, SwitchState.DUAL, "a")
    turn(ledger, SwitchState.DUAL, "a")
    assert len(ledger.switches.turns("m")) == 1


def test_two_turns_at_once_are_one_after_the_other(ledger: Ledger) -> None:
    refused: list[Exception] = []

    def try_to(run_id: str) -> None:
        try:
            turn(ledger, SwitchState.DUAL, run_id)
        except StatusError as error:
            refused.append(error)

    threads = [threading.Thread(target=try_to, args=(f"r{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    assert len(ledger.switches.turns("m")) == 1


def test_the_last_decision_on_a_plan_counts(ledger: Ledger) -> None:
    begin(ledger, "r")
    assert ledger.approvals.of("r") is None
    ledger.approvals.decide("r", "one", "rejected", by="ada", comment="too many rejects")
    first = ledger.approvals.of("r")
    assert first is not None
    assert (first.decision, first.decided_by, first.comment) == ("rejected", "ada", "too many rejects")
    ledger.approvals.decide("r", "two", "approved", by="bob")
    second = ledger.approvals.of("r")
    assert second is not None
    assert (second.plan_sha256, second.decision, second.comment) == ("two", "approved", None)
    assert second.decided_at > first.decided_at


def test_runs_are_listed_newest_first_and_name_what_they_undo(ledger: Ledger) -> None:
    begin(ledger, "a")
    ledger.begin("b", migration_id="m", dag_id="m_rollback", triggered_by=None, options={}, undoes="a")
    ledger.begin("c", migration_id="other", dag_id="other", triggered_by=None, options={})
    assert [(r.run_id, r.undoes) for r in ledger.runs("m")] == [("b", "a"), ("a", None)]
    assert [r.run_id for r in ledger.runs()] == ["c", "b", "a"]


def test_a_switch_is_not_turned_on_a_proof_since_which_a_run_has_done_anything(ledger: Ledger) -> None:
    begin(ledger, "proof")

    def turned_after(what: Callable[[], object]) -> None:
        known = "m", ledger.switches.known("m")
        what()
        asked: dict[str, Any] = {"by": None, "why": "", "run_id": "t", "proof_run_id": "proof", "known": known}
        ledger.switches.turn("m", SwitchState.DUAL, **asked)

    def tries() -> None:
        with ledger.step("proof", "verify/copy", "0"):
            pass

    for what in (lambda: begin(ledger, "back"), tries, lambda: ledger.move("back", Status.FAILED, "")):
        with pytest.raises(StatusError, match="has begun, gone on or ended since"):
            turned_after(what)
    turned_after(lambda: ledger.begin("of another", migration_id="n", dag_id="n", triggered_by=None, options={}))
    assert ledger.switches.settled("m") is SwitchState.DUAL
