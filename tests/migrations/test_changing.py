"""What gives another value each time it is asked makes no rows: a run refuses it, whether or not somebody ran `make check`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Derived, Type
from include.trueup.errors import DeclarationError
from include.trueup.ledger import Ledger
from include.trueup.rows.changing import changing
from include.trueup.run.workspace import Workspace
from tests.stepping import Stepped


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, 3)


@pytest.mark.parametrize("what", ["script", "derived", "shared"])
def test_a_run_refuses_what_gives_another_value_each_time(small: Stepped, tmp_path: Path, what: str) -> None:
    (query := tmp_path / "query.sql").write_text("SELECT id,\n gen_random_uuid()::VARCHAR AS other FROM people")
    if what == "script":
        (tmp_path / "rows.sql").write_text(
            "CREATE VIEW rows AS SELECT id, name, amount,\n now() AS seen_at, id AS _source FROM people"
        )
    elif what == "derived":
        columns = {"id": Type.TEXT, "other": Type.TEXT}
        derived = Derived(id="others", name="others", columns=columns, key=("id",), query=query)
        small.migration = replace(small.migration, derived=(derived,))
    else:
        small.migration = replace(small.migration, shared={"others": query})
    with pytest.raises(DeclarationError, match=r"line 2 .*(now|gen_random_uuid)\(\) gives another value each time"):
        small.begin("run", to="transform")


def test_a_run_refuses_a_sample(small: Stepped, tmp_path: Path) -> None:
    (tmp_path / "rows.sql").write_text(
        "CREATE VIEW rows AS SELECT id, name, amount, id AS _source FROM people\n USING SAMPLE 50%"
    )
    with pytest.raises(DeclarationError, match=r"line 2 of rows.sql: USING SAMPLE gives another value each time"):
        small.begin("run", to="transform")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT uuid(), '\nnow()' -- random()\n, Random ( )", [(1, "uuid"), (3, "random")]),
        ("SELECT now, list(now), t.current_date, uuid FROM t", []),
        ("SELECT\nCURRENT_DATE, \"current_date\", /* now() */ md5('uuid()')", [(2, "current_date")]),
        ("SELECT 'ééé', -- größer\n 'é', uuid()", [(2, "uuid")]),
        ('SELECT "uuid"(), "now" () , "now", "current_date"', [(1, "uuid"), (1, "now")]),
        ("SELECT age(t, [1, 2][1]),\n age( greatest(a, b) ), age FROM t", [(2, "age")]),
        ("FROM t\nUSING /* any */ SAMPLE 50%", [(2, "using sample")]),
        ("FROM t TABLESAMPLE reservoir(3) JOIN u USING (sample)", [(1, "tablesample")]),
        ("FROM t TABLESAMPLE 3 ROWS", [(1, "tablesample")]),
        ("SELECT sample, 1 AS tablesample FROM t AS sample", []),
        ("SELECT error('x'), current_setting('TimeZone'), nextval('s')", [(1, "nextval")]),
    ],
)
def test_what_gives_another_value_is_found_by_its_line(text: str, found: list[tuple[int, str]]) -> None:
    assert [*changing(text)] == found


def test_a_column_may_be_called_as_a_clock_is() -> None:
    text = "SELECT current_date FROM people"
    assert [*changing(text, columns=("Current_Date",))] == []
    assert [*changing(text)] == [(1, "current_date")]  # the same text, where it is none
