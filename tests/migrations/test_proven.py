"""What "proven" says: every row that should be is there; rows left alone are exceptions; others' rows may move on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.cutover import turning
from include.trueup.declare.migration import Migration
from include.trueup.errors import GateError, ProofError, StatusError, TrueupError
from include.trueup.ledger import Ledger, SwitchState
from include.trueup.run import LAST, Extra, Mode, Run
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.walk import walk
from include.trueup.walk.preflight import preflight
from tests.harness import run_of
from tests.small import Database, declare, declare_in_place
from tests.stepping import do

DROPS_SOME = (
    "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.amount > 5 THEN RETURN NULL; END IF; RETURN NEW; END'",
    "CREATE TRIGGER skips BEFORE INSERT ON persons FOR EACH ROW EXECUTE FUNCTION skip()",
)
STAMPS = (
    "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.amount := NEW.amount + 1000; RETURN NEW; END'",
    "CREATE TRIGGER stamps BEFORE UPDATE ON persons FOR EACH ROW EXECUTE FUNCTION stamp()",
)


class Runs:
    """Runs of a migration of eight people, one after the other."""

    def __init__(self, database: Database, migration: Migration, ledger: Ledger, workspace: Workspace) -> None:
        self.database, self.migration = database, migration
        self.ledger, self.workspace, self._count = ledger, workspace, 0

    def run(self, undoes: str | None = None, **options: Any) -> Run:
        self._count += 1
        asked = {"max_reject_share": 1, "max_remove_share": 1, **options}
        id = f"run-{self._count}"
        made = run_of(self.migration, self.ledger, self.workspace, lambda _: self.database.store, id, **asked)
        if undoes is None:
            return made
        return replace(made, dag_id="small_rollback", undoes=undoes, options=replace(made.options, partitions=None))

    def __call__(
        self, *sql: str, before: str = "read_back", undoes: str | None = None, **options: Any
    ) -> dict[str, Any]:
        """The report of a run that passes, before whose step `before` the statements are run."""
        run = self.run(undoes, **options)
        walk(run, seen=self._meddle(sql, before))
        return dict(run.folder.read_json("report.json"))

    def fails(self, *sql: str, before: str = "read_back", **options: Any) -> dict[str, Any]:
        """The report of a run that fails; its error is `report["run"]["failed"]["error"]`."""
        run = self.run(**options)
        with pytest.raises(TrueupError):
            walk(run, seen=self._meddle(sql, before))
        report = dict(run.folder.read_json("report.json"))
        assert (report["verdict"]["status"], report["verdict"]["proof"]) == ("failed", "not_proven")
        assert self.ledger.entered(run.id).status == "failed"
        return report

    def _meddle(self, sql: tuple[str, ...], before: str) -> Callable[[Step], None]:
        def meddle(step: Step) -> None:
            if step.id == before and sql:
                self.database.sql(*sql)

        return meddle


@pytest.fixture
def runs(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Runs:
    database = Database(postgres_server, 8)
    database.sql("CREATE TABLE persons (LIKE people INCLUDING ALL)")
    return Runs(database, declare(tmp_path), ledger, workspace)


def verdict(report: dict[str, Any]) -> tuple[str, str, int, int]:
    found = report["verdict"]
    return found["status"], found["proof"], found["exceptions"], found["moved_on"]


def proof(report: dict[str, Any]) -> dict[str, int]:
    (found,) = report["proof"]
    return {n: found[n] for n in ("compared", "missing", "different", "left_alone", "moved_on") if found[n]}


def test_a_planned_row_that_the_target_drops_is_missing_and_no_later_run_is_green(runs: Runs) -> None:
    runs.database.sql(*DROPS_SOME)
    for _ in range(2):
        report = runs.fails()
        assert proof(report)["missing"] == 2
        assert "2 of 8 planned rows of persons are missing, such as p06, p07" in report["run"]["failed"]["error"]
        assert "persons are missing, such as p06" in report["verdict"]["headline"]
        assert report["exceptions"] == []


def test_a_row_deleted_between_plan_and_apply_is_missing_and_no_exception(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE people SET name = 'new' WHERE id = 'p02'")
    report = runs.fails("DELETE FROM persons WHERE id = 'p02'", before="apply", max_left_alone=8)
    assert proof(report)["missing"] == 1
    assert report["plan"]["phases"][0]["skipped"] == {"missing": 1}
    assert runs()["verdict"]["proof"] == "proven"  # it is planned again


def test_a_conflict_is_an_exception_within_its_budget_and_stays_one(runs: Runs) -> None:
    meddle = "INSERT INTO persons (id, name) VALUES ('p02', 'theirs')"
    report = runs.fails(meddle, before="apply")
    assert "1 rows of persons were left alone, such as p02" in report["run"]["failed"]["error"]
    assert "max_left_alone" in report["verdict"]["next"]
    assert runs.fails()["run"]["failed"]["step"] == "plan_gate"  # drift now: theirs is not taken for ours
    report = runs(max_left_alone=1)
    assert verdict(report) == ("passed", "proven_with_exceptions", 1, 0)
    assert report["verdict"]["headline"].startswith("Proven with 1 exception")
    assert [(e["phase"], e["key"], e["kind"]) for e in report["exceptions"]] == [("copy", "p02", "drift")]
    assert runs.database.persons()["p02"][0] == "theirs"


def test_a_conflict_within_the_budget_is_listed_with_its_reason(runs: Runs) -> None:
    meddle = "INSERT INTO persons (id, name) VALUES ('p02', 'theirs')"
    report = runs(meddle, before="apply", max_left_alone=1)
    assert verdict(report) == ("passed", "proven_with_exceptions", 1, 0)
    ((key, kind, reason),) = [(e["key"], e["kind"], e["reason"]) for e in report["exceptions"]]
    assert (key, kind) == ("p02", "conflict")
    assert reason
    assert proof(report) == {"compared": 7, "left_alone": 1}


def test_a_row_that_is_deleted_and_put_back_while_it_is_to_be_written_is_an_exception(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE people SET name = 'new' WHERE id = 'p02'")
    meanwhile = {
        "apply": "DELETE FROM persons WHERE id = 'p02'",
        "read_back": "INSERT INTO persons (id, name) VALUES ('p02', 'theirs')",
    }
    run = runs.run(max_left_alone=1)

    def meddle(step: Step) -> None:
        if step.id in meanwhile:
            runs.database.sql(meanwhile[step.id])

    walk(run, seen=meddle)
    report = dict(run.folder.read_json("report.json"))
    assert verdict(report) == ("passed", "proven_with_exceptions", 1, 0)
    assert [(e["key"], e["kind"]) for e in report["exceptions"]] == [("p02", "conflict")]
    assert report["plan"]["phases"][0]["skipped"] == {"conflict": 1}


def test_a_removal_that_met_a_conflict_is_an_exception_too(runs: Runs) -> None:
    runs()
    runs.database.sql("DELETE FROM people WHERE id = 'p03'")
    change = "UPDATE persons SET amount = 99 WHERE id = 'p03'"
    report = runs(change, before="apply", extra=Extra.REMOVE, max_left_alone=1)
    assert verdict(report) == ("passed", "proven_with_exceptions", 1, 0)


def test_rows_that_the_plan_did_not_mean_to_write_may_move_on(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE people SET name = 'new' WHERE id = 'p07'")
    report = runs("UPDATE persons SET amount = 99 WHERE id = 'p01'", "DELETE FROM persons WHERE id = 'p02'")
    assert verdict(report) == ("passed", "proven", 0, 2)
    assert proof(report) == {"compared": 6, "moved_on": 2}
    assert "2 rows that were not to be written were changed by somebody else" in report["verdict"]["headline"]
    listed = {e["key"] for e in report["proof"][0]["examples"] if e["kind"] == "moved_on"}
    assert listed == {"p01", "p02"}


@pytest.mark.parametrize("emptied", ["TRUNCATE persons", "ALTER TABLE persons RENAME TO old"])
def test_a_target_that_was_emptied_since_the_plan_is_not_proven(runs: Runs, emptied: str) -> None:
    runs(max_remove_share=0.05)
    anew = ["CREATE TABLE persons (LIKE people INCLUDING ALL)"] if "RENAME" in emptied else []
    report = runs.fails(emptied, *anew, max_remove_share=0.05)
    said = "8 of the 8 rows of persons that were there when the plan was made, and that it keeps, are gone, such as p00, p01"
    assert said in report["run"]["failed"]["error"]
    report = runs(max_remove_share=0.05)
    assert verdict(report) == ("passed", "proven", 0, 0)
    assert runs.database.persons() == runs.database.should()


def test_a_row_that_the_plan_wrote_and_that_is_otherwise_fails(runs: Runs) -> None:
    report = runs.fails("UPDATE persons SET amount = 99 WHERE id = 'p01'")
    assert proof(report)["different"] == 1
    said = report["run"]["failed"]["error"]
    assert (
        "1 of 8 planned rows of persons are not as they were written, such as p01 in amount (1 of 1 looked at)" in said
    )


def test_in_place_columns_that_are_not_owned_may_move_on_and_owned_ones_may_not(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    runs = Runs(Database(postgres_server, 4), declare_in_place(tmp_path), ledger, workspace)
    report = runs("UPDATE people SET seen_at = now() WHERE id = 'p01'")
    assert verdict(report) == ("passed", "proven", 0, 1)
    runs.database.sql("UPDATE people SET name = 'a longer name' WHERE id = 'p02'")
    report = runs("UPDATE people SET seen_at = now() WHERE id = 'p03'")
    assert verdict(report) == ("passed", "proven", 0, 1)
    runs.database.sql("UPDATE people SET name = 'another name, longer' WHERE id = 'p02'")
    assert proof(runs.fails("UPDATE people SET amount = 7 WHERE id = 'p02'"))["different"] == 1


def test_what_a_trigger_altered_is_ours_so_a_failed_proof_does_not_turn_green(runs: Runs) -> None:
    runs()
    runs.database.sql(*STAMPS, "UPDATE people SET name = 'new' WHERE id = 'p03'")
    for _ in range(3):
        report = runs.fails(max_left_alone=8)
        assert proof(report)["different"] == 1
        assert report["plan"]["phases"][0]["rows"]["drift"] == 0
        assert "in amount" in report["run"]["failed"]["error"]
    runs.database.sql("DROP TRIGGER stamps ON persons")
    report = runs()
    assert verdict(report) == ("passed", "proven", 0, 0)
    assert runs.database.persons() == runs.database.should()


def test_what_somebody_changed_after_a_failed_proof_is_theirs(runs: Runs) -> None:
    runs.fails("UPDATE persons SET amount = 99 WHERE id = 'p01'")
    runs.database.sql("UPDATE persons SET amount = 100 WHERE id = 'p01'")
    assert runs(max_left_alone=1)["plan"]["phases"][0]["rows"]["drift"] == 1


def test_a_rollback_keeps_what_was_touched_since_as_exceptions_without_a_budget(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE persons SET amount = 99 WHERE id = 'p01'")
    refused = runs.run(LAST, max_left_alone=0)
    with pytest.raises(GateError, match="changed since the run that is undone"):
        walk(refused)
    report = runs(undoes=LAST)
    assert verdict(report) == ("passed", "proven_with_exceptions", 1, 0)
    assert [(e["key"], e["kind"]) for e in report["exceptions"]] == [("p01", "drift")]
    assert runs.ledger.entered("run-1").status == "rolled_back"


def test_the_report_says_in_each_of_its_forms_which_rows_are_exceptions(runs: Runs) -> None:
    runs("INSERT INTO persons (id, name) VALUES ('p02', 'theirs')", before="apply", max_left_alone=1)
    folder = runs.workspace.run("run-1")
    page, ticket = (Path(folder.location(f"report.{kind}")).read_text(encoding="utf-8") for kind in ("html", "md"))
    for said in (page, ticket):
        assert "Passed with exceptions" in said
        assert "Proven with 1 exception: 7 rows written, every one of 7 rows read back and found as planned" in said
    assert "with exceptions</span>" in page
    assert "1 row left alone, since somebody else changed it" in page
    assert "`p02` of persons (conflict)" in ticket


def test_a_cutover_needs_a_proof_without_exceptions(runs: Runs) -> None:
    runs("INSERT INTO persons (id, name) VALUES ('p02', 'theirs')", before="apply", max_left_alone=1)
    with pytest.raises(ProofError, match="proven with exceptions: it left 1 rows alone"):
        turning.preflight(runs.ledger, runs.workspace, "small", SwitchState.DUAL, 24)
    runs("UPDATE persons SET amount = 99 WHERE id = 'p01'", overwrite_drift=True)  # p01 moves on
    assert turning.preflight(runs.ledger, runs.workspace, "small", SwitchState.DUAL, 24).proof_run_id == "run-2"


def turned(runs: Runs) -> str | None:
    """The run on whose proof the switch would be turned."""
    return turning.preflight(runs.ledger, runs.workspace, "small", SwitchState.DUAL, 24).proof_run_id


@pytest.mark.parametrize("made", [False, True])
def test_a_cutover_needs_the_tables_that_were_proved(runs: Runs, made: bool) -> None:
    """A backup that was put back, a standby that has taken over, a connection that leads elsewhere: other rows are there."""
    if made:
        runs.database.sql("DROP TABLE persons")
    runs()
    checked = turning.preflight(runs.ledger, runs.workspace, "small", SwitchState.DUAL, 24)

    def look() -> None:
        turning.refuse_other_tables(
            runs.workspace, runs.migration, checked, lambda _: runs.database.store, dict[str, Migration]().__getitem__
        )

    look()
    for since in ("ALTER TABLE persons RENAME TO proved", "CREATE TABLE persons (LIKE proved INCLUDING ALL)"):
        runs.database.sql(since)
        with pytest.raises(ProofError, match=r"run-1 has proved table persons as .*, and what is there is"):
            look()


def test_a_cutover_needs_a_proof_that_is_younger_than_what_an_older_run_wrote_when_it_began_again(runs: Runs) -> None:
    runs.fails("UPDATE persons SET amount = 99 WHERE id = 'p01'")
    runs(overwrite_drift=True)
    assert turned(runs) == "run-2"
    runs.database.sql("UPDATE people SET amount = amount + 90 WHERE id = 'p01'")
    first = replace(runs.run(overwrite_drift=True), id="run-1")
    with pytest.raises(TrueupError):
        walk(first, seen=runs._meddle(("UPDATE persons SET amount = 98 WHERE id = 'p01'",), "read_back"))
    with pytest.raises(ProofError, match="the last run, run-1, is failed"):
        turned(runs)
    walk(first)
    assert turned(runs) == "run-1"
    with pytest.raises(StatusError, match="run run-1 built on run run-2"):
        runs(undoes="run-2")
    assert runs(undoes=LAST)["run"]["undoes"] == "run-1"


def test_a_cutover_needs_a_proof_that_is_younger_than_what_a_run_wrote_that_waited(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE people SET amount = amount + 90 WHERE id = 'p01'")
    waits = runs.run()
    preflight(waits)
    do(waits, last="approve")
    runs.database.sql("UPDATE people SET amount = amount - 90 WHERE id = 'p01'")
    runs(mode=Mode.VERIFY)
    assert turned(runs) == "run-3"
    do(waits, "create_tables", "apply")
    with pytest.raises(ProofError, match="the last run, run-2, is running"):
        turned(runs)
