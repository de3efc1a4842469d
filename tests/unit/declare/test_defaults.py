"""What has one sensible value need not be said: a migration of eleven lines, and of one line of SQL."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare import Type, columns
from include.trueup.declare.defaults import id_of, title_of
from include.trueup.errors import DeclarationError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import new_database, run_of, run_sql

DECLARATION = """
from include.trueup.declare import Migration, Source, Table, Target, columns

CUSTOMERS = Table(name="customers", connection="crm_postgres", key="id", columns=columns(text="id name mail"))
PEOPLE = Table(name="people", connection="crm_postgres", key="id", columns=columns(text="id full_name mail"))

migration = Migration(
    id="customers_people",
    owner="crm",
    sources=(Source(table=CUSTOMERS),),
    targets=(Target(table=PEOPLE, create="create.sql"),),
)
"""
ROWS = "CREATE VIEW rows AS SELECT id, name AS full_name, mail, id AS _source FROM customers"
CREATE = "CREATE TABLE people (id text PRIMARY KEY, full_name text NOT NULL, mail text)"


def declared(folder: Path, text: str = DECLARATION) -> ModuleType:
    """The module that says it, with its scripts beside it."""
    (folder / "rows.sql").write_text(ROWS)
    (folder / "create.sql").write_text(CREATE)
    (folder / "migration.py").write_text(text)
    spec = util.spec_from_file_location("declared", folder / "migration.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_else_has_a_default(tmp_path: Path) -> None:
    migration = declared(tmp_path).migration
    (source,), (target,), (phase,) = migration.sources, migration.targets, migration.phases
    assert (source.id, source.partition_by, target.id, phase.id) == ("customers", ("id",), "people", "people")
    assert (migration.title, phase.title, migration.doc) == ("Customers people", "People", "")
    assert (phase.scripts, target.create) == ((tmp_path / "rows.sql",), tmp_path / "create.sql")
    (tmp_path / "README.md").write_text("Why.")
    assert declared(tmp_path).migration.doc == "Why."


def test_it_runs_with_every_guarantee(
    tmp_path: Path, postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace
) -> None:
    uri = new_database(postgres_server)
    run_sql(
        uri,
        "CREATE TABLE customers (id text PRIMARY KEY, name text, mail text)",
        "INSERT INTO customers VALUES ('a', 'Ada', 'ada@x'), ('b', 'Bob', NULL)",
    )
    store = PostgresStore(uri)
    migration = declared(tmp_path).migration
    walk(run_of(migration, ledger, workspace, lambda _: store, "r"))
    assert run_sql(uri, "SELECT * FROM people ORDER BY 1") == [("a", "Ada", "ada@x"), ("b", "Bob", None)]
    report = workspace.run("r").read_json("report.json")
    assert report["verdict"]["status"] == "passed"
    rules = {e["rule"] for gate in report["gates"] for e in gate["expectations"]}
    assert {"rows.key_there", "rows.key_unique", "rows.id_there", "counts.unaccounted", "proof.different"} <= rules


def test_what_the_author_expects_stands_beside_what_every_table_gets(tmp_path: Path) -> None:
    import great_expectations.expectations as gxe

    from include.trueup.gate.evaluation import row_suite

    table: Any = declared(tmp_path).PEOPLE

    def own() -> list[Any]:
        return [
            gxe.ExpectColumnValuesToNotBeNull(column="id"),
            gxe.ExpectColumnValuesToNotBeNull(column="mail"),
        ]

    said = [(type(e).__name__, getattr(e, "column", None)) for e in row_suite(table, own)()]
    null, unique = "ExpectColumnValuesToNotBeNull", "ExpectColumnValuesToBeUnique"
    assert said == [(null, "id"), (null, "mail"), (null, "_key"), (unique, "_key")]


def test_names() -> None:
    assert [id_of(name) for name in ("sales.Order-Lines", "customers")] == ["order_lines", "customers"]
    assert title_of("order_lines") == "Order lines"


def test_columns_by_type() -> None:
    assert columns(text="id name", number="amount") == {"id": Type.TEXT, "name": Type.TEXT, "amount": Type.NUMBER}
    assert columns(text=["full name"]) == {"full name": Type.TEXT}
    with pytest.raises(DeclarationError, match="there is no type 'string'; the types are text, number"):
        columns(string="id")
    with pytest.raises(DeclarationError, match="'id' is named twice, as text and as number"):
        columns(text="id", number="id")
