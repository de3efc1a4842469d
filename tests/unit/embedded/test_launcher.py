"""The launcher's parts: homes, ports, connections, programs in the background, progress, the Makefile."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from include.console.progress import Instance, Progress
from include.embedded import connections, daemons, ports, postgres
from include.embedded.daemons import Daemon
from include.embedded.home import PROJECT, Home
from include.embedded.record import Record
from include.embedded.servers import Servers
from include.trueup.errors import OptionsError
from include.trueup.walk import preflight

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
# A program as Airflow's are: SIGTERM ends it, but not what it started.
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {DEAF!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def started(tmp_path: Path, program: str = PARENT) -> Daemon:
    log = tmp_path / "log"
    daemon = Daemon.start("program", [sys.executable, "-c", program], {"PATH": "/bin"}, cwd=tmp_path, log=log)
    deadline = time.monotonic() + 20
    while not log.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return daemon


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_stopped_program_leaves_no_child_behind(tmp_path: Path) -> None:
    daemon = started(tmp_path)
    child = int(daemon.log.read_text())
    assert daemon.running()
    assert {process.pid for process in daemon.processes()} == {daemon.pid, child}
    daemons.stop([daemon], patience=10)
    assert not daemon.running()
    assert not alive(child)


def test_orphans_of_a_program_that_was_killed_are_found_and_ended(tmp_path: Path) -> None:
    daemon = started(tmp_path)
    child = int(daemon.log.read_text())
    psutil.Process(daemon.pid).send_signal(signal.SIGKILL)
    while daemon.running():
        time.sleep(0.02)
    assert alive(child)
    daemons.stop([daemon], patience=10)
    assert not alive(child)


def test_a_program_that_ignores_sigterm_is_killed_when_patience_ends(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    daemon = started(tmp_path, deaf)
    began = time.monotonic()
    daemons.stop([daemon], patience=0.3)
    assert not daemon.running()
    assert time.monotonic() - began < 5


def test_another_program_with_the_same_process_id_is_left_alone(tmp_path: Path) -> None:
    daemon = started(tmp_path)
    earlier = Daemon(name="earlier", pid=daemon.pid, started=daemon.started - 100, log=daemon.log)
    assert not earlier.running()
    assert earlier.processes() == []
    daemons.stop([earlier], patience=0.1)
    assert daemon.running()
    daemons.stop([daemon], patience=10)


def test_a_record_comes_back_as_it_was_saved_and_is_private(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert Record.load(home) == Record()
    daemon = Daemon(name="ministack", pid=1, started=2.5, log=tmp_path / "log")
    record = Record(embedded=("kpi_dynamodb",), workspace="/w").adding(daemon, 20_001)
    record.save(home)
    assert Record.load(home) == record
    assert home.stack_file.stat().st_mode & 0o077 == 0
    assert Record.load(home).without(("ministack",)).ports == {"ministack": 20_001}


def test_a_lock_is_for_one_at_a_time(tmp_path: Path) -> None:
    home, order = Home(tmp_path), []

    def second() -> None:
        with Home(tmp_path).lock("stack"):
            order.append("second")

    with home.lock("stack"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_homes_have_ports_of_their_own_and_keep_them(tmp_path: Path) -> None:
    one, other = Home(tmp_path / "one"), Home(tmp_path / "other")
    chosen = {ports.choose(name, home, {}, {}) for home in (one, other) for name in ("api-server", "ministack")}
    assert len(chosen) == 4
    first = ports.choose("api-server", one, {}, {})
    with socket.socket() as taken:
        taken.bind((ports.HOST, first))
        taken.listen()
        second = ports.choose("api-server", one, {}, {})
        assert second != first
        with pytest.raises(OptionsError, match=rf"TRUEUP_UI_PORT={first}.*in use"):
            ports.choose("api-server", one, {"TRUEUP_UI_PORT": str(first)}, {})
    assert ports.choose("api-server", one, {}, {"api-server": second}) == second
    assert ports.choose("api-server", one, {"TRUEUP_UI_PORT": str(first)}, {"api-server": second}) == first
    with pytest.raises(OptionsError, match="not a port"):
        ports.choose("ministack", one, {"TRUEUP_DYNAMODB_PORT": "eighty"}, {})


def test_a_dag_needs_the_connections_that_its_migration_declares() -> None:
    assert connections.needed("kpi_linking") == {"trueup_ledger", "kpi_dynamodb"}
    assert connections.needed("kpi_linking_rollback") == connections.needed("kpi_linking")
    assert connections.needed("scoring_results_shadow") == {"trueup_ledger", "scoring_postgres"}
    assert connections.needed("no_migration") == {"trueup_ledger"}
    given = {"AIRFLOW_CONN_KPI_DYNAMODB": "aws://", "AIRFLOW_CONN_TRUEUP_LEDGER": ""}
    assert connections.not_given(connections.needed("kpi_linking"), given) == {"trueup_ledger"}


def test_embedded_stores_are_used_for_what_they_can_hold(postgres_server: postgres.Server) -> None:
    assert connections.needs_dynamodb(["checkins_dynamodb"])
    assert not connections.needs_dynamodb(["trueup_ledger", "scoring_postgres"])
    assert connections.needs_postgres(["trueup_ledger"])
    servers = Servers(postgres=postgres_server, dynamodb="http://127.0.0.1:1")
    for _ in range(2):  # the databases are there the second time
        variables = connections.embedded(["checkins_dynamodb", "scoring_postgres", "trueup_ledger"], servers)
    assert json.loads(variables["AIRFLOW_CONN_CHECKINS_DYNAMODB"])["extra"]["endpoint_url"] == "http://127.0.0.1:1"
    assert json.loads(variables["AIRFLOW_CONN_SCORING_POSTGRES"])["schema"] == "scoring"
    assert json.loads(variables["AIRFLOW_CONN_TRUEUP_LEDGER"])["schema"] == "trueup"
    assert variables[preflight.EMBEDDED] == "checkins_dynamodb,scoring_postgres,trueup_ledger"
    with pytest.raises(OptionsError, match="AIRFLOW_CONN_SOME_MYSQL"):
        connections.embedded(["some_mysql"], servers)


T0 = datetime(2025, 1, 1, tzinfo=UTC)


def instance(step: str, part: int, state: str | None, end: float | None = None, **more: Any) -> Instance:
    ended = None if end is None else T0 + timedelta(seconds=end)
    return Instance(step=step, part=part, state=state, started=T0, ended=ended, **more)


def test_progress_tells_of_each_step_once_when_all_its_parts_have_ended() -> None:
    out = io.StringIO()
    progress = Progress(lambda part: {"links": {"add": 1000, "keep": 0}, "name": "x", "sha256": "y", "ok": True}, out)
    plan = [instance("plan", 0, "success", 2.0), instance("plan", 1, "running")]
    progress.update([*plan, instance("apply", -1, None)])
    assert out.getvalue() == ""
    plan[1] = instance("plan", 1, "up_for_retry", attempt=1)
    progress.update(plan)
    progress.update(plan)
    plan[1] = instance("plan", 1, "success", 3.5, attempt=2)
    for _ in range(2):
        progress.update([*plan, instance("apply", -1, "upstream_failed")])
    lines = out.getvalue().splitlines()
    assert [line.split() for line in lines] == [
        ["plan", "part", "1", "failed", "at", "try", "1", "and", "is", "tried", "again"],
        ["plan", "2", "parts", "3.5", "s", "add", "2,000"],
    ]


def test_progress_tells_which_part_of_a_step_failed() -> None:
    out = io.StringIO()
    Progress(lambda part: None, out).update([instance("apply", 0, "failed", 1.0), instance("apply", 1, "success", 2.0)])
    assert out.getvalue().split() == ["apply", "FAILED", "after", "2.0", "s", "(1", "of", "2", "parts)"]


def test_make_passes_what_was_typed(tmp_path: Path) -> None:
    (ready := tmp_path / "ready").touch()  # newer than anything in a checkout, so that nothing is set up
    conf = '{"mode": "plan", "note": "it\'s $HOME, \\"#1\\""}'
    arguments = ["make", "--no-print-directory", "run", "PY=echo", f"READY={ready}", "DAG=kpi_linking", f"CONF={conf}"]
    done = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == f"-m include.embedded run kpi_linking {conf}\n"


@pytest.mark.parametrize(("asked", "of"), [((), "all"), (("MIGRATION=checkins",), "checkins")])
def test_make_sample_is_of_all_unless_one_is_named(tmp_path: Path, asked: tuple[str, ...], of: str) -> None:
    (ready := tmp_path / "ready").touch()
    arguments = ["make", "--no-print-directory", "sample", "PY=echo", f"READY={ready}", *asked]
    done = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == f"-m include.embedded sample {of}\n"


def test_a_command_begins_without_what_reads_and_writes_stores() -> None:
    """What takes long to import is imported by the command that needs it."""
    slow = "{'psycopg', 'adbc_driver_manager', 'boto3', 'sqlalchemy', 'pyarrow', 'pandas', 'great_expectations', 'airflow'}"
    code = f"import sys, include.embedded.__main__; print(sorted({slow} & {{*sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
