"""What a run has kept of its earlier plans, left where the ledger has forgotten the run, or was restored from before: it is taken
for nothing that the run does afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.run import Run, earlier
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.harness import new_database
from tests.stepping import Stepped, broken_off, do


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, 4)


def wrote(small: Stepped, run: Run, name: str) -> str:
    """Somebody gives a person that name, and the run writes all that it plans then, and fails; the hash of its plan."""
    small.database.sql(f"UPDATE people SET name = '{name}' WHERE id = 'p01'")
    do(run, "snapshot", "apply")
    small.fail(run, "copy.verify")
    return str(small.ledger.entered(run.id).plan_sha256)


def lived(small: Stepped, run: Run, patch: pytest.MonkeyPatch) -> None:
    """The run writes its plan in part, begins again, writes that plan, and begins once more."""
    do(run, "approve", "create_tables")
    broken_off(small, run, patch, batches=1)
    wrote(small, small.begin("a", to="snapshot"), "former")
    small.fail(small.begin("a"), "approve")


def kept(run: Run) -> list[str]:
    return [plan.sha256 for plan in earlier.plans(run.folder, run.ledger.entered(run.id).attempt)]


def taken_back(small: Stepped, before: object) -> None:
    walk(small.run("back", undoes="a"))
    assert small.database.persons() == before


def test_a_run_that_the_ledger_has_forgotten_has_no_earlier_plan(
    small: Stepped, postgres_server: postgres.Server, ledger_template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(small, small.begin("a"), monkeypatch)
    before = small.database.persons()
    small.ledger = Ledger(new_database(postgres_server, ledger_template))
    sha256 = wrote(small, small.begin("a", to="snapshot"), "newer")
    small.fail(small.begin("a"), "approve")
    run = small.begin("a")
    assert kept(run) == [sha256]
    small.fail(run, "approve")
    taken_back(small, before)


def test_a_run_whose_ledger_was_restored_keeps_what_it_writes_since(
    small: Stepped, postgres_server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = str(small.ledger.entered(small.begin("a").id).plan_sha256)
    with small.ledger._begin() as connection:
        name = str(connection.exec_driver_sql("SELECT current_database()").scalar_one())
    small.ledger.close()
    restored = Ledger(new_database(postgres_server, name))
    lived(small, small.run("a").chosen(), monkeypatch)
    small.ledger = restored
    small.fail(small.run("a"), "copy.apply")
    second = wrote(small, small.begin("a", to="snapshot", overwrite_drift=True), "newer")
    assert kept(small.begin("a", overwrite_drift=True)) == [first, second]
