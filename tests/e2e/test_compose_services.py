"""docker-compose.yaml without its images: the same services as processes, by the environment that docker-compose makes of the
file, with embedded stores in place of the two that are images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from include import project
from include.embedded.airflow_api import AirflowApi
from include.embedded.dynamodb import free_port
from include.trueup.errors import StoreUnavailableError
from tests.harness import fastest_engine, forgetful_server, run_sql

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SECRETS = {
    "POSTGRES_PASSWORD": "letters0and1digits",
    "TRUEUP_ADMIN_PASSWORD": "2of3its4admin",
    "AIRFLOW_API_SECRET": "5" * 64,
    "AIRFLOW_JWT_SECRET": "6" * 64,
    "AIRFLOW_FERNET_KEY": "cnVubmluZy1vbmx5LWluLXRlc3RzLXRoaXMta2V5ISE=",
}
DAEMONS = ("api-server", "scheduler", "dag-processor", "triggerer")
SECONDS = 420


@contextmanager
def services() -> Iterator[tuple[dict[str, Any], Path, dict[str, str]]]:
    """The services, as docker-compose reads them; the folder that is /opt/airflow; and what is put for what."""
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed")
    with ExitStack() as opened:
        root = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="trueup-compose-")))
        (root / "env").write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
        arguments = [
            command,
            "--env-file",
            str(root / "env"),
            "--file",
            str(ROOT / "docker-compose.yaml"),
            "--profile",
            "sample",
            "config",
        ]
        read = subprocess.run(arguments, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
        server, engine = opened.enter_context(forgetful_server()), opened.enter_context(fastest_engine())
        folder = quote(server.socket_dir, safe="")
        instead = {
            "@postgres:5432/airflow": f"@/airflow?host={server.socket_dir}",  # SQLAlchemy's: Airflow's own database
            "@postgres:5432": f"@{folder}:5432",
            "http%3A%2F%2Fdynamodb%3A8000": quote(engine.endpoint, safe=""),
            "postgres,dynamodb": f"{server.socket_dir},127.0.0.1",
            "http://api-server:8080": f"http://127.0.0.1:{free_port()}",
            "%2Fopt%2Fairflow": quote(str(root), safe=""),
            "/opt/airflow": str(root),
        }
        for name in ("dags", "include", "plugins"):
            (root / name).symlink_to(ROOT / name)
        for name in ("logs", "state", "workspace"):
            (root / name).mkdir()
        run_sql(server.uri(), "CREATE ROLE airflow SUPERUSER LOGIN", "CREATE DATABASE airflow")
        run_sql(
            server.uri(),
            *(line for line in (ROOT / "docker/databases.sql").read_text().splitlines() if line.startswith("CREATE")),
        )
        yield yaml.safe_load(read.stdout)["services"], root, instead


def put(text: str, instead: dict[str, str]) -> str:
    for was, now in instead.items():
        text = text.replace(was, now)
    return text


def test_the_services_start_fill_every_sample_and_run_a_migration_to_its_end() -> None:
    with services() as (declared, root, instead), ExitStack() as running:

        def environment(service: str) -> dict[str, str]:
            made = {name: put(str(value), instead) for name, value in declared[service]["environment"].items()}
            own = {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(root),
                "AIRFLOW_HOME": str(root),
            }
            return {**own, **made, "AIRFLOW__API__PORT": instead["http://api-server:8080"].rpartition(":")[2]}

        def call(service: str, *command: str) -> str:
            done = subprocess.run(
                command, env=environment(service), cwd=root, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
            return done.stdout

        (root / "init.sh").write_text(put((ROOT / "docker/init.sh").read_text(), instead))
        call("init", "sh", str(root / "init.sh"))
        for service in DAEMONS:
            command = [str(part) for part in declared[service]["command"]]
            log = running.enter_context((root / "logs" / f"{service}.log").open("w"))
            daemon = subprocess.Popen(
                command if command[0] == "python" else ["airflow", *command],
                env=environment(service), cwd=root, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            running.callback(daemon.wait, 60)
            running.callback(daemon.terminate)

        filled = call("sample", *map(str, declared["sample"]["command"]))
        assert {line.partition(":")[0] for line in filled.splitlines() if ":" in line} >= set(project.migration_ids())

        api, until = (
            AirflowApi(instead["http://api-server:8080"], password=SECRETS["TRUEUP_ADMIN_PASSWORD"]),
            time.monotonic() + SECONDS,
        )
        run = state = ""
        while time.monotonic() < until:
            try:
                if not run and api.has_dag("scoring_results"):
                    run = api.trigger("scoring_results", {"approval": False, "max_reject_share": 0.5})
                if run and (state := api.run_state("scoring_results", run)) not in ("queued", "running"):
                    break
            except StoreUnavailableError:
                pass
            time.sleep(1)
        assert api.import_errors() == []
        assert state == "success", [f"{t['task_id']} {t['state']}" for t in api.task_instances("scoring_results", run)]
