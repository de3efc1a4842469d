"""Programs that run in the background: started with a log file, found again by process id and start time, ended whole.

Airflow renames its processes, so that neither their command line nor their environment tells whose they are. A program
is therefore started in a session of its own and remembered by its process id together with its start time; what it
starts stays in that session, also when the program itself is gone.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_TAIL_LINES = 15
_SAME_START = 5.0
"""Seconds by which a start time may seem to move when the clock is set; no process id is given out again so soon."""

_started_here: list[subprocess.Popen[bytes]] = []
"""Kept, because Python warns of a child that is forgotten while it runs; these are meant to."""


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A program in the background. `started` is its start time in seconds since the epoch, as psutil gives it."""

    name: str
    pid: int
    started: float
    log: Path

    @classmethod
    def start(
        cls, name: str, command: Sequence[str], environment: Mapping[str, str], *, cwd: Path, log: Path
    ) -> Daemon:
        """Start the command in a session of its own; its output replaces the content of `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            child = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started_here.append(child)
        return cls.of(name, child.pid, log)

    @classmethod
    def of(cls, name: str, pid: int, log: Path) -> Daemon:
        """The running program with that process id. Raises `psutil.NoSuchProcess` if there is none."""
        return cls(name=name, pid=pid, started=psutil.Process(pid).create_time(), log=log)

    def running(self) -> bool:
        """Whether the program itself still runs (not one that was given its process id since)."""
        leader = self.leader()
        return leader is not None and not _ended(leader)

    def leader(self) -> psutil.Process | None:
        """The process of the program itself, also when it has ended and nobody collected it; None if it is gone."""
        try:
            process = psutil.Process(self.pid)
            return process if abs(process.create_time() - self.started) < _SAME_START else None
        except psutil.NoSuchProcess:
            return None

    def processes(self) -> list[psutil.Process]:
        """The program's process, all that come from it, and all in its session, whether or not it has ended itself."""
        leader = self.leader()
        if leader is None and psutil.pid_exists(self.pid):
            return []  # another program has the process id now, so nothing is left of ours
        members = {process.pid: process for process in psutil.process_iter() if _session(process.pid) == self.pid}
        if leader is not None:
            with suppress(psutil.NoSuchProcess):
                members |= {process.pid: process for process in (leader, *leader.children(recursive=True))}
        return [process for process in members.values() if not _ended(process)]


def stop(daemons: Iterable[Daemon], *, patience: float) -> None:
    """End the programs and all that they started: SIGTERM to the programs, SIGKILL to what is left when they have
    ended or `patience` seconds have passed. Returns when nothing is left.

    What a program leaves behind gets no SIGTERM: workers of Airflow's LocalExecutor ignore it.
    """
    daemons = list(daemons)
    left = [process for daemon in daemons for process in daemon.processes()]
    for daemon in daemons:
        if leader := daemon.leader():
            with suppress(psutil.NoSuchProcess):
                leader.terminate()
    _wait(lambda: not any(daemon.running() for daemon in daemons), patience)
    left += [process for daemon in daemons for process in daemon.processes()]
    while left:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _wait(lambda: all(_ended(process) for process in left), patience)  # noqa: B023
        left = [process for daemon in daemons for process in daemon.processes()]


def log_tail(log: Path) -> str:
    """Where a log is and how it ends, for a message."""
    lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:] if log.exists() else []
    return f"Its log is {log}, and ends with:\n" + "\n".join(lines) if lines else f"Its log, {log}, is empty."


def _wait(done: Callable[[], bool], seconds: float) -> None:
    # Not psutil's own waiting: that waits for init to collect the dead as well, which may take it seconds.
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)


def _session(pid: int) -> int | None:
    with suppress(OSError):
        return os.getsid(pid)
    return None


def _ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
