"""What a transform gives is brought into canonical form where it enters; what has none is its row's reject."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Type
from include.trueup.errors import DeclarationError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from tests.copying import Here, declare_copy
from tests.harness import new_database

ID = {"id": Type.INTEGER}


@pytest.fixture
def here(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace) -> Here:
    return Here(new_database(postgres_server), ledger, workspace)


def test_numbers_of_any_notation_are_as_they_are_read_back(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old SELECT generate_series(1, 3)")
    into = {
        **ID,
        "a": Type.NUMBER,
        "b": Type.NUMBER,
        "c": Type.NUMBER,
        "d": Type.NUMBER,
        "e": Type.JSON,
        "f": Type.INTEGER,
    }
    select = (
        "id, CAST(0 AS DECIMAL(10, 2)) AS a, '1E+2' AS b, '+1.50' AS c, CAST(0.1 AS DOUBLE) AS d,"
        """ '{"b": 1.00, "a": 0.00001}' AS e, CAST(id AS DOUBLE) AS f, _key AS _source"""
    )
    migration = declare_copy(tmp_path, ID, into=into, select=select)
    assert here.run(migration)["verdict"]["status"] == "passed"
    assert here.sql("SELECT DISTINCT a::text, b::text, c::text, d::text, e::text FROM new") == [
        ("0", "100", "1.5", "0.1", '{"a": 0.00001, "b": 1}')
    ]
    assert here.run(migration)["plan"]["phases"][0]["rows"]["keep"] == 3


def test_keys_that_are_one_number_are_one_key(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old VALUES (1), (2)")
    into = {"n": Type.NUMBER}
    migration = declare_copy(
        tmp_path, ID, into=into, into_key=("n",), select="CASE id WHEN 1 THEN '1' ELSE '1.0' END AS n, _key AS _source"
    )
    with pytest.raises(DeclarationError, match="planned twice, the first with key '1'"):
        here.run(migration)
    assert here.sql("SELECT to_regclass('new')") == [(None,)]


def test_a_value_without_canonical_form_is_the_reject_of_its_row(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old SELECT generate_series(1, 10)")
    into = {**ID, "n": Type.NUMBER, "i": Type.INTEGER, "j": Type.JSON, "t": Type.TEXT}
    select = (
        "id, CASE id WHEN 1 THEN 'much' WHEN 8 THEN '1e400000000' WHEN 3 THEN 'NaN' ELSE '1' END AS n,"
        " CASE id WHEN 4 THEN 1.5 ELSE 2 END AS i,"
        """ CASE id WHEN 9 THEN '{' WHEN 6 THEN '"\\ud800"' WHEN 7 THEN repeat('[', 1500) || repeat(']', 1500)"""
        " WHEN 5 THEN CAST(json_object('a', -0.5::DECIMAL(38, 38)) AS VARCHAR) END AS j,"
        " json_object('a', CASE id WHEN 2 THEN 0.5::DECIMAL(38, 38) END) AS t,"
        " _key AS _source"
    )
    report = here.run(declare_copy(tmp_path, ID, into=into, select=select), max_reject_share=1)
    assert [(f["code"], f["count"]) for f in report["findings"]] == [("unwritable", 8)]
    said = {e["key"]: e["message"] for f in report["findings"] for e in f["examples"]}
    assert "row 1 of new cannot be stored: column 'n': 'much' is not a number" in said["1"]
    assert "column 'i': 1.5 is not a whole number" in said["4"]
    assert "column 'j': no JSON: Expecting value: line 1 column 6 (char 5): DuckDB leaves out the 0" in said["5"]
    assert "column 't': no JSON: DuckDB leaves out the 0" in said["2"]
    assert "cast it to DECIMAL(38, 37) or less" in said["2"]
    assert here.sql("SELECT id, t FROM new ORDER BY id") == [(7, '{"a":null}'), (10, '{"a":null}')]
    assert here.sql("SELECT length(j::text) FROM new WHERE id = 7") == [(3000,)]
