"""What a terminal is told of runs that leave no report: those that turn a switch, and comparisons."""

from __future__ import annotations

import json

import pytest

from include.console import outcome
from include.trueup.cutover import turning
from include.trueup.ledger import SwitchState
from include.trueup.run import Refusal, run_id
from include.trueup.run.files import COMPARISON, CUTOVER
from include.trueup.run.workspace import Workspace


def test_a_turn_and_how_to_undo_it(workspace: Workspace) -> None:
    record = {"from": "legacy", "to": "dual", "undo": turning.undo("people", SwitchState.LEGACY)}
    workspace.run(run_id("people_cutover", "r")).write(CUTOVER, json.dumps(record))
    told = ["Turned: legacy → dual. To undo it, trigger people_cutover with the state legacy."]
    assert outcome.without_report(workspace, "people_cutover", "r") == told


def test_why_it_was_refused(workspace: Workspace) -> None:
    refusal = Refusal(step="preflight", reason="no run of it is proven", at="2026-01-01", to="dual", by=None)
    turning.refused(workspace, run_id("people_cutover", "r"), refusal)
    assert outcome.without_report(workspace, "people_cutover", "r") == ["REFUSED at preflight. no run of it is proven"]


def test_nothing_of_other_runs(workspace: Workspace) -> None:
    assert outcome.without_report(workspace, "stub", "r") == []


@pytest.mark.parametrize(
    ("differences", "said"),
    [([], "no difference."), ([{"key": "a"}, {"key": "b"}], "2 differences, such as of a.")],
)
def test_what_a_comparison_found(workspace: Workspace, differences: list[dict[str, str]], said: str) -> None:
    folder = workspace.run(run_id("people_shadow", "r"))
    folder.write(COMPARISON, json.dumps({"asked": {}, "compared": 1200, "differences": differences}))
    told = outcome.without_report(workspace, "people_shadow", "r")
    assert told == [f"Compared: 1,200, {said}", f"All of it: {folder.location(COMPARISON)}"]
