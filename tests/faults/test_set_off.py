"""What a run's own writing sets off in its target is the run's own work: never somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration
from include.trueup.errors import GateError, SourceError, TrueupError
from include.trueup.ledger import Ledger
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.stores.postgres.stamps import stamped
from include.trueup.walk import walk
from include.trueup.walk.preflight import preflight
from tests.harness import run_of
from tests.small import ROWS, Database, declare, declare_in_place
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


def test_a_trigger_that_stamps_every_row_in_place_is_refused_before_anything_is_written(
    runs: Runs, database: Database, tmp_path: Path
) -> None:
    database.sql(
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen_at = now(); RETURN NEW; END'",
        "CREATE TRIGGER stamps BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION stamp()",
    )
    before, migration = database.sql(ROWS.format("people")), declare_in_place(tmp_path)
    with pytest.raises(SourceError, match=r"trigger stamps \(BEFORE UPDATE\) sets 'seen_at'.*say sets=\('seen_at',\)"):
        walk(runs(migration))
    assert database.sql(ROWS.format("people")) == before
    (target,) = migration.targets
    walk(run := runs(replace(migration, targets=(replace(target, sets=("seen_at",)),))))
    assert proof(run) == {}
    assert database.sql("SELECT count(*) FROM people WHERE amount = length(name)") == [(6,)]


@pytest.mark.parametrize(
    ("body", "columns"),
    [
        ("BEGIN NEW.a = now(); RETURN NEW; END", ("a",)),
        (
            "DECLARE n int; BEGIN n := 1; NEW.\"Last At\" := CURRENT_TIMESTAMP AT TIME ZONE 'utc'; RETURN NEW; END",
            ("Last At",),
        ),
        (
            "BEGIN /* IF */ new.A := nextval('s')::text; -- then\n NEW.b = clock_timestamp(); RETURN NEW; END;",
            ("a", "b"),
        ),
        ("BEGIN IF NEW.b THEN NEW.a = now(); END IF; RETURN NEW; END", ()),  # not in every row
        ("BEGIN NEW.a = now(); NEW.a := OLD.a; RETURN NEW; END", ()),
        ("BEGIN NEW.a = now(); RETURN OLD; END", ()),
        ("BEGIN NEW.a = coalesce(NEW.a, now()); RETURN NEW; END", ()),
        ("BEGIN NEW.a = lower(NEW.b); RETURN NEW; END", ()),  # it may be that already
        ("BEGIN PERFORM 1 FROM t WHERE NEW.a = now(); RETURN NEW; END", ()),
    ],
)
def test_only_what_is_sure_to_change_counts_as_a_stamp(body: str, columns: tuple[str, ...]) -> None:
    assert stamped("plpgsql", body) == columns
    assert stamped("plpython3u", body) == ()
