"""A home of its own for the launcher, and what of it is running."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from include.embedded import stack
from include.embedded.home import PROJECT, Home

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A TRUEUP_HOME; whatever a test leaves running in it is stopped. Not in pytest's folder: that is root's alone where
    root runs the tests, and every other pytest that starts makes it so again, under the feet of the server's user."""
    with tempfile.TemporaryDirectory(prefix="trueup-home-") as folder:
        made = Home(Path(folder).resolve())
        yield made
        stack.stop(made)


def launched(home: Home, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """A command of the launcher (`up`) as a process; keywords are further environment variables."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "TRUEUP_"))}
    environment |= {
        "TRUEUP_HOME": str(home.root),
        "TRUEUP_DAGS_FOLDER": str(Path(__file__).parent / "stub_dags"),
        "PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}",
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "include.embedded", *arguments],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def launch(home: Home) -> Command:
    """Start a command of the launcher (`launch("up")`) in the home."""
    return partial(launched, home)


@pytest.fixture
def running(home: Home) -> Callable[[], list[psutil.Process]]:
    """Every process that writes to a log of the home, or works in it: all that was ever started for it."""

    def find() -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _is_of(process, home)]

    return find


def _is_of(process: psutil.Process, home: Home) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        paths = [process.cwd(), *(file.path for file in process.open_files())]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(Path(path).is_relative_to(home.root) for path in paths)
