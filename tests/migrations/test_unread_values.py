"""A value of a source that nobody reads fails the run, whatever an author has not looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration, Source, Table, Target, Type
from include.trueup.errors import DeclarationError, GateError, OptionsError, SourceError
from include.trueup.ledger import Ledger
from include.trueup.run import Window
from include.trueup.run.workspace import Workspace
from tests.copying import Here, declare_copy
from tests.harness import new_database

COLUMNS = {"id": Type.INTEGER, "amount": Type.NUMBER}
NANS = (
    "CREATE TABLE old (id bigint PRIMARY KEY, amount numeric)",
    "INSERT INTO old SELECT n, CASE WHEN n <= 3 THEN 'NaN' ELSE n::numeric END FROM generate_series(1, 20) n",
)


@pytest.fixture
def here(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace) -> Here:
    return Here(new_database(postgres_server), ledger, workspace)


def findings(report: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(f["severity"], f["code"]): f["count"] for f in report["findings"]}


def test_a_value_in_mistyped_that_nobody_looks_at_is_its_rows_reject(here: Here, tmp_path: Path) -> None:
    here.sql(*NANS)
    migration = declare_copy(tmp_path, COLUMNS)
    with pytest.raises(GateError, match="raise max_reject_share"):
        here.run(migration, max_reject_share=0.05)
    assert here.sql("SELECT to_regclass('new')") == [(None,)]
    report = here.run(migration, max_reject_share=0.2)
    assert findings(report) == {("reject", "unread_value"): 3}
    (found,) = report["findings"]
    said = 'row 1 of old: column amount holds "NaN", which is not a valid number; it stands only in _mistyped'
    assert said in str(found)
    assert "a column of PostgreSQL that is declared as Type.TEXT carries it" in str(found)
    assert here.sql("SELECT count(*), count(amount) FROM new") == [(17, 17)]


CASES = {
    "a finding of the row": (
        "id, amount, _key AS _source",
        "SELECT _key AS _source, id AS key, 'warning' AS severity, 'odd' AS code, '' AS message FROM source "  # noqa: ISC004
        "WHERE _mistyped IS NOT NULL",
        {("warning", "odd"): 3},
    ),
    "taken by its name": (
        "id, CASE WHEN json_extract(_mistyped, '$.amount') IS NULL THEN amount ELSE '-1' END AS amount, _key AS _source",
        None,
        {},
    ),
    "carried whole in a column": ("id, amount, _mistyped AS note, _key AS _source", None, {}),
    "another value is looked at": (
        "id, amount, json_extract_string(_mistyped, '$.other') AS note, _key AS _source",
        None,
        {("reject", "unread_value"): 3},
    ),
    "a finding that has nothing to do with it": (
        "id, amount, _key AS _source",
        "SELECT _key AS _source, _key AS key, 'warning' AS severity, 'low' AS code, '' AS message FROM source",
        {("reject", "unread_value"): 3, ("warning", "low"): 17},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_counts_as_reading_it(here: Here, tmp_path: Path, case: str) -> None:
    select, said, expected = CASES[case]
    here.sql(*NANS)
    into = {**COLUMNS, "note": Type.TEXT} if "note" in select else COLUMNS
    migration = declare_copy(tmp_path, COLUMNS, into=into, select=select, findings=said)
    assert findings(here.run(migration, mode="plan", max_reject_share=0.2)) == expected


def test_a_value_that_cannot_be_read_is_its_rows_reject_and_stops_no_other(here: Here, tmp_path: Path) -> None:
    deep = "[" * 1_500 + "]" * 1_500
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY, doc json)",
        f"""INSERT INTO old VALUES (1, '"\\ud800"'), (2, '[1e400000000]'), (3, '{deep}'), (4, '[0.00]')""",
    )
    report = here.run(declare_copy(tmp_path, {"id": Type.INTEGER, "doc": Type.JSON}), max_reject_share=0.5)
    assert findings(report) == {("reject", "unreadable_value"): 2}
    assert "column doc cannot be read: it contains half of a surrogate pair" in str(report["findings"])
    assert here.sql("SELECT id FROM new ORDER BY id") == [(3,), (4,)]


def joined(folder: Path, partition_by: tuple[str, ...] | None) -> Migration:
    (folder / "joined.sql").write_text(
        "CREATE OR REPLACE VIEW rows AS SELECT s.id, p.amount, s._key AS _source FROM source s JOIN prices p ON p.id = s.id;"
        " CREATE OR REPLACE VIEW findings AS SELECT NULL AS _source, NULL AS key, '' AS severity, '' AS code, '' AS message"
        " WHERE false"
    )
    migration = declare_copy(folder, {"id": Type.INTEGER}, into=COLUMNS)
    prices = Table(name="prices", connection="c", key=("id",), columns=COLUMNS)
    return replace(
        migration,
        sources=(*migration.sources, Source(id="prices", table=prices, partition_by=partition_by)),
        phases=(replace(migration.phases[0], transform=folder / "joined.sql"),),
    )


def test_a_look_up_with_such_values_is_a_warning_and_a_joined_source_fails_the_gate(here: Here, tmp_path: Path) -> None:
    here.sql(*(statement.replace("old", "prices") for statement in NANS))
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old SELECT generate_series(1, 20)")
    report = here.run(joined(tmp_path, None), partitions=2)
    assert findings(report) == {("warning", "unread_value"): 3}
    with pytest.raises(GateError, match=r"prices\.amount \(3 rows\).*look at _mistyped"):
        here.run(joined(tmp_path, ("id",)), partitions=2)


def test_in_place_what_is_not_owned_stays(here: Here, tmp_path: Path) -> None:
    here.sql(*NANS, "ALTER TABLE old ADD label text", "ALTER TABLE old ADD secret text DEFAULT 's'")
    columns = {**COLUMNS, "label": Type.TEXT}
    table = Table(name="old", connection="c", key=("id",), columns=columns)
    migration = declare_copy(tmp_path, columns, select="id, 'seen' AS label, _key AS _source")
    migration = replace(
        migration,
        sources=(Source(id="source", table=table, partition_by=("id",)),),
        targets=(Target(id="target", table=table, owned=("label",)),),
    )
    report = here.run(migration, mode="plan")
    assert findings(report) == {}
    assert report["plan"]["phases"][0]["rows"]["change"] == 20


def test_an_undeclared_column_stops_the_preflight_and_names_the_ways_out(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY, amount numeric, secret text, b int)",
        "INSERT INTO old VALUES (1, 2, 's', 3)",
    )
    migration = declare_copy(tmp_path, COLUMNS)
    with pytest.raises(
        SourceError,
        match=r"'old'.* has 2 columns .* 'secret', 'b'.*Declare.*carry.*ignores=\('secret', 'b',\).*ignore_columns",
    ):
        here.run(migration)
    with pytest.raises(SourceError, match=r"1 columns .* 'b'"):
        here.run(migration, ignore_columns=("old.secret",))
    with pytest.raises(OptionsError, match=r"'odl\.b' begins with no source's table"):
        here.run(migration, ignore_columns=("odl.b",))
    here.run(migration, ignore_columns=("old.secret", "source.b"))
    (source,) = migration.sources
    here.run(replace(migration, sources=(replace(source, ignores=("secret", "b")),)))
    here.run(replace(migration, sources=(replace(source, carries_extra=True),)))
    here.run(declare_copy(tmp_path, COLUMNS, select="id, amount /* and not _extra */, _key AS _source"))
    with pytest.raises(DeclarationError, match="declared and ignored"):
        replace(source, ignores=("amount",))


def test_a_row_that_is_in_no_window_is_told_in_every_run_with_one(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY, at text)",
        "INSERT INTO old VALUES (1, '2025-01-01T12:00:00Z'), (2, '1.1.2025'), (3, NULL)",
    )
    migration = declare_copy(tmp_path, {"id": Type.INTEGER, "at": Type.TEXT})
    (source,) = migration.sources
    migration = replace(migration, sources=(replace(source, window="at"),))
    for day in ("2025-01-01", "2025-01-02"):
        report = here.run(migration, window=Window.parse(day, f"{day[:-1]}{int(day[-1]) + 1}"))
        assert findings(report) == {("warning", "unreadable_window"): 2}
    assert "in no window, whatever its dates: at holds 1.1.2025" in str(report["findings"])
    assert findings(here.run(migration)) == {}
    assert here.sql("SELECT count(*) FROM new") == [(3,)]
