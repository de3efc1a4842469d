"""What `make try` shows of rows: each beside what it becomes, though rows of other tables have its key, and with the partners
that joins need."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.console.tryout import lines, try_out
from include.embedded import in_process, postgres
from include.embedded.home import Home
from include.migrations.kpi_linking.migration import migration as kpi_linking
from include.trueup.declare import Migration, Phase, Source, Table, Target, columns
from include.trueup.stores.postgres import PostgresStore
from include.trueup.testing.literal import as_read
from tests.harness import new_database, run_sql

LINK = {"id": "a", "tenant_id": "t", "kpi_id": "k", "goal_id": "g", "created_by": "u", "is_primary": True}


def test_rows_of_two_tables_with_one_key_are_told_apart() -> None:
    rows = {
        "goal_kpi_links": [LINK],
        "kpi_readings": [{"id": "a", "tenant_id": "t", "kpi_id": "gone", "reading_date": "2025-01-31", "value": 1}],
    }
    given = {id: as_read(kpi_linking.source(id).table, each, dynamodb=True) for id, each in rows.items()}
    shown = [line for line in lines(kpi_linking, given, 20) if not line.startswith("!! ")]
    of_link, of_reading = (
        shown[shown.index(f"{title}: 1 source rows") + 1 :]
        for title in (phase.title for phase in kpi_linking.phases if phase.id in ("links", "readings"))
    )
    assert of_link[1].startswith("    -> purposepath-kpi-links: id=a")
    assert "unlinked" not in "".join(of_link[: of_link.index("Milestones, as targets: 0 source rows")])
    assert of_reading[1].startswith("    !! reject unlinked: ")
    assert "purposepath-kpi-links" not in "".join(of_reading)


def test_a_row_finds_its_partner_among_more_rows_than_are_shown(
    postgres_server: postgres.Server, tmp_path: Path
) -> None:
    (tmp_path / "rows.sql").write_text(
        "CREATE VIEW rows AS SELECT o.id, p.name, o._key AS _source FROM orders o JOIN people p ON p.id = o.person"
    )
    orders = Table(name="orders", connection="c", key=("id",), columns=columns(integer="id person"))
    people = Table(name="people", connection="c", key=("id",), columns=columns(integer="id", text="name"))
    named = Table(name="named", connection="c", key=("id",), columns=columns(integer="id", text="name"))
    migration = Migration(
        id="named",
        owner="tests",
        sources=(Source(table=orders), Source(table=people, partition_by=None)),
        targets=(Target(table=named),),
        phases=(Phase(source="orders", target="named", transform=tmp_path / "rows.sql"),),
    )
    uri = new_database(postgres_server)
    run_sql(
        uri,
        "CREATE TABLE orders (id bigint PRIMARY KEY, person bigint)",
        "CREATE TABLE people (id bigint PRIMARY KEY, name text)",
        "INSERT INTO orders VALUES (1, 9)",
        "INSERT INTO people SELECT n, 'p' || n FROM generate_series(1, 9) n",
    )
    assert [*try_out(migration, {"c": PostgresStore(uri)}, 1)] == [
        "Named: 1 source rows",
        "  1  id=1, person=9",
        "    -> named: id=1, name=p9",
    ]


def test_dates_that_python_has_not_are_shown(postgres_server: postgres.Server, tmp_path: Path) -> None:
    uri = new_database(postgres_server)
    run_sql(
        uri,
        "CREATE TABLE old (id bigint PRIMARY KEY, at timestamptz)",
        "INSERT INTO old VALUES (1, '0044-03-15 12:00Z BC')",
    )
    (tmp_path / "rows.sql").write_text('CREATE VIEW rows AS SELECT id, "at", _key AS _source FROM old')
    old, new = (
        Table(name=n, connection="c", key=("id",), columns=columns(integer="id", timestamp="at"))
        for n in ("old", "new")
    )
    migration = Migration(
        id="old",
        owner="tests",
        sources=(Source(table=old),),
        targets=(Target(table=new),),
        phases=(Phase(source="old", target="new", transform=tmp_path / "rows.sql"),),
    )
    shown = [*try_out(migration, {"c": PostgresStore(uri)}, 1)]
    assert shown[1:] == [
        "  1  id=1, at=-0043-03-15 12:00:00.000000Z",
        "    -> new: id=1, at=-0043-03-15 12:00:00.000000Z",
    ]


def test_rows_whose_key_is_an_instant_stand_beside_what_they_become(tmp_path: Path) -> None:
    (tmp_path / "rows.sql").write_text('CREATE VIEW rows AS SELECT "at", sensor, _key AS _source FROM old')
    old, new = (
        Table(name=n, connection="c", key=("at", "sensor"), columns=columns(timestamp="at", text="sensor"))
        for n in ("old", "new")
    )
    migration = Migration(
        id="old",
        owner="tests",
        sources=(Source(table=old),),
        targets=(Target(table=new),),
        phases=(Phase(source="old", target="new", transform=tmp_path / "rows.sql"),),
    )
    given = {"old": as_read(old, [{"at": "2026-01-01T02:27:00.000100+00:00", "sensor": "a"}], dynamodb=False)}
    assert [*lines(migration, given, 5)] == [
        "New: 1 source rows",
        '  ["2026-01-01 02:27:00.0001+00","a"]  at=2026-01-01 02:27:00.000100+00:00, sensor=a',
        "    -> new: at=2026-01-01 02:27:00.000100+00:00, sensor=a",
    ]


def test_an_attribute_that_is_null_is_not_of_another_type(tmp_path: Path) -> None:
    (tmp_path / "rows.sql").write_text("CREATE VIEW rows AS SELECT id, n, _key AS _source FROM old")
    old, new = (
        Table(name=n, connection="c_dynamodb", key=("id",), columns=columns(text="id", number="n"))
        for n in ("old", "new")
    )
    migration = Migration(
        id="old",
        owner="tests",
        sources=(Source(table=old),),
        targets=(Target(table=new),),
        phases=(Phase(source="old", target="new", transform=tmp_path / "rows.sql"),),
    )
    given = {"old": as_read(old, [{"id": "a", "n": None}, {"id": "b", "n": "x", "m": None}], dynamodb=True)}
    shown = [*lines(migration, given, 5)]
    assert shown[1] == "  a  id=a"
    assert '  b  id=b, _mistyped={"n":{"S":"x"}}' in shown


def test_a_row_is_one_line_that_says_what_of_it_is_not_shown(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(13)]
    (tmp_path / "rows.sql").write_text(f"CREATE VIEW rows AS SELECT id, {', '.join(names)}, _key AS _source FROM old")
    old, new = (
        Table(name=n, connection="c", key=("id",), columns=columns(integer="id", text=" ".join(names)))
        for n in ("old", "new")
    )
    migration = Migration(
        id="old",
        owner="tests",
        sources=(Source(table=old),),
        targets=(Target(table=new),),
        phases=(Phase(source="old", target="new", transform=tmp_path / "rows.sql"),),
    )
    given = {"old": as_read(old, [{"id": 1, "c0": "a\n\x1b[2Jé", **dict.fromkeys(names[1:], "x")}], dynamodb=False)}
    _, row, _, hint = lines(migration, given, 5)
    assert hint == "… stands for what is cut; WHOLE=1 shows it"
    assert row.startswith("  1  id=1, c0=a\\n\\x1b[2Jé, c1=x, ")
    assert row.endswith("c10=x, … and 2 more columns")
    long = {"old": as_read(old, [{"id": 1, "c0": "a" * 99, "c12": "b"}], dynamodb=False)}
    assert [*lines(migration, long, 5)][1] == f"  1  id=1, c0={'a' * 60}…, c12=b"
    assert [*lines(migration, long, 5, whole=True)][1:] == [
        f"  1  id=1, c0={'a' * 99}, c12=b",
        f"    -> new: id=1, c0={'a' * 99}, c12=b",
    ]


def test_airflow_says_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would tell of each connection that it finds, in the middle of what is shown."""
    asked: list[dict[str, str]] = []

    def run(command: list[str], *, env: dict[str, str], **_: object) -> object:
        asked.append(env)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr("subprocess.run", run)
    given = {f"AIRFLOW_CONN_{name}": "x" for name in ("KPI_DYNAMODB",)}
    assert in_process.try_rows(Home(tmp_path), given, "kpi_linking", "3") == 0
    assert asked[0]["AIRFLOW__LOGGING__LOGGING_LEVEL"] == "ERROR"
