"""`make up` and `make down`: a real Airflow that becomes healthy, says what went wrong, and leaves nothing behind."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Callable

import psutil
import pytest

from include.embedded import postgres
from include.embedded.airflow_api import AirflowApi, AirflowRefusedError
from include.embedded.home import ROLES, Home
from include.embedded.record import Record

from .conftest import Command

pytestmark = pytest.mark.slow
Running = Callable[[], list[psutil.Process]]


def test_a_failed_start_says_which_program_why_and_where_its_log_is(
    home: Home, launch: Command, running: Running
) -> None:
    up = launch("up", AIRFLOW__API__SSL_CERT="/nowhere/cert.pem")
    said, _ = up.communicate(timeout=120)
    assert up.returncode == 1
    log = re.search(r"^api-server ended while it was starting\. Its log is (\S+), and ends with:", said, re.MULTILINE)
    assert log, said
    assert log[1] == str(home.logs / "api-server.log")
    assert "have provided SSL certificate but not SSL key" in said
    assert running() == []


def test_up_is_healthy_runs_a_dag_and_down_leaves_no_process(home: Home, launch: Command, running: Running) -> None:
    up = launch("up")
    said, _ = up.communicate(timeout=180)
    assert up.returncode == 0, said
    address = re.search(r"http://localhost:(\d+)", said)
    assert address, said
    url = f"http://127.0.0.1:{address[1]}"

    api = AirflowApi(url, password=home.passwords()["admin"])
    health = api.health()
    assert {health[name] for name in ("metadatabase", "scheduler", "triggerer", "dag_processor")} == {"healthy"}
    for user in ROLES:
        assert AirflowApi(url, user, home.passwords()[user]).import_errors() == []
    with pytest.raises(AirflowRefusedError, match="401"):
        AirflowApi(url, password="guessed").import_errors()

    assert home.passwords()["admin"] not in said
    assert str(home.passwords_file) in said
    assert all(f"{user} ({role})" in said for user, role in ROLES.items())
    assert not stat.S_IMODE(home.root.stat().st_mode) & 0o007
    assert not [file for file in home.logs.iterdir() if stat.S_IMODE(file.stat().st_mode) & 0o077]

    engine = Record.load(home).daemons["ministack"].leader()
    assert engine
    engine.kill()
    again = launch("up")
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert "DynamoDB had ended, and runs again" in said
    assert "up already" in said
    assert address[0] in said

    server = postgres.find(home.postgres)
    assert server
    psutil.Process(server.pid).kill()
    again = launch("up")
    said, _ = again.communicate(timeout=180)
    assert again.returncode == 0, said
    assert address[0] in said

    run = _passed(api)
    if psutil.LINUX:  # elsewhere tasks are new interpreters
        assert api.returned("stub", run, "loaded", -1) == {"libraries": 4}
    assert api.returned("stub", run, "work", 1) == {"rows": 20}

    scheduler = Record.load(home).daemons["scheduler"].leader()
    assert scheduler
    scheduler.kill()  # its workers stay, and ignore SIGTERM
    down = launch("down")
    said, _ = down.communicate(timeout=60)
    assert down.returncode == 0, said
    assert running() == []
    assert "Nothing was running" in launch("down").communicate(timeout=60)[0]


def _passed(api: AirflowApi) -> str:
    deadline = time.monotonic() + 120
    while not api.has_dag("stub"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    run = api.trigger("stub", {})
    while (state := api.run_state("stub", run)) not in ("success", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert state == "success"
    return run
