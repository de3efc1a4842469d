"""What an author's test says of a migration: what its rules make of a few rows, and each way in which that is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from include.migrations.kpi_linking.migration import migration as kpi_linking
from include.migrations.scoring_models.migration import migration as scoring_models
from include.trueup.declare import Migration, Phase, Source, Table, Target, columns
from include.trueup.errors import DeclarationError
from include.trueup.testing import check, make
from tests.small import declare

ADA: dict[str, Any] = {"id": "a", "name": "Ada", "amount": "1.50", "seen_at": "2025-01-01T00:00:00+00:00"}
NOBODY: dict[str, Any] = {"id": "b"}


@pytest.fixture
def small(tmp_path: Path) -> Migration:
    return declare(tmp_path)


def test_what_rows_give_and_which_are_rejected(small: Migration) -> None:
    made = check(
        small,
        rows={"people": [ADA, NOBODY]},
        gives={"persons": [{**ADA, "name": "ADA", "amount": Decimal("1.5")}]},
        rejects={"b": "no_name"},
    )
    assert made.counts == {"copy": {"source_rows": 2, "rejected": 1, "kept": 0, "unaccounted": 0}}


@pytest.mark.parametrize(
    ("rows", "said", "words"),
    [
        ([ADA], {"gives": {"persons": [ADA]}}, "expected and not made: {'id': 'a', 'name': 'Ada'"),
        ([ADA], {"gives": {"persons": []}}, "made and not expected: {'id': 'a', 'name': 'ADA'"),
        ([ADA, NOBODY], {"rejects": {}}, "rows that are rejected: {'b': 'no_name'}, expected {}"),
        ([ADA], {"rejects": {"a": "bad"}}, "rows that are rejected: {}, expected {'a': 'bad'}"),
        ([ADA], {"warns": {"a": "odd"}}, "rows that are warned about: {}, expected {'a': 'odd'}"),
        ([ADA, ADA], {}, "No two rows have the same key: 2 rows break it"),
    ],
)
def test_what_is_not_so_is_said(small: Migration, rows: list[Any], said: dict[str, Any], words: str) -> None:
    with pytest.raises(AssertionError) as raised:
        check(small, rows={"people": rows}, **said)
    assert words in str(raised.value)


def test_values_that_do_not_fit_are_as_a_store_gives_them(small: Migration) -> None:
    """They are null in their column, and a script that does not look at `_mistyped` loses them: the engine rejects the row."""
    check(
        small,
        rows={"people": [{**ADA, "amount": "much"}, {**ADA, "id": "c", "seen_at": "2025-01-01T00:00:00"}]},
        gives={"persons": []},
        rejects={"a": "unread_value", "c": "unread_value"},
    )


def test_a_row_that_no_rule_accounts_for_is_named(small: Migration, tmp_path: Path) -> None:
    script = tmp_path / "rows.sql"
    script.write_text(script.read_text().replace("WHERE name IS NULL", "WHERE false"))
    with pytest.raises(AssertionError, match="phase copy: b is neither in rows nor in findings"):
        check(small, rows={"people": [NOBODY]})


def test_a_cast_that_fails_is_told_what_to_write_instead(small: Migration, tmp_path: Path) -> None:
    script = tmp_path / "rows.sql"
    script.write_text(script.read_text().replace("WHERE name IS NULL", "WHERE CAST(name AS INTEGER) IS NULL"))
    with pytest.raises(DeclarationError, match=r"source row 'a': 'Ada' is no INTEGER\s+TRY_CAST\(…\) is null instead"):
        check(small, rows={"people": [ADA]})


def test_names_that_there_are_not(small: Migration) -> None:
    with pytest.raises(DeclarationError, match=r"no source 'persons'; there are: people"):
        make(small, {"persons": []})
    with pytest.raises(DeclarationError, match=r"'persons' has no column 'nmae'; did you mean 'name'\?"):
        check(small, rows={"people": [ADA]}, gives={"persons": [{"nmae": "x"}]})


def test_shipped_migrations_too() -> None:
    """DynamoDB with look-ups, and PostgreSQL with constants, derived relations and params."""
    link = {
        "id": "l",
        "tenant_id": "t",
        "kpi_id": "k",
        "goal_id": "g",
        "link_type": "x",
        "created_by": "u",
        "created_at": "2025-01-01",
    }
    made = check(
        kpi_linking,
        rows={
            kpi_linking.sources[0].id: [
                {**link, "display_order": 1, "is_primary": True},
                {**link, "id": "m", "kpi_id": None},
            ]
        },
        rejects={"m": "missing_key"},
    )
    assert [row["id"] for row in made.rows[kpi_linking.phases[0].target]] == ["l"]
    assert make(scoring_models, {}).findings == []


LAST = "CREATE VIEW rows AS SELECT max(id) AS id, {by} AS name, max(_key) AS _source FROM people {group}"
BESIDE = """
CREATE VIEW rows AS SELECT id, name, _key AS _source FROM people WHERE NOT EXISTS (FROM others o WHERE o.name = people.name);
CREATE VIEW findings AS SELECT _key AS _source, id AS key, 'skip' AS severity, 'also there' AS code, '' AS message
FROM people WHERE EXISTS (FROM others o WHERE o.name = people.name)
"""
REST = """;
CREATE VIEW findings AS SELECT _key AS _source, id AS key, 'skip' AS severity, 'older' AS code, '' AS message
FROM people WHERE _key NOT IN (SELECT _source FROM rows)
"""
OF_X = "{'id': 'x', 'name': 'Ann'} of source row x"
ANN, EVE = {"id": "x", "name": "Ann"}, {"id": "y", "name": "Ann"}


def _looks_beside(
    folder: Path, script: str, people: tuple[str, ...] | None, others: tuple[str, ...] | None
) -> Migration:
    """A migration whose script looks at rows beside the one that it is about."""
    (folder / "rows.sql").write_text(script)
    first, second, made = (
        Table(name=name, connection="c", key=("id",), columns=columns(text="id name"))
        for name in ("people", "others", "made")
    )
    return Migration(
        id="beside",
        owner="tests",
        sources=(
            Source(table=first, partition_by=people or ("id",)),
            Source(table=second, partition_by=others),
        ),
        targets=(Target(table=made),),
        phases=(Phase(source="people", target="made", transform=folder / "rows.sql"),),
    )


@pytest.mark.parametrize(
    ("script", "partition_by", "named", "remedied"),
    [
        (LAST.format(by="name", group="GROUP BY name") + REST, (None, None), OF_X, (("name",), None)),
        (LAST.format(by="count(*)::VARCHAR", group="") + REST, (None, None), "'name': '2'} of source row y", None),
        (BESIDE, (None, ("id",)), "finding skip also there of source row x", (None, None)),
        (BESIDE, (None, ("id",)), OF_X, (("name",), ("name",))),
    ],
    ids=["a group", "all rows", "a look-up", "a join"],
)  # fmt: skip
def test_what_looks_at_rows_of_other_partitions_is_wrong(
    tmp_path: Path, script: str, partition_by: Any, named: str, remedied: Any
) -> None:
    """It is right of rows that lie in one partition, and a run has several."""
    rows = {"people": [ANN, EVE], "others": [{"id": str(n), "name": "Ann"} for n in range(2)]}
    if "others" not in script:
        del rows["others"]
    with pytest.raises(AssertionError) as raised:
        check(_looks_beside(tmp_path, script, *partition_by), rows=rows)
    said = str(raised.value)
    assert named in said
    assert "partition_by, the same columns" in said
    assert "Migration(shared=…)" in said
    if remedied:
        check(_looks_beside(tmp_path, script, *remedied), rows=rows)


def test_what_a_script_makes_for_itself_is_made_anew_in_each_partition(tmp_path: Path) -> None:
    made = "CREATE TABLE helper AS SELECT * FROM people; CREATE MACRO called(x) AS x; CREATE TYPE mood AS ENUM ('a');"
    script = f"{made} CREATE VIEW rows AS SELECT id, called(name) AS name, _key AS _source FROM helper"
    people = [{"id": str(n), "name": "Ann"} for n in range(9)]
    check(_looks_beside(tmp_path, script, None, None), rows={"people": people}, gives={"made": people})
