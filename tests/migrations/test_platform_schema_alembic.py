"""Both histories by the command `alembic` itself, for those who want to look at them without Airflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.embedded import postgres
from tests.harness import new_database, run_sql

ROOT = Path(__file__).parent.parent.parent
HISTORIES = {"auth": "teams", "specs": "project_shares"}
"""Each history, and a table that its last phase makes."""


def alembic(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ini = ROOT / "include" / "migrations" / "platform_schema" / f"{name}.ini"
    command = [sys.executable, "-m", "alembic", "-c", str(ini), *arguments]
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("SOCRATES_")}
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, cwd="/")


@pytest.mark.parametrize("name", HISTORIES)
def test_up_to_the_newest_revision(postgres_server: postgres.Server, name: str) -> None:
    uri = new_database(postgres_server)
    given = {f"SOCRATES_{name.upper()}_URL": uri.replace("postgresql://", "postgresql+psycopg://")}
    done = alembic(name, "upgrade", "head", **given)
    assert done.returncode == 0, done.stderr
    assert run_sql(uri, f"SELECT to_regclass('{HISTORIES[name]}') IS NOT NULL") == [(True,)]


@pytest.mark.parametrize("name", HISTORIES)
def test_the_sql_is_shown_without_a_database(name: str) -> None:
    done = alembic(name, "upgrade", "head", "--sql")
    assert done.returncode == 0, done.stderr
    assert f"CREATE TABLE {HISTORIES[name]}" in done.stdout


def test_without_an_address_it_says_what_to_set() -> None:
    done = alembic("auth", "upgrade", "head")
    assert done.returncode != 0
    assert "set SOCRATES_AUTH_URL" in done.stderr
