"""What a transform gives is brought to the declared type with nothing lost unseen, or is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Derived, Type
from include.trueup.errors import DeclarationError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from tests.copying import Here, declare_copy
from tests.harness import new_database

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation


@pytest.fixture
def here(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace) -> Here:
    return Here(new_database(postgres_server), ledger, workspace)


LOSSES = [
    (
        Type.DATE,
        "TIMESTAMP '2024-01-01 12:00'",
        r"column 'x' of the transform's rows is TIMESTAMP.*lose its time of day",
    ),
    (Type.DATETIME, "TIMESTAMPTZ '2024-01-01 12:00Z'", r"column 'x' .*lose its time zone.*AT TIME ZONE"),
    (Type.TEXT, "'a'::BLOB", r"column 'x' .*is BLOB, but Type.TEXT is declared, which takes text: say which"),
    (
        Type.BOOLEAN,
        "0.5::DOUBLE",
        r"column 'x' .*is DOUBLE, but Type.BOOLEAN is declared, which takes none of its values",
    ),
]


def test_a_transform_that_gives_another_type_loses_nothing_unseen(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old VALUES (1)")
    columns = {"id": Type.INTEGER}
    for declared, expression, said in LOSSES:
        into, select = {**columns, "x": declared}, f"id, {expression} AS x, _key AS _source"
        with pytest.raises(DeclarationError, match=said):
            here.run(declare_copy(tmp_path, columns, into=into, select=select))


@pytest.mark.parametrize(
    ("declared", "expression", "said"),
    [
        (Type.INTEGER, "1.5::DOUBLE", r"derived 'more': 1: column 'x': 1.5 is not a whole number of 64 bits"),
        (Type.DATE, "'2024-01-01T23:00:00-05:00'", r"derived 'more': 1: column 'x': '2024-01-01T23:00:00-05:00' is not a date"),
        (Type.BOOLEAN, "2", r"derived 'more': 1: column 'x': '2' is neither true nor false"),
        (Type.NUMBER, "'1,5'", r"derived 'more': 1: column 'x': '1,5' is not a number"),
        (Type.JSON, "'{a}'", r"derived 'more': 1: column 'x': no JSON"),
        (Type.DATETIME, "TIMESTAMPTZ '2024-01-01 12:00Z'", r"derived 'more': column 'x' of .*lose its time zone"),
    ],
)  # fmt: skip
def test_what_a_derived_relation_gives_loses_nothing_unseen(
    here: Here, tmp_path: Path, declared: Type, expression: str, said: str
) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old VALUES (1)")
    (query := tmp_path / "more.sql").write_text(f"SELECT id, {expression} AS x FROM source")
    columns = {"id": Type.INTEGER}
    derived = Derived(id="more", name="more", columns={**columns, "x": declared}, key=("id",), query=query)
    migration = declare_copy(tmp_path, columns, into=columns, select="id, _key AS _source")
    with pytest.raises(DeclarationError, match=said):
        here.run(replace(migration, derived=(derived,)))


def test_a_text_that_has_no_place_in_the_declared_type_is_a_reject_of_its_row(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY, x text)",
        "INSERT INTO old VALUES (1, '2024-02-29'), (2, 'yesterday'), (3, '2024-02-30'), (4, NULL)",
    )
    into = {"id": Type.INTEGER, "x": Type.DATE}
    report = here.run(declare_copy(tmp_path, {"id": Type.INTEGER, "x": Type.TEXT}, into=into), max_reject_share=1)
    (finding,) = report["findings"]
    assert (finding["code"], [example["key"] for example in finding["examples"]]) == ("unwritable", ["2", "3"])
    said = "row 2 of new cannot be stored: column 'x': 'yesterday' is not a date, as 2024-02-29 is"
    assert said in json.dumps(finding, ensure_ascii=False)
    assert here.sql("SELECT id, x::text FROM new ORDER BY id") == [(1, "2024-02-29"), (4, None)]


def test_a_transform_may_give_texts_of_dates_and_floats(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old VALUES (1)")
    into = {"id": Type.INTEGER, "d": Type.DATE, "t": Type.DATETIME, "f": Type.FLOAT, "g": Type.FLOAT, "n": Type.DATE}
    select = (
        "id, '2024-02-29' AS d, '2024-02-29T12:00:00.5' AS t, '-0' AS f, CAST('-inf' AS DOUBLE) AS g, NULL AS n, _key AS"
        " _source"
    )
    assert (
        here.run(declare_copy(tmp_path, {"id": Type.INTEGER}, into=into, select=select))["verdict"]["status"]
        == "passed"
    )
    assert here.sql("SELECT d::text, t::text, f::text, g::text, n FROM new") == [
        ("2024-02-29", "2024-02-29 12:00:00.5", "-0", "-Infinity", None)
    ]


def test_what_a_date_of_the_target_cannot_hold_is_a_reject_of_its_row(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old SELECT generate_series(1, 5)")
    into = {"id": Type.INTEGER, "d": Type.DATE, "t": Type.DATETIME, "z": Type.TIMESTAMP}
    select = (
        "id, CASE id WHEN 1 THEN 'infinity' WHEN 2 THEN '5000-01-01 (BC)' ELSE '4714-11-24 (BC)' END::DATE AS d, "
        "CASE id WHEN 3 THEN 'infinity' ELSE '4714-11-24 (BC) 00:00:00' END::TIMESTAMP AS t, "
        "CASE id WHEN 4 THEN '-infinity' ELSE '2024-01-01 00:00:00+00' END::TIMESTAMPTZ AS z, _key AS _source"
    )
    report = here.run(declare_copy(tmp_path, {"id": Type.INTEGER}, into=into, select=select), max_reject_share=1)
    assert {f["code"]: [e["key"] for e in f["examples"]] for f in report["findings"]} == {
        "unwritable": ["1", "2", "3", "4"]
    }
    assert here.sql("SELECT id, d::text, t::text FROM new") == [(5, "4714-11-24 BC", "4714-11-24 00:00:00 BC")]


def test_a_suite_sees_years_beyond_pandas_and_quarantine_is_json(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY, f float8, d date, t timestamp, z timestamptz)",
        "INSERT INTO old VALUES (1, 'NaN', '5874897-12-31', '294246-01-01', '0044-03-15 00:00Z BC'), (2, '-0', '2024-01-01', NULL, NULL),"
        " (3, '-Infinity', 'infinity', NULL, NULL)",
    )
    columns = {"id": Type.INTEGER, "f": Type.FLOAT, "d": Type.DATE, "t": Type.DATETIME, "z": Type.TIMESTAMP}
    seen = {
        "d": (datetime(2024, 1, 1), datetime(9999, 12, 31)),
        "t": (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)),
        "z": (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
    }

    def suite() -> list[Expectation]:
        import great_expectations.expectations as gxe

        return [
            *(gxe.ExpectColumnValuesToBeBetween(column=n, min_value=a, max_value=b) for n, (a, b) in seen.items()),
            gxe.ExpectColumnValuesToNotBeNull(column="d"),
        ]

    migration = declare_copy(tmp_path, columns)
    migration = replace(migration, phases=(replace(migration.phases[0], suite=suite),))
    rejected = "SELECT _key AS _source, _key AS key, 'reject' AS severity, 'odd' AS code, 'odd' AS message FROM source WHERE f < 0"
    transform = tmp_path / "copy.sql"
    text = transform.read_text().replace("FROM source;", "FROM source WHERE id < 3;")
    transform.write_text(f"{text.partition('CREATE OR REPLACE VIEW findings')[0]}CREATE VIEW findings AS {rejected}")
    report = here.run(migration, max_reject_share=1)
    assert report["verdict"]["status"] == "passed"
    (line,) = Path(here.workspace.run("run-1").location("rejects.jsonl")).read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["row"]["f"] == "-inf"
