"""A rollback of a run that began again and wrote its last plan in part, or not at all: whatever plan a row was left by, it
is the run's own, and is as it was before the first one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.errors import StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.run import Extra, Run
from include.trueup.run.workspace import Workspace
from tests.small import declare_in_place
from tests.stepping import Stepped, do

WHOLE = 99
ASKED: dict[str, Any] = {"extra": Extra.REMOVE, "max_remove_share": 1, "max_left_alone": 9}
PLANS = (
    (  # p01 and p02 are changed, p03 and p04 removed, p90 and p91 added
        "UPDATE people SET name = 'first' WHERE id IN ('p01', 'p02')",
        "DELETE FROM people WHERE id IN ('p03', 'p04')",
        "INSERT INTO people VALUES ('p90', 'first', 1), ('p91', 'first', 1)",
    ),
    (  # … and changed again, removed, added as another, changed, removed
        "UPDATE people SET name = 'second' WHERE id IN ('p01', 'p90')",
        "DELETE FROM people WHERE id IN ('p02', 'p91')",
        "INSERT INTO people VALUES ('p03', 'second', 2)",
    ),
    (
        "UPDATE people SET name = 'third' WHERE id IN ('p01', 'p03', 'p90')",
        "INSERT INTO people VALUES ('p02', 'third', 3), ('p91', 'third', 3)",
    ),
)


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    small = Stepped(postgres_server, ledger, workspace, tmp_path, people=6)
    small.proven("before")
    small.database.store.batch_rows, small.database.store.writers = 1, 1
    return small


def written_in_part(small: Stepped, run: Run, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """Apply until so many batches are written; then the store is gone."""
    store, calls = small.database.store, [0]

    def until_gone(name: str) -> Any:
        real = getattr(store, name)

        def call(*args: Any, **more: Any) -> Any:
            calls[0] += 1
            if calls[0] > batches:
                raise StoreUnavailableError("gone")
            return real(*args, **more)

        return call

    with monkeypatch.context() as patch:
        for name in ("add", "change", "remove"):
            patch.setattr(store, name, until_gone(name))
        if batches == WHOLE:
            do(run, "apply", "apply")
        else:
            with pytest.raises(StoreUnavailableError):
                do(run, "apply", "apply")
    small.fail(run, "copy.apply")


def begun_again(small: Stepped, monkeypatch: pytest.MonkeyPatch, *batches: int) -> None:
    """Run `a` begins as often as there are numbers: each time the source has moved on, and so many batches are written."""
    for plan, number in zip(PLANS, batches, strict=False):
        small.database.sql(*plan)
        written_in_part(small, small.begin("a", to="create_tables", **ASKED), monkeypatch, number)


@pytest.mark.parametrize(
    "batches",
    [
        (WHOLE, 0),
        (3, 2),
        (WHOLE, 0, 0),
        pytest.param((WHOLE, WHOLE), marks=pytest.mark.slow),
        pytest.param((WHOLE, 2, 4), marks=pytest.mark.slow),
    ],
)
def test_each_row_is_as_before_the_first_plan(
    small: Stepped, monkeypatch: pytest.MonkeyPatch, batches: tuple[int, ...]
) -> None:
    before = small.database.persons()
    begun_again(small, monkeypatch, *batches)
    assert small.database.persons() != before
    undone = small.proven("back", undoes="a")
    assert small.database.persons() == before
    assert undone["undone"]["kept"] == 0
    rows = small.proven("next", **ASKED)["plan"]["phases"][0]["rows"]
    assert rows["drift"] == 0
    assert small.database.persons() == small.database.should()


def test_what_others_made_of_such_a_row_is_left(small: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    begun_again(small, monkeypatch, WHOLE, 0)
    small.database.sql(
        "UPDATE persons SET name = 'theirs' WHERE id < 'p03' OR id > 'p89'",
        "INSERT INTO persons VALUES ('p03', 'theirs', 0), ('p04', 'theirs', 0)",
    )
    touched = small.database.persons()
    undone = small.proven("back", undoes="a")
    assert undone["undone"] == {"deleted": 0, "put_back": 0, "as_before": 0, "kept": 6}
    assert small.database.persons() == touched


def test_columns_that_are_not_the_runs_do_not_hide_what_its_first_plan_wrote(
    small: Stepped, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small.migration = declare_in_place(tmp_path)
    amounts = "SELECT id, amount FROM people ORDER BY id"
    before = small.database.sql(amounts)
    written_in_part(small, small.begin("a", to="create_tables"), monkeypatch, WHOLE)
    small.database.sql("UPDATE people SET name = name || ' and more'")
    small.proven("a")
    assert small.proven("back", undoes="a")["undone"]["kept"] == 0
    assert small.database.sql(amounts) == before


def test_the_next_run_knows_what_a_run_wrote_that_did_not_begin_to_write_its_second_plan(
    small: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_again(small, monkeypatch, WHOLE)
    small.database.sql(*PLANS[1])
    small.fail(small.begin("a", **ASKED), "create_tables")
    rows = small.proven("next", **ASKED)["plan"]["phases"][0]["rows"]
    assert (rows["drift"], rows["change"], rows["add"], rows["remove"]) == (0, 2, 1, 2)
    assert small.database.persons() == small.database.should()
