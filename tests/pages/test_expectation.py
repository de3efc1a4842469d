"""One expectation over the runs of its migration: what became of it in each, whatever its words and values are."""

from __future__ import annotations

import json
from typing import Any

from include.trueup.gate import Expected, GateResult
from include.trueup.ledger import Status
from include.trueup.run import Files

from .conftest import HOSTILE, PAGES, RUN, Client, Evidence
from .invented import Invented, invented

__all__ = ["invented"]

AT = f"{PAGES}/data/dags/kpi_linking/expectation"
SOUGHT = {"gate": "plan", "result": "rows", "output": "links", "rule": "K1", "description": HOSTILE}


def gate(*expectations: Expected, output: str = "links") -> GateResult:
    return GateResult(
        gate="rows", output=output, rows=9, passed=True, critical_failures=0, expectations=expectations, errors=()
    )


def said(description: str, **more: Any) -> Expected:
    about: dict[str, Any] = {"rule": "K1", "severity": "critical", "passed": True, "observed": None, "unexpected": 0}
    return Expected(**{**about, "examples": (), "error": None, "description": description, **more})


def test_each_run_says_what_became_of_it(invented: Invented, signed_in: Client) -> None:
    other = said("another of the same rule", passed=False, unexpected=9)
    runs: list[tuple[str, list[GateResult]]] = [
        ("held", [gate(said(HOSTILE), other)]),
        ("broken", [gate(said(HOSTILE, passed=False, unexpected=3, severity="warning"), other)]),
        ("not judged", [gate(said(HOSTILE, passed=False, unexpected=None, error=HOSTILE), other)]),
        ("observed", [gate(said(HOSTILE, unexpected=None, observed=HOSTILE))]),
        ("not in the suite", [gate(other, said("a third")), gate(said(HOSTILE), output="another")]),
        ("not reached", []),
    ]
    for name, results in runs:
        id = invented.airflow("kpi_linking", name.replace(" ", "_"))
        invented.run(id, Status.PROVEN)
        if results:
            Files(invented.workspace.run(id)).write_gate("plan", results)
    answer = signed_in("viewer").get(AT, params=SOUGHT)
    assert answer.status_code == 200
    found = answer.json()
    assert (found["total"], found["description"], found["output"]) == (6, HOSTILE, "links")
    newest_first = [(run["run_id"], run["outcome"]) for run in found["runs"]]
    assert newest_first[::-1] == [(name.replace(" ", "_"), "held" if name == "observed" else name) for name, _ in runs]
    _, _, observed, unjudged, broken, held = found["runs"]
    assert (held["unexpected"], held["rows"], held["severity"]) == (0, 9, "critical")
    assert (broken["unexpected"], broken["rows"], broken["severity"]) == (3, 9, "warning")
    assert (unjudged["error"], observed["observed"]) == (HOSTILE, HOSTILE)
    assert all(run["rows"] is None for run in found["runs"][:2])
    assert all(run["at"] for run in found["runs"])


def test_a_description_that_was_changed_is_the_same_expectation_where_its_rule_is_its_own(
    invented: Invented, signed_in: Client
) -> None:
    for name in ("old words", "new words"):
        id = invented.airflow("kpi_linking", name.replace(" ", "_"))
        invented.run(id, Status.PROVEN)
        Files(invented.workspace.run(id)).write_gate("plan", [gate(said(name))])
    found = signed_in("viewer").get(AT, params={**SOUGHT, "description": "old words"}).json()
    assert (found["description"], [run["outcome"] for run in found["runs"]]) == ("new words", ["held", "held"])


def test_what_no_run_has_is_not_found(viewer: Any) -> None:
    for wrong in (
        {"rule": "nothing"},
        {"gate": "nothing"},
        {"gate": "../plan"},
        {"gate": "gx/plan/01"},
        {"gate": "\0"},
        {"gate": "é" * 400},
        {"output": "x"},
    ):
        answer = viewer.get(AT, params={**SOUGHT, **wrong})
        assert answer.status_code == 404
        assert "no run of kpi_linking" in answer.json()["detail"]
    assert viewer.get(AT, params={"gate": "plan"}).status_code == 422


def test_every_expectation_of_a_real_run_is_found_and_its_page_has_no_markup_of_the_address(
    viewer: Any, evidence: Evidence
) -> None:
    run = f"{PAGES}/data/dags/kpi_linking/runs/{RUN.replace('+', '%2B')}"
    judged = [
        (gate["file"], result) for gate in viewer.get(f"{run}/gates").json()["gates"] for result in gate["results"]
    ]
    asked = 0
    for file, result in judged[:3]:
        for expected in result["expectations"]:
            about = {"gate": file, "result": result["gate"], "output": result["phase"] or ""}
            found = viewer.get(AT, params={**about, "rule": expected["rule"], "description": expected["description"]})
            (one,) = found.json()["runs"]
            assert (one["outcome"] == "held", one["unexpected"]) == (expected["passed"], expected["unexpected"])
            assert (one["id"], one["run_id"]) == (evidence.id, RUN)
            asked += 1
    assert asked > 20
    page = viewer.get(f"{PAGES}/expectation", params={"dag_id": HOSTILE, **SOUGHT}).text
    assert "<script>alert" not in page
    assert json.dumps(HOSTILE) not in page
