"""What a target does by itself is expected, or refused before anybody is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Index, Migration, Type
from include.trueup.errors import GateError, SourceError, StoreRejectedError
from include.trueup.ledger import Ledger
from include.trueup.run import Extra, Mode, Run
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import Database, declare

PERSONS = "CREATE TABLE persons (id text PRIMARY KEY, name text, amount numeric, seen_at timestamptz{})"
STAMP = (
    "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN NEW.seen_at = timestamptz ''2030-01-01 00:00Z''; RETURN NEW; END'"
)
STAMPS = "CREATE TRIGGER stamps BEFORE INSERT OR UPDATE ON persons FOR EACH ROW EXECUTE FUNCTION stamp()"
Runs = Callable[..., Run]


@pytest.fixture
def database(postgres_server: postgres.Server) -> Database:
    return Database(postgres_server, 6)


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return declare(tmp_path)


@pytest.fixture
def runs(database: Database, ledger: Ledger, workspace: Workspace) -> Runs:
    count = iter(range(1, 100))

    def make(
        migration: Migration, store: PostgresStore | None = None, undoes: str | None = None, **options: Any
    ) -> Run:
        held = store or database.store
        run = run_of(migration, ledger, workspace, lambda _: held, f"run-{next(count)}", **options)
        run = replace(run, options=replace(run.options, max_remove_share=1))
        return run if undoes is None else replace(run, dag_id="small_rollback", undoes=undoes)

    return make


def with_target(migration: Migration, **changes: Any) -> Migration:
    """The migration with another declaration of its target."""
    (target,) = migration.targets
    return replace(migration, targets=(replace(target, **changes),))


def verbs(run: Run) -> dict[str, int]:
    plan = run.folder.read_json("plan.json")
    assert plan is not None
    return {verb: n for verb, n in plan["phases"][0]["rows"].items() if n}


def test_columns_that_the_table_fills_are_not_compared(runs: Runs, database: Database, migration: Migration) -> None:
    database.sql(
        PERSONS.format(
            ", made_at timestamptz NOT NULL DEFAULT clock_timestamp(), number int GENERATED ALWAYS AS IDENTITY, "
            "twice numeric GENERATED ALWAYS AS (amount * 2) STORED"
        )
    )
    first, second = runs(migration), runs(migration)
    assert walk(first).status == "passed"
    assert verbs(first) == {"add": 6}
    database.sql("UPDATE people SET amount = 70 WHERE id = 'p01'")
    assert walk(second).status == "passed"
    assert verbs(second) == {"change": 1, "keep": 5}  # nobody's rows but its own
    report = second.folder.read_json("report.json")
    assert report is not None
    (said,) = [f for f in report["findings"] if f["code"] == "target_sets"]
    assert (
        "made_at (has a DEFAULT), number (GENERATED AS IDENTITY), twice (GENERATED)" in said["examples"][0]["message"]
    )
    assert walk(runs(migration, undoes=second.id)).status == "passed"
    assert walk(runs(migration, undoes=first.id)).status == "passed"
    assert database.sql("SELECT count(*) FROM persons") == [(0,)]


def test_what_a_trigger_sets_is_named_and_may_be_declared(runs: Runs, database: Database, migration: Migration) -> None:
    database.sql(PERSONS.format(""), STAMP, STAMPS)
    with pytest.raises(
        GateError, match=r"differ from the plan in column 'seen_at' \(row 'p00'\); it has trigger stamps"
    ):
        walk(runs(migration))
    database.sql("DELETE FROM persons")
    declared = with_target(migration, sets=("seen_at",))
    first, second = runs(declared, overwrite_drift=True), runs(declared)
    assert walk(first).status == "passed"
    database.sql("UPDATE people SET amount = 70 WHERE id = 'p01'")
    assert walk(second).status == "passed"
    assert verbs(second) == {"change": 1, "keep": 5}
    assert database.sql("SELECT DISTINCT seen_at::date::text FROM persons") == [("2030-01-01",)]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (PERSONS.format(", more text NOT NULL"), "column 'more' is NOT NULL without a default"),
        (PERSONS.format("").replace("KEY", "KEY DEFERRABLE"), "DEFERRABLE"),
        (PERSONS.format("").replace("amount numeric", "amount numeric GENERATED ALWAYS AS (1) STORED"), "GENERATED.*Target.sets"),
        (PERSONS.format("").replace("CREATE TABLE", "CREATE UNLOGGED TABLE"), "it is UNLOGGED.*SET LOGGED"),
        (PERSONS.format("") + "; CREATE RULE away AS ON INSERT TO persons DO INSTEAD NOTHING", "rule away"),
        (PERSONS.format("") + "; CREATE INDEX by_name ON persons (amount)", "index 'by_name' is on 'amount', declared is 'name'"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_at_preflight(
    runs: Runs, database: Database, migration: Migration, made: str, message: str
) -> None:
    table = replace(migration.targets[0].table, indexes=(Index(name="by_name", key=("name",)),))
    database.sql(*made.split("; "))
    seen: list[Step] = []
    run = runs(with_target(migration, table=table))
    with pytest.raises(SourceError, match=message) as raised:
        walk(run, seen=seen.append)
    assert seen == []
    verdict = run.folder.read_json("report.json")["verdict"]
    headline = verdict["headline"]
    assert headline.startswith(str(raised.value).replace("table", "Table", 1)[:400])  # what happened comes first
    assert f"{headline} {verdict['next']}".lower().count("nothing was") == 1


def test_a_role_that_may_not_write_is_refused_by_name(
    runs: Runs, database: Database, migration: Migration, postgres_server: postgres.Server
) -> None:
    database.sql(
        "DROP ROLE IF EXISTS reader_only",
        "CREATE ROLE reader_only LOGIN",
        "GRANT SELECT ON people TO reader_only",
        "ALTER ROLE reader_only SET lock_timeout = '1ms'",
    )
    name = database.sql("SELECT current_database()")[0][0]
    store = PostgresStore(database.uri.replace("postgres@", "reader_only@", 1), patience=0.5)
    with pytest.raises(SourceError, match="GRANT CREATE ON SCHEMA"):
        walk(runs(migration, store))
    database.sql(PERSONS.format(""), "GRANT SELECT ON persons TO reader_only")
    database.sql(f'REVOKE TEMP ON DATABASE "{name}" FROM PUBLIC')
    with pytest.raises(SourceError, match=r"INSERT, UPDATE ON .*GRANT TEMPORARY"):
        walk(runs(migration, store))
    assert walk(runs(migration, store, mode=Mode.PLAN)).status == "passed"
    database.sql("GRANT INSERT, UPDATE ON persons TO reader_only", f'GRANT TEMP ON DATABASE "{name}" TO PUBLIC')
    assert walk(runs(migration, store)).status == "passed"
    with pytest.raises(SourceError, match="GRANT DELETE ON"):
        walk(runs(migration, store, extra=Extra.REMOVE))
    del postgres_server


def test_a_default_that_only_reads_is_not_overridden(runs: Runs, database: Database, migration: Migration) -> None:
    name = database.sql("SELECT current_database()")[0][0]
    only_reads = f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'
    said = "default_transaction_read_only is on, set for the database.*-c default_transaction_read_only=off"

    def freeze(step: Step) -> None:
        if step.id == "apply":
            database.sql(only_reads)

    run = runs(migration)
    with pytest.raises(StoreRejectedError, match="default_transaction_read_only"):  # turned on while the run wrote
        walk(run, seen=freeze)
    thaw = "SET default_transaction_read_only = off"
    with pytest.raises(SourceError, match=f"'persons' .*{said}"):
        walk(runs(migration))
    assert walk(runs(migration, mode=Mode.PLAN)).status == "passed"
    database.sql(thaw, "DROP TABLE persons")
    with pytest.raises(SourceError, match=f"'persons' .*is not there and cannot be made: {said}"):
        walk(runs(migration))
    # said of this connection alone, it is meant
    knowing = PostgresStore(f"{database.uri}&options=-c%20default_transaction_read_only%3Doff", patience=0.5)
    assert walk(runs(migration, knowing)).proof == "proven"
    assert database.persons() == database.should()


@pytest.mark.parametrize(
    "between",
    [["ALTER TABLE persons RENAME TO old"], ["DROP TABLE persons"], ["DROP TABLE persons", PERSONS.format("")]],
)
def test_a_target_that_is_not_the_one_planned_for_is_not_written(
    runs: Runs, database: Database, migration: Migration, between: list[str]
) -> None:
    database.sql(PERSONS.format(""))

    def meddle(step: Step) -> None:
        if step.id == "create_tables":
            database.sql(*between)

    with pytest.raises(SourceError, match=r"renamed, dropped or recreated since.*trigger a new run"):
        walk(runs(migration), seen=meddle)
    there = database.sql("SELECT to_regclass('persons')::text")[0][0]
    assert there is None or database.sql("SELECT count(*) FROM persons") == [(0,)]


@pytest.mark.parametrize("partitioned", [False, True])
def test_a_missing_index_is_made_and_an_invalid_one_made_anew(
    runs: Runs, database: Database, migration: Migration, partitioned: bool
) -> None:
    if partitioned:
        database.sql(
            PERSONS.format("") + " PARTITION BY HASH (id)",
            *(f"CREATE TABLE p{n} PARTITION OF persons FOR VALUES WITH (MODULUS 2, REMAINDER {n})" for n in (0, 1)),
        )
    else:
        database.sql(
            PERSONS.format(""),
            "CREATE INDEX by_name ON persons (name)",
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_name'::regclass",
        )
    table = replace(migration.targets[0].table, indexes=(Index(name="by_name", key=("name",)),))
    assert walk(runs(with_target(migration, table=table))).status == "passed"
    assert database.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_name'::regclass") == [(True,)]


@pytest.mark.parametrize("id", ["bigint GENERATED ALWAYS AS IDENTITY", "int DEFAULT nextval('persons_id_seq')"])
def test_sequences_are_advanced_and_it_is_stated(runs: Runs, database: Database, migration: Migration, id: str) -> None:
    database.sql(
        *(["CREATE SEQUENCE persons_id_seq"] if "nextval" in id else []),
        "CREATE TABLE numbers (id bigint PRIMARY KEY, v text)",
        "INSERT INTO numbers SELECT n, 'v' FROM generate_series(1, 5) n",
        f"CREATE TABLE persons (id {id} PRIMARY KEY, v text)",
    )
    columns = {"id": Type.INTEGER, "v": Type.TEXT}
    (source,), (target,), (phase,) = migration.sources, migration.targets, migration.phases
    assert isinstance(phase.transform, Path)
    text = "CREATE OR REPLACE VIEW rows AS SELECT id, v, id AS _source FROM people; CREATE OR REPLACE VIEW findings AS "
    phase.transform.write_text(
        text + "SELECT NULL AS _source, NULL AS key, '' AS severity, '' AS code, '' AS message WHERE false"
    )
    numbers = replace(
        migration,
        sources=(replace(source, table=replace(source.table, name="numbers", columns=columns), window=None),),
        targets=(replace(target, table=replace(target.table, columns=columns)),),
    )
    run = runs(numbers)
    assert walk(run).status == "passed"
    (said,) = run.folder.read_json("report.json")["statements"]
    assert said["answer"] == "YES"
    assert "sequence persons_id_seq is beyond every id" in said["title"]
    assert database.sql("INSERT INTO persons (v) VALUES ('app') RETURNING id") == [(6,)]
    assert walk(runs(numbers)).status == "passed"
    assert database.sql("INSERT INTO persons (v) VALUES ('app') RETURNING id") == [(7,)]


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
def test_a_rollback_takes_no_row_of_the_application_along(
    runs: Runs, database: Database, migration: Migration, action: str
) -> None:
    first = runs(migration)
    walk(first)
    database.sql(
        f"CREATE TABLE orders (id int PRIMARY KEY, person text REFERENCES persons ON DELETE {action})",
        "INSERT INTO orders VALUES (1, 'p00'), (2, 'p01'), (3, 'p03')",
    )
    with pytest.raises(SourceError, match=rf"public.orders.orders_person_fkey \(ON DELETE {action}\)"):
        walk(runs(migration, undoes=first.id))
    assert database.sql("SELECT count(person) FROM orders") == [(3,)]
    asked = runs(migration, undoes=first.id, cascade_to=("public.orders.orders_person_fkey",))
    assert walk(asked).status == "passed"
    assert database.sql("SELECT count(person) FROM orders") == [(0,)]


def test_a_row_that_others_refer_to_is_found_at_plan_and_kept_by_a_rollback(
    runs: Runs, database: Database, migration: Migration
) -> None:
    first = runs(migration)
    walk(first)
    database.sql("CREATE TABLE orders (person text REFERENCES persons)", "INSERT INTO orders VALUES ('p01')")
    said = r"1 rows cannot be removed, .*: 1 of persons, such as p01 \(rows of public.orders refer to it \(orders_person_fkey\)\)"
    with pytest.raises(GateError, match=said):
        walk(runs(migration, undoes=first.id, max_left_alone=0))
    assert len(database.persons()) == 6
    back = runs(migration, undoes=first.id)
    assert walk(back).proof == "proven_with_exceptions"
    assert [*database.persons()] == ["p01"]
    (kept,) = back.ledger.conflicts(back.id)
    assert kept.key == "p01"
    assert "orders" in kept.reason
    (found,) = [f for f in back.folder.read_json("report.json")["findings"] if f["code"] == "irremovable"]
    assert found["examples"][0]["message"].startswith("row p01 of persons cannot be removed, and is left alone")


def test_rows_added_in_place_are_as_the_table_fills_them(runs: Runs, database: Database, migration: Migration) -> None:
    database.sql(
        PERSONS.format(", made_at timestamptz DEFAULT clock_timestamp(), place text DEFAULT 'here', note text")
    )
    database.sql("INSERT INTO persons (id, name, amount, note) VALUES ('p00', 'other', 0, 'mine')")
    owned = with_target(migration, owned=("name",))
    first, second = runs(owned), runs(owned)
    assert walk(first).proof == "proven"
    assert verbs(first) == {"add": 5, "change": 1}
    assert walk(second).proof == "proven"
    assert verbs(second) == {"keep": 6}
    assert walk(runs(owned, undoes=first.id)).proof == "proven"
    assert database.sql("SELECT id, name, place, note FROM persons") == [("p00", "other", "here", "mine")]


def test_what_a_run_made_beside_rows_is_told_by_its_rollback(
    runs: Runs, database: Database, migration: Migration
) -> None:
    made = runs(migration)
    walk(made)
    walk(back := runs(migration, undoes=made.id))
    report = back.folder.read_json("report.json")
    assert report is not None
    assert report["left"] == ["table persons"]
    assert f"What run {made.id} made besides is left as it is: table persons." in report["verdict"]["headline"]
    table = replace(migration.targets[0].table, indexes=(Index(name="by_name", key=("name",)),))
    indexed = with_target(migration, table=table)
    walk(again := runs(indexed))
    walk(back := runs(indexed, undoes=again.id))
    report = back.folder.read_json("report.json")
    assert report is not None
    assert report["left"] == ["index by_name of persons"]
