"""Queries beside the transforms, and constants in any of them, are looked at by `make check`: each mistake is said with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.console.check import problems
from include.trueup.declare import Cost, Derived, Migration, Phase, Source, Table, Target, columns

FILES = {
    "rows.sql": """\
CREATE VIEW paying AS
SELECT * FROM orders
WHERE paid AND due > '2024-01-31';
CREATE VIEW rows AS
SELECT id, total AS amount, placed AT TIME ZONE 'UTC' AS placed, _key AS _source
FROM paying;
CREATE VIEW findings AS
SELECT _key AS _source, _key AS key, 'skip' AS severity, 'unpaid' AS code, '' AS message
FROM orders WHERE NOT coalesce(paid AND due > '2024-01-31', false);
""",
    "payers.sql": "SELECT mail, count(*) AS n\nFROM orders\nWHERE mail IS NOT NULL\nGROUP BY mail;\n",
    "payer_rows.sql": "CREATE VIEW rows AS SELECT mail, n AS orders, _key AS _source FROM payers",
    "totals.sql": "SELECT sum(total::DECIMAL(38, 2)) AS total\nFROM orders",
    "audit.sql": "SELECT count(*) AS n\nFROM orders",
    "cost.sql": "CREATE VIEW figures AS SELECT 'n' AS name, 1 AS value;\nCREATE VIEW paid AS SELECT id FROM orders",
}
WRONG = {
    "a derived query without a column": ("payers.sql", "AS n", "AS number", None, "gives no column 'n', which is declared; there"),
    "a derived query's column misspelt": ("payers.sql", "WHERE mail", "WHERE mial", 3, 'Referenced column "mial" not found'),
    "a derived query of a phase's rows": ("payers.sql", "FROM orders", "FROM rows", 2, "rows does not exist; there are"),
    "two derived queries": ("payers.sql", "mail;", "mail; SELECT 1", None, "payers.sql has 2 statements; it is one query"),
    "a shared query's relation misspelt": ("totals.sql", "FROM orders", "FROM oders", 2, "oders does not exist; did you mean 'orders'"),
    "an audit's relation misspelt": ("audit.sql", "FROM orders", "FROM oders", 2, "oders does not exist; did you mean 'orders'"),
    "an audit of fractions": ("audit.sql", "count(*)", "1.5", None, "column 'n' is of type DECIMAL(2,1)"),
    "a cost without figures": ("cost.sql", "VIEW figures", "VIEW figure", None, "cost.sql makes no view 'figures'"),
    "a date that is none": ("rows.sql", "paid AND due > '2024-01-31';", "paid AND due > '31.01.2024';", 3, "'31.01.2024' is no DATE"),
    "a date beyond the month": ("rows.sql", "paid AND due > '2024-01-31';", "due = DATE '2024-02-30';", 3, "'2024-02-30' is no DATE"),
    "a boolean that is none": ("rows.sql", "WHERE paid AND", "WHERE paid = 'maybe' AND", 3, "'maybe' is no BOOLEAN"),
    "a number that is none": ("rows.sql", "total AS", "'1,5'::DECIMAL(9, 2) AS", 5, "'1,5' is no DECIMAL(9,2)"),
    "a whole number among several": ("rows.sql", "FROM paying;", "FROM paying WHERE n IN ('1', 'two');", 6, "'two' is no BIGINT"),
    "an interval": ("rows.sql", "placed AT", "(placed + '1 dya') AT", 5, "'1 dya' is no INTERVAL"),
    "a time zone": ("rows.sql", "'UTC'", "'Europe/Belrin'", 5, "there is no time zone 'Europe/Belrin'"),
    "a constant of a derived query": ("payers.sql", "WHERE mail", "WHERE due < 'now' AND mail", 3, "'now' is no DATE"),
    "a constant of a shared query": ("totals.sql", "FROM orders", "FROM orders WHERE paid = '-'", 2, "'-' is no BOOLEAN"),
}  # fmt: skip
"""The file, what is right and wrong in it, the line and the words."""


def migration(folder: Path) -> Migration:
    orders = Table(
        name="orders",
        connection="shop_postgres",
        key=("id",),
        columns=columns(text="id mail", number="total", boolean="paid", date="due", timestamp="placed", integer="n"),
    )
    invoices = Table(
        name="invoices",
        connection="shop_postgres",
        key=("id",),
        columns=columns(text="id", number="amount", datetime="placed"),
    )
    payers = Table(
        name="payers", connection="shop_postgres", key=("mail",), columns=columns(text="mail", integer="orders")
    )
    derived = Derived(
        id="payers",
        name="payers",
        key="mail",  # type: ignore[arg-type]
        columns=columns(text="mail", integer="n"),
        query=folder / "payers.sql",
        partition_by="mail",  # type: ignore[arg-type]
    )
    return Migration(
        id="shop",
        owner="shop",
        sources=(Source(table=orders),),
        derived=(derived,),
        shared={"totals": folder / "totals.sql"},
        audit={"orders": folder / "audit.sql"},
        cost=Cost(scripts=(folder / "cost.sql",), words=lambda figures, params: {}),
        targets=(Target(table=invoices), Target(id="paying_people", table=payers)),
        phases=(
            Phase(source="orders", target="invoices", transform=folder / "rows.sql", expected_skips=("unpaid",)),
            Phase(source="payers", target="paying_people", transform=folder / "payer_rows.sql"),
        ),
    )


def written(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "migration.py").touch()
    return folder


def test_nothing_is_wrong(tmp_path: Path) -> None:
    assert problems(migration(written(tmp_path)), tmp_path) == []


@pytest.mark.parametrize(("file", "right", "wrong", "line", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_said_with_its_place(
    tmp_path: Path, file: str, right: str, wrong: str, line: int | None, said: str
) -> None:
    folder = written(tmp_path)
    assert right in FILES[file]
    (folder / file).write_text(FILES[file].replace(right, wrong, 1))
    problem, *_ = problems(migration(folder), folder)
    assert (problem.file, problem.line) == (folder / file, line), str(problem)
    assert said in problem.message


def test_a_text_that_may_be_tried_is_no_mistake(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "rows.sql").write_text(FILES["rows.sql"].replace("total AS", "TRY_CAST('1,5' AS DECIMAL(9, 2)) AS"))
    assert problems(migration(folder), folder) == []
