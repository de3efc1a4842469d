"""What a run's own writing sets off in its target is the run's own work: never somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration, Table
from include.trueup.errors import GateError, SourceError, TrueupError
from include.trueup.ledger import Ledger
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.stores import Description
from include.trueup.walk import walk
from include.trueup.walk.preflight import preflight
from tests.harness import run_of
from tests.small import CREATE, ROWS, Database, declare, declare_in_place
from tests.stepping import do

Runs = Callable[..., Run]


@pytest.fixture
def database(postgres_server: postgres.Server) -> Database:
    found = Database(postgres_server, 6)
    found.sql("CREATE TABLE persons (LIKE people INCLUDING ALL)")
    return found


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return declare(tmp_path)


@pytest.fixture
def runs(database: Database, ledger: Ledger, workspace: Workspace, migration: Migration) -> Runs:
    count = iter(range(1, 100))

    def make(of: Migration | None = None, undoes: str | None = None, **options: Any) -> Run:
        asked = {"max_remove_share": 1, **options}
        run = run_of(of or migration, ledger, workspace, lambda _: database.store, f"run-{next(count)}", **asked)
        return run if undoes is None else replace(run, dag_id="small_rollback", undoes=undoes)

    return make


def does(database: Database, body: str, when: str = "BEFORE UPDATE", each: str = "ROW", table: str = "persons") -> None:
    """Give the table a trigger `elsewhere` that does this when others than itself write to it."""
    quoted = body.replace("'", "''")
    database.sql(
        f"CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF pg_trigger_depth() < 2 THEN {quoted} "
        "END IF; RETURN NEW; END'",
        f"CREATE TRIGGER elsewhere {when} ON {table} FOR EACH {each} EXECUTE FUNCTION elsewhere()",
    )


def proof(run: Run) -> dict[str, int]:
    (found,) = run.folder.read_json("report.json")["proof"]
    return {n: found[n] for n in ("missing", "different", "left_alone", "moved_on") if found[n]}


IN_A_BLOCK = (
    "BEGIN UPDATE persons SET name = NULL WHERE id = 'p05'; EXCEPTION WHEN division_by_zero THEN NULL; END; "
    "UPDATE persons SET name = NULL WHERE id = 'other';"
)
"""One row in a subtransaction of the trigger's own, and one that no plan accounts for."""


@pytest.mark.parametrize(
    ("body", "when", "each", "kind", "rows", "theirs"),
    [
        ("UPDATE persons SET name = NULL WHERE id <> NEW.id;", "BEFORE UPDATE", "ROW", "different", 6, 0),
        # while an application changes another row
        (IN_A_BLOCK, "AFTER UPDATE", "STATEMENT", "different", 2, 1),
        ("DELETE FROM persons WHERE id = 'p05';", "BEFORE UPDATE", "ROW", "missing", 1, 1),
    ],
)
def test_other_rows_that_a_trigger_changes_have_not_moved_on(
    runs: Runs, database: Database, body: str, when: str, each: str, kind: str, rows: int, theirs: int
) -> None:
    walk(runs())
    does(database, body, when, each)
    database.sql("UPDATE people SET amount = 70 WHERE id = 'p01'", "INSERT INTO persons VALUES ('other', 'theirs')")

    def meddle(step: Step) -> None:
        if step.id == "read_back" and theirs:
            database.sql("ALTER TABLE persons DISABLE TRIGGER USER", "UPDATE persons SET amount = 9 WHERE id = 'p02'")

    with pytest.raises(GateError, match=r"own writing has set that off, by trigger elsewhere"):
        walk(run := runs(), seen=meddle)
    assert proof(run) == {kind: rows} | ({"moved_on": theirs} if theirs else {})
    database.sql("DROP TRIGGER elsewhere ON persons", "UPDATE persons SET amount = 2 WHERE id = 'p02'")
    if rows == 6:
        assert walk(again := runs()).proof == "proven"  # its own, so planned again, and not drift
        assert again.folder.read_json("plan.json")["phases"][0]["rows"]["change"] == 5
        assert {id: row for id, row in database.persons().items() if id != "other"} == database.should()


@pytest.mark.parametrize(
    "body", ["INSERT INTO log VALUES (NEW.id);", "UPDATE persons SET name = name WHERE id <> NEW.id;"]
)
def test_a_trigger_that_changes_nothing_of_other_rows_makes_nobodys_work_the_runs(
    runs: Runs, database: Database, body: str
) -> None:
    walk(runs())
    database.sql("CREATE TABLE log (id text)")
    does(database, body, "AFTER UPDATE")
    database.sql("UPDATE people SET amount = 70 WHERE id = 'p01'")

    def meddle(step: Step) -> None:
        if step.id == "read_back":
            database.sql("ALTER TABLE persons DISABLE TRIGGER USER", "UPDATE persons SET amount = 9 WHERE id = 'p02'")
            database.sql("DELETE FROM persons WHERE id = 'p03'")

    assert walk(run := runs(), seen=meddle).proof == "proven"
    assert proof(run) == {"moved_on": 2}
    assert bool(run.workspace.folders(f"runs/{run.id}/set_off")) == ("UPDATE" in body)


ADDS = "NEW.amount := NEW.amount + 1000;"


class KilledError(Exception):
    """In place of a kill."""


