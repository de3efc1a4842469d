"""Where a connection is given, a declaration is held against the tables themselves; what a run's preflight would refuse is
said with its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from include.console.tables import tables
from include.embedded import postgres
from include.trueup.declare import Migration, Phase, Source, Table, Target, columns
from include.trueup.stores.postgres import PostgresStore
from tests.harness import new_database, run_sql

DECLARED = 'CUSTOMERS = Table(\n    name="customers",\n)\nPEOPLE = Table(\n    name="people",\n)\n'
CREATE = "CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, vip bool, amount numeric)"


@pytest.fixture
def uri(postgres_server: postgres.Server) -> str:
    uri = new_database(postgres_server)
    run_sql(uri, CREATE, "CREATE TABLE people (id bigint PRIMARY KEY, name text, vip bool, amount numeric)")
    return uri


def said(
    uri: str, folder: Path, *, source: str = "customers", target: str = "people", key: str = "id", **types: str
) -> list[str]:
    """What is said of a migration with these columns, each with the line of the declaration."""
    (folder / "rows.sql").write_text("")
    (folder / "migration.py").write_text(DECLARED)
    given = columns(**{"integer": "id", "text": "name", "boolean": "vip", "number": "amount", **types})
    migration = Migration(
        id="people",
        owner="crm",
        sources=(Source(table=Table(name=source, connection="c", key=(key,), columns=given)),),
        targets=(Target(table=Table(name=target, connection="c", key=(key,), columns=given)),),
        phases=(Phase(source=source, target=target, transform=folder / "rows.sql"),),
    )
    found = tables(migration, {"c": PostgresStore(uri)}, folder)
    return [f"{problem.line}: {problem.message}" for problem in found]


def test_nothing_is_wrong(uri: str, tmp_path: Path) -> None:
    began = time.process_time()
    assert said(uri, tmp_path) == []
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("declared", "line", "words"),
    [
        ({"text": "nmae"}, "2", "there is no column 'nmae'; did you mean 'name'?"),
        (
            {"text": "name vip", "boolean": ""},
            "2",
            "column 'vip' is boolean, but is declared Type.TEXT: declare Type.BOOLEAN",
        ),
        (
            {"integer": "id amount", "number": ""},
            "2",
            "column 'amount' is numeric, but is declared Type.INTEGER: declare Type.NUMBER",
        ),
        ({"boolean": ""}, "2", "1 columns that nobody accounts for: 'vip'"),
        ({"source": "custmers"}, "None", "does not exist; .*did you mean 'customers'?"),
        ({"key": "name"}, "2", "has the key 'id', but 'name' is declared"),
    ],
)
def test_what_a_preflight_would_refuse_is_said(
    uri: str, tmp_path: Path, declared: dict[str, str], line: str, words: str
) -> None:
    first = said(uri, tmp_path, **declared)[0]
    assert first.startswith(f"{line}: ")
    assert all(part in first for part in words.split(" .*"))


def test_a_target_that_is_not_there_is_made(uri: str, tmp_path: Path) -> None:
    assert said(uri, tmp_path, target="persons") == []
