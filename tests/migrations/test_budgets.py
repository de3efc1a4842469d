"""What a plan may lose: each budget stops a plan that is over it, before anything is written, and says which param to raise."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.errors import GateError, OptionsError
from include.trueup.ledger import Ledger
from include.trueup.run import Extra, Options, Window
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import Database, declare

SKIPS = (
    "CREATE OR REPLACE VIEW rows AS SELECT id, upper(name) AS name, amount, seen_at, id AS _source FROM people WHERE "
    "amount <> '3'; CREATE OR REPLACE VIEW findings AS SELECT id AS _source, id AS key, 'skip' AS severity, 'is_three' AS code, "
    "'' AS message FROM people WHERE amount = '3'"
)


class Runs:
    """Runs of the small migration, one after the other, with the budgets as they are by default."""

    def __init__(
        self, server: postgres.Server, people: int, ledger: Ledger, workspace: Workspace, folder: Path
    ) -> None:
        self.database, self.migration = Database(server, people), declare(folder)
        self.workspace, self._ledger, self._count = workspace, ledger, 0
        self.database.sql("CREATE TABLE persons (LIKE people INCLUDING ALL)")

    def __call__(self, **options: Any) -> dict[str, Any]:
        self._count += 1
        asked = {"partitions": 2, "max_reject_share": 0.05, **options}
        id = f"run-{self._count}"
        run = run_of(self.migration, self._ledger, self.workspace, lambda _: self.database.store, id, **asked)
        walk(run)
        return dict(run.folder.read_json("report.json"))

    def refused(self, **options: Any) -> str:
        """What a run that its plan's gate stops says, having written nothing."""
        before = self.database.persons()
        with pytest.raises(GateError) as error:
            self(**options)
        assert self.database.persons() == before
        report = self.workspace.run(f"run-{self._count}").read_json("report.json")
        assert (report["verdict"]["status"], report["run"]["failed"]["step"]) == ("failed", "plan_gate")
        return str(error.value)


@pytest.fixture
def runs(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Runs:
    return Runs(postgres_server, 20, ledger, workspace, tmp_path)


def test_a_source_that_lost_its_rows_empties_no_target(runs: Runs) -> None:
    runs()
    runs.database.sql("DELETE FROM people WHERE id <> 'p00'")
    said = runs.refused(extra=Extra.REMOVE)
    assert "19 of the 20 rows that earlier runs added would be removed (95.0%)" in said
    assert "19 of persons, such as p01, p02, p03" in said
    assert "raise max_remove_share (it is 0.05)" in said
    runs.database.sql("INSERT INTO people SELECT * FROM persons WHERE id > 'p01'")
    report = runs(extra=Extra.REMOVE)  # one of twenty is within the budget
    assert report["plan"]["phases"][0]["rows"]["remove"] == 1
    runs.database.sql("DELETE FROM people WHERE id <> 'p00'")
    assert runs(extra=Extra.REMOVE, max_remove_share=1)["plan"]["phases"][0]["rows"]["remove"] == 18
    assert set(runs.database.persons()) == {"p00"}


def test_rows_that_others_made_do_not_widen_the_budget_for_removals(runs: Runs) -> None:
    runs()
    runs.database.sql(
        "INSERT INTO persons SELECT 'q' || n FROM generate_series(1, 80) n", "DELETE FROM people WHERE id > 'p16'"
    )
    assert "3 of the 20 rows that earlier runs added" in runs.refused(extra=Extra.REMOVE)


def test_a_lost_baseline_stops_the_plan_unless_the_run_says_so_by_name(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE persons SET name = 'CORRECTED' WHERE id = 'p01'")
    shutil.rmtree(Path(runs.workspace.uri) / "runs" / "run-1" / "baseline")
    said = runs.refused()
    assert "the baseline that run run-1 left in the workspace is missing" in said
    assert "allow_lost_baseline" in said
    assert runs.database.persons()["p01"][0] == "CORRECTED"


def test_a_lost_baseline_is_gone_on_without_where_the_run_says_so(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE persons SET name = 'CORRECTED' WHERE id = 'p01'")
    shutil.rmtree(Path(runs.workspace.uri) / "runs" / "run-1" / "baseline")
    report = runs(allow_lost_baseline=True)
    assert report["plan"]["drift_checked"] is False
    assert runs.database.persons() == runs.database.should()


def test_what_a_rule_leaves_out_unexpected_is_within_a_budget(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "rows.sql").write_text(SKIPS)
    runs.database.sql("UPDATE people SET amount = 3 WHERE id IN ('p01', 'p02')")
    window = Window.parse("2025-01-01", "2025-01-06")  # p00 … p04: rows outside it neither count nor dilute
    said = runs.refused(window=window)
    assert "3 of 5 source rows of people by rule is_three (phase copy)" in said
    assert "max_skip_share (it is 0.05)" in said
    assert "Phase.expected_skips" in said
    runs.refused()
    assert runs(max_skip_share=0.15)["verdict"]["status"] == "passed"
    (phase,) = runs.migration.phases
    runs.migration = replace(runs.migration, phases=(replace(phase, expected_skips=("is_three",)),))
    assert runs()["plan"]["phases"][0]["skipped"] == {"is_three": 3}


def test_rejects_are_named_with_their_codes_and_keys(runs: Runs) -> None:
    runs.database.sql("UPDATE people SET name = NULL WHERE id IN ('p01', 'p02')")
    said = runs.refused()
    assert "2 of 20 source rows are rejected (10.0%): no_name 2 (phase copy, such as p01)" in said
    assert "raise max_reject_share (it is 0.05)" in said
    assert "raise max_rejects (it is 1)" in runs.refused(max_reject_share=1, max_rejects=1)


def test_drift_stops_the_plan_beyond_its_budget(runs: Runs) -> None:
    runs()
    runs.database.sql("UPDATE persons SET name = 'theirs' WHERE id IN ('p03', 'p04')")
    said = runs.refused(max_left_alone=1)
    assert (
        "2 rows were changed by somebody else, and would be left alone (drift): 2 of persons, such as p03, p04" in said
    )
    assert "max_left_alone (it is 1)" in said
    assert "overwrite_drift" in runs.refused()
    assert runs(max_left_alone=2)["verdict"]["status"] == "passed"


@pytest.mark.parametrize(
    "options",
    [{"max_remove_share": 1.1}, {"max_skip_share": -0.1}, {"max_left_alone": -1}, {"max_reject_share": 2}],
)
def test_a_budget_out_of_bounds_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionsError, match=next(iter(options))):
        Options(**options)


def test_the_options_of_an_older_run_get_the_budgets_of_today() -> None:
    old = {
        n: v
        for n, v in Options().to_json().items()
        if not n.startswith(("max_remove", "max_skip", "max_left", "allow"))
    }
    assert Options.from_json(old) == Options()