def test_what_a_killed_run_wrote_and_a_trigger_altered_is_its_own(
    runs: Runs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(runs())
    does(database, ADDS)
    database.sql("UPDATE people SET name = 'new' WHERE id = 'p03'")

    def killed(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "wrote", killed)  # between the commit and its entry in the ledger
        with pytest.raises(KilledError):
            walk(runs())
    with pytest.raises(GateError):
        walk(after := runs())
    rows = after.folder.read_json("plan.json")["phases"][0]["rows"]
    assert (rows["change"], rows["drift"]) == (1, 0)
    database.sql("DROP TRIGGER elsewhere ON persons")
    assert walk(runs()).proof == "proven"
    assert database.persons() == database.should()


def test_a_batch_that_is_tried_again_meets_its_own_rows_and_no_conflict(
    runs: Runs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    does(database, ADDS, "BEFORE INSERT")
    run = runs()
    preflight(run)
    do(run, last="create_tables")

    def killed(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(run.ledger, "wrote", killed)
        with pytest.raises(KilledError):
            do(run, "apply", "apply")
    do(run, "apply", "apply")
    assert run.ledger.conflicts(run.id) == []
    assert run.ledger.applied(run.id)["copy"].written == 6
    with pytest.raises(GateError, match="6 of 6 planned rows of persons are not as they were written"):
        do(run, "read_back")


def test_a_rollback_takes_back_what_a_trigger_altered(runs: Runs, database: Database) -> None:
    does(database, ADDS, "BEFORE INSERT OR UPDATE")
    database.sql("DELETE FROM people WHERE id = 'p05'")
    with pytest.raises(TrueupError):
        walk(first := runs())
    database.sql("UPDATE persons SET amount = 1 WHERE id = 'p00'")  # somebody else
    assert walk(runs(undoes=first.id)).proof == "proven_with_exceptions"
    assert [*database.persons()] == ["p00"]


def test_a_rollback_puts_back_what_a_trigger_altered(runs: Runs, database: Database) -> None:
    walk(runs())
    before = database.persons()
    does(database, ADDS)
    database.sql("UPDATE people SET name = 'new' WHERE id < 'p03'")
    with pytest.raises(TrueupError):
        walk(second := runs())
    database.sql("DROP TRIGGER elsewhere ON persons")
    assert walk(runs(undoes=second.id)).proof == "proven"
    assert database.persons() == before


def test_columns_in_place_that_a_trigger_sets_have_not_moved_on(runs: Runs, database: Database, tmp_path: Path) -> None:
    does(database, "NEW.seen_at := timestamptz '2030-01-01 00:00Z';", table="people")
    with pytest.raises(GateError, match=r"6 of 6 .*in seen_at .*trigger elsewhere"):
        walk(run := runs(declare_in_place(tmp_path)))
    assert proof(run) == {"different": 6}


STAMPING = (
    "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen_at = now(); RETURN NEW; END'",
    "CREATE TRIGGER stamps BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION stamp()",
)


def test_a_trigger_that_stamps_every_row_in_place_is_refused_before_anything_is_written(
    runs: Runs, database: Database, tmp_path: Path
) -> None:
    database.sql(*STAMPING)
    before, migration = database.sql(ROWS.format("people")), declare_in_place(tmp_path)
    with pytest.raises(SourceError, match=r"trigger stamps \(BEFORE UPDATE\) sets 'seen_at'.*say sets=\('seen_at',\)"):
        walk(runs(migration))
    assert database.sql(ROWS.format("people")) == before
    (target,) = migration.targets
    walk(run := runs(replace(migration, targets=(replace(target, sets=("seen_at",)),))))
    assert proof(run) == {}
    assert database.sql("SELECT count(*) FROM people WHERE amount = length(name)") == [(6,)]


LATER = (
    "CREATE FUNCTION was() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen_at = OLD.seen_at; RETURN NEW; END'",
    "CREATE TRIGGER then_back BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION was()",
)


@pytest.mark.parametrize("why", ["prepare", "replica", "later"])
def test_a_trigger_that_may_not_stamp_after_all_is_not_refused(
    runs: Runs, database: Database, tmp_path: Path, why: str
) -> None:
    database.sql(*STAMPING, *(LATER if why == "later" else ()))
    migration = declare_in_place(tmp_path)
    if why == "prepare":
        (tmp_path / "prepare.sql").write_text("ALTER TABLE people DISABLE TRIGGER stamps")
        (target,) = migration.targets
        migration = replace(migration, targets=(replace(target, prepare=tmp_path / "prepare.sql"),))
    if why == "replica":
        name = database.sql("SELECT current_database()")[0][0]
        database.sql(f'ALTER DATABASE "{name}" SET session_replication_role = replica')
    walk(run := runs(migration))
    assert proof(run) == {}


def described(database: Database, table: Table) -> Description:
    found = database.store.describe(table)
    assert found is not None
    return found


def test_only_a_trigger_of_the_whole_table_stamps(database: Database, tmp_path: Path) -> None:
    database.sql(
        "DROP TABLE people",
        f"{CREATE.format('people')} PARTITION BY HASH (id)",
        *(f"CREATE TABLE p{n} PARTITION OF people FOR VALUES WITH (MODULUS 2, REMAINDER {n})" for n in (0, 1)),
        STAMPING[0],
        STAMPING[1].replace("people", "p0"),
    )
    (target,) = declare_in_place(tmp_path).targets
    assert not described(database, target.table).stamps
    database.sql("DROP TRIGGER stamps ON p0", STAMPING[1])
    assert described(database, target.table).stamps == {"seen_at": "trigger stamps (BEFORE UPDATE)"}
    database.sql("ALTER TABLE p1 DISABLE TRIGGER stamps")
    assert not described(database, target.table).stamps
    database.sql("DROP TABLE people", CREATE.format("people"), STAMPING[1], "CREATE TABLE more () INHERITS (people)")
    assert not described(database, target.table).stamps
    database.sql("DROP TABLE people CASCADE", CREATE.format("people").replace("timestamptz", "date"), STAMPING[1])
    assert not described(database, target.table).stamps
