"""What is offered to be done next: only what is allowed for whoever looks, and makes sense for the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.ledger import Ledger, Status, SwitchState
from include.trueup.run import Options, run_id
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Mode
from include.trueup.stores import Conflict, Outcome
from tests.harness import new_database

from .conftest import PAGES, RUN, Client

AT = f"{PAGES}/data/dags/kpi_linking/runs/{RUN.replace('+', '%2B')}"
ID = run_id("kpi_linking", RUN)
SHA = "a" * 64


@pytest.fixture
def book(
    postgres_server: postgres.Server, behind: Callable[[str, Workspace], None], tmp_path: Path, airflow_runs: None
) -> Ledger:
    """A ledger and a workspace of its own behind the pages, where the run of Airflow has only begun."""
    uri = new_database(postgres_server)
    ledger = Ledger(uri)
    ledger.upgrade()
    behind(uri, Workspace(str(tmp_path / "mine")))
    return ledger


def enter(book: Ledger, id: str, airflow: str | None = None, *, dag: str = "kpi_linking", **facts: Any) -> None:
    """A run with a plan, that ends as it is said, having written so many rows."""
    status, wrote, undoes = facts.pop("status"), facts.pop("wrote", 0), facts.pop("undoes", None)
    about = {"migration_id": "kpi_linking", "dag_id": dag, "triggered_by": "ada", "undoes": undoes}
    book.begin(id, options=Options(**facts).to_json(), airflow_run_id=airflow, **about)
    book.planned(id, SHA)
    if wrote:
        book.wrote(id, "links", 0, 0, wrote, Outcome(written=wrote))
    if status is not Status.RUNNING:
        book.move(id, status, "said so")


def seen(client: Any) -> tuple[dict[str, Any], list[str]]:
    run = client.get(AT).json()
    return {offer["kind"]: offer for offer in run["offers"]}, run["withheld"]


def test_a_plan_is_applied_by_its_hash_and_by_whom_that_is_allowed(book: Ledger, signed_in: Client) -> None:
    enter(book, ID, RUN, status=Status.PLANNED, mode=Mode.PLAN)
    offers, withheld = seen(signed_in("user"))
    assert ([*offers], withheld) == (["apply"], [])
    assert offers["apply"]["form"] == {"dag_id": "kpi_linking", "conf": {"mode": "apply", "plan": SHA}}
    assert seen(signed_in("viewer")) == ({}, [])


def test_a_rollback_carries_its_run_and_is_not_offered_where_it_would_be_refused(
    book: Ledger, signed_in: Client
) -> None:
    enter(book, ID, RUN, status=Status.PROVEN, wrote=7)
    assert seen(signed_in("viewer")) == ({}, [])
    user = signed_in("user")
    offers, withheld = seen(user)
    assert ([*offers], withheld) == (["roll_back"], [])
    assert offers["roll_back"]["form"] == {"dag_id": "kpi_linking_rollback", "conf": {"run": RUN}}
    enter(book, "looked", "later look", status=Status.PLANNED, mode=Mode.PLAN)
    assert seen(user)[0].keys() == {"roll_back"}
    enter(book, "later", "later", status=Status.PROVEN, wrote=1)
    assert seen(user) == ({}, ["Run later built on it: roll that one back first."])


def test_a_run_that_began_again_after_a_later_one_is_rolled_back_first(book: Ledger, signed_in: Client) -> None:
    enter(book, ID, RUN, status=Status.FAILED, wrote=7)
    enter(book, "later", "later", status=Status.PROVEN, wrote=1)
    user = signed_in("user")
    assert "roll_back" not in seen(user)[0]
    enter(book, ID, RUN, status=Status.FAILED)
    assert "roll_back" not in seen(user)[0]  # its new plan wrote nothing
    enter(book, ID, RUN, status=Status.PROVEN, wrote=2)
    assert seen(user)[0].keys() == {"roll_back"}
    assert [run["id"] for run in user.get(f"{AT.rpartition('/runs/')[0]}/history").json()["runs"]] == [ID, "later"]


def test_the_index_goes_by_when_runs_wrote_and_planned(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from trueup_airflow.pages import known, offers, truth
    from trueup_airflow.pages.scheduled import AskedRun

    monkeypatch.setattr(offers, "may", lambda *_: True)
    ended: dict[str, Any] = {"paused": False, "ours": True, "state": "success", "started_at": None, "ended_at": None}
    asked = {id: AskedRun(id=id, dag_id="kpi_linking", run_id=id, **ended) for id in ("first", "later")}

    def card() -> tuple[str, str | None, list[Any]]:
        rows = [known.entered(row) for row in book.runs("kpi_linking")]
        case = truth.of_migration(known.runs(book, "kpi_linking", rows, asked, ()), SwitchState.LEGACY)
        offered = offers.of_migration(
            book,
            "kpi_linking",
            case.state,
            case.run,
            ("_rollback",),
            SwitchState.LEGACY,
            None,  # type: ignore[arg-type]
        )
        conf = [offer.form.conf for offer in offered.offers if offer.kind == "roll_back" and offer.form]
        return case.state, case.run.id if case.run else None, conf

    enter(book, "first", "first", status=Status.FAILED, wrote=7)
    enter(book, "later", "later", status=Status.FAILED, wrote=1)
    assert card() == ("failed", "later", [{"run": "later"}])
    enter(book, "first", "first", status=Status.PROVEN, wrote=2)
    assert card() == ("proven", "first", [{"run": "first"}])
    enter(book, "later", "later", status=Status.FAILED)  # it planned last, and what it wrote is not undone first
    assert card() == ("failed", "later", [])


def test_a_run_that_wrote_nothing_offers_no_rollback(book: Ledger, signed_in: Client) -> None:
    enter(book, ID, RUN, status=Status.FAILED)
    assert seen(signed_in("user")) == ({}, [])


def test_an_undone_run_says_so_and_so_does_its_report_which_stays_as_it_was(
    book: Ledger, signed_in: Client, tmp_path: Path
) -> None:
    enter(book, ID, RUN, status=Status.PROVEN, wrote=7)
    folder = Workspace(str(tmp_path / "mine")).run(ID)
    report = "<!doctype html><html><head><style>p{}</style></head><body class=x><h1>Passed, Proven</h1></body></html>"
    folder.write("report.html", report)
    page = f"{AT}/files/report.html"
    viewer = signed_in("viewer")
    assert viewer.get(page).text == report
    enter(book, "back", "the rollback", dag="kpi_linking_rollback", status=Status.PROVEN, undoes=ID)
    book.move(ID, Status.ROLLED_BACK, "said so")
    opened = viewer.get(page)
    assert "Undone." in opened.text.split("<h1>")[0]
    assert "by run the rollback" in opened.text
    assert "script-src" not in opened.headers["content-security-policy"]
    assert viewer.get(f"{page}?download=true").text == report
    run = viewer.get(AT).json()
    assert (run["state"], run["undone"]["run_id"], run["offers"]) == ("rolled back", "the rollback", [])
    migrations = viewer.get(f"{PAGES}/data/migrations").json()["migrations"]
    (kpi,) = [m for m in migrations if m["dag_id"] == "kpi_linking"]
    assert (kpi["proof"], kpi["switch"]) == (None, "legacy")


def test_the_findings_that_are_taken_home_have_the_rows_that_were_left_alone(
    book: Ledger, signed_in: Client, tmp_path: Path
) -> None:
    viewer, files = signed_in("viewer"), f"{AT}/files/findings.csv"
    assert viewer.get(files).status_code == 404
    head = "phase,table,key,severity,code,message\n"
    Workspace(str(tmp_path / "mine")).run(ID).write("findings.csv", f"{head}links,t,k1,warning,odd,said\n")
    enter(book, ID, RUN, status=Status.RUNNING)
    alone = [Conflict(key=key, reason="changed", found=None) for key in ("k2", "k3")]
    book.wrote(ID, "links", 0, 0, 3, Outcome(written=1, conflicts=alone))
    left = "".join(f'links,"",{key},warning,conflict,changed\n' for key in ("k2", "k3"))
    assert viewer.get(files).text == f"{head}links,t,k1,warning,odd,said\n{left}"
    assert viewer.get(f"{AT}/findings").json()["total"] == 3


def test_a_report_that_the_ledger_does_not_bear_out_is_not_shown_as_passed(
    book: Ledger, signed_in: Client, tmp_path: Path
) -> None:
    """As where the ledger was restored from before the run, or lost."""
    folder, viewer = Workspace(str(tmp_path / "mine")).run(ID), signed_in("viewer")
    folder.write("report.json", '{"verdict": {"status": "passed", "proof": "proven", "headline": "Proven: 7 rows."}}')
    folder.write("report.html", "<!doctype html><html><body><h1>Passed, Proven</h1></body></html>")

    def shown() -> tuple[Any, str]:
        opened = viewer.get(f"{AT}/files/report.html").text
        return viewer.get(AT).json()["report"]["verdict"], opened.split("<h1>")[0]

    verdict, above = shown()
    assert verdict["status"] is None
    assert verdict["headline"].startswith("Not proven: the ledger does not have this run.")
    assert "Not proven.</strong> The ledger does not have this run" in above
    enter(book, ID, RUN, status=Status.FAILED)
    verdict, above = shown()
    assert (verdict["status"], verdict["proof"]) == (None, None)
    assert "the ledger has this run as failed" in verdict["headline"]
    assert "The ledger has this run as failed" in above
    enter(book, ID, RUN, status=Status.PROVEN)
    verdict, above = shown()
    assert (verdict["status"], verdict["headline"]) == ("passed", "Proven: 7 rows.")
    assert "Not proven" not in above


def test_a_failed_step_is_retried_with_its_part_unless_that_ends_the_same_way(
    book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from trueup_airflow.pages import known, offers, progress
    from trueup_airflow.pages.scheduled import AskedRun

    monkeypatch.setattr(offers, "may_clear", lambda *_: True)
    monkeypatch.setattr(offers, "may", lambda *_: True)
    enter(book, ID, RUN, status=Status.FAILED, wrote=7)
    asked = AskedRun(
        id=ID, dag_id="kpi_linking", run_id=RUN, state="failed", paused=False, ours=True, started_at=None, ended_at=None
    )
    none: dict[str, Any] = {"started_at": None, "ended_at": None, "error": "lost the connection"}
    step = progress.Step(
        task_id="links.apply", group="links", name="apply", title="", state="failed", done=3, skipped=0, total=4, tries=4,
        max_tries=4, error_class="StoreUnavailableError", link="", failed=(2,), **none,
    )  # fmt: skip
    row = book.run(ID)
    assert row is not None

    def offered(*steps: progress.Step) -> tuple[Any, ...]:
        found = offers.of_run(book, asked, known.entered(row), steps, (), None)  # type: ignore[arg-type]
        return tuple(o.clears for o in found.offers if o.kind == "retry"), found.withheld

    last = replace(step, task_id="report", group=None, name="report", failed=(-1,))
    assert offered(step, last) == (((("links.apply", 2),),), ())
    assert offered(last) == ((), ())
    gate = replace(step, error_class="GateError")
    (clears, withheld) = offered(gate)
    assert (clears, "ends the same way" in withheld[0]) == ((), True)
    book.leases.take(ID, ["t"])
    book.leases.release(ID)
    enter_writing(book, "newer")
    (clears, withheld) = offered(step)
    assert (clears, "newer has written" in withheld[0]) == ((), True)


def enter_writing(book: Ledger, id: str) -> None:
    """Another run that has the right to write to the same target."""
    about = {"migration_id": "kpi_linking", "dag_id": "kpi_linking", "triggered_by": None}
    book.begin(id, options=Options().to_json(), airflow_run_id=id, **about)  # type: ignore[arg-type]
    book.leases.take(id, ["t"])
    book.leases.enter(id, ["t"], right=True)
    (lease,) = book.leases.present()
    assert (lease.run_id, lease.writes, lease.waits) == (id, True, False)


def test_the_pace_is_of_the_last_minute(book: Ledger) -> None:
    enter(book, ID, RUN, status=Status.FAILED, wrote=7)
    assert book.pace(ID, 60)["links"].rows == 0  # the time of the first batch is not known
    book.wrote(ID, "links", 0, 1, 5, Outcome(written=5))
    pace = book.pace(ID, 60)["links"]
    assert (pace.rows, 0 < pace.seconds < 60) == (5, True)
    assert pace.rate == pace.rows / pace.seconds
    assert book.pace(ID, 1e-9)["links"].rows == 0
