"""Rows that a unique index would not take are rejects of the plan, named with the index; the others are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.run import Extra, Run
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import CREATE, Database, declare

PERSONS = CREATE.format("persons")
BY_NAME = "CREATE UNIQUE INDEX by_name ON persons (name)"
NAMED = "INSERT INTO persons SELECT id, upper(name), amount, seen_at FROM people"
Runs = Callable[..., Run]


@pytest.fixture
def database(postgres_server: postgres.Server) -> Database:
    return Database(postgres_server, 8)


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return declare(tmp_path)


@pytest.fixture
def runs(database: Database, ledger: Ledger, workspace: Workspace, migration: Migration) -> Runs:
    count = iter(range(1, 100))

    def make(of: Migration | None = None, **options: Any) -> Run:
        run = run_of(of or migration, ledger, workspace, lambda _: database.store, f"run-{next(count)}")
        return replace(run, options=replace(run.options, **{"max_reject_share": 1, **options}))

    return make


def rejects(run: Run) -> list[str]:
    """The keys of what is rejected, as `rejects.jsonl` has them."""
    lines = (run.workspace.read(f"runs/{run.id}/rejects.jsonl") or b"").decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert {row["code"] for row in rows} <= {"not_unique"}
    assert all(row["row"]["id"] == row["key"] for row in rows)
    return [row["key"] for row in rows]


def counts(run: Run) -> dict[str, int]:
    (phase,) = run.folder.read_json("plan.json")["phases"]
    assert phase["unaccounted"] == 0
    return {name: phase[name] for name in ("written", "kept", "rejected")} | {
        verb: n for verb, n in phase["rows"].items() if n
    }


def test_a_clashing_group_is_rejected_whole(runs: Runs, database: Database) -> None:
    database.sql(PERSONS, BY_NAME, "UPDATE people SET name = 'same' WHERE id <> 'p03'")
    stopped = runs(max_reject_share=0.5, partitions=3)
    with pytest.raises(GateError, match=r"7 of 8 source rows are rejected \(87.5%\): not_unique 7"):
        walk(stopped)
    (found,) = [f for f in stopped.folder.read_json("report.json")["findings"] if f["code"] == "not_unique"]
    assert (found["severity"], found["count"]) == ("reject", 7)
    message = "row p00 of persons is not unique by by_name (name): 7 rows would have the same there, such as p07"
    assert found["examples"][0]["message"] == message
    run = runs(partitions=3)
    assert walk(run).proof == "proven"
    assert rejects(run) == [f"p0{n}" for n in range(8) if n != 3]
    assert counts(run) == {"written": 1, "kept": 0, "rejected": 7, "add": 1}
    assert [*database.persons()] == ["p03"]
    again = runs(partitions=3)
    assert walk(again).proof == "proven"
    assert counts(again) == {"written": 0, "kept": 1, "rejected": 7, "keep": 1}


def test_the_plan_is_named_alike_whatever_its_partitions(runs: Runs, database: Database) -> None:
    database.sql(PERSONS, BY_NAME, "UPDATE people SET name = 'same' WHERE id < 'p04'")
    plans = []
    for partitions in (1, 3):
        walk(run := runs(partitions=partitions, mode="plan"))
        plans.append((run.folder.read_json("plan.json")["sha256"], rejects(run)))
    assert plans[0] == plans[1]


@pytest.mark.parametrize(("nulls", "rejected"), [("", []), ("NULLS NOT DISTINCT", ["p00", "p01", "p02"])])
def test_nulls_are_apart_unless_the_index_says_not(
    runs: Runs, database: Database, nulls: str, rejected: list[str]
) -> None:
    database.sql(
        PERSONS,
        f"CREATE UNIQUE INDEX of_both ON persons (amount, seen_at) {nulls}",
        "UPDATE people SET amount = NULL, seen_at = '2025-01-01 00:00Z' WHERE id < 'p03'",
        "UPDATE people SET amount = 7.0, seen_at = '2025-01-04 00:00Z' WHERE id IN ('p06', 'p07')",
        "UPDATE people SET seen_at = '2025-01-05 00:00Z' WHERE id = 'p06'",
    )
    assert walk(run := runs(partitions=2)).proof == "proven"
    assert rejects(run) == rejected


def test_rows_that_stay_are_not_rejected(runs: Runs, database: Database) -> None:
    database.sql(PERSONS, BY_NAME, NAMED, "INSERT INTO persons VALUES ('other', 'THEIRS')")
    assert walk(runs()).proof == "proven"
    database.sql(
        "UPDATE people SET name = 'name 1' WHERE id = 'p00'",  # what p01 has, and keeps
        "UPDATE people SET name = 'name 0' WHERE id = 'p02'",  # what p00 has, and keeps, since it is rejected
        "UPDATE people SET name = 'theirs' WHERE id = 'p03'",  # what a row has that is nobody's
        "UPDATE people SET name = 'name 3' WHERE id = 'p04'",  # as p02
        "UPDATE people SET name = 'free' WHERE id = 'p05'",
    )
    assert walk(run := runs(partitions=3)).proof == "proven"
    assert rejects(run) == ["p00", "p02", "p03", "p04"]
    assert counts(run) == {"written": 1, "kept": 3, "rejected": 4, "change": 1, "keep": 3, "extra": 1}
    assert {id: row[0] for id, row in database.persons().items()} == {
        **{f"p0{n}": f"NAME {n}" for n in range(8)},
        "p05": "FREE",
        "other": "THEIRS",
    }


def test_a_row_changed_by_somebody_else_counts_as_it_is(runs: Runs, database: Database) -> None:
    database.sql(PERSONS, BY_NAME)
    walk(runs())
    database.sql(
        "UPDATE persons SET name = 'TAKEN' WHERE id = 'p00'", "UPDATE people SET name = 'taken' WHERE id = 'p01'"
    )
    assert walk(run := runs(partitions=2, max_left_alone=1)).proof == "proven_with_exceptions"
    assert rejects(run) == ["p01"]
    assert counts(run) == {"written": 0, "kept": 6, "rejected": 1, "drift": 1, "keep": 6}


def test_what_is_removed_or_changed_is_not_in_the_way(runs: Runs, database: Database) -> None:
    database.sql(PERSONS, BY_NAME)
    walk(runs())
    database.sql(
        "DELETE FROM people WHERE id = 'p07'",
        "UPDATE people SET name = 'name 7' WHERE id = 'p06'",
        "UPDATE people SET name = 'other' WHERE id = 'p05'",
        "INSERT INTO people VALUES ('p09', 'name 5')",
    )
    run = runs(extra=Extra.REMOVE, max_remove_share=1)
    before = database.persons()
    with pytest.raises(
        GateError,
        match=r"2 rows of persons are to have in unique index by_name \(name\) what another row still has .* such as "
        r"'p06' \(as 'p07', which it removes\), 'p09' \(as 'p05', which it changes\).*Target.prepare",
    ):
        walk(run)
    assert rejects(run) == []
    assert database.persons() == before  # found before anything is written


def test_names_that_swap_stop_the_plan_unless_the_index_is_dropped_for_the_time(
    runs: Runs, database: Database, migration: Migration, tmp_path: Path
) -> None:
    database.sql(PERSONS, BY_NAME)
    walk(runs())
    database.sql("UPDATE people SET name = CASE id WHEN 'p00' THEN 'name 1' ELSE 'name 0' END WHERE id < 'p02'")
    with pytest.raises(GateError, match=r"2 rows of persons .* by_name .*'p00' \(as 'p01', which it changes\)"):
        walk(run := runs(partitions=2))
    assert rejects(run) == []
    assert database.persons()["p00"][0] == "NAME 0"
    (tmp_path / "drop.sql").write_text("DROP INDEX IF EXISTS by_name")
    (tmp_path / "make.sql").write_text(BY_NAME)
    (target,), (phase,) = migration.targets, migration.phases
    without = replace(
        migration,
        targets=(replace(target, prepare=tmp_path / "drop.sql", undo=tmp_path / "drop.sql"),),
        phases=(replace(phase, finish=(tmp_path / "make.sql",)),),
    )
    run = runs(without, partitions=2)
    assert walk(run).proof == "proven"
    assert database.persons() == database.should()
    back = replace(run, id="back", dag_id="small_rollback", undoes=run.id)
    with pytest.raises(GateError, match=r"by_name .*Target\.undo"):
        walk(replace(back, migration=migration))
    assert walk(replace(back, id="back-2")).proof == "proven"
    assert database.persons()["p00"][0] == "NAME 0"


def test_a_source_row_is_rejected_with_all_that_it_makes(runs: Runs, database: Database, migration: Migration) -> None:
    (phase,) = migration.phases
    assert isinstance(phase.transform, Path)
    phase.transform.write_text(
        "CREATE OR REPLACE VIEW rows AS SELECT id || n AS id, CASE n WHEN 1 THEN name ELSE id END AS name, amount, "
        "seen_at, id AS _source FROM people, (VALUES (1), (2)) numbers (n); CREATE OR REPLACE VIEW findings AS SELECT "
        "NULL AS _source, NULL AS key, '' AS severity, '' AS code, '' AS message WHERE false"
    )
    database.sql(PERSONS, BY_NAME, "UPDATE people SET name = 'same' WHERE id < 'p02'")
    assert walk(run := runs(partitions=3)).proof == "proven"
    assert rejects(run) == ["p00", "p01"]
    assert counts(run) == {"written": 6, "kept": 0, "rejected": 2, "add": 12}


def test_columns_owned_of_a_table_stay_as_they_are_where_rejected(
    runs: Runs, database: Database, migration: Migration
) -> None:
    (target,) = migration.targets
    owned = replace(migration, targets=(replace(target, owned=("name",)),))
    database.sql(
        PERSONS, BY_NAME, NAMED, "UPDATE people SET name = 'name 1' WHERE id = 'p00'",
        "UPDATE people SET name = 'new' WHERE id = 'p02'",
    )  # fmt: skip
    assert walk(run := runs(owned, partitions=2)).proof == "proven"
    assert rejects(run) == ["p00"]
    assert database.persons()["p00"][0] == "NAME 0"
    assert database.persons()["p02"][0] == "NEW"
