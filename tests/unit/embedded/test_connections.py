"""A connection that leads nowhere, and a DAG that there is not, are told before anything starts, with what was perhaps meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from include import migrations
from include.embedded import in_process, postgres
from include.embedded.connections import check_made, like, unknown
from include.embedded.home import Home
from include.embedded.servers import Servers
from include.trueup.errors import OptionsError


@pytest.mark.parametrize(
    ("conn_id", "meant"),
    [
        ("shop_pg", "did you mean 'shop_postgres'?"),
        ("shop_postgresql", "did you mean 'shop_postgres'?"),
        ("shoppg", "did you mean 'shop_postgres'?"),
        ("shop_ddb", "did you mean 'shop_dynamodb'?"),
        ("shop_dynamo", "did you mean 'shop_dynamodb'?"),
        ("shop", "did you mean 'shop_postgres' or 'shop_dynamodb'?"),
        ("crm_prd", "did you mean 'crm_prod'?"),
    ],
)
def test_what_was_perhaps_meant(conn_id: str, meant: str) -> None:
    assert like(conn_id, {"AIRFLOW_CONN_CRM_PROD": "postgresql://db"}) == meant


def test_which_lead_somewhere() -> None:
    for conn_id in ("trueup_ledger", "crm_postgres", "crm_dynamodb", "crm_prod"):
        assert unknown(conn_id, {"AIRFLOW_CONN_CRM_PROD": "postgresql://db"}) is None
    fault = unknown("crm_prod", {})
    assert fault is not None
    assert "AIRFLOW_CONN_CRM_PROD is not set" in fault


def test_a_database_that_nobody_has_made_is_not_read(postgres_server: postgres.Server) -> None:
    servers = Servers(postgres=postgres_server, dynamodb=None)
    postgres_server.create_database("newcomers_shop")
    check_made("newcomers_shop_postgres", servers)
    check_made("newcomers_dynamodb", servers)
    with pytest.raises(OptionsError) as raised:
        check_made("newcomer_shop_postgres", servers)
    said = str(raised.value)
    assert "of connection 'newcomer_shop_postgres' yet; did you mean 'newcomers_shop_postgres'? There are: " in said
    assert said.endswith(". A script makes it: make psql ON=newcomer_shop_postgres < tables.sql")
    assert "newcomer_shop" not in postgres_server.databases()


DECLARED = """\
from pathlib import Path
from include.trueup.declare import Migration, Phase, Source, Table, Target, columns

OLD = Table(name="old", connection="shop_pg", key="id", columns=columns(text="id"))
NEW = Table(name="new", connection="shop_postgres", key="id", columns=columns(text="id"))
migration = Migration(id="led_nowhere", owner="o", sources=(Source(table=OLD),), targets=(Target(table=NEW),))
"""


def test_nothing_starts_for_a_connection_that_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder := tmp_path / "migrations" / "led_nowhere").mkdir(parents=True)
    (folder / "migration.py").write_text(DECLARED)
    (folder / "rows.sql").write_text("CREATE VIEW rows AS SELECT id, _key AS _source FROM old")
    (dags := tmp_path / "dags").mkdir()
    (dags / "led_nowhere.py").touch()
    monkeypatch.setattr(migrations, "__path__", [str(folder.parent)])
    home, given = Home(tmp_path / "home"), {"TRUEUP_DAGS_FOLDER": str(dags)}
    assert in_process.check(home, given, "led_nowhere") == 1
    said = capsys.readouterr().out
    assert f"{folder / 'migration.py'}:4: connection 'shop_pg' leads nowhere" in said
    in_process.check(home, {**given, "AIRFLOW__SECRETS__BACKEND": "a.vault"}, "led_nowhere")
    assert "leads nowhere" not in capsys.readouterr().out  # it may be there
    commands: tuple[Callable[[], int], ...] = (
        lambda: in_process.try_rows(home, given, "led_nowhere", "3"),
        lambda: in_process.run(home, given, "led_nowhere", "{}"),
        lambda: in_process.new(home, given, "more", "shop_pg:old", "new"),
    )
    for command in commands:
        with pytest.raises(OptionsError, match=r"'shop_pg' leads nowhere: .* did you mean 'shop_postgres'"):
            command()
    assert not home.root.exists()


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("kpi_linkin", "kpi_linking"),
        ("kpi_linking_rolback", "kpi_linking_rollback"),
        ("checkins_cutoff", "checkins_cutover"),
        ("platform_schema_restor", "platform_schema_restore"),
    ],
)
def test_a_dag_that_there_is_not_is_told_at_once(tmp_path: Path, asked: str, meant: str) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(OptionsError, match=f"no DAG '{asked}'; did you mean '{meant}'"):
        in_process.run(home, {}, asked, "{}")
    assert not home.root.exists()


def test_a_dag_that_a_migration_could_have_is_told_with_what_builds_it(tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text("dag = build_dag(migration)\n")
    given = {"TRUEUP_DAGS_FOLDER": str(tmp_path)}
    said = r"dags/people\.py does not build it\. Add cutover = build_cutover\(migration\) there, as"
    with pytest.raises(OptionsError, match=said):
        in_process.run(Home(tmp_path / "home"), given, "people_cutover", "{}")
    with pytest.raises(OptionsError, match="no DAG 'peple_cutover'; there are: people"):
        in_process.run(Home(tmp_path / "home"), given, "peple_cutover", "{}")


def test_an_id_that_may_not_be_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"ID=People: .*use lower-case letters"):
        in_process.new(Home(tmp_path / "home"), {}, "People", "crm_postgres:old", "new")
