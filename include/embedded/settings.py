"""The settings of Airflow that Trueup runs with, in one place: the environment of every program it starts.

docker-compose.yaml repeats `RUN_SETTINGS`; a test holds the two equal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from .home import PROJECT, ROLES, Home
from .postgres import binaries

PARALLELISM = 4
"""Tasks that run at once. Airflow's default forks 32 workers at start."""

RUN_SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    # The supervisor of a task looks whether it has ended once per heartbeat: with the default of 5 s, tasks of 0.1 s
    # held their slot for 5 s. 1 is the least.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    # A task whose process is gone is found in 30 s and tried again, not after five minutes.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    # A scheduler that hears nothing of itself for so long takes itself for dead, and its tasks from itself: more than a
    # machine that does too much at once keeps it waiting.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "120",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    # New DAG files are seen within 5 s; known ones are parsed again every 30 s.
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
    "AIRFLOW__API__INSTANCE_NAME": "Trueup",
}
"""What makes a run quick to start and quick to recover, wherever Airflow runs."""

# A shell of a developer, or a build machine, sets these for its own reasons; here they would cost a run half its speed
# or send requests for this machine to a proxy.
_DROPPED = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONSTARTUP")
_LOOPBACK = ("localhost", "127.0.0.1")


def environment(home: Home, given: Mapping[str, str], *, metadata_url: str) -> dict[str, str]:
    """The environment for one of Airflow's programs: `given` (usually os.environ) with Trueup's settings over it.

    `metadata_url` is the SQLAlchemy URL of Airflow's own database. Settings that Trueup does not make, such as
    `AIRFLOW__SECRETS__BACKEND`, pass through. The DAG folder is dags/ unless `TRUEUP_DAGS_FOLDER` names another.
    """
    kept = {name: value for name, value in given.items() if name not in _DROPPED}
    secrets = home.secrets()
    return {
        **kept,
        **RUN_SETTINGS,
        **_no_proxy(given),
        "PYTHONPATH": _python_path(given),
        "TRUEUP_HOME": str(home.root),
        "TRUEUP_WORKSPACE": given.get("TRUEUP_WORKSPACE") or str(home.workspace),
        # A rehearsal copies a database in use by a pg_dump that fits the server; the embedded one's is on no path.
        "TRUEUP_PG_BIN": given.get("TRUEUP_PG_BIN") or str(binaries()),
        "AIRFLOW_HOME": str(home.airflow),
        # The scheduler forks its workers with its libraries loaded (trueup_airflow.process.scheduler); no thread may be lost.
        **({"AIRFLOW__CORE__MP_START_METHOD": "fork"} if sys.platform == "linux" else {}),
        "OPENBLAS_NUM_THREADS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": given.get("TRUEUP_DAGS_FOLDER") or str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.airflow / "logs"),
        "AIRFLOW__CORE__FERNET_KEY": secrets["fernet"],
        "AIRFLOW__API__SECRET_KEY": secrets["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["jwt"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in ROLES.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.passwords_file),
    }


def server_settings(ui_port: int) -> dict[str, str]:
    """What Airflow's programs need beside `environment` to find each other: the API server is at `ui_port`."""
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ui_port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{ui_port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ui_port}/execution/",
        # All programs read one folder of logs, so there are no log servers, which would listen on every interface. The
        # UI looks for one all the same while a task runs; at the default port another Airflow's may answer.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "1",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "1",
    }


def connection_variable(conn_id: str) -> str:
    """The environment variable that Airflow reads that connection from."""
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def dynamodb_connection(endpoint: str) -> str:
    """An Airflow connection, as JSON, to an embedded DynamoDB engine. It checks no key, but wants one."""
    extra = {"region_name": "us-east-1", "endpoint_url": endpoint}
    return json.dumps({"conn_type": "aws", "login": "embedded", "password": "embedded", "extra": extra})


def postgres_connection(socket_dir: str, database: str) -> str:
    """An Airflow connection, as JSON, to a database of the embedded PostgreSQL, by its Unix socket's directory."""
    return json.dumps({"conn_type": "postgres", "host": socket_dir, "login": "postgres", "schema": database})


def _python_path(given: Mapping[str, str]) -> str:
    ours = [str(PROJECT), str(PROJECT / "plugins")]
    theirs = [entry for entry in given.get("PYTHONPATH", "").split(":") if entry and str(Path(entry)) not in ours]
    return ":".join(ours + theirs)


def _no_proxy(given: Mapping[str, str]) -> dict[str, str]:
    listed = given.get("no_proxy") or given.get("NO_PROXY") or ""
    hosts = [host for host in listed.split(",") if host]
    value = ",".join(dict.fromkeys([*hosts, *_LOOPBACK]))
    return {"no_proxy": value, "NO_PROXY": value}
