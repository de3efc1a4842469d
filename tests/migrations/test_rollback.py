"""Rolling back: every row as it was before the run, what was touched since kept and listed, and the refusals."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.cutover import turning
from include.trueup.errors import (
    ApprovalError,
    ArtifactError,
    GateError,
    OptionsError,
    ProofError,
    StatusError,
    StoreUnavailableError,
    TrueupError,
)
from include.trueup.ledger import Ledger, SwitchState
from include.trueup.run import LAST, Extra, Files, Mode, Run
from include.trueup.run.workspace import Workspace
from include.trueup.steps import APPROVE, Step
from include.trueup.walk import walk
from include.trueup.write.approval import reject
from tests.harness import run_of
from tests.small import Database, declare


class Runs:
    """Runs and rollbacks of the small migration."""

    def __init__(self, server: postgres.Server, ledger: Ledger, workspace: Workspace, folder: Path) -> None:
        self.database, self.migration = Database(server, 8), declare(folder)
        self.ledger, self.workspace = ledger, workspace
        self.database.sql(
            "CREATE TABLE persons (LIKE people INCLUDING ALL)",
            "INSERT INTO persons VALUES ('p00', 'before', 1.50), ('p01', 'before', NULL), ('q', 'not ours', NULL)",
        )

    def run(self, id: str, undoes: str | None = None, **options: Any) -> Run:
        budgets = {} if undoes else {"max_reject_share": 1, "max_remove_share": 1, "max_left_alone": 2}
        asked = {"partitions": 2, "segments": 1, **budgets, **options}
        made = run_of(self.migration, self.ledger, self.workspace, lambda _: self.database.store, id, **asked)
        return made if undoes is None else _rollback_of(made, undoes)

    def forward(self, id: str, **options: Any) -> dict[str, Any]:
        return self._walk(self.run(id, **options))

    def back(
        self, id: str, undoes: str = LAST, seen: Callable[[Step], None] | None = None, **options: Any
    ) -> dict[str, Any]:
        return self._walk(self.run(id, undoes, **options), seen)

    def _walk(self, run: Run, seen: Callable[[Step], None] | None = None) -> dict[str, Any]:
        walk(run, seen=seen)
        return dict(run.folder.read_json("report.json"))

    def status(self, id: str) -> str:
        return str(self.ledger.entered(id).status)


def _rollback_of(run: Run, undoes: str) -> Run:
    from dataclasses import replace

    return replace(run, dag_id="small_rollback", undoes=undoes, options=replace(run.options, partitions=None))


@pytest.fixture
def runs(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Runs:
    return Runs(postgres_server, ledger, workspace, tmp_path)


def rows(report: dict[str, Any]) -> dict[str, int]:
    (phase,) = report["plan"]["phases"]
    assert phase["source_rows"] == phase["written"] + phase["kept"] + sum(phase["skipped"].values())
    assert phase["unaccounted"] == 0
    return {verb: n for verb, n in phase["rows"].items() if n}


def test_there_and_back_and_there_again(runs: Runs) -> None:
    before = runs.database.persons()
    seen = runs.forward("seen", mode=Mode.PLAN)["plan"]["sha256"]
    assert runs.forward("first", plan=seen)["plan"]["sha256"] == seen
    begun = runs.run("first").files.start.where
    assert begun is not None
    assert [(p.kind, p.place is not None and p.place.startswith("postgres://")) for p in begun.places] == [
        ("postgres", True)
    ]
    there = runs.database.persons()
    assert "small_rollback" in runs.workspace.run("first").read_json("report.json")["undo"]["how"]
    plan = runs.back("look", mode=Mode.PLAN)
    assert rows(plan) == {"remove": 6, "change": 2}
    assert (runs.database.persons(), runs.status("first")) == (there, "proven")

    report = runs.back("back")
    assert report["verdict"]["headline"].startswith(
        "Rolled back: 6 rows deleted, 2 put back, 0 left alone because somebody changed them since."
    )
    assert report["run"]["undoes"] == "first"
    assert sum(p["compared"] for p in report["proof"]) == 8
    assert runs.database.persons() == before
    assert (runs.status("first"), runs.status("back")) == ("rolled_back", "proven")
    since = Files(runs.workspace.run("first")).afterwards
    assert since is not None
    assert (since.undone_by, since.by) == ("back", None)
    assert runs.workspace.run("first").read_json("report.json")["verdict"]["status"] == "passed"  # it stays as it was

    runs.database.sql("INSERT INTO people VALUES ('p99', 'later')")
    with pytest.raises(
        ApprovalError, match=f"asked to apply plan {seen}, and the plan that it made again is [0-9a-f]{{64}}"
    ):
        runs.forward("other", plan=seen)
    assert (runs.database.persons(), runs.status("other")) == (before, "failed")
    runs.database.sql("DELETE FROM people WHERE id = 'p99'")
    again = runs.forward("again", plan=seen)
    assert rows(again) == {"add": 6, "change": 2, "extra": 1}
    assert again["findings"] == []  # no false drift, and no tale of rows deleted by others
    assert runs.database.persons() == there


def test_there_again_where_a_run_between_found_nothing_to_do(runs: Runs) -> None:
    runs.forward("first")
    there = runs.database.persons()
    assert runs.forward("nothing")["verdict"]["headline"].startswith("Nothing to")
    assert runs.back("back")["run"]["undoes"] == "first"
    again = runs.forward("again")
    assert (rows(again), again["verdict"]["proof"]) == ({"add": 6, "change": 2, "extra": 1}, "proven")
    assert runs.database.persons() == there


def test_a_rollback_that_wrote_nothing_is_in_the_way_of_no_cutover(runs: Runs) -> None:
    runs.database.sql("TRUNCATE persons")
    runs.forward("first")

    def proof() -> object:
        return turning.preflight(runs.ledger, runs.workspace, "small", SwitchState.DUAL, 24).proof_run_id

    runs.back("look", mode=Mode.PLAN)
    assert proof() == "first"
    with pytest.raises(ApprovalError, match="rejected the plan"):
        runs.back("asked", seen=lambda step: _reject(runs, "asked", step))
    assert proof() == "first"
    runs.back("back")
    with pytest.raises(ProofError, match="the last run is a rollback, back"):
        proof()


def _reject(runs: Runs, id: str, step: Step) -> None:
    if step.id == APPROVE:
        reject(runs.run(id, "first"), "ada", None)


def test_what_was_touched_since_is_kept_and_listed(runs: Runs) -> None:
    before = runs.database.persons()
    runs.forward("first")
    runs.database.sql(
        "UPDATE persons SET amount = amount + 1 WHERE id IN ('p00', 'p02')",  # changed by the run, added by it
        "DELETE FROM persons WHERE id IN ('p01', 'p03')",  # changed, added
        "UPDATE persons SET name = 'theirs' WHERE id = 'q'",  # not the run's
    )
    touched = runs.database.persons()
    report = runs.back("back", "first")
    assert rows(report) == {"remove": 4, "drift": 3, "keep": 1}
    assert report["undone"] == {"deleted": 4, "put_back": 0, "as_before": 1, "kept": 3}
    (finding,) = report["findings"]
    assert finding["code"] == "touched_since"
    assert [e["key"] for e in finding["examples"]] == ["p00", "p01", "p02"]
    assert runs.database.persons() == {id: touched[id] for id in ("p00", "p02", "q")}
    assert before.keys() - runs.database.persons().keys() == {"p01"}
    # the next run knows that somebody else works on them
    runs.forward("next")
    assert rows(runs.workspace.run("next").read_json("report.json"))["drift"] == 2


def test_a_row_touched_between_plan_and_apply_is_left_alone(runs: Runs) -> None:
    runs.forward("first")

    def meddle(step: Step) -> None:
        if step.id == "apply":
            runs.database.sql("UPDATE persons SET amount = 99 WHERE id IN ('p00', 'p05')")

    report = runs.back("back", seen=meddle)
    assert report["undone"] == {"deleted": 5, "put_back": 1, "as_before": 0, "kept": 2}
    held = runs.database.persons()
    assert (held["p00"][1], held["p05"][1]) == (99, 99)


def test_rows_that_a_run_removed_are_added_back_and_runs_are_undone_one_by_one(runs: Runs) -> None:
    before = runs.database.persons()
    runs.forward("first")
    between = runs.database.persons()
    runs.database.sql("DELETE FROM people WHERE id = 'p04'", "UPDATE people SET name = 'new' WHERE id = 'p05'")
    runs.forward("second", extra=Extra.REMOVE)
    with pytest.raises(StatusError, match="second built on run first; roll that one back first"):
        runs.back("too-early", "first")
    assert rows(runs.back("back-2")) == {"add": 1, "change": 1}
    assert runs.database.persons() == between
    runs.back("back-1")
    assert runs.database.persons() == before
    with pytest.raises(StatusError, match="nothing to undo"):
        runs.back("back-0")
    again = runs.forward("again")
    assert (rows(again), again["findings"]) == ({"add": 5, "change": 2, "extra": 1}, [])


def test_a_plan_that_a_run_never_wrote_hides_nothing_of_the_one_before_it(runs: Runs) -> None:
    before = runs.database.persons()

    def broken_at(id: str) -> Callable[[Step], None]:
        def seen(step: Step) -> None:
            if step.id == id:
                raise StoreUnavailableError("no answer")

        return seen

    with pytest.raises(StoreUnavailableError):
        runs._walk(runs.run("first", extra=Extra.REMOVE), broken_at("read_back"))
    runs.database.sql("UPDATE people SET name = 'new' WHERE id = 'p05'", "DELETE FROM people WHERE id = 'p04'")
    with pytest.raises(StoreUnavailableError):
        runs._walk(runs.run("first", extra=Extra.REMOVE), broken_at("create_tables"))
    assert runs.ledger.entered("first").attempt == 2
    assert rows(runs.back("back"))["remove"] == 6
    assert runs.database.persons() == before


def test_a_failed_run_is_rolled_back_too_and_a_broken_rollback_goes_on(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = runs.database.persons()
    store = runs.database.store
    store.batch_rows = 2
    calls = {"add": 0, "remove": 0}

    def failing(name: str, real: Callable[..., Any], after: int) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            calls[name] += 1
            if calls[name] == after:
                raise StoreUnavailableError("gone")
            return real(*args, **more)

        return call

    for name in calls:
        monkeypatch.setattr(store, name, failing(name, getattr(store, name), 2))
    with pytest.raises(StoreUnavailableError):
        runs.forward("first")
    assert 0 < len(runs.database.persons()) - 3 < 6
    with pytest.raises(StoreUnavailableError):
        runs.back("back")
    assert runs.status("first") == "failed"
    report = runs.back("back-again", "first")
    assert report["verdict"]["status"] == "passed"
    assert runs.database.persons() == before
    assert runs.status("first") == "rolled_back"


def test_a_rollback_that_does_not_reach_the_before_state_is_not_proven(runs: Runs) -> None:
    runs.forward("first")

    def meddle(step: Step) -> None:
        if step.id == "read_back":
            runs.database.sql("UPDATE persons SET name = 'x' WHERE id = 'p00'", "INSERT INTO persons VALUES ('p02')")

    with pytest.raises(GateError):
        runs.back("back", seen=meddle)
    (proof,) = runs.workspace.run("back").read_json("report.json")["proof"]
    assert (proof["different"], proof["missing"]) == (2, 0)
    assert runs.status("first") == "proven"


def test_another_plan_than_was_approved_is_not_applied(runs: Runs) -> None:
    runs.forward("first")
    there = runs.database.persons()
    with pytest.raises(ApprovalError, match="nobody here can be asked"):
        runs.back("back", approval=True)
    assert runs.database.persons() == there


def test_what_may_not_be_undone_is_refused_with_the_reason(runs: Runs, workspace: Workspace) -> None:
    def refused(error: type[TrueupError], said: str, undoes: str, **options: Any) -> None:
        id = f"r{len(runs.ledger.runs())}"
        with pytest.raises(error, match=said):
            runs.back(id, undoes, **options)
        assert runs.status(id) == "failed"
        assert said.split(".")[0][:10] in workspace.run(id).read_json("report.json")["run"]["failed"]["error"]

    refused(StatusError, "there is nothing to undo", LAST)
    refused(OptionsError, "there is no run 'nobody'", "nobody")
    runs.forward("look", mode=Mode.PLAN)
    refused(StatusError, "wrote nothing", "look")
    runs.forward("small--manual__2026-01-01T00-00-00-00-00")
    refused(OptionsError, "no mode verify", LAST, mode=Mode.VERIFY)
    runs.ledger.begin("other", migration_id="other", dag_id="other", triggered_by=None, options={"mode": "apply"})
    refused(OptionsError, "is of other, not of small", "other")
    for to in (SwitchState.DUAL, SwitchState.NEW):
        runs.ledger.switches.turn("small", to, by=None, why="", run_id=f"turn-{to}", proof_run_id=None)
    refused(StatusError, "small_cutover", LAST)
    runs.ledger.switches.turn("small", SwitchState.DUAL, by=None, why="", run_id="back", proof_run_id=None)
    plan = Path(workspace.uri) / "runs/small--manual__2026-01-01T00-00-00-00-00/plan/copy/p001.parquet"
    kept = plan.read_bytes()
    plan.unlink()
    refused(ArtifactError, "is missing", LAST)
    plan.write_bytes(kept)
    running = runs.run("running")
    with suppress(StoreUnavailableError):
        walk(running, seen=lambda step: _break_off(step))
    assert runs.status("running") == "failed"
    runs.back("by-airflows-name", "manual__2026-01-01T00:00:00+00:00")
    refused(StatusError, "rolled back already", "manual__2026-01-01T00:00:00+00:00")
    refused(OptionsError, "is a rollback itself", "by-airflows-name")


def _break_off(step: Step) -> None:
    if step.id == "transform":
        raise StoreUnavailableError("broken off")


def test_a_run_that_goes_on_is_not_undone(runs: Runs) -> None:
    found: list[str] = []

    def meddle(step: Step) -> None:
        if step.id == "read_back":
            with pytest.raises(TrueupError) as error:
                runs.back("back", "first")
            found.append(str(error.value))

    walk(runs.run("first"), seen=meddle)
    assert "run first holds" in found[0]
    assert runs.status("first") == "proven"
