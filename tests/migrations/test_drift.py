"""Catching up: a run after the first plans what changed, tells its own rows from other people's, and removes its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration, Table, Target, Type
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.plan.baseline import row_hash
from include.trueup.rows import duck
from include.trueup.run import Extra, Mode, Run, Window
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import Database, declare, declare_in_place


class Runs:
    """Runs of the small migration, one after the other."""

    def __init__(self, database: Database, migration: Migration, ledger: Ledger, workspace: Workspace) -> None:
        self.database, self._migration = database, migration
        self._ledger, self._workspace, self._count = ledger, workspace, 0

    def run(self, **options: Any) -> Run:
        self._count += 1
        # of ten rows, one is more than any budget allows by default (tests/migrations/test_budgets.py)
        budgets = {"max_reject_share": 1, "max_remove_share": 1, "max_left_alone": 3}
        asked = {"partitions": 2, "segments": 1, **budgets, **options}
        id = f"run-{self._count}"
        return run_of(self._migration, self._ledger, self._workspace, lambda _: self.database.store, id, **asked)

    def __call__(self, seen: Any = None, **options: Any) -> dict[str, Any]:
        run = self.run(**options)
        walk(run, seen=seen)
        return dict(run.folder.read_json("report.json"))


@pytest.fixture
def runs(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Runs:
    return Runs(Database(postgres_server, 10), declare(tmp_path), ledger, workspace)


def rows(report: dict[str, Any]) -> dict[str, int]:
    """Target rows by verb; verbs without rows left out."""
    ((phase),) = report["plan"]["phases"]
    sources = phase["written"] + phase["kept"] + phase["rejected"] + sum(phase["skipped"].values())
    assert phase["source_rows"] == sources
    return {verb: n for verb, n in phase["rows"].items() if n}


def findings(report: dict[str, Any]) -> dict[str, list[str]]:
    return {f["code"]: [e["key"] for e in f["examples"]] for f in report["findings"]}


def test_a_first_run_changes_what_differs_and_has_nothing_to_check(runs: Runs) -> None:
    runs.database.sql("CREATE TABLE persons (LIKE people INCLUDING ALL)", "INSERT INTO persons VALUES ('p03', 'x')")
    report = runs()
    assert rows(report) == {"add": 9, "change": 1}
    assert report["plan"]["drift_checked"] is None
    assert runs.database.persons() == runs.database.should()


def test_what_changed_at_the_source_is_a_change_and_what_somebody_changed_is_drift(runs: Runs) -> None:
    runs()
    runs.database.sql(
        "UPDATE people SET name = 'new' WHERE id IN ('p01', 'p02')",
        "UPDATE persons SET name = 'theirs' WHERE id IN ('p02', 'p03')",
        "DELETE FROM persons WHERE id = 'p04'",
        "INSERT INTO people VALUES ('p10', 'ten'), ('p11', 'eleven')",
        "INSERT INTO persons VALUES ('p11', 'theirs')",
    )
    report = runs()
    assert rows(report) == {"add": 2, "change": 1, "drift": 3, "keep": 6}
    assert report["plan"]["phases"][0]["skipped"] == {"drift": 3}
    assert findings(report) == {"drift": ["p02", "p03", "p11"], "deleted_since": ["p04"]}
    assert "3 rows were changed by somebody else" in report["verdict"]["headline"]
    assert report["plan"]["drift_checked"] is True
    held, wanted = runs.database.persons(), runs.database.should()
    assert {id for id in wanted if held[id] != wanted[id]} == {"p02", "p03", "p11"}
    assert {held[id][0] for id in ("p02", "p03", "p11")} == {"theirs"}

    again = runs(partitions=3)  # other partitions: the same is known; and what is told stays told
    assert rows(again) == {"drift": 3, "keep": 9}
    assert "deleted_since" not in findings(again)
    with pytest.raises(GateError):
        runs(mode=Mode.VERIFY)  # a difference is a difference
    assert rows(runs(mode=Mode.PLAN)) == {"drift": 3, "keep": 9}

    assert rows(runs(overwrite_drift=True)) == {"change": 3, "keep": 9}
    assert runs.database.persons() == runs.database.should()
    assert rows(runs()) == {"keep": 12}


def test_a_row_outside_the_window_stays_known(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE persons SET name = 'theirs' WHERE id = 'p07'")
    window = Window.parse("2025-01-01", "2025-01-03")
    assert rows(runs(window=window)) == {"keep": 2}
    assert rows(runs()) == {"drift": 1, "keep": 9}


def test_what_the_target_held_before_all_runs_is_found_and_no_drift(runs: Runs) -> None:
    runs.database.sql(
        "CREATE TABLE persons (LIKE people INCLUDING ALL)",
        "INSERT INTO persons SELECT id, 'old', amount, seen_at FROM people WHERE id <> 'p09'",
        "INSERT INTO persons VALUES ('p10', 'old'), ('p11', 'old'), ('q', 'old')",  # of which the source knows nothing yet
    )
    days = [Window.parse(f"2025-01-0{day}", f"2025-01-0{day + 1}") for day in (1, 2, 3)]
    assert rows(runs(window=days[0], max_left_alone=0)) == {"change": 1, "extra": 3}
    runs.database.sql(
        "UPDATE persons SET name = 'theirs' WHERE id = 'p04'",
        "DELETE FROM persons WHERE id = 'p05'",
        "INSERT INTO persons VALUES ('p09', 'theirs')",
        "INSERT INTO people VALUES ('p10', 'ten'), ('p11', NULL)",
    )
    assert rows(runs(window=days[1], max_left_alone=0)) == {"change": 1, "extra": 2}
    runs.database.sql("UPDATE persons SET name = 'theirs' WHERE id = 'p00'")
    assert rows(runs(window=days[0])) == {"drift": 1, "extra": 2}  # a run has written it
    assert rows(runs(window=days[2], max_left_alone=0, extra=Extra.REMOVE)) == {"change": 1, "extra": 2}
    report = runs(extra=Extra.REMOVE)
    assert rows(report) == {"add": 1, "change": 5, "drift": 3, "keep": 2, "extra": 2}
    assert findings(report) == {"drift": ["p00", "p04", "p09"], "deleted_since": ["p05"], "no_name": ["p11"]}
    assert {"p11", "q"} <= set(runs.database.persons())  # no run has added them


def test_what_the_source_lost_is_reported_or_removed_if_it_is_ours(runs: Runs) -> None:
    runs.database.sql("CREATE TABLE persons (LIKE people INCLUDING ALL)", "INSERT INTO persons VALUES ('p03'), ('q')")
    runs()
    runs.database.sql(
        "DELETE FROM people WHERE id IN ('p01', 'p02', 'p03')",  # p03 was there before us
        "UPDATE persons SET amount = 99 WHERE id = 'p02'",
    )
    assert rows(runs()) == {"keep": 7, "extra": 4}
    window = Window.parse("2025-01-01", "2025-01-03")
    assert rows(runs(extra=Extra.REMOVE, window=window)) == {"keep": 1, "extra": 4}
    assert set(runs.database.persons()) == {f"p0{n}" for n in range(10)} | {"q"}
    report = runs(extra=Extra.REMOVE)
    assert rows(report) == {"keep": 7, "remove": 1, "extra": 3}
    assert "1 of them were removed" in report["verdict"]["headline"]
    assert set(runs.database.persons()) == {f"p0{n}" for n in range(10)} - {"p01"} | {"q"}
    runs.database.sql("INSERT INTO people VALUES ('p01', 'back')")
    back = runs()
    assert (rows(back)["add"], findings(back)) == (1, {})  # it was removed by us, not deleted by somebody


def test_a_row_changed_while_it_was_to_be_removed_is_left_alone(runs: Runs) -> None:
    runs()
    runs.database.sql("DELETE FROM people WHERE id IN ('p01', 'p02')")

    def meddle(step: Step) -> None:
        if step.id == "apply":
            runs.database.sql("UPDATE persons SET amount = 99 WHERE id = 'p01'")

    report = runs(seen=meddle, extra=Extra.REMOVE)
    assert report["verdict"]["status"] == "passed"
    assert findings(report) == {"conflict": ["p01"]}
    assert set(runs.database.persons()) == {f"p0{n}" for n in range(10)} - {"p02"}


def test_a_removed_row_that_is_there_again_fails_the_proof(runs: Runs) -> None:
    runs()
    runs.database.sql("DELETE FROM people WHERE id = 'p01'")

    def bring_back(step: Step) -> None:
        if step.id == "read_back":
            runs.database.sql("INSERT INTO persons VALUES ('p01', 'again')")

    run = runs.run(extra=Extra.REMOVE)
    with pytest.raises(GateError):
        walk(run, seen=bring_back)
    (proof,) = run.folder.read_json("report.json")["proof"]
    assert (proof["different"], proof["missing"], proof["extra"]) == (1, 0, 0)
    assert proof["examples"][0]["key"] == "p01"


def test_a_rejected_plan_leaves_no_false_tale_of_deleted_rows(runs: Runs) -> None:
    with pytest.raises(Exception, match="nobody here can be asked"):
        runs(approval=True)
    report = runs()
    assert (rows(report), findings(report)) == ({"add": 10}, {})


@pytest.mark.parametrize("lost", ["removed", "changed"])
def test_a_lost_baseline_is_said_so_and_not_made_up(runs: Runs, workspace: Workspace, lost: str) -> None:
    runs()
    baseline = Path(workspace.uri) / "runs" / "run-1" / "baseline" / "persons" / "p001.parquet"
    assert baseline.is_file()
    if lost == "removed":
        baseline.unlink()
    else:
        baseline.write_bytes(baseline.read_bytes()[:-1] + b"x")
    runs.database.sql("UPDATE persons SET name = 'theirs'")
    with pytest.raises(GateError, match="allow_lost_baseline"):
        runs(max_left_alone=10)
    report = runs(max_left_alone=10, allow_lost_baseline=True)
    assert report["plan"]["drift_checked"] is False
    assert "is not known" in report["verdict"]["headline"]
    assert "drift" in rows(report)  # of the other partition
    assert rows(report)["change"] > 0
    assert json.dumps(report)


def test_where_columns_are_owned_a_new_row_is_new_and_another_value_is_drift(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    database = Database(postgres_server, 5)
    runs = Runs(database, declare_in_place(tmp_path), ledger, workspace)
    assert rows(runs()) == {"change": 5}
    database.sql(
        "INSERT INTO people VALUES ('new', 'somebody')",
        "UPDATE people SET name = 'longer name' WHERE id = 'p01'",  # the source of an owned column
        "UPDATE people SET amount = 77 WHERE id = 'p02'",  # the owned column itself
    )
    assert rows(runs()) == {"change": 2, "drift": 1, "keep": 3}
    assert dict(database.sql("SELECT id, amount FROM people WHERE id IN ('new', 'p01', 'p02')")) == {
        "new": 8, "p01": 11, "p02": 77
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"), [((None, "a"), ("", "a")), (("a", "bc"), ("ab", "c")), (("1:", None), (None, "1:"))]
)
def test_rows_that_differ_have_different_hashes(
    tmp_path: Path, one: tuple[str | None, ...], other: tuple[str | None, ...]
) -> None:
    table = Table(name="t", connection="c", key=("id",), columns=dict.fromkeys(("id", "a", "b"), Type.TEXT))
    target = Target(id="t", table=table, owned=("a", "b"))
    with duck.connect(tmp_path) as connection:
        connection.execute("CREATE TABLE r (a VARCHAR, b VARCHAR)")
        connection.executemany("INSERT INTO r VALUES (?, ?)", [one, other])
        hashes = connection.execute(f"SELECT {row_hash(target, 'r')} FROM r").fetchall()
    assert len(set(hashes)) == 2
