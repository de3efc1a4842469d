"""A value that a script cannot take is said with its line, its column and its source row; a query of its own with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.trueup.declare import Derived, Migration, Phase, Source, Table, Target, columns
from include.trueup.errors import DeclarationError
from include.trueup.testing import Stage, make, there_and_back
from tests.simulation.twins import LedgerTwin, RelationalTwin, WorkspaceTwin

ROWS = """\
CREATE VIEW rows AS
SELECT id,
    age::BIGINT AS age,
    born::DATE AS born,
    _key AS _source
FROM old;
CREATE VIEW findings AS
SELECT id AS _source, id AS key, 'warning' AS severity, 'w' AS code, 'm' AS message FROM old WHERE false;
"""
TABLE = "CREATE TABLE made AS\nSELECT id,\n    age::INT AS years FROM old;\nCREATE VIEW rows AS"
KEEPS = "-- these\nCREATE OR REPLACE TEMP TABLE made AS SELECT id FROM old WHERE age::INT > 0;\nCREATE VIEW rows AS"
PEOPLE: list[dict[str, Any]] = [{"id": f"p{n:02}", "age": "1", "born": "2024-02-29"} for n in range(40)]
SAID = {
    "a number": ({"age": "twelve"}, "", "",
     "line 3 of rows.sql, column 'age' of rows, source row 'p17': 'twelve' is no BIGINT\nTRY_CAST(…)"),
    "a date": ({"born": "29.2.2024"}, "", "",
     "line 4 of rows.sql, column 'born' of rows, source row 'p17': invalid date field format: \"29.2"),
    "a format": ({"born": "29.2.2024"}, "born::DATE", "strptime(born, '%Y-%m-%d')::DATE",
     "column 'born' of rows, source row 'p17': Could not parse"),
    "what tells try_strptime": ({"born": "29.2.2024"}, "born::DATE", "strptime(born, '%Y-%m-%d')::DATE",
     "\ntry_strptime(…) is null instead"),
    "a filter": ({"age": "x"}, "FROM old;", "FROM old WHERE age::INT > 0;",
     "line 1 of rows.sql, what rows joins or filters, source row 'p17': 'x' is no INTEGER"),
    "a finding": ({"age": "99999999999"}, "'m' AS message FROM old WHERE false", "(age::INT)::TEXT AS message FROM old",
     "line 8 of rows.sql, column 'message' of findings, source row 'p17': '99999999999' is no INTEGER"),
    "a table that a script makes": ({"age": "twelve"}, "CREATE VIEW rows AS", TABLE,
     "line 3 of rows.sql, column 'years' of made, source row 'p17': 'twelve' is no INTEGER\nTRY_CAST(…)"),
    "a table that keeps some": ({"age": "x"}, "CREATE VIEW rows AS", KEEPS,
     "line 2 of rows.sql, what made joins or filters, source row 'p17': 'x' is no INTEGER"),
    "a decimal without its 0": ({"age": ".5"}, "born::DATE", "(json_object('a', TRY_CAST(age AS DECIMAL(38, 38))) ->> '$.a')::DATE",
     "column 'born' of rows, source row 'p17': Malformed JSON at byte 5 of input: unexpected character."),
    "what tells to cast it": ({"age": ".5"}, "born::DATE", "(json_object('a', TRY_CAST(age AS DECIMAL(38, 38))) ->> '$.a')::DATE",
     '0000}"\nDuckDB leaves out the 0 before the point of a DECIMAL'),
    "a text that is no JSON": ({"born": "{x"}, "born::DATE", "(born ->> '$.a')::DATE", "Malformed JSON"),
}  # fmt: skip
"""What one row has, what stands in the script and in its place, and what is said."""


def migration(folder: Path, rows: str, **queries: str) -> Migration:
    for name, text in {"rows": rows, **queries}.items():
        (folder / f"{name}.sql").write_text(text)
    old = Table(name="old", connection="c_postgres", key=("id",), columns=columns(text="id age born"))
    new = Table(
        name="new", connection="c_postgres", key=("id",), columns=columns(text="id", integer="age", date="born")
    )
    derived = Derived(
        id="ages", name="ages", key=("age",), columns=columns(integer="age n"), query=folder / "ages.sql"
    ) if "ages" in queries else None  # fmt: skip
    return Migration(
        id="made",
        owner="tests",
        sources=(Source(table=old),),
        derived=(derived,) if derived else (),
        shared={"shared": folder / "shared.sql"} if "shared" in queries else {},
        audit={"audit": folder / "audit.sql"} if "audit" in queries else {},
        targets=(Target(table=new),),
        phases=(Phase(source="old", target="new", transform=folder / "rows.sql", allow_empty=True),),
    )


@pytest.mark.parametrize(("values", "was", "is_", "said"), SAID.values(), ids=SAID)
def test_a_value_is_said_with_its_row(tmp_path: Path, values: dict[str, Any], was: str, is_: str, said: str) -> None:
    rows = [each | values if each["id"] in ("p17", "p31") else each for each in PEOPLE]
    with pytest.raises(DeclarationError) as raised:
        make(migration(tmp_path, ROWS.replace(was, is_)), {"old": rows})
    assert said in str(raised.value)
    assert "LINE " not in str(raised.value)


def test_a_value_of_no_row_is_said_without_one(tmp_path: Path) -> None:
    rows = ROWS.replace("'m' AS message FROM old WHERE false", "(x::INT)::TEXT AS message FROM (VALUES ('none')) v(x)")
    rows = rows.replace("SELECT id AS _source, id AS key", "SELECT NULL AS _source, x AS key")
    with pytest.raises(DeclarationError, match=r"line 8 of rows.sql, column 'message' of findings: 'none' is no INTEG"):
        make(migration(tmp_path, rows), {"old": PEOPLE})


QUERIES = {
    "a derived column that is not given": ({"ages": "SELECT age, 1 AS m FROM old"}, "ages.sql gives no column 'n', which is declared"),
    "a derived query misspelt": ({"ages": "SELECT age,\n 1 AS n\nFROM odl"},
     "ages.sql does not run: Catalog Error: odl does not exist; did you mean 'old'"),
    "its line": ({"ages": "SELECT age,\n 1 AS n\nFROM odl"}, "LINE 3: FROM odl"),
    "a derived value": ({"ages": "SELECT age, born AS n FROM old"},
     "column 'n' of what ages.sql gives is '2024-02-29' in a row, which is no BIGINT"),
    "a derived query of two": ({"ages": "SELECT 1 AS age, 1 AS n; SELECT 2"}, "ages.sql has 2 statements; it is one query"),
    "a shared query misspelt": ({"shared": "SELECT\n agee FROM old"},
     "shared 'shared': shared.sql does not run: Binder Error: Referenced column \"agee\""),
    "a shared value": ({"shared": "SELECT sum(born::INT) AS n FROM old"}, "shared.sql does not run: '2024-02-29' is no INTEGER\nTRY_CAST"),
}  # fmt: skip


@pytest.mark.parametrize(("queries", "said"), QUERIES.values(), ids=QUERIES)
def test_a_query_that_does_not_run_is_said_with_its_file(tmp_path: Path, queries: dict[str, str], said: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        make(migration(tmp_path, ROWS, **queries), {"old": PEOPLE})
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        ({"shared": "SELECT\n agee FROM old"}, "shared 'shared': shared.sql does not run: Binder Error"),
        ({"audit": "SELECT count(*) AS n\nFROM odl"}, "odl does not exist; did you mean 'old'"),
        ({"rows": ROWS.replace("age::BIGINT", "born::BIGINT")}, "line 3 of rows.sql, column 'age' of rows, source row 'p00'"),
    ],
)  # fmt: skip
def test_a_run_says_the_same(tmp_path: Path, workspace_folder: Path, queries: dict[str, str], said: str) -> None:
    queries = {"rows": ROWS, **queries}
    rows = queries.pop("rows")
    store, ledger = RelationalTwin(), LedgerTwin()
    stage = Stage(store=lambda _: store, ledger=ledger, workspace=WorkspaceTwin(workspace_folder / "workspace"))
    try:
        with pytest.raises(AssertionError) as raised:
            there_and_back(migration(tmp_path, rows, **queries), stage, rows={"old": PEOPLE})
    finally:
        ledger.close()
    assert said in str(raised.value)
