"""The embedded PostgreSQL: started by several at once, killed, its remains in the way, its path too long."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from include.embedded import postgres

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "server"
        yield wanted
        if running := postgres.find(wanted):
            running.stop()


def start(data_dir: Path) -> postgres.Server:
    return postgres.start(data_dir, {"fsync": "off"})  # no machine loses power here, and stopping takes a third


def processes_on(data_dir: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == "postgres" and str(data_dir.resolve()) in process.cwd():
                found.append(process)
        except psutil.Error:
            continue
    return found


def ask(server: postgres.Server, question: str, database: str = "postgres") -> object:
    with psycopg.connect(server.uri(database)) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def test_it_is_postgresql_18_with_pgvector_on_a_socket_that_is_its_owners_alone(data_dir: Path) -> None:
    server = start(data_dir)
    assert str(ask(server, "SHOW server_version")).startswith("18.")
    assert ask(server, "SELECT name FROM pg_available_extensions WHERE name = 'vector'") == "vector"
    assert ask(server, "SHOW listen_addresses") == ""
    for folder in (data_dir, Path(server.socket_dir)):
        assert not stat.S_IMODE(folder.stat().st_mode) & 0o077


def test_stop_leaves_no_process_and_data_stay(data_dir: Path) -> None:
    server = start(data_dir)
    name = 'it\'s a "name" 100%'
    server.create_database(name)
    server.create_database(name)
    with psycopg.connect(server.uri(name)) as open_meanwhile:
        open_meanwhile.execute("CREATE TABLE t AS SELECT 1 AS a")
        open_meanwhile.commit()
        server.stop()
    server.stop()
    assert processes_on(data_dir) == []
    assert postgres.find(data_dir) is None
    assert ask(start(data_dir), "SELECT a FROM t", name) == 1


def test_processes_that_start_it_at_once_share_one_server(data_dir: Path) -> None:
    script = "import sys; from pathlib import Path; from include.embedded import postgres\n"
    script += "server = postgres.start(Path(sys.argv[1])); server.create_database('both'); print(server.pid)"

    def run(_: int) -> str:
        command = [sys.executable, "-c", script, str(data_dir)]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()

    with ThreadPoolExecutor(3) as pool:
        pids = set(pool.map(run, range(3)))
    found = postgres.find(data_dir)  # it runs on although who started it is gone
    assert found is not None
    assert pids == {str(found.pid)}


def count_for_ever(server: postgres.Server) -> None:
    with pytest.raises(psycopg.OperationalError):
        ask(server, "SELECT count(*) FROM generate_series(1, 1e12::int8)")


def test_a_killed_server_is_started_again_with_what_was_committed(data_dir: Path) -> None:
    server = start(data_dir)
    with psycopg.connect(server.uri()) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS a")
    busy = threading.Thread(target=count_for_ever, args=(server,))
    busy.start()  # it must have ended before another server uses its files
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%1e12%' AND pid <> pg_backend_pid()"
    while ask(server, active) == 0:
        pass
    os.kill(server.pid, signal.SIGKILL)
    psutil.wait_procs([process for process in processes_on(data_dir) if process.pid == server.pid], timeout=10)
    again = start(data_dir)
    busy.join()
    assert again.pid != server.pid
    assert ask(again, "SELECT a FROM t") == 7
    server.stop()  # the handle on the one that was killed stops the one that runs now
    assert processes_on(data_dir) == []


def test_lock_files_that_name_another_program_are_not_in_the_way(data_dir: Path) -> None:
    server = start(data_dir)
    left = {path: path.read_text() for path in (data_dir / "pgdata" / "postmaster.pid", *sockets(server))}
    server.stop()
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            for path, text in left.items():  # as after a kill -9, when the process id has been given out again
                path.write_text(text.replace(str(server.pid), str(other.pid), 1))
            assert postgres.find(data_dir) is None
            assert ask(start(data_dir), "SELECT 1") == 1
        finally:
            other.kill()


def sockets(server: postgres.Server) -> list[Path]:
    return list(Path(server.socket_dir).glob(".s.PGSQL.*.lock"))


@pytest.mark.parametrize("name", ["x" * 80, "it's, odd"])
def test_a_path_that_will_not_do_gets_a_short_socket_folder(data_dir: Path, name: str) -> None:
    deep = data_dir / name
    server = start(deep)
    try:
        assert len(server.socket_dir) < 90
        assert ask(server, "SELECT 1") == 1
        assert start(deep) == server
    finally:
        server.stop()
    assert not Path(server.socket_dir).exists()


def test_an_initdb_that_was_killed_half_way_is_begun_again(data_dir: Path) -> None:
    (data_dir / "pgdata.part" / "base").mkdir(parents=True)
    (data_dir / "pgdata.part" / "PG_VERSION").write_text("18\n")
    assert ask(start(data_dir), "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server has another user")
def test_a_closed_folder_above_it_is_opened_to_the_servers_user_alone() -> None:
    with tempfile.TemporaryDirectory() as folder:
        above = Path(folder) / "closed"
        above.mkdir(mode=0o700)
        server = start(above / "server")
        try:
            assert ask(server, "SELECT 1") == 1
            assert not stat.S_IMODE(above.stat().st_mode) & 0o007
            seen = subprocess.run(["ls", str(above / "server")], user="nobody", capture_output=True, check=False)
            listed = subprocess.run(["ls", str(above)], user="pgserver", capture_output=True, check=False)
            assert seen.returncode
            assert listed.returncode
        finally:
            server.stop()
