"""What the first release left behind goes on being of use: its ledger, its workspace, its runs and their ids.

The fixture (`tests/fixtures/first_release`) was made by that release and is never made again. Here are demands on
behaviour: what a person who upgrades may rely on.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.embedded import postgres
from include.trueup.errors import GateError, TrueupError
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.report.lens import browse, count, history, one, search
from include.trueup.report.lens.shelf import Shelf
from include.trueup.run import Mode, Options, Run, former_run_id
from include.trueup.run.workspace import Workspace
from include.trueup.steps import steps
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import carry_out, walk
from include.trueup.write import approval
from tests.fixtures.first_release.declaration import ROWS, declare
from tests.harness import new_database, run_of, run_sql

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:tests.fixtures")  # its declaration is frozen
LEFT = Path(__file__).parent.parent / "fixtures" / "first_release"
AIRFLOW = "manual__2026-01-01T00:00:00+00:00"
"""What Airflow calls each of the old runs."""
Rows = dict[str, tuple[Any, ...]]


class Left:
    """The first release's ledger, workspace and tables, in databases and a folder of this test's own."""

    def __init__(self, server: postgres.Server, folder: Path) -> None:
        self._folder = folder
        self.uri, ledger_uri = new_database(server), new_database(server)
        database = self.uri.split("?")[0].rsplit("/", 1)[1]
        dump = (LEFT / "ledger.sql").read_text(encoding="utf-8")
        dump = dump.replace("{place}/tables", f"{server.socket_dir}:5432/{database}")
        for uri, script in ((ledger_uri, dump), (self.uri, (LEFT / "tables.sql").read_text(encoding="utf-8"))):
            with psycopg.connect(uri) as connection:
                connection.execute(script.encode())
        shutil.copytree(LEFT / "workspace", folder / "workspace")
        self.ledger, self.workspace = Ledger(ledger_uri), Workspace(str(folder / "workspace"))
        self.ledger_uri, self.store = ledger_uri, PostgresStore(self.uri)
        self.ledger.upgrade()

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        return run_sql(self.uri, *statements)

    def held(self, name: str) -> Rows:
        """The target, by id."""
        return {row[0]: row[1:] for row in self.sql(ROWS.format(f"persons_{name}"))}

    def should(self) -> Rows:
        """What a migration makes of the people, said without it."""
        rows = self.sql(ROWS.format("people"))
        return {id: (name.upper(), *more) for id, name, *more in rows if name is not None}

    def run(self, name: str, id: str, **options: Any) -> Run:
        scripts = self._folder / "scripts"
        scripts.mkdir(exist_ok=True)
        known = {field.name for field in fields(Options)}
        asked = {"partitions": 2, "max_reject_share": 0.5, **options}
        asked = {option: value for option, value in asked.items() if option in known}
        return run_of(declare(name, scripts), self.ledger, self.workspace, lambda _: self.store, id, **asked)

    def old(self, name: str) -> Run:
        """The old run as a task of it that goes on has it."""
        return self.run(name, former_run_id(name, AIRFLOW)).chosen()

    def forward(self, name: str, id: str = "next", **options: Any) -> dict[str, Any]:
        return self._walk(self.run(name, id, **options))

    def back(self, name: str, id: str, undoes: str) -> dict[str, Any]:
        run = self.run(name, id)
        options = replace(run.options, partitions=None)
        return self._walk(replace(run, dag_id=f"{name}_rollback", undoes=undoes, options=options))

    def _walk(self, run: Run) -> dict[str, Any]:
        walk(run)
        return self.reported(run.id)

    def reported(self, id: str) -> dict[str, Any]:
        return dict(self.workspace.run(id).read_json("report.json"))

    def status(self, id: str) -> str:
        return str(self.ledger.entered(id).status)

    def ended(self, run: Run, todo: Sequence[Any]) -> TrueupError | None:
        """Do these in order, then write the report, as Airflow does; the error that ended the run, if one did."""
        failed = None
        try:
            for do in todo:
                do()
        except TrueupError as error:
            failed = error
        report(run)
        return failed


@pytest.fixture
def left(postgres_server: postgres.Server, tmp_path: Path) -> Left:
    return Left(postgres_server, tmp_path)


BEFORE = {"p00", "p01", "q"}


def rows(report: dict[str, Any]) -> dict[str, int]:
    """Target rows by verb; verbs without rows left out."""
    ((phase),) = report["plan"]["phases"]
    return {verb: n for verb, n in phase["rows"].items() if n}


def todo(run: Run, first: str) -> list[Any]:
    """The parts of the run's steps from this one on."""
    all_steps = steps(run.migration)
    start = next(n for n, step in enumerate(all_steps) if step.id == first)
    return [
        lambda step=step, part=part: carry_out(step, run, part)
        for step in all_steps[start:]
        if not step.skipped(run.options.mode)
        for part in run.parts(step)
    ]


def answer(run: Run) -> None:
    """A person says yes to what the run showed."""
    approval.approve(run, by="grace")


def test_old_runs_are_found_and_their_reports_are_written_again(left: Left) -> None:
    assert left.ledger.is_upgraded()
    assert {row.migration_id: row.status for row in left.ledger.runs()} == {
        "proven": "proven", "failed": "failed", "waiting": "running"
    }  # fmt: skip
    for name, verdict in (("proven", "passed"), ("failed", "failed")):
        run = left.old(name)
        was, status = left.reported(run.id), left.status(run.id)
        report(run)
        now = left.reported(run.id)
        assert now["verdict"]["status"] == was["verdict"]["status"] == verdict
        assert [now["plan"][k] for k in ("sha256", "created_at")] == [was["plan"][k] for k in ("sha256", "created_at")]
        assert now["plan"]["phases"][0]["rows"].items() >= was["plan"]["phases"][0]["rows"].items()
        assert [p["compared"] for p in now["proof"]] == [p["compared"] for p in was["proof"]]
        assert left.status(run.id) == status


