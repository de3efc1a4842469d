"""SQL that DuckDB takes and no author can mean is refused with its line; what is meant is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.console.problem import Problem
from include.console.scripts import scripts
from include.trueup.declare import Migration, Param, Phase, Source, Table, Target, columns
from include.trueup.errors import DeclarationError

ROWS = """\
CREATE VIEW rows AS
SELECT id, name, age, _key AS _source
FROM customers
WHERE name IS NOT NULL;
CREATE VIEW findings AS
SELECT _key AS _source, id AS key, 'reject' AS severity, 'no_name' AS code, 'has none' AS message
FROM customers WHERE name IS NULL;
"""
MEANINGLESS = {
    "a comparison with null": ("name IS NULL", "name = NULL", 7, "write IS NULL"),
    "a comparison with a typed null": ("name IS NOT NULL", "name <> NULL::VARCHAR", 4, "write IS NULL"),
    "some rows": ("NOT NULL;", "NOT NULL\nLIMIT 10;", 5, "LIMIT without ORDER BY takes any rows"),
    "some rows of a subquery": ("FROM customers\n", "FROM (FROM customers OFFSET 3)\n", 3, "LIMIT without ORDER BY"),
    "any row of several": ("SELECT id, name", "SELECT DISTINCT ON (name) id, name", 2, "DISTINCT ON without ORDER BY"),
    "a number by no order": ("age,", "row_number() OVER (PARTITION BY name) AS age,", 2, "row_number() without ORDER BY"),
    "the row before, by no order": ("age,", "lag(age) OVER () AS age,", 2, "lag() without ORDER BY"),
    "a text by no order": ("age,", "(SELECT string_agg(name, ',') FROM customers) AS age,", 2, "string_agg(… ORDER BY …)"),
    "a list of JSON by no order": ("age,", "(SELECT length(json_group_array(name)) FROM customers) AS age,", 2, "to_json(list(…"),
    "any value": ("age,", "(SELECT first(age) FROM customers) AS age,", 2, "first(… ORDER BY …)"),
    "a sample": ("WHERE name IS NOT NULL;", "USING SAMPLE 10;", 2, "a sample has other rows each time"),
    "a division by zero": ("age,", "age / 0 AS age,", 2, "/ 0 gives no number"),
    "a key of nulls": ("SELECT id, name", "SELECT NULL AS id, name", 2, "id is null in every row of rows"),
    "one source row for all": ("age, _key AS", "age, 'x' AS", 2, "_source is the same in every row of rows"),
    "a source row that is none": ("age, _key AS", "age, name AS", 2, "name is not the key of customers, which is id"),
    "a finding about another row": ("SELECT _key AS", "SELECT name AS", 6, "_source is the key of the source row: _key AS _source"),
    "a required column of nulls": ("name, age", "NULL::VARCHAR AS name, age", 2, "name is null in every row of rows"),
    "a param misspelt": ("age,", "(SELECT value FROM params WHERE id = 'minage')::INT AS age,", 2, "did you mean 'min_age'?"),
    "an escape of two": ("name IS NOT NULL", "name LIKE 'a!!%' ESCAPE '!!'", 4, "ESCAPE '!!': Invalid escape string"),
    "a pattern that ends in its escape": ("name IS NOT NULL", "name NOT ILIKE 'ab!' ESCAPE '!'", 4, "must not end with escape"),
    "digits of JSON": ("age,", "length(json_object('n', name::JSON)) AS age,", 2, "json_object() takes a number of JSON for a double"),
    "digits of a list of JSON": ("age,", "length(to_json([try_cast(name AS json)])) AS age,", 2, "to_json() takes a number"),
    "a finding without a code": ("'no_name' AS code", "NULL AS code", 6, "code is null in every row of findings"),
}  # fmt: skip
FINE = {
    "rows by an order": ("FROM customers\n", "FROM (FROM customers ORDER BY id LIMIT 10)\n"),
    "one of several, by an order": ("SELECT id, name", "SELECT DISTINCT ON (name) id, name"),
    "whether there is one": ("name IS NOT NULL", "EXISTS (FROM customers c WHERE c.age = 1 LIMIT 1)"),
    "a number by an order": ("age,", "row_number() OVER (ORDER BY id) AS age,"),
    "a text by an order": ("age,", "(SELECT string_agg(name, ',' ORDER BY id) FROM customers) AS age,"),
    "a param": ("age,", "(SELECT value FROM params WHERE id = 'min_age')::INT AS age,"),
    "null is null": ("name IS NOT NULL", "name IS DISTINCT FROM NULL"),
    "JSON that is counted": ("age,", "length(json_object('n', json_array_length(name::JSON))) AS age,"),
    "a pattern with an escape": (
        "name IS NOT NULL",
        "name LIKE '100!%%' ESCAPE '!' AND name LIKE age || '%' ESCAPE '!'",
    ),
    "a constant of JSON": ("age,", "length(json_object('n', '1'::JSON)) AS age,"),
    "nothing to be said": ("name IS NULL;", "false;"),
    "the key by its own name": ("_key AS _source\n", "id AS _source\n"),
    "a comma too many, which DuckDB takes": ("_source\n", "_source,\n"),
    "a target's name for a query of its own": (
        "FROM customers\n",
        "FROM (WITH people AS (FROM customers) FROM people)\n",
    ),
    "lines as on Windows": ("\n", "\r\n"),
}


def problems(folder: Path, script: str | bytes) -> list[Problem]:
    (folder / "rows.sql").write_bytes(script if isinstance(script, bytes) else script.encode())
    old, new = (
        Table(
            name=name,
            connection="c_postgres",
            key=("id",),
            columns=columns(text="id name", integer="age"),
            required=("name",),
        )
        for name in ("customers", "people")
    )
    migration = Migration(
        id="people",
        owner="crm",
        sources=(Source(table=old),),
        targets=(Target(table=new),),
        params=(Param(id="min_age", title="Age", description="", type="integer", default=1, minimum=1, maximum=9),),
        phases=(Phase(source="customers", target="people", transform=folder / "rows.sql"),),
    )
    return [*scripts(migration)]


@pytest.mark.parametrize(("right", "wrong", "line", "words"), MEANINGLESS.values(), ids=MEANINGLESS)
def test_what_cannot_be_meant(tmp_path: Path, right: str, wrong: str, line: int, words: str) -> None:
    assert right in ROWS
    (problem,) = problems(tmp_path, ROWS.replace(right, wrong))
    assert (problem.line, words in problem.message) == (line, True), str(problem)


@pytest.mark.parametrize(("was", "is_"), FINE.values(), ids=FINE)
def test_what_can_be_meant(tmp_path: Path, was: str, is_: str) -> None:
    script = ROWS.replace(was, is_)
    if "DISTINCT ON" in is_:
        script = script.replace("NOT NULL;", "NOT NULL ORDER BY id;")
    assert problems(tmp_path, script) == []


def test_a_script_of_another_encoding_has_its_line(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, b"-- one\n-- \xe4\n" + ROWS.encode())
    assert (problem.line, problem.message) == (2, "is not UTF-8; save it as that")


def test_columns_with_commas() -> None:
    with pytest.raises(
        DeclarationError, match="'id,' ends with a comma; names are separated by blanks: text='id name'"
    ):
        columns(text="id, name")
