"""What would go wrong when a plan is applied or taken back stops the plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration, Table, Type
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.plan import target_checks
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import Database, declare, declare_in_place

STAFF = {"id": Type.INTEGER, "boss": Type.INTEGER}
NONE = (
    "CREATE OR REPLACE VIEW findings AS SELECT NULL AS _source, NULL AS key, '' AS severity, '' AS code, '' AS message"
)


@pytest.fixture
def database(postgres_server: postgres.Server) -> Database:
    return Database(postgres_server, 4)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_value_that_could_not_be_put_back_stops_the_plan(
    database: Database, ledger: Ledger, workspace: Workspace, tmp_path: Path, value: str
) -> None:
    database.sql(f"UPDATE people SET amount = '{value}' WHERE id = 'p02'")
    before = database.sql("SELECT * FROM people ORDER BY id")
    run = run_of(declare_in_place(tmp_path), ledger, workspace, lambda _: database.store)
    with pytest.raises(
        GateError, match=r"irreversible: 1 rows of people.*'p02'.*amount.*put|irreversible: 1 rows of people"
    ):
        walk(run)
    after = database.sql("SELECT * FROM people ORDER BY id")
    assert [str(row) for row in after] == [str(row) for row in before]


def test_source_rows_that_the_transform_forgets_or_takes_twice_are_named(
    database: Database, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    migration = declare(tmp_path)
    (tmp_path / "rows.sql").write_text(
        "CREATE OR REPLACE VIEW rows AS SELECT * EXCLUDE (_key, _extra, _mistyped), CASE id WHEN 'p03' THEN 'x9' ELSE id END AS "
        "_source FROM people WHERE id <> 'p01'; CREATE OR REPLACE VIEW findings AS SELECT id AS _source, id AS key, "
        "'reject' AS severity, 'code' AS code, '' AS message FROM people WHERE id = 'p02'"
    )
    run = run_of(migration, ledger, workspace, lambda _: database.store)
    with pytest.raises(GateError) as raised:
        walk(run)
    for said in (
        "4 of 4 source rows of people (phase copy) are not accounted for once and once only, such as: p01, p03 are neither in rows nor",
        " in findings; p02 is accounted for more than once",
    ):
        assert said in str(raised.value)
    report = run.folder.read_json("report.json")
    # a quarter of the rows is rejected, too; raising that budget would not help
    assert report["verdict"]["next"].startswith(
        "Let the transform put each source row either into rows, or into findings"
    )
    assert "1 rows" not in str(raised.value)


def test_a_value_in_place_that_has_no_canonical_form_and_is_not_owned_stays(
    database: Database, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    database.sql("UPDATE people SET seen_at = 'infinity' WHERE id = 'p02'", "UPDATE people SET amount = -1")
    run = run_of(declare_in_place(tmp_path), ledger, workspace, lambda _: database.store)

    def meddle(step: Step) -> None:
        if step.id == "apply":  # so that the batch is written in parts, and looked at again
            database.sql("UPDATE people SET amount = 6 WHERE id = 'p01'")

    assert walk(run, seen=meddle).proof == "proven"
    rows = database.sql("SELECT id, amount::int, seen_at = 'infinity' FROM people ORDER BY id")
    assert rows == [(f"p0{n}", 6, n == 2) for n in range(4)]
    assert run.ledger.conflicts(run.id) == []


FITS = "id varchar(3), name varchar(6), amount numeric(3, 1), seen_at timestamptz, PRIMARY KEY (id)"


def test_values_that_a_column_cannot_hold_are_rejects_of_the_plan(
    database: Database, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    database.sql(
        f"CREATE TABLE persons ({FITS})",
        "UPDATE people SET name = 'name 22' WHERE id = 'p00'",
        "UPDATE people SET amount = 100 WHERE id = 'p01'",
        "UPDATE people SET amount = -1.25 WHERE id = 'p02'",
        "UPDATE people SET amount = -99.9 WHERE id = 'p03'",
    )
    run = run_of(declare(tmp_path), ledger, workspace, lambda _: database.store, max_reject_share=1)
    assert walk(run).proof == "proven"
    assert [*database.persons()] == ["p03"]
    (found,) = [f for f in run.folder.read_json("report.json")["findings"] if f["code"] == "unwritable"]
    said = "".join(e["message"] for e in found["examples"])
    for words in (
        "name (character varying(6)) cannot hold it: it has more than 6 characters",
        "amount (numeric(3,1)) cannot hold it: it has more than 2 digits before the point",
        "amount (numeric(3,1)) cannot hold it: it has more than 1 digits behind the point",
    ):
        assert words in said


def staff(folder: Path) -> Migration:
    migration = declare(folder)
    (folder / "rows.sql").write_text(
        f"CREATE OR REPLACE VIEW rows AS SELECT id, boss, id AS _source FROM people; {NONE} WHERE false"
    )
    (source,), (target,) = migration.sources, migration.targets
    columns = Table(name="staff", connection="c", key=("id",), columns=STAFF)
    return replace(
        migration,
        sources=(replace(source, table=columns, window=None),),
        targets=(replace(target, table=replace(columns, name="persons")),),
    )


@pytest.fixture
def circle(database: Database) -> Database:
    """Rows of which the first and the last but one refer to each other."""
    boss = "CASE WHEN n = 1 THEN 3999 WHEN n = 3999 THEN 1 END"
    database.sql(
        "CREATE TABLE staff (id bigint PRIMARY KEY, boss bigint)",
        f"INSERT INTO staff SELECT n, {boss} FROM generate_series(1, 4000) n",
        "CREATE TABLE persons (id bigint PRIMARY KEY, boss bigint CONSTRAINT has_boss REFERENCES persons)",
    )
    return database


def test_rows_that_refer_to_each_other_are_written_and_taken_back(
    circle: Database, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    run = run_of(staff(tmp_path), ledger, workspace, lambda _: circle.store)
    assert walk(run).status == "passed"
    same = "SELECT count(*) FROM staff s JOIN persons p USING (id) WHERE s.boss IS NOT DISTINCT FROM p.boss"
    assert circle.sql(same) == [(4000,)]
    back = replace(
        run, id="back", dag_id="small_rollback", undoes=run.id, options=replace(run.options, partitions=None)
    )
    assert walk(back).status == "passed"
    assert circle.sql("SELECT count(*) FROM persons") == [(0,)]


def test_too_many_of_them_stop_the_plan_and_are_told_how_to_go_on(
    circle: Database, ledger: Ledger, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_checks, "TOGETHER_ROWS", 2_000)
    monkeypatch.setattr(circle.store, "batch_rows", 2_000)
    migration = staff(tmp_path)
    with pytest.raises(
        GateError, match=r"2 rows of persons refer by foreign key has_boss.*DROP CONSTRAINT IF EXISTS has_boss"
    ):
        walk(run_of(migration, ledger, workspace, lambda _: circle.store))
    assert circle.sql("SELECT count(*) FROM persons") == [(0,)]
    (tmp_path / "before.sql").write_text("ALTER TABLE persons DROP CONSTRAINT IF EXISTS has_boss")
    (tmp_path / "after.sql").write_text(
        "ALTER TABLE persons ADD CONSTRAINT has_boss FOREIGN KEY (boss) REFERENCES persons"
    )
    (target,), (phase,) = migration.targets, migration.phases
    followed = replace(
        migration,
        targets=(replace(target, prepare=tmp_path / "before.sql"),),
        phases=(replace(phase, finish=(tmp_path / "after.sql",)),),
    )
    assert walk(run_of(followed, ledger, workspace, lambda _: circle.store, "run-2")).status == "passed"
    assert circle.sql("SELECT count(*) FROM persons") == [(4000,)]
