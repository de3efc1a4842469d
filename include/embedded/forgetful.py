"""Stores for tests: nothing outlives them, and so they are quick."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from . import dynamodb, postgres
from .home import Home

HOME = Home.of(os.environ).root
"""As it was when this was imported: a test may have another one."""
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "256MB",
}


MEMORY, ROOM = Path("/dev/shm"), 4 << 30
"""Where Linux has files in memory, and how many bytes must be free there, and of the machine's memory."""
_PREFIX, _DAY = "trueup-postgres-", 24 * 3600


def _in_memory() -> Path | None:
    """Where the server's files may lie in memory: a database is three hundred of them, which to make on a disk takes several
    times as much computing. None where there is no room. What a server that was killed has left is removed after a day."""
    if not MEMORY.is_dir():
        return None
    for left in MEMORY.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or it is just being removed
            if time.time() - left.stat().st_mtime > _DAY:
                shutil.rmtree(left)
    room = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    return MEMORY if room >= ROOM else None


@contextmanager
def forgetful_server() -> Iterator[postgres.Server]:
    """A PostgreSQL that saves nothing, not when it is stopped either."""
    # not below pytest's own folder: every session of pytest closes that to other users, and the server may be one
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir=_in_memory())
    try:
        server = postgres.start(Path(folder), SETTINGS)
        try:
            yield server
        finally:
            process = psutil.Process(server.pid)
            process.send_signal(signal.SIGQUIT)
            psutil.wait_procs([process], timeout=10)
            server.stop()
    finally:  # nobody waits for it: a session's databases are more than a hundred thousand files
        subprocess.run(["sh", "-c", 'rm -rf "$0" >/dev/null 2>&1 &', folder], check=False)


@contextmanager
def fastest_engine() -> Iterator[dynamodb.Engine]:
    """A DynamoDB engine in memory, empty: dynoxide where this platform has it, else ministack."""
    binary = dynamodb.find_dynoxide(HOME)
    port = dynamodb.free_port()
    with dynamodb.dynoxide(port, binary) if binary else dynamodb.ministack(port, None) as engine:
        yield engine
