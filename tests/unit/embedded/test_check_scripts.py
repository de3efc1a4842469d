"""Scripts that a run sends to PostgreSQL are read by `make check`, each fault with its line; what PostgreSQL takes is not refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.console.problem import Problem
from include.console.store_scripts import store_scripts
from include.trueup.declare import Index, Migration, Phase, Source, Table, Target, columns

CREATE = """\
-- People, by id.
CREATE TABLE people (
    id text PRIMARY KEY,
    full_name text NOT NULL,
    age integer,
    data jsonb DEFAULT '{"a": ",)"}'
);
CREATE INDEX people_full_name ON people (full_name);
"""
SPELT = {
    "a trailing comma": (',)"}\'', ',)"}\',', 6, "unexpected trailing comma"),
    "a bracket that is missing": (");\nCREATE", ";\nCREATE", 7, 'at ";": expected )'),
    "a comma that is missing": ("KEY,", "KEY", 4, 'at "full_name text NOT NULL,": expected ,'),
    "a keyword misspelt": ("CREATE TABLE", "CREATE TABEL", 2, 'at "CREATE TABEL people (": a statement begins otherwise'),
    "a semicolon that is missing": (");\nCREATE", ")\nCREATE", 8, "Missing semicolon between statements"),
    "a reserved word": ("age integer", "user text", 5, '; user is a reserved word: as a name it stands in double quotes, "user"'),
    "a text that is not closed": ("'{\"a\": \",)\"}'", "'{", 6, "to terminate the string literal"),
    "quotes of another database": ("people (\n", "`people` (\n", 2, "expected path name"),
    "a word of another database": ("integer", "integer AUTO_INCREMENT", 5, "AUTO_INCREMENT"),
}  # fmt: skip
"""What is right and wrong in the script, the line and the words of the message."""
MADE = {
    "a table of another name": ("TABLE people", "TABLE peopel", None, "makes no table 'people'; did you mean 'peopel'?"),
    "a column misspelt": ("full_name text", "fullname text",
     2, "makes no column 'full_name', which the target declares; did you mean 'fullname'?"),
    "a column of another type": ("age integer", "age text",
     5, "column 'age' is text, but is declared Type.INTEGER: declare Type.TEXT, or make it bigint"),
    "an array": ("age integer", "age integer[]", 5, "column 'age' is integer[], but is declared Type.INTEGER"),
    "a type misspelt": ("full_name text", "full_name txet", 4, "is of type txet, which PostgreSQL has not; did you mean text?"),
    "a type of another database": ("age integer", "age tinyint", 5, "is of type tinyint, which PostgreSQL has not; did you mean smallint?"),
    "no key": ("text PRIMARY KEY", "text", 2, "makes the primary key none, but the target declares the key id"),
    "a longer key": ("text PRIMARY KEY", "text, PRIMARY KEY (id, age)",
     2, "makes the primary key id, age, but the target declares the key id"),
    "a check that nothing keeps": ("age integer", "age integer CHECK (age > 5 AND age < 5)",
     5, "no value of 'age' keeps CHECK (age > 5 and age < 5), so no row could be written"),
    "one between whole numbers": ("age integer", 'age integer CHECK ("age" BETWEEN 1.2 AND 1.8)', 5, "no value of 'age' keeps"),
    "one of numbers": ("age integer", "age integer CHECK (age IN (1, 2) AND age = 3)", 5, "no value of 'age' keeps"),
    "one of texts": ("text NOT NULL", "text NOT NULL CHECK (full_name IN ('a', 'b') AND full_name <> 'a' AND NOT full_name = 'b')",
     4, "no value of 'full_name' keeps"),
    "a column that nobody fills": ("age integer", "age integer, since date NOT NULL", 5, "column 'since' is NOT NULL without a default"),
}  # fmt: skip
FINE = (
    """CREATE TABLE people (id text PRIMARY KEY, full_name text CHECK (full_name <> '' AND full_name < 'b'), data jsonb,
    age int CHECK (age > -5 AND age < -3) CHECK (age IN (1, 2) OR age >= 100) CHECK (age <> 0 AND NOT age = 1),
    CHECK (age < 7 OR age IS NULL), CHECK (length(full_name) > 5 AND length(full_name) < 5),
    CHECK (age > 1 AND full_name = 'a'), CHECK (age <> 'NaN' AND age < 1e300),
    CHECK (full_name > '9999-12-31'), CHECK (age < 99999999999999999999999999999999999999999999));""",
    """CREATE TABLE IF NOT EXISTS public."people" ("id" varchar(20), "full_name" character varying (9) COLLATE "C", age smallint,
    data json, CONSTRAINT k PRIMARY KEY (id), since timestamptz NOT NULL DEFAULT now(), UNIQUE (full_name), CHECK (age > 0),
    n bigint GENERATED ALWAYS AS IDENTITY NOT NULL, mood mood, v vector(3)) PARTITION BY RANGE (id);""",
    """CREATE UNLOGGED TABLE people (id uuid, full_name text, age int8, data pg_catalog.jsonb);
    ALTER TABLE ONLY people ADD CONSTRAINT people_pkey PRIMARY KEY (id);
    ALTER TABLE people OWNER TO crm;""",
    "CREATE TABLE people (LIKE customers INCLUDING ALL); ALTER TABLE people RENAME name TO full_name;",
    """CREATE TABLE people (id text);
    ALTER TABLE people ADD COLUMN full_name text, ADD age int, ADD data jsonb, ADD PRIMARY KEY (id);""",
    "CREATE TABLE people (name text) INHERITS (persons);",
    "CREATE TABLE people AS SELECT * FROM persons;",
    "DO $$ BEGIN CREATE TABLE people (id text); END $$;",
    "CREATE DOMAIN txt AS text; CREATE TABLE people (id txt PRIMARY KEY, full_name txt, age int, data jsonb)",
    CREATE.replace("\n", "\r\n"),
)
"""Scripts that make the table as it is declared, or in a way that only the database can tell."""


def found(
    folder: Path,
    connection: str = "crm_postgres",
    adds: tuple[str, ...] = (),
    sets: tuple[str, ...] = (),
    indexes: tuple[Index, ...] = (),
    **scripts: str | bytes,
) -> list[Problem]:
    """The problems of a migration with these scripts of its target."""
    for name, text in {"rows": "", **scripts}.items():
        (folder / f"{name}.sql").write_bytes(text if isinstance(text, bytes) else text.encode())
    named = {name: f"{name}.sql" for name in scripts if name != "finish"}
    (folder / "migration.py").write_text(f"# {' '.join(named.values())}\n")
    old = Table(name="customers", connection=connection, key=("id",), columns=columns(text="id"))
    new = Table(
        name="people",
        connection=connection,
        key=("id",),
        columns=columns(text="id full_name", integer="age", json="data"),
        indexes=indexes,
    )
    paths = {name: folder / file for name, file in named.items()}
    phase = Phase(
        source="customers",
        target="people",
        transform=folder / "rows.sql",
        finish=(folder / "finish.sql",) if "finish" in scripts else (),
    )
    migration = Migration(
        id="people",
        owner="crm",
        sources=(Source(table=old),),
        targets=(Target(table=new, adds=adds, sets=sets, **paths),),  # type: ignore[arg-type]
        phases=(phase,),
    )
    return [*store_scripts(migration, folder / "migration.py")]


@pytest.mark.parametrize(("right", "wrong", "line", "said"), [*SPELT.values(), *MADE.values()], ids=[*SPELT, *MADE])
def test_a_fault_is_said_with_its_line(tmp_path: Path, right: str, wrong: str, line: int | None, said: str) -> None:
    assert found(tmp_path, create=CREATE) == []
    (problem,) = found(tmp_path, create=CREATE.replace(right, wrong))
    assert (problem.file, problem.line) == (tmp_path / "create.sql", line), str(problem)
    assert said in problem.message


@pytest.mark.parametrize("script", FINE)
def test_what_is_as_declared_or_cannot_be_told_is_not_refused(tmp_path: Path, script: str) -> None:
    assert found(tmp_path, create=script) == []


@pytest.mark.parametrize("name", ["prepare", "undo", "finish"])
def test_the_other_scripts_are_read_too(tmp_path: Path, name: str) -> None:
    right = "-- age\nALTER TABLE people ALTER age SET NOT NULL;\n"
    assert found(tmp_path, **{name: right}) == []  # type: ignore[arg-type]
    (problem,) = found(tmp_path, **{name: right.replace("SET", "SETT")})  # type: ignore[arg-type]
    assert (problem.file.name, problem.line) == (f"{name}.sql", 2)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("DROP TABLE IF EXISTS public.people;", "DROP of 'people', which is declared"),
        ("TRUNCATE TABLE customers;", "TRUNCATE of 'customers', which is declared"),
        ("DELETE FROM people WHERE age < 0;", "DELETE of 'people', which is declared"),
        ("COMMIT;", "COMMIT: the script runs in a transaction already"),
        ("CREATE INDEX CONCURRENTLY i ON people (age);", "give it a script of its own in finish"),
        ("\\set ON_ERROR_STOP 1", "a line with \\ is psql's own"),
    ],
)
def test_what_a_script_may_not_do(tmp_path: Path, script: str, words: str) -> None:
    (problem,) = found(tmp_path, undo=f"SELECT 1;\n{script}")
    assert (problem.line, words in problem.message) == (2, True), str(problem)


def test_an_index_may_be_made_concurrently_in_a_script_of_its_own(tmp_path: Path) -> None:
    assert found(tmp_path, finish="-- trueup: no transaction\nCREATE INDEX CONCURRENTLY i ON people (age);") == []


def test_other_tables_are_the_scripts_own(tmp_path: Path) -> None:
    script = "DROP TABLE IF EXISTS people_old; DELETE FROM audit.log; SELECT 'COMMIT; DROP TABLE people'; DROP VIEW v;"
    assert found(tmp_path, undo=script) == []


def test_an_index_that_create_does_not_make(tmp_path: Path) -> None:
    index = Index(name="people_age", key=("age",))
    (problem,) = found(tmp_path, indexes=(index,), create=CREATE)
    assert "makes no index on age, which the target declares as 'people_age'" in problem.message
    for made in ("CREATE INDEX people_age ON people (age);", "CREATE INDEX ON people (age, id);"):
        assert found(tmp_path, indexes=(index,), create=CREATE + made) == []


def test_a_column_that_the_table_does_not_set(tmp_path: Path) -> None:
    assert found(tmp_path, sets=("seen",), create=CREATE.replace("    age", "    seen date,\n    age")) == []
    (problem,) = found(tmp_path, sets=("sen",), create=CREATE.replace("    age", "    seen date,\n    age"))
    assert "makes no column 'sen', which the target says is set there; did you mean 'seen'?" in problem.message


def test_columns_that_no_script_adds(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, adds=("age",), undo="SELECT 1")
    assert problem.message == "target 'people' says adds=['age'], and has no prepare script that adds them"


def test_a_column_that_prepare_never_names(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, adds=("age",), prepare="ALTER TABLE people ADD COLUMN IF NOT EXISTS agge int;")
    assert problem.message == "target 'people' says that this script adds 'age', which it never names"


def test_a_fault_on_a_line_with_letters_beyond_ascii(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, undo="SELECT 'äöü',, people;")
    assert 'at ", people;"' in problem.message


@pytest.mark.parametrize(("begins", "said"), [(b"\xef\xbb\xbf", "byte order mark"), (b"-- \xe4\n", "is not UTF-8")])
def test_bytes_that_postgresql_refuses(tmp_path: Path, begins: bytes, said: str) -> None:
    (problem,) = found(tmp_path, create=begins + CREATE.encode())
    assert (problem.line, said in problem.message) == (1, True), str(problem)


def test_dynamodb_has_no_scripts(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "shop_dynamodb", create=CREATE)
    assert (problem.file.name, problem.line) == ("migration.py", 1)
    assert problem.message == "target 'people' lies in DynamoDB, which has no scripts; leave create out"
