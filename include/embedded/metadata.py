"""Airflow's own database: tables in the embedded PostgreSQL for the stack, a private SQLite file for a run in-process.

A run in-process has a database of its own because `dag.test()` deletes earlier manual runs of its DAG, and because a
scheduler on the same database would start its tasks a second time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import psutil

from . import postgres
from .daemons import log_tail
from .home import PROJECT, Home, StartError

EnvironmentFor = Callable[[str], Mapping[str, str]]
"""The environment for Airflow, given the URL of its database."""


def postgres_url(server: postgres.Server) -> str:
    """The SQLAlchemy URL of Airflow's database in the embedded PostgreSQL."""
    return f"postgresql+psycopg2://postgres@/airflow?host={quote(server.socket_dir)}"


def prepare_postgres(home: Home, server: postgres.Server, environment_for: EnvironmentFor) -> bool:
    """Make or renew the tables in PostgreSQL; whether there was anything to do. The mark of it lies with the data.

    Raises `StartError`."""
    mark = home.postgres / f"airflow-{_version()}.migrated"
    if mark.exists():
        return False
    server.create_database("airflow")
    _migrate(home, environment_for(postgres_url(server)))
    mark.touch()
    return True


@contextmanager
def private_sqlite(home: Home, environment_for: EnvironmentFor) -> Iterator[str]:
    """The URL of an empty database for one run, which is gone afterwards. Raises `StartError`."""
    folder = home.airflow / "in-process"
    template = folder / f"airflow-{_version()}.db"
    with home.lock("in-process"):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        if not template.exists():
            part = folder / "part.db"
            part.unlink(missing_ok=True)
            _migrate(home, environment_for(_sqlite_url(part)))
            part.replace(template)
        mine = folder / str(os.getpid())
        shutil.rmtree(mine, ignore_errors=True)
        mine.mkdir()
        shutil.copyfile(template, mine / "airflow.db")
    try:
        yield _sqlite_url(mine / "airflow.db")
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed left: their folders are named after their process ids."""
    for left in folder.iterdir():
        if left.name.isdigit() and not psutil.pid_exists(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)


def _migrate(home: Home, environment: Mapping[str, str]) -> None:
    log = home.logs / "db-migrate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        code = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=dict(environment),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
    if code:
        raise StartError(f"airflow db migrate ended with exit code {code}. {log_tail(log)}")


def _sqlite_url(file: Path) -> str:
    return f"sqlite:///{file}"


def _version() -> str:
    return version("apache-airflow-core")
