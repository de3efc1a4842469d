"""What an author may get wrong is said before anything runs, with its place and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from include import migrations
from include.console.__main__ import main
from include.console.check import Problem, check

MIGRATION = """\
from include.trueup.declare import Migration, Param, Phase, Source, Table, Target, Type, columns

CUSTOMERS = Table(name="customers", connection="crm_postgres", key="id", columns=columns(text="id name mail", boolean="vip"))
PEOPLE = Table(name="people", connection="crm_postgres", key="id", columns=columns(text="id full_name mail"))


def suite():
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToNotBeNull(column="mail")]


migration = Migration(
    id="people",
    owner="crm",
    sources=(Source(table=CUSTOMERS),),
    targets=(Target(table=PEOPLE, create="create.sql"),),
    phases=(Phase(source="customers", target="people", transform="rows.sql", suite=suite),),
)
"""
ROWS = """\
CREATE VIEW rows AS
SELECT id, name AS full_name, mail, id AS _source
FROM customers
"""
AT = "migration.py"
MISTAKES = [
    (AT, 'id="people"', 'id="People!"', 13, "migration id 'People!': use lower-case letters"),
    (AT, "rows.sql", "row.sql", 18, "there is no script"),
    (AT, 'key="id", columns=columns(text="id name', 'key="ID", columns=columns(text="id name', 3, "did you mean 'id'?"),
    (AT, "Source(table=CUSTOMERS)", 'Source(table=CUSTOMERS, partition_by="idd")', 16, "did you mean 'id'?"),
    (AT, "Source(table=CUSTOMERS)", 'Source(table=CUSTOMERS, window="vip")', 16, "is of type boolean, which has no dates"),
    (AT, "Source(table=CUSTOMERS)", "Source(table=CUSTOMERS, partition_by=None)", 13, "is a look-up"),
    (AT, "sources=(Source(table=CUSTOMERS),)", "sources=Source(table=CUSTOMERS)", 13, "write them in brackets"),
    (AT, 'source="customers"', 'source="customer"', 13, "no source 'customer'; did you mean 'customers'?"),
    (AT, 'target="people"', 'target="persons"', 13, "no target 'persons'"),
    (AT, 'columns(text="id full_name mail")', '["id", "full_name", "mail"]', 4, "columns are given with their types"),
    (AT, 'columns(text="id full_name mail")', '{"id": "varchar"}', 4, "'varchar', which there is not"),
    (AT, 'columns(text="id full_name mail")', 'columns(txt="id")', 4, "there is no type 'txt'"),
    (AT, 'owner="crm",', 'owner="crm", settings={"legacy": {"a": "b"}},', 13, "settings must name the same settings"),
    (AT, "Table(name=", "Tabel(name=", 3, "NameError: name 'Tabel' is not defined"),
    (AT, "migration = ", "migration == ", 13, "NameError"),
    (AT, "    owner=", "   )owner=", 19, "unmatched ')'"),
    (AT, "column=\"mail\")", "column=\"male\")", 7, "the suite names column 'male' of people; did you mean 'mail'?"),
    (AT, "    return [gxe", "    return [1/0, gxe", 7, "division by zero"),
    ("rows.sql", "mail,", "mail", 2, "rows.sql does not run: Parser Error"),
    ("rows.sql", "name AS", "nmae AS", 2, "nmae"),
    ("rows.sql", "FROM customers", "FROM customer", 3, "customer does not exist; did you mean 'customers'? There are: customers"),
    ("rows.sql", "CREATE VIEW rows", "CREATE VIEW a AS SELECT *, nmae FROM customers; CREATE VIEW rows", 1, "nmae"),
    ("rows.sql", "name AS full_name, ", "", None, "rows lack the columns ['full_name']"),
    ("rows.sql", "mail,", "mail, 1 AS more,", None, "columns ['more'] that it does not declare"),
    ("rows.sql", ", id AS _source", "", None, "rows lack the columns ['_source']"),
]  # fmt: skip


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a migration that is all right."""
    monkeypatch.setattr(migrations, "__path__", [str(tmp_path)])
    (folder := tmp_path / "people").mkdir()
    for name, text in {"migration.py": MIGRATION, "rows.sql": ROWS, "create.sql": "", "__init__.py": ""}.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(autouse=True)
def imported_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [n for n in sys.modules if n.startswith("include.migrations.people")]:
        monkeypatch.delitem(sys.modules, name)


def found(folder: Path) -> list[Problem]:
    """The problems, but that there is no DAG file, which these migrations have not."""
    import sys

    try:
        return [each for each in check(folder.name) if each.file.parent.name != "dags"]
    finally:
        for name in [n for n in sys.modules if n.startswith("include.migrations.people")]:
            del sys.modules[name]


def test_nothing_is_wrong(people: Path) -> None:
    assert found(people) == []


@pytest.mark.parametrize(("file", "right", "wrong", "line", "said"), MISTAKES)
def test_a_mistake_is_said_with_its_place(
    people: Path, file: str, right: str, wrong: str, line: int | None, said: str
) -> None:
    text = (people / file).read_text()
    assert right in text
    (people / file).write_text(text.replace(right, wrong))
    (problem,) = found(people)
    assert (problem.file, problem.line) == (people / file, line), str(problem)
    assert said in problem.message


def test_the_command(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "people"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("dags/people.py: there is no such file")
    assert said[-1] == "people: 1 problem"
    assert main(["chekc"]) == 2
