"""What an author may get wrong is said before anything runs, with its place and what to write instead."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from include import migrations
from include.console.__main__ import main
from include.console.check import check
from include.console.dag_file import dag_file
from include.console.problem import Problem

MIGRATION = """\
from include.trueup.declare import Migration, Param, Phase, Source, Statement, Table, Target, Type, columns

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
CREATE = "CREATE TABLE people (id text PRIMARY KEY, full_name text, mail text);"
AT = "migration.py"
SOURCE = "Source(table=CUSTOMERS)"
SOURCES = f"sources=({SOURCE},)"
PHASE = 'Phase(source="customers", target="people", transform="rows.sql", suite=suite)'
TWO_TARGETS = (
    'targets=(Target(table=PEOPLE, create="create.sql"),),\n    phases=(',
    (
        'targets=(Target(table=PEOPLE), Target(id="p2", table=PEOPLE)), phases=(Phase(source="customers", target="p2", '
        'transform="rows.sql"), '
    ),
)
OWNER = 'owner="crm",'
PARAMS = ' params=(Param(id="{id}", title="P", description="", type="{type}",{more}),),'
STATEMENT = ' statements=(Statement(title="All is well", query="{}"),),'
FINDINGS = (
    "FROM customers;\nCREATE VIEW findings AS SELECT id AS _source, id AS key, '{}' AS severity, 'c' AS code, 'm' AS message"
    "\nFROM customers"
)
MISTAKES = {
    "an id with capitals": (AT, 'id="people"', 'id="People!"', 13, "migration id 'People!': use lower-case letters"),
    "an id that is not the folder's": (AT, 'id="people"', 'id="persons"', 14, "did you mean id='people'?"),
    "a script that is missing": (AT, "rows.sql", "row.sql", 18, "there is no script"),
    "a script of a target that is missing": (AT, "create.sql", "craete.sql", 17, "did you mean 'create.sql'?"),
    "a shared query that is missing": (AT, SOURCES, f'{SOURCES}, shared={{"s": "row.sql"}}', 16, "did you mean 'rows.sql'?"),
    "a key that is no column": (AT, 'key="id", columns=columns(text="id name', 'key="ID", columns=columns(text="id name',
     3, "did you mean 'id'?"),
    "a key with a column twice": (AT, 'key="id", columns=columns(text="id name', 'key=("id", "id"), columns=columns(text="id name',
     3, "names a column twice: id, id"),
    "partition_by that is no column": (AT, SOURCE, 'Source(table=CUSTOMERS, partition_by="idd")', 16, "did you mean 'id'?"),
    "a target's partition_by that is no column": (AT, 'create="create.sql"', 'partition_by=("idd",)', 17, "did you mean 'id'?"),
    "a text in place of several": (AT, 'create="create.sql"', 'owned="mail"', 17, "owned are several: write them in brackets"),
    "an owned column that is not declared": (AT, 'create="create.sql"', 'owned=("mial",)', 17, "did you mean 'mail'?"),
    "an owned key": (AT, 'create="create.sql"', 'owned=("id",)', 17, "['id'] decide where a row is planned"),
    "a required column that is not declared": (AT, "columns=columns(text=\"id full", "required=(\"mial\",), columns=columns(text=\"id full",
     4, "did you mean 'mail'?"),
    "a window that is no time": (AT, SOURCE, 'Source(table=CUSTOMERS, window="vip")', 16, "is of type boolean, which has no dates"),
    "a look-up as a phase's source": (AT, SOURCE, "Source(table=CUSTOMERS, partition_by=None)", 18, "is a look-up"),
    "one source without brackets": (AT, SOURCES, "sources=Source(table=CUSTOMERS)", 16, "write them in brackets"),
    "a table by its name": (AT, SOURCE, 'Source(table="customers")', 16, "give a Table("),
    "two sources of one id": (AT, SOURCES, f"sources=({SOURCE}, {SOURCE})", 16, "'customers' is named twice"),
    "a source and a target of one id": (AT, SOURCE, 'Source(id="people", table=CUSTOMERS)', 16, "'people' is named twice"),
    "two phases of one id": (AT, PHASE, f"{PHASE}, {PHASE}", 18, "two phases share an id: 'people'"),
    "two targets of one table": (AT, TWO_TARGETS[0], TWO_TARGETS[1], 17, "are the same table 'people'"),
    "a target that no phase writes": (AT, "targets=(", 'targets=(Target(id="p3", table=CUSTOMERS), ', 17, "no phase writes target 'p3'"),
    "a source that there is not": (AT, 'source="customers"', 'source="customer"', 18, "no source 'customer'; did you mean 'customers'?"),
    "a target that there is not": (AT, 'target="people"', 'target="persons"', 18, "no target 'persons'"),
    "a former keyword": (AT, OWNER, OWNER + ' partition_by=("nonsense",),', 15, "each Source says it; leave it out here"),
    "a code that is no text": (AT, "suite=suite", "keeps_existing=True", 18, "keeps_existing is True, but it is a text"),
    "a truth that is a text": (AT, "suite=suite", 'allow_empty="yes"', 18, "allow_empty is 'yes', but it is True or False"),
    "an owner that is none": (AT, OWNER, "owner=None,", 15, "owner is None, but it is a text"),
    "columns that are no texts": (AT, 'create="create.sql"', "owned=(1,)", 17, "owned has 1 in it, but it is texts"),
    "a type that DynamoDB has not": (AT, 'connection="crm_postgres", key="id", columns=columns(text="id name',
     'connection="crm_dynamodb", key="id", columns=columns(date="d", text="id name', 3, "DynamoDB has no Type.DATE (column 'd')"),
    "columns without types": (AT, 'columns(text="id full_name mail")', '["id", "full_name", "mail"]',
     4, "columns are given with their types"),
    "a type that there is not": (AT, 'columns(text="id full_name mail")', '{"id": "varchar"}', 4, "'varchar', which does not exist"),
    "a type that there is not, by helper": (AT, 'columns(text="id full_name mail")', 'columns(txt="id")', 4, "there is no type 'txt'"),
    "a table's name in three parts": (AT, 'name="customers"', 'name="a.b.customers"', 3, "write table or schema.table"),
    "a rule that no script says": (AT, "suite=suite", 'expected_skips=("no_such",)',
     18, "expects skips by 'no_such', which rows.sql never says"),
    "an id that is no text": (AT, 'id="people"', "id=3", 13, "migration id 3: use lower-case letters"),
    "settings of one state": (AT, OWNER, OWNER + ' settings={"legacy": {"a": "b"}},', 15, "settings must name the same settings"),
    "settings of a state that there is not": (AT, OWNER, OWNER + ' settings={"legcy": {"a": "b"}},', 15, "did you mean 'legacy'?"),
    "a param called as one of every form": (AT, OWNER, OWNER + PARAMS.format(id="mode", type="boolean", more=" default=True"),
     15, "give it another id"),
    "a param whose default is no choice": (AT, OWNER, OWNER + PARAMS.format(id="p", type="string", more=' default="x", choices=("xy",)'),
     15, "did you mean 'xy'?"),
    "a param whose default is beyond": (AT, OWNER, OWNER + PARAMS.format(id="p", type="integer", more=" default=9, minimum=1, maximum=3"),
     15, "9 is not between 1 and 3"),
    "a param whose default is of another type": (AT, OWNER, OWNER + PARAMS.format(id="p", type="boolean", more=' default="yes"'),
     15, "'yes' is no boolean"),
    "constants of other columns": (AT, OWNER, OWNER + ' constants={"c": ({"a": "1"}, {"b": "1"})},', 15, "does not have the columns ['a']"),
    "constants that are no text": (AT, OWNER, OWNER + ' constants={"c": ({"a": 1},)},', 15, "neither a text nor None"),
    "a function that is none": (AT, OWNER, OWNER + ' functions={"f": 1},', 15, "which is not a function"),
    "a name misspelt": (AT, "Table(name=", "Tabel(name=", 3, "NameError: name 'Tabel' is not defined"),
    "a keyword misspelt": (AT, OWNER, OWNER.replace("owner", "ownr"), 13, "did you mean 'owner'?"),
    "a comparison for an assignment": (AT, "migration = ", "migration == ", 13, "NameError"),
    "a bracket too many": (AT, "    owner=", "   )owner=", 19, "unmatched ')'"),
    "a suite on a column that there is not": (AT, 'column="mail")', 'column="male")',
     7, "the suite names column 'male' of people; did you mean 'mail'?"),
    "a suite that raises": (AT, "    return [gxe", "    return [1/0, gxe", 7, "division by zero"),
    "a suite of texts": (AT, 'gxe.ExpectColumnValuesToNotBeNull(column="mail")', '"mail"', 7, "not an expectation: 'mail'"),
    "a suite that gives nothing": (AT, "    return [gxe", "    [gxe", 7, "the suite gives None: return the list"),
    "a suite that is called": (AT, "suite=suite", "suite=[]", 18, "give the function itself"),
    "replaces that is no column": (AT, "suite=suite", 'keeps_existing="kept", replaces={"mial": ("a",)}', 18, "did you mean 'mail'?"),
    "a statement of what there is not": (AT, OWNER, OWNER + STATEMENT.format("SELECT true FROM customer"), 15, "Did you mean"),
    "a statement that is no answer": (AT, OWNER, OWNER + STATEMENT.format("SELECT true, false"), 15, "gives 2 columns"),
    "a comma that is missing": ("rows.sql", "mail,", "mail", 2, "rows.sql does not run: Parser Error"),
    "a source's column misspelt": ("rows.sql", "name AS", "nmae AS", 2, "nmae"),
    "a relation misspelt": ("rows.sql", "FROM customers", "FROM customer", 3, "customer does not exist"),
    "a target column that nobody fills": ("rows.sql", "name AS full_name, ", "", 1, "rows lack the columns ['full_name']"),
    "a target column misspelt": ("rows.sql", "full_name", "fullname", 2, "they have 'fullname', did you mean 'full_name'?"),
    "a column that the target has not": ("rows.sql", "mail,", "mail, 1 AS more,", 2, "columns ['more'] that it does not declare"),
    "no _source": ("rows.sql", ", id AS _source", "", 1, "rows lack the columns ['_source']"),
    "no view rows": ("rows.sql", "VIEW rows", "VIEW row", None, "makes no view 'rows': CREATE VIEW rows AS SELECT"),
    "a severity that there is not": ("rows.sql", "FROM customers", FINDINGS.format("rejected"), 4, "did you mean 'reject'?"),
    "findings without a message": ("rows.sql", "FROM customers", FINDINGS.format("reject").replace("message", "said"), 4, "message"),
    "a relation that is written into": ("rows.sql", "CREATE", "DELETE FROM customers;\nCREATE",
     1, "changes 'customers', which is declared"),
    "a target that is written into": ("rows.sql", "CREATE", "INSERT INTO people BY NAME SELECT id FROM customers;\nCREATE",
     1, "changes 'people', which is declared"),
    "a relation that is made anew": ("rows.sql", "CREATE", "CREATE OR REPLACE VIEW customers AS SELECT 1 AS id;\nCREATE",
     1, "makes 'customers', which is declared"),
    "a column in the quotes of a text": ("rows.sql", "name AS", "'name' AS", 2,
     "'name' is a text, the same in every row; the column is written name"),
    "a list by no order": ("rows.sql", "mail,", "(SELECT list(mail) FROM customers)::TEXT AS mail,", 2, "list() without ORDER BY"),
    "a field of what has none": ("rows.sql", "CREATE", "CREATE VIEW v AS SELECT 1;\nCREATE VIEW w AS SELECT vip.a FROM customers;\nCREATE",
     2, "vip"),
    "a target that is not planned yet": ("rows.sql", "FROM customers", "FROM customers c LEFT JOIN people p USING (id)", 3,
     "people holds what earlier phases plan for that target, and so nothing here"),
    "a clock": ("rows.sql", "name AS", "\nCAST(now() AS VARCHAR) AS", 3, "now gives another value each time"),
    "a clock without brackets": ("rows.sql", "name AS", "\nCAST(current_date AS VARCHAR) AS",
     3, "current_date gives another value each time"),
    "an age by today": ("rows.sql", "name AS", "CAST(age(DATE '2000-01-01') AS VARCHAR) AS", 2, "age gives another value each time"),
    "a lot": ("rows.sql", "name AS", "CAST(uuid() AS VARCHAR) AS", 2, "uuid gives another value each time"),
    "a file that is read": ("rows.sql", "FROM customers", "FROM 'customers.csv'", 3, "'customers.csv' is a file"),
    "a file that is written": ("rows.sql", "FROM customers", "FROM customers;\nCOPY customers TO 'customers.csv'",
     4, "COPY reaches for files"),
}  # fmt: skip
"""What is wrong by the file, what is right and wrong in it, the line and the words of the message."""


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a migration that is all right."""
    monkeypatch.setattr(migrations, "__path__", [str(tmp_path)])
    (folder := tmp_path / "people").mkdir()
    for name, text in {"migration.py": MIGRATION, "rows.sql": ROWS, "create.sql": CREATE, "__init__.py": ""}.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(autouse=True)
def imported_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("include.migrations.people")]:
        monkeypatch.delitem(sys.modules, name)


def found(folder: Path) -> list[Problem]:
    """The problems, but that there is no DAG file, which these migrations have not."""
    try:
        return [each for each in check(folder.name) if each.file.parent.name != "dags"]
    finally:
        for name in [n for n in sys.modules if n.startswith("include.migrations.people")]:
            del sys.modules[name]


def test_nothing_is_wrong(people: Path) -> None:
    assert found(people) == []


def test_without_a_suite_great_expectations_is_not_needed(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (people / "migration.py").write_text(MIGRATION.replace(", suite=suite", ""))
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    monkeypatch.setitem(sys.modules, "include.trueup.gate.tally", None)
    assert found(people) == []


@pytest.mark.parametrize(("file", "right", "wrong", "line", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_said_with_its_place(
    people: Path, file: str, right: str, wrong: str, line: int | None, said: str
) -> None:
    text = (people / file).read_text()
    assert right in text
    (people / file).write_text(text.replace(right, wrong))
    (problem,) = found(people)
    assert (problem.file, problem.line) == (people / file, line), str(problem)
    assert said in problem.message


DAG = """\
from include.migrations.people.migration import migration
from trueup_airflow.dag import build_dag, build_rollback

dag = build_dag(migration)
rollback = build_rollback(migration)
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        ("migrations.people", "migrations.kpi_linking", 1, "imports migration 'kpi_linking'; did you mean 'people'?"),
        ("rollback = build_rollback(migration)", "", None, "it does not call build_rollback"),
        ("build_dag(migration)", "build_dag(migration", 4, "'(' was never closed"),
        ("from include.migrations.people.migration", "from people", None, "it does not import the migration"),
    ],
)
def test_a_mistake_in_the_dag_file(tmp_path: Path, right: str, wrong: str, line: int | None, said: str) -> None:
    file = tmp_path / "people.py"
    file.write_text(DAG)
    assert list(dag_file(file, "people", rows=True)) == []
    file.write_text(DAG.replace(right, wrong))
    (problem,) = dag_file(file, "people", rows=True)
    assert (problem.line, said in problem.message) == (line, True), str(problem)


def test_the_command(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "people"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("dags/people.py: there is no such file")
    assert said[-1] == "people: 1 problem"
    assert main(["chekc"]) == 2
