"""A migration there and back over real stores, and how a test says what is not so; and that each migration needs a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.pytest_plugin import is_about
from include.trueup.declare import Migration
from include.trueup.errors import DeclarationError
from include.trueup.testing import Stage
from include.trueup.testing import there_and_back as on_stage
from tests.simulation.twins import LedgerTwin, RelationalTwin, WorkspaceTwin
from tests.small import declare

Trip = Callable[..., None]
ADA: dict[str, Any] = {"id": "a", "name": "Ada", "amount": "1.50", "seen_at": "2025-01-01T00:00:00+00:00"}
ROWS = {"people": [ADA, {"id": "b"}]}


@pytest.fixture
def small(tmp_path: Path) -> Migration:
    return declare(tmp_path)


def test_there_and_back(small: Migration, there_and_back: Trip, stage: Stage) -> None:
    there_and_back(
        small,
        rows=ROWS,
        holds={"persons": [{**ADA, "name": "Zoe"}]},
        gives={"persons": [{**ADA, "name": "ADA"}]},
        rejects={"b": "no_name"},
    )
    (held,) = stage.store("c").read(small.target("persons").table, 0, 1)
    assert held.column("name").to_pylist() == ["Zoe"]


def test_what_the_run_does_not_give_is_said(small: Migration, there_and_back: Trip) -> None:
    with pytest.raises(AssertionError) as raised:
        there_and_back(small, rows=ROWS, gives={"persons": [ADA]}, rejects={})
    assert "persons: expected and not made: {'id': 'a', 'name': 'Ada'" in str(raised.value)
    assert "source rows that are rejected: {'b': 'no_name'}, expected {}" in str(raised.value)


def test_what_a_rollback_does_not_put_back_is_named(small: Migration, there_and_back: Trip, tmp_path: Path) -> None:
    """A script of the migration's own puts a row into the target, which no plan knows of."""
    script = tmp_path / "create.sql"
    script.write_text(script.read_text() + "; INSERT INTO persons (id, name) VALUES ('x', 'Xaver')")
    with pytest.raises(AssertionError) as raised:
        there_and_back(small, rows=ROWS)
    assert "after the rollback a table is not as it was before the run" in str(raised.value)
    assert "persons: row x was not there: {'id': 'x', 'name': 'Xaver'" in str(raised.value)


def test_a_run_that_fails_says_why(small: Migration, there_and_back: Trip, stage: Stage, tmp_path: Path) -> None:
    there = stage.store("c")
    there.create(small.source("people").table)
    (tmp_path / "rows.sql").write_text("SELECT")
    with pytest.raises(AssertionError, match=r"'small': the run failed: .*rows\.sql does not run"):
        there_and_back(small)


def test_a_table_without_the_column_that_it_is_to_set_is_not_made(tmp_path: Path, workspace_folder: Path) -> None:
    made = declare(tmp_path)
    target = replace(made.targets[0], sets=("stamp",), create=None, table=replace(made.targets[0].table, create=None))
    store, ledger = RelationalTwin(), LedgerTwin()
    stage = Stage(store=lambda _: store, ledger=ledger, workspace=WorkspaceTwin(workspace_folder / "workspace"))
    try:
        with pytest.raises(
            AssertionError, match=r"the run failed: .*cannot be made: .*without 'stamp' .*give a script"
        ):
            on_stage(replace(made, targets=(target,)), stage, rows=ROWS)
    finally:
        ledger.close()


def test_rows_that_a_table_cannot_hold(small: Migration, there_and_back: Trip) -> None:
    with pytest.raises(DeclarationError, match=r"'people' could not hold .*'_mistyped': "):
        there_and_back(small, rows={"people": [{"id": "a", "amount": "much"}]})


TEST = """
from include.migrations.people.migration import migration
def test_names(check) -> None:
    {}
"""


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (TEST.format("check(migration, rows={})"), True),
        (TEST.format("there_and_back(migration)"), True),
        (TEST.format("assert migration"), False),
        (TEST.format("check(migration, rows={})").replace("people", "persons"), False),
        (TEST.format("check(migration, rows={})").replace("test_names", "names"), False),
    ],
)
def test_which_file_tests_a_migration(text: str, is_one: bool) -> None:
    assert is_about(text, "people") is is_one


def test_a_migration_without_a_test_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    from include import migrations

    folder = pytester.mkdir("people")
    (folder / "migration.py").write_text("")
    monkeypatch.setattr(migrations, "__path__", [str(pytester.path)])
    monkeypatch.setattr("include.project.load_migration", lambda _: declare(folder))
    result = pytester.runpytest_inprocess("-p", "include.pytest_plugin", str(folder))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*Write tests/migrations/test_people.py, as `make new` does*"])
