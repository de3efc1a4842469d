"""The environment that Airflow's programs get."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from include.embedded import settings
from include.embedded.home import PROJECT, ROLES, Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_our_settings_win_over_the_environments(home: Home) -> None:
    given = {
        "AIRFLOW_HOME": "/somebody/elses",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://production/airflow",
        "AIRFLOW__CORE__PARALLELISM": "32",
    }
    environment = settings.environment(home, given, metadata_url="sqlite:///mine.db")
    assert environment["AIRFLOW_HOME"] == str(home.airflow)
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "sqlite:///mine.db"
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "4"


def test_what_we_do_not_set_passes_through(home: Home) -> None:
    given = {"AIRFLOW__SECRETS__BACKEND": "a.backend", "AIRFLOW_CONN_KPI_DYNAMODB": "aws://", "PATH": "/bin"}
    assert settings.environment(home, given, metadata_url="sqlite://").items() >= given.items()


def test_what_would_slow_airflow_down_or_lead_it_astray_is_dropped(home: Home) -> None:
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHOME": "/usr", "https_proxy": "http://proxy", "NO_PROXY": "intra"}
    environment = settings.environment(home, given, metadata_url="sqlite://")
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert "PYTHONHOME" not in environment
    assert environment["no_proxy"] == environment["NO_PROXY"] == "intra,localhost,127.0.0.1"


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({}, "AIRFLOW__CORE__DAGS_FOLDER", str(PROJECT / "dags")),
        ({"TRUEUP_DAGS_FOLDER": "/other"}, "AIRFLOW__CORE__DAGS_FOLDER", "/other"),
        ({"TRUEUP_WORKSPACE": "s3://bucket/prefix"}, "TRUEUP_WORKSPACE", "s3://bucket/prefix"),
        ({"PYTHONPATH": f"{PROJECT}:/theirs"}, "PYTHONPATH", f"{PROJECT}:{PROJECT / 'plugins'}:/theirs"),
    ],
)
def test_what_a_variable_changes(home: Home, given: dict[str, str], name: str, value: str) -> None:
    assert settings.environment(home, given, metadata_url="sqlite://")[name] == value


def test_the_workspace_is_in_the_home_unless_named(home: Home) -> None:
    assert settings.environment(home, {}, metadata_url="sqlite://")["TRUEUP_WORKSPACE"] == str(home.root / "workspace")


def test_secrets_are_made_once_are_private_and_long_enough(home: Home) -> None:
    first = settings.environment(home, {}, metadata_url="sqlite://")
    second = settings.environment(Home(home.root), {}, metadata_url="sqlite://")
    for name in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"):
        assert first[name] == second[name]
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    assert stat.S_IMODE((home.root / "secrets.json").stat().st_mode) == 0o600
    other = settings.environment(Home(home.root.parent / "other"), {}, metadata_url="sqlite://")
    assert other["AIRFLOW__API__SECRET_KEY"] != first["AIRFLOW__API__SECRET_KEY"]


def test_every_user_has_a_role_and_a_private_password(home: Home) -> None:
    environment = settings.environment(home, {}, metadata_url="sqlite://")
    users = dict(user.split(":") for user in environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(","))
    assert users == ROLES
    assert set(users.values()) == {"admin", "op", "user", "viewer"}
    passwords = home.passwords()
    assert passwords.keys() == users.keys()
    assert len(set(passwords.values())) == len(users)
    assert home.passwords() == passwords
    file = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(file.read_text()) == passwords
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_airflow_listens_on_loopback_alone() -> None:
    server = settings.server_settings(20_010)
    assert server["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert server["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:20010/execution/"


def test_connections_are_what_airflow_reads() -> None:
    assert settings.connection_variable("kpi_dynamodb") == "AIRFLOW_CONN_KPI_DYNAMODB"
    dynamodb = json.loads(settings.dynamodb_connection("http://127.0.0.1:1"))
    assert dynamodb["conn_type"] == "aws"
    assert dynamodb["extra"]["endpoint_url"] == "http://127.0.0.1:1"
    postgres = json.loads(settings.postgres_connection("/sockets", "trueup"))
    assert postgres == {"conn_type": "postgres", "host": "/sockets", "login": "postgres", "schema": "trueup"}
