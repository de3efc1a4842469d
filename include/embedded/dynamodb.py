"""DynamoDB engines that run on this machine: ministack (from pip) and dynoxide (from npm).

Each is one process, bound to loopback, that writes its output to a log file. An `Engine` is a context manager; used
without `with`, call `stop()`.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ..trueup.errors import StoreRejectedError, StoreUnavailableError
from . import guard
from .home import PROJECT

START_SECONDS = 30.0
STOP_SECONDS = 20.0
DYNOXIDE_VERSION = "1.2.1"
_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A running engine. `endpoint` is its URL (`http://127.0.0.1:<port>`), `log` the file with its output.

    A log that nobody named a place for goes when the engine is stopped."""

    name: str
    endpoint: str
    log: Path
    log_stays: bool
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the process and wait until it is gone: SIGTERM, so that state is saved, then SIGKILL after 20 s."""
        _end(self.process)
        if not self.log_stays:
            self.log.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def ministack(port: int, state_dir: Path | None, log: Path | None = None) -> Engine:
    """Start ministack's DynamoDB, guarded (`guard.py`), and wait until it answers.

    `state_dir`: where tables are kept between runs (saved when stopped by SIGTERM); None keeps them in memory only.
    Raises `StoreUnavailableError` if the port is taken or the process does not answer in 30 s.
    """
    environment = {
        **_plain_environment(),
        "PYTHONPATH": str(PROJECT),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": _HOST,
        "SERVICES": "dynamodb",
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "0",
        # these would listen on every interface
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    if state_dir is not None:
        state_dir.mkdir(parents=True, exist_ok=True)
        environment |= {"PERSIST_STATE": "1", "STATE_DIR": str(state_dir)}
    return _start("ministack", [sys.executable, "-m", guard.__name__], port, environment, log)


def dynoxide(port: int, binary: Path, log: Path | None = None, file: Path | None = None) -> Engine:
    """Start dynoxide and wait until it answers; `binary` comes from `find_dynoxide`. `file`: where tables are kept; None
    keeps them in memory only.

    Raises `StoreUnavailableError` if the port is taken or the process does not answer in 30 s.
    """
    command = [str(binary), "--host", _HOST, "--port", str(port)]
    if file is not None:
        command += ["--db-path", str(file)]
    return _start("dynoxide", command, port, _plain_environment(), log)


def find_dynoxide(home: Path) -> Path | None:
    """The dynoxide binary under `home`/npm, installed there by npm if it is not there yet.

    None where dynoxide has no build for this platform or there is no npm. Raises `StoreRejectedError` if npm fails.
    """
    package = "@dynoxide/linux-x64"
    binary = home / "npm" / "node_modules" / package / "dynoxide"
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return None
    if binary.is_file():
        return binary
    npm = shutil.which("npm")
    if npm is None:
        return None
    install = [
        npm,
        "install",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(home / "npm"),
        f"{package}@{DYNOXIDE_VERSION}",
    ]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "npm.lock").open("a") as lock:  # two processes in one folder would be in each other's way
        fcntl.flock(lock, fcntl.LOCK_EX)
        if binary.is_file():
            return binary
        done = subprocess.run(install, check=False, capture_output=True, text=True, timeout=300)
    if done.returncode or not binary.is_file():
        raise StoreRejectedError(f"npm could not install {package}@{DYNOXIDE_VERSION}: {done.stderr.strip()[-500:]}")
    return binary


def _plain_environment() -> dict[str, str]:
    """What a program needs to run, and none of the connections and secrets that this process may have been given."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")}


def _start(name: str, command: list[str], port: int, environment: dict[str, str], log: Path | None) -> Engine:
    with socket.socket() as probe:
        if probe.connect_ex((_HOST, port)) == 0:
            raise StoreUnavailableError(f"{name} cannot start: port {port} of {_HOST} is in use. Choose another port.")
    if log is None:
        descriptor, path = tempfile.mkstemp(prefix=f"trueup-{name}-", suffix=".log")
        os.close(descriptor)
        file = Path(path)
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log
    with file.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is for whoever started the engine; it is stopped in due order
        )
    endpoint = f"http://{_HOST}:{port}"
    deadline = time.monotonic() + START_SECONDS
    while not _answers(endpoint):
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process)
            tail = file.read_text(errors="replace").strip()[-500:]
            raise StoreUnavailableError(
                f"{name} did not start on port {port} (exit code {process.returncode}); log: {file}; it ends with: {tail}"
            )
        time.sleep(0.02)
    return Engine(name=name, endpoint=endpoint, log=file, log_stays=log is not None, process=process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(endpoint: str) -> bool:
    request = urllib.request.Request(
        endpoint,
        data=b"{}",
        headers={
            "X-Amz-Target": "DynamoDB_20120810.ListTables",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=local/20200101/us-east-1/dynamodb/aws4_request",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # refused, but by an engine that is up
    except OSError:
        return False
