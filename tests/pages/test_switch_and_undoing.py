"""What the pages of cutovers and rollbacks say, and what a history tells of both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.trueup.ledger import Status, SwitchState
from include.trueup.run import Window

from .conftest import PAGES, Client
from .invented import DAG, Invented, invented

__all__ = ["invented"]

SHADOW = f"{DAG}_shadow"
DATA = f"{PAGES}/data/dags"


@pytest.fixture
def get(signed_in: Client) -> Any:
    client = signed_in("viewer")
    return lambda path: client.get(f"{DATA}/{path}").json()


def test_where_the_switch_stands_and_why_it_may_not_be_turned(invented: Invented, get: Any) -> None:
    found = get(f"{DAG}/switch")
    assert (found["there"], found["state"], found["proof"], found["turns"]) == (True, "legacy", None, [])
    (way,) = found["ways"]
    assert way["refusal"].startswith("the switch of kpi_linking is not turned: no run of it is proven")
    assert get("checkins_cutover/switch")["migration_id"] == "checkins"
    assert get("scoring_models/switch")["there"] is False  # it declares no settings

    run = invented.airflow(DAG, "manual__one")
    invented.run(run, Status.PROVEN, add=9)
    found = get(f"{DAG}/switch")
    assert (found["proof"]["run_id"], found["proof"]["compared"]) == ("manual__one", 9)
    assert 0 <= found["proof"]["hours"] < 1
    assert "no shadow comparison of it has come to an end" in found["ways"][0]["refusal"]
    assert found["comparison"] == {"dag_id": SHADOW, "last": None, "run_id": None, "trouble": None}

    compared = invented.compared(invented.airflow(SHADOW, "manual__differs"), "t/k1", "t/k2")
    found = get(f"{DAG}/switch")
    assert "found 2 of 9 to differ: t/k1, t/k2" in found["ways"][0]["refusal"]
    assert (found["comparison"]["last"]["run_id"], found["comparison"]["run_id"]) == (compared, "manual__differs")
    assert found["comparison"]["last"]["unknown"] == ["t/k1", "t/k2"]
    invented.workspace.run(compared).write("comparison.json", "{}")
    found = get(f"{DAG}/switch")
    assert "is not what the ledger says of it" in found["ways"][0]["refusal"]
    assert found["comparison"]["trouble"] == found["ways"][0]["refusal"]

    invented.compared(invented.airflow(SHADOW, "manual__agrees"))
    found = get(f"{DAG}/switch")
    assert [(w["to_state"], w["refusal"], w["compared"]) for w in found["ways"]] == [("dual", None, 9)]
    assert found["comparison"]["last"]["unknown_keys"] == 0


def test_a_proof_that_something_came_after_is_not_shown_as_one_that_stands(invented: Invented, get: Any) -> None:
    def proof() -> tuple[str, bool, bool]:
        found = get(f"{DAG}/switch")["proof"]
        return found["run_id"], found["stands"], found["whole"]

    invented.run(invented.airflow(DAG, "manual__one"), Status.PROVEN, add=9)
    assert proof() == ("manual__one", True, True)
    invented.run(invented.airflow(DAG, "manual__half", "failed"), Status.FAILED, written=2, add=9)
    assert proof() == ("manual__one", False, True)
    day = Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC))
    invented.run(invented.airflow(DAG, "manual__day"), Status.PROVEN, window=day, add=1)
    assert proof() == ("manual__day", True, False)


def test_a_cutover_says_that_it_waits_was_refused_or_has_turned_and_why(invented: Invented, get: Any) -> None:
    proven = invented.airflow(DAG, "manual__one")
    invented.run(proven, Status.PROVEN, add=9)
    asked = {"why": "both looked at it", "to": "dual"}
    refused = invented.airflow(f"{DAG}_cutover", "manual__no", "failed", conf=asked)
    invented.refused(refused, "approve", "ada refused to turn the switch; it is as it was", "ada")
    turned = invented.airflow(f"{DAG}_cutover", "manual__yes", conf=asked)
    turn: dict[str, Any] = {"by": "ada", "why": "both looked at it", "run_id": turned, "proof_run_id": proven}
    invented.ledger.switches.turn(DAG, SwitchState.DUAL, **turn)
    invented.airflow(f"{DAG}_cutover", "manual__broken", "failed", conf=asked)
    invented.airflow(f"{DAG}_cutover", "manual__now", "running", conf={"why": "on", "to": "new"})

    def of(run: str) -> Any:
        return get(f"{DAG}_cutover/runs/{run}/turn")["run"]

    no, yes = of("manual__no"), of("manual__yes")
    assert (no["state"], no["why"], no["refusal"]["by"]) == ("refused", "both looked at it", "ada")
    assert no["refusal"]["reason"] == "ada refused to turn the switch; it is as it was"
    assert (yes["state"], yes["turn"]["to_state"], yes["turn"]["proof_run_id"]) == ("turned", "dual", "manual__one")
    assert yes["refusal"] is None
    assert (of("manual__broken")["state"], of("manual__now")["state"]) == ("failed", "running")
    assert get(f"{DAG}/runs/manual__one/turn")["run"] is None
    found = get(f"{DAG}/switch")
    assert [w["to_state"] for w in found["ways"]] == ["new", "legacy"]
    assert [a["run_id"] for a in found["asked"]] == ["manual__now", "manual__broken", "manual__yes", "manual__no"]
    assert [(t["run_id"], t["by"]) for t in found["turns"]] == [("manual__yes", "ada")]


def test_what_can_be_undone_and_what_was(invented: Invented, get: Any) -> None:
    assert get(f"{DAG}/undoing")["next"].startswith("There is nothing to undo")
    first, second = (invented.airflow(DAG, f"manual__{n}") for n in ("one", "two"))
    for id in (first, second):
        invented.run(id, Status.PROVEN, written=9, add=7, change=2)
    found = get(f"{DAG}/undoing")
    candidate = found["candidate"]
    assert (candidate["run_id"], candidate["add"], candidate["change"]) == ("manual__two", 7, 2)
    assert (candidate["written"], candidate["refusal"], found["may_run"]) == (9, None, False)

    back = invented.airflow(f"{DAG}_rollback", "manual__back")
    invented.run(back, Status.PROVEN, dag_id=f"{DAG}_rollback", undoes=second, written=9, remove=7, add=2)
    invented.ledger.move(second, Status.ROLLED_BACK, "undone")
    rejected = invented.airflow(f"{DAG}_rollback", "manual__rejected", "failed")
    invented.run(rejected, Status.FAILED, dag_id=f"{DAG}_rollback", undoes=first, remove=7, add=2)
    invented.ledger.switches.turn(DAG, SwitchState.DUAL, by="ada", why="x", run_id="t1", proof_run_id=first)
    invented.ledger.switches.turn(DAG, SwitchState.NEW, by="ada", why="x", run_id="t2", proof_run_id=first)
    found = get(f"{DAG}/undoing")
    assert found["candidate"]["run_id"] == "manual__one"
    assert "the switch of kpi_linking is new" in found["candidate"]["refusal"]
    assert [(r["state"], r["deleted"]) for r in found["rollbacks"]] == [("nothing undone", 0), ("undone", 7)]
    assert found["rollbacks"][1]["says"] == f"undid {second}: 7 deleted, 2 put back"

    told = get(f"{DAG}/history")["runs"]
    assert [(t["kind"], t["state"]) for t in told if t["kind"] != "cutover"] == [
        ("rollback", "nothing undone"),
        ("rollback", "undone"),
        ("run", "rolled back"),
        ("run", "proven"),
    ]
    assert [t["says"] for t in told if t["kind"] == "cutover"] == ["dual → new: x", "legacy → dual: x"]
    assert [(t["written"], t["deleted"]) for t in told if t["state"] == "undone"] == [(2, 7)]


def test_a_run_that_is_under_way_is_not_over_in_the_history(invented: Invented, get: Any) -> None:
    invented.run(invented.airflow(DAG, "manual__one"), Status.PROVEN, add=9)
    invented.run(invented.airflow(DAG, "manual__now", "running"), Status.RUNNING, add=9)
    told = get(f"{DAG}/history")["runs"]
    assert [(t["run_id"], t["over"]) for t in told] == [("manual__now", False), ("manual__one", True)]
    found = get(f"{DAG}/switch")
    assert "manual__now, is running, not proven" in found["ways"][0]["refusal"]
    assert found["running"].endswith("manual__now")
