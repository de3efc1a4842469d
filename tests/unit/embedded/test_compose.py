"""docker-compose.yaml: valid, the launcher's settings, no secret in it, nothing open beyond this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from include import project
from include.embedded.settings import RUN_SETTINGS, connection_variable
from include.trueup.errors import OptionsError

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docker-compose.yaml"
REQUIRED = re.findall(r"^([A-Z_]+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
AIRFLOW_SERVICES = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "sample")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file, with YAML's merges carried out and nothing interpolated."""
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def test_it_is_valid_by_the_compose_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_secret_is_required_and_documented() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", FILE.read_text()))
    assert asked == set(REQUIRED)


def test_docker_compose_accepts_it_once_every_secret_is_given(docker_compose: str, tmp_path: Path) -> None:
    given = dict.fromkeys(REQUIRED, "secret")
    accepted = _config(docker_compose, tmp_path, given)
    assert accepted.returncode == 0, accepted.stderr
    for name in REQUIRED:
        refused = _config(docker_compose, tmp_path, {key: value for key, value in given.items() if key != name})
        assert refused.returncode != 0, name
        assert "see .env.example" in refused.stderr


def test_airflow_has_the_launchers_settings(compose: dict[str, Any]) -> None:
    for service in AIRFLOW_SERVICES:
        environment = compose["services"][service]["environment"]
        assert environment.items() >= RUN_SETTINGS.items()
        ours = {"TRUEUP_ADMIN_PASSWORD", "POSTGRES_PASSWORD"} if service == "init" else set()
        assert environment.keys() - ours == compose["x-airflow"]["environment"].keys()


def test_the_image_is_of_the_airflow_that_the_lock_names() -> None:
    version = re.search(r"^apache-airflow==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert version
    assert f"FROM apache/airflow:{version[1]}-python3" in (ROOT / "docker/Dockerfile").read_text()
    assert f"image: trueup-airflow:{version[1]}" in FILE.read_text()


def test_ports_are_open_on_this_machine_only(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_connection_of_dags_leads_to_a_service(compose: dict[str, Any]) -> None:
    environment = compose["x-airflow"]["environment"]
    needed = frozenset().union(*(project.load_migration(id).connections for id in project.migration_ids()))
    given = {connection_variable(conn_id): conn_id for conn_id in (*needed, "trueup_ledger")}
    assert {name for name in environment if name.startswith("AIRFLOW_CONN_")} == given.keys()
    databases = set(re.findall(r"CREATE DATABASE (\w+);", (ROOT / "docker/databases.sql").read_text()))
    for variable, conn_id in given.items():
        default = environment[variable].removeprefix(f"${{{variable}:-").removesuffix("}")
        at = urlsplit(re.sub(r"\$\{[^}]*\}", "p", default))
        if conn_id.endswith("_dynamodb"):
            assert (at.scheme, parse_qs(at.query)["endpoint_url"]) == ("aws", ["http://dynamodb:8000"])
        else:
            assert (at.scheme, at.hostname, at.port, at.username) == ("postgres", "postgres", 5432, "airflow")
            assert at.path.removeprefix("/") in databases
    assert set(environment["TRUEUP_SAMPLE_HOSTS"].split(",")) == {"postgres", "dynamodb"} <= compose["services"].keys()


def test_who_has_stores_of_their_own_finds_every_connection_in_the_example(compose: dict[str, Any]) -> None:
    asked = set(re.findall(r"\$\{(AIRFLOW_CONN_[A-Z_]+):-", FILE.read_text()))
    assert set(re.findall(r"^#(AIRFLOW_CONN_[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)) == asked


@pytest.fixture(scope="module")
def docker_compose() -> str:
    """The docker-compose command. Only a machine that is no build machine may be without it."""
    found = shutil.which("docker-compose")
    if found is None:
        if os.environ.get("CI"):
            raise OptionsError("docker-compose is not installed; .ci/run installs Debian's")
        pytest.skip("docker-compose is not installed")
    return found


def _config(command: str, folder: Path, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env_file = folder / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    arguments = [command, "--env-file", str(env_file), "--file", str(FILE), "config", "--quiet"]
    return subprocess.run(arguments, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
