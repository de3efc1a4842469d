"""Stores for tests: nothing outlives them, and so they are quick."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from . import dynamodb, postgres
from .home import Home

HOME = Home.of(os.environ).root
"""As it was when this was imported: a test may have another one."""
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


@contextmanager
def forgetful_server() -> Iterator[postgres.Server]:
    """A PostgreSQL that saves nothing, not when it is stopped either."""
    # not below pytest's own folder: every session of pytest closes that to other users, and the server may be one
    folder = tempfile.mkdtemp(prefix="trueup-postgres-")
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