def test_the_next_run_tells_what_others_changed_since_the_old_one(left: Left) -> None:
    left.sql(
        "UPDATE people SET name = 'new' WHERE id = 'p03'",
        "INSERT INTO people (id, name) VALUES ('p12', 'twelve')",
        "UPDATE persons_proven SET name = 'theirs' WHERE id IN ('p04', 'p05')",
        "DELETE FROM persons_proven WHERE id = 'p06'",
    )
    try:
        report = left.forward("proven", "look", mode=Mode.PLAN)
    except GateError:  # a budget for rows that are left alone, or for what a run does without them
        report = left.reported("look")
    assert report["plan"]["drift_checked"] is True
    assert rows(report) == {"add": 2, "change": 1, "drift": 2, "keep": 7, "extra": 1}
    found = {finding["code"]: [e["key"] for e in finding["examples"]] for finding in report["findings"]}
    assert (found["drift"], found["deleted_since"]) == (["p04", "p05"], ["p06"])

    report = left.forward("proven", overwrite_drift=True)
    assert rows(report) == {"add": 2, "change": 3, "keep": 7, "extra": 1}
    assert left.status("next") == "proven"
    held = left.held("proven")
    assert held.pop("q")[0] == "not ours"
    assert held == left.should()


def test_an_old_run_that_was_proven_is_rolled_back_and_that_is_proven(left: Left) -> None:
    report = left.back("proven", "back", AIRFLOW)
    assert report["verdict"]["status"] == "passed"
    assert rows(report) == {"remove": 9, "change": 2}
    assert (left.status(left.old("proven").id), left.status("back")) == ("rolled_back", "proven")
    assert left.held("proven").keys() == BEFORE
    assert left.held("proven") == left.held("waiting")  # which is as it was before


def test_what_an_old_run_wrote_before_it_failed_is_its_own_and_both_are_rolled_back(left: Left) -> None:
    report = left.forward("failed")
    assert rows(report) == {"add": 7, "change": 2, "keep": 2, "extra": 1}
    assert left.held("failed").items() >= left.should().items()
    left.back("failed", "back-next", "next")
    assert len(left.held("failed")) == len(BEFORE) + 2
    left.back("failed", "back-old", AIRFLOW)
    assert left.held("failed") == left.held("waiting")
    assert left.status(left.old("failed").id) == "rolled_back"


def test_an_old_run_that_failed_goes_on_or_says_why_not(left: Left) -> None:
    run, was = left.old("failed"), left.held("failed")
    failed = left.ended(run, todo(run, "apply"))
    if failed is None:
        assert left.status(run.id) == "proven"
        assert left.held("failed").items() >= left.should().items()
    else:
        assert "trigger" in str(failed)
        assert left.status(run.id) == "failed"
        assert left.held("failed") == was


def test_an_old_plan_that_is_answered_too_late_is_refused(left: Left) -> None:
    run, was = left.old("waiting"), left.held("waiting")
    failed = left.ended(run, [lambda: answer(run), *todo(run, "create_tables")])
    assert failed is not None
    assert "trigger the DAG again" in str(failed)
    assert left.status(run.id) == "failed"
    assert left.reported(run.id)["run"]["failed"]["error"] == str(failed)
    assert left.held("waiting") == was


def test_an_old_plan_that_is_answered_in_time_is_applied_as_it_was_shown_or_refused(left: Left) -> None:
    run_sql(left.ledger_uri, "UPDATE trueup.runs SET planned_at = clock_timestamp() WHERE run_id LIKE 'waiting--%'")
    run, was = left.old("waiting"), left.held("waiting")
    failed = left.ended(run, [lambda: answer(run), *todo(run, "create_tables")])
    if failed is None:
        assert left.status(run.id) == "proven"
        assert left.held("waiting").items() >= left.should().items()
    else:
        assert "trigger the DAG again" in str(failed)
        assert left.status(run.id) == "failed"
        assert left.held("waiting") == was


def test_a_new_run_takes_the_target_of_one_that_waited_too_long(left: Left) -> None:
    report = left.forward("waiting")
    assert rows(report) == {"add": 9, "change": 2, "extra": 1}
    assert left.status("next") == "proven"
    held = left.held("waiting")
    run = left.old("waiting")
    failed = left.ended(run, [lambda: answer(run), *todo(run, "create_tables")])
    assert failed is not None
    assert left.status(run.id) == "failed"
    assert left.held("waiting") == held


def test_its_rows_can_be_looked_at(left: Left) -> None:
    run = left.old("proven")
    looked = history.look(run.migration, Shelf(left.workspace), left.ledger.entered(run.id))
    page = browse.page(looked, left.ledger, search.Asked())
    assert {line.verb for line in page.rows} >= {"add", "rejected"}
    assert sum(kind.rows for kind in count.summary(looked, left.ledger).kinds) == len(page.rows)
    line = next(line for line in page.rows if line.verb == "add")
    whole = one.one(looked, left.ledger, line.at)
    assert whole is not None
    assert whole.legacy[0].key == line.source
    (target,) = whole.made.targets
    assert (target.written_at is not None, target.proof is not None) == (True, True)
    assert target.proof is not None
    assert target.proof.kind == "as planned"
