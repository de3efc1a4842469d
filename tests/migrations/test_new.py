"""`make new`: what it writes from two catalogues runs as it is, where each required column has a source column of its name."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from include.console.check import problems
from include.console.new import Place, Written, files, write
from include.console.tryout import try_out
from include.embedded import postgres
from include.pytest_plugin import is_about
from include.trueup.declare import Migration
from include.trueup.errors import OptionsError, SourceError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores import Store
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import new_database, run_of, run_sql

CUSTOMERS = """CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(40) NOT NULL, "Full Name" text, "order" int, amount numeric(12,2),
    score float8, vip bool DEFAULT false, born date, seen timestamptz, at timestamp, doc jsonb, raw bytea, tags text[],
    twice numeric GENERATED ALWAYS AS (amount * 2) STORED)"""
ROWS = """INSERT INTO customers (name, "Full Name", "order", amount, score, vip, born, seen, at, doc, raw, tags) VALUES
    ('Ada', 'Ada L.', 1, 1.50, 0.1, true, '1815-12-10', '2025-01-01Z', '2025-01-01', '{"a": 1.10}', '\\x00ff', '{a,NULL}'),
    ('Bob', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""


def written(uri: str, source: str, target: str, id: str = "people") -> Written:
    store = PostgresStore(uri)
    legacy = store.catalogue(source)
    assert legacy is not None
    return files(
        id, (Place.of(f"crm_postgres:{source}"), legacy), (Place.of(f"crm_postgres:{target}"), store.catalogue(target))
    )


def loaded(root: Path, made: Written, id: str = "people") -> Migration:
    write(root, made)
    spec = util.spec_from_file_location("made", root / "include/migrations" / id / "migration.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    migration: Migration = module.migration
    return migration


@pytest.fixture
def uri(postgres_server: postgres.Server) -> str:
    uri = new_database(postgres_server)
    run_sql(uri, CUSTOMERS, ROWS)
    return uri


def test_a_table_that_is_not_there_is_made_alike(
    uri: str, tmp_path: Path, ledger: Ledger, workspace: Workspace
) -> None:
    made = written(uri, "customers", "people")
    assert made.left == ()
    migration = loaded(tmp_path, made)
    assert problems(migration, tmp_path / "include/migrations/people") == []
    store = PostgresStore(uri)
    walk(run_of(migration, ledger, workspace, lambda _: store, "r"))
    assert workspace.run("r").read_json("report.json")["verdict"]["status"] == "passed"
    every = "SELECT * FROM {} ORDER BY id"
    assert run_sql(uri, every.format("people")) == run_sql(uri, every.format("customers"))


def test_what_it_wrote_passes_its_own_tests(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Any, there_and_back: Any
) -> None:
    made = written(uri, "customers", "people")
    migration = loaded(tmp_path, made)
    package = type(sys)("include.migrations.people.migration")
    vars(package)["migration"] = migration
    monkeypatch.setitem(sys.modules, "include.migrations.people.migration", package)
    monkeypatch.setitem(sys.modules, "include.migrations.people", type(sys)("include.migrations.people"))
    text = (tmp_path / "tests/migrations/test_people.py").read_text()
    assert is_about(text, "people")
    test: dict[str, Any] = {}
    exec(text, test)  # noqa: S102 - what was written here
    test["test_three_rows"](check)
    test["test_there_and_back"](there_and_back)
    compile((tmp_path / "dags/people.py").read_text(), "people.py", "exec")


def test_what_has_no_source_is_left_to_the_author_and_named_by_check(uri: str, tmp_path: Path) -> None:
    run_sql(
        uri,
        "CREATE TABLE people (id bigint PRIMARY KEY, full_name text NOT NULL, mail text, made timestamptz DEFAULT now(),"
        ' "A" int NOT NULL)',
    )
    made = written(uri, "customers", "people")
    assert made.left == tuple(f"rows.sql: what {name} of people is made from" for name in ("full_name", "A"))
    assert made.nulls == ("mail",)
    assert made.unread[:3] == ("name", "Full Name", "order")
    assert "id" not in made.unread
    folder = tmp_path / "include/migrations/people"
    problem, another = problems(loaded(tmp_path, made), folder)
    assert problem.message == "say what full_name is made from, in place of fill_in"
    assert another.message == 'say what "A" is made from, in place of fill_in'
    script = (folder / "rows.sql").read_text().splitlines()
    assert problem.file == folder / "rows.sql"
    assert script[(problem.line or 0) - 1].startswith("    fill_in AS full_name, -- never null")
    assert "made" not in (folder / "rows.sql").read_text()


def test_the_cast_of_a_column_that_no_type_carries_is_said_for_its_type(uri: str) -> None:
    run_sql(uri, "CREATE TABLE t (id int PRIMARY KEY, price money, ref oid, kind regtype)")
    left = written(uri, "t", "u").left
    assert [each.partition("casts it (")[2].partition(")")[0] for each in left] == [
        "price::numeric", "ref::bigint", "kind::text",
    ]  # fmt: skip


def test_what_rejects_rows_of_a_column_stands_beside_it(uri: str) -> None:
    run_sql(
        uri,
        'CREATE TABLE people (id bigint PRIMARY KEY, name text NOT NULL, "Full Name" date NOT NULL, amount numeric NOT NULL, vip bool)',
    )
    files = written(uri, "customers", "people").files
    assert (
        '{"id": 1, "name": "1", "Full Name": "2025-01-01", "amount": "1"},' in files["tests/migrations/test_people.py"]
    )
    script = files["include/migrations/people/rows.sql"]
    assert script.splitlines()[2:7] == [
        "    id,",
        "    name,",
        '    "Full Name", -- a text in customers that is no date or a null rejects its row',
        "    amount, -- a null rejects its row",
        "    vip,",
    ]


def test_a_real_goes_into_another_type_as_postgresql_writes_it(
    uri: str, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    run_sql(
        uri,
        "CREATE TABLE lines (id int PRIMARY KEY, price real, weight real, note real)",
        "INSERT INTO lines VALUES (1, 9.8, 9.8, 34.8), (2, 0.05, -0.1, 1e-20)",
        "CREATE TABLE prices (id int PRIMARY KEY, price numeric, weight float8, note text)",
    )
    migration = loaded(tmp_path, written(uri, "lines", "prices"))
    store = PostgresStore(uri)
    walk(run_of(migration, ledger, workspace, lambda _: store, "r"))
    every = "SELECT id, price::text, weight, note FROM {} ORDER BY id"
    assert run_sql(uri, every.format("prices")) == [
        (1, "9.8", 9.800000190734863, "34.8"), (2, "0.05", -0.10000000149011612, "1e-20")
    ]  # fmt: skip


def test_nothing_is_overwritten(uri: str, tmp_path: Path) -> None:
    made = written(uri, "customers", "people")
    (there := tmp_path / "dags/people.py").parent.mkdir()
    there.write_text("mine")
    with pytest.raises(OptionsError, match=r"dags/people\.py: there already, and nothing was written"):
        write(tmp_path, made)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [there]


def test_a_table_without_a_key_and_places_that_are_none(uri: str) -> None:
    run_sql(uri, "CREATE TABLE loose (a text)")
    with pytest.raises(OptionsError, match="loose has no primary key"):
        written(uri, "loose", "people")
    with pytest.raises(OptionsError, match="'people' says no table"):
        Place.of("people")


def test_what_a_few_rows_become_is_shown(uri: str, tmp_path: Path) -> None:
    migration = loaded(tmp_path, written(uri, "customers", "people"))
    script = tmp_path / "include/migrations/people/rows.sql"
    script.write_text(
        script.read_text().replace("FROM customers;", 'FROM customers WHERE "Full Name" IS NOT NULL;')
        + "CREATE VIEW findings AS SELECT _key AS _source, name AS key, 'reject' AS severity, 'nameless' AS code, "
        "'no full name' AS message FROM customers WHERE \"Full Name\" IS NULL"
    )
    shown = list(try_out(migration, {"crm_postgres": PostgresStore(uri)}, 20))
    assert shown[0] == "People: 2 source rows"
    assert shown[1].startswith("  1  id=1, order=1, name=Ada, Full Name=Ada L.")
    assert shown[2].startswith("    -> people: id=1, order=1, name=Ada")
    assert shown[3].startswith("  2  id=2, name=Bob")
    hint = "… stands for what is cut; WHOLE=1 shows it"  # of more than twelve columns
    assert shown[4:] == ["    !! reject nameless: no full name", hint]
    assert next(iter(try_out(migration, {"crm_postgres": PostgresStore(uri)}, 1))) == "People: 1 source rows"

    script.write_text(script.read_text().replace("'reject'", "'skip'").replace("'no full name'", "''"))
    assert list(try_out(migration, {"crm_postgres": PostgresStore(uri)}, 20))[4:] == ["    !! skip nameless", hint]
    assert run_sql(uri, "SELECT to_regclass('people')::text") == [(None,)]


def test_what_only_a_run_would_see_is_said_of_a_few_rows_too(uri: str, tmp_path: Path) -> None:
    stores: dict[str, Store] = {"crm_postgres": PostgresStore(uri)}
    run_sql(
        uri,
        "CREATE TABLE bills (id int PRIMARY KEY, number text)",
        "INSERT INTO bills SELECT i, i / 2 FROM generate_series(0, 39) i",
        "CREATE TABLE last (number text PRIMARY KEY)",
    )
    made = written(uri, "bills", "last")
    migration = loaded(tmp_path, made)
    (tmp_path / "include/migrations/people/rows.sql").write_text(
        "CREATE VIEW ranked AS SELECT *, row_number() OVER (PARTITION BY number ORDER BY id) AS n FROM bills;"
        "CREATE VIEW rows AS SELECT number, _key AS _source FROM ranked WHERE n = 1;"
        "CREATE VIEW findings AS SELECT _key AS _source, number AS key, 'skip' AS severity, 'twice' AS code, '' AS message "
        "FROM ranked WHERE n > 1"
    )
    said = list(try_out(migration, stores, 40))[-1]
    assert said.startswith("!! Rows become others in 4 partitions than in one. A run has several")
    (source,) = migration.sources
    together = replace(migration, sources=(replace(source, partition_by=("number",)),))
    assert not [each for each in try_out(together, stores, 40) if each.startswith("!!")]

    run_sql(uri, "DROP TABLE last", "CREATE TABLE last (number bigint PRIMARY KEY)")
    assert "is not as declared: column 'number' is bigint" in list(try_out(together, stores, 1))[-1]
    run_sql(uri, "DROP TABLE bills")
    with pytest.raises(SourceError, match="source 'bills': table 'bills' of connection 'crm_postgres' does not exist"):
        try_out(migration, stores, 1)
