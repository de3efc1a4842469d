"""What a terminal is told of a run that turns a switch, which leaves no report."""

from __future__ import annotations

import json

from include.console import outcome
from include.trueup.cutover import turning
from include.trueup.ledger import SwitchState
from include.trueup.run import Refusal, run_id
from include.trueup.run.files import CUTOVER
from include.trueup.run.workspace import Workspace


def test_a_turn_and_how_to_undo_it(workspace: Workspace) -> None:
    record = {"from": "legacy", "to": "dual", "undo": turning.undo("people", SwitchState.LEGACY)}
    workspace.run(run_id("people_cutover", "r")).write(CUTOVER, json.dumps(record))
    told = ["Turned: legacy → dual. To undo it, trigger people_cutover with the state legacy."]
    assert outcome.of_cutover(workspace, "people_cutover", "r") == told


def test_why_it_was_refused(workspace: Workspace) -> None:
    refusal = Refusal(step="preflight", reason="no run of it is proven", at="2026-01-01", to="dual", by=None)
    turning.refused(workspace, run_id("people_cutover", "r"), refusal)
    assert outcome.of_cutover(workspace, "people_cutover", "r") == ["REFUSED at preflight. no run of it is proven"]


def test_nothing_of_other_runs(workspace: Workspace) -> None:
    assert outcome.of_cutover(workspace, "stub", "r") == []
