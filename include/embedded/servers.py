"""The embedded stores of a home, shared by all commands that use them at one time.

PostgreSQL and the DynamoDB engine run on by themselves. Each command that needs them holds a *use* (a shared lock on a
file, which the system drops with a process that dies); the last one to end its use stops them, unless the stack is up.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import daemons, dynamodb, ports, postgres
from .daemons import Daemon
from .home import Home
from .record import Record

Say = Callable[[str], None]
ENGINE = "ministack"
STOP_SECONDS = 30.0
"""How long the DynamoDB engine may take to save its tables: it does so when it is asked to end."""
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")
"""Airflow's programs; while one of them runs, the stack counts as up."""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """The embedded stores that run: PostgreSQL, and the URL of the DynamoDB engine; None for one nobody asked for."""

    postgres: postgres.Server | None
    dynamodb: str | None


def start(
    home: Home, given: Mapping[str, str], *, need_postgres: bool, need_dynamodb: bool, say: Say | None = None
) -> Servers:
    """Start those that are needed and do not run yet; `say` is told before. The caller holds the home's lock `stack`.

    Raises `StoreUnavailableError`, with the end of its log, if one cannot be started.
    """
    for name, is_missing in (
        ("PostgreSQL", need_postgres and postgres.find(home.postgres) is None),
        ("DynamoDB", need_dynamodb and not Record.load(home).running(ENGINE)),
    ):
        if is_missing and say is not None:
            say(f"Starting {name} …")
    return Servers(
        postgres=postgres.start(home.postgres) if need_postgres else None,
        dynamodb=_engine(home, given) if need_dynamodb else None,
    )


def stop(home: Home) -> None:
    """End those that run. The caller holds the home's lock `stack`."""
    record = Record.load(home)
    if engine := record.daemons.get(ENGINE):
        daemons.stop([engine], patience=STOP_SECONDS)
        record.without((ENGINE,)).save(home)
    if home.postgres.exists() and (server := postgres.find(home.postgres)):
        server.stop()


@contextmanager
def in_use(
    home: Home, given: Mapping[str, str], *, need_postgres: bool, need_dynamodb: bool, say: Say | None = None
) -> Iterator[Servers]:
    """Use the embedded stores that are needed, started if need be, as `say` is told; at the end the last user stops them."""
    home.make()
    with _uses_file(home).open("a") as uses:
        try:
            with home.lock("stack"):
                fcntl.flock(uses, fcntl.LOCK_SH)
                servers = start(home, given, need_postgres=need_postgres, need_dynamodb=need_dynamodb, say=say)
            yield servers
        finally:
            with home.lock("stack"):
                fcntl.flock(uses, fcntl.LOCK_UN)
                if not used(home) and not stack_is_up(home):
                    stop(home)


def used(home: Home) -> bool:
    """Whether a command uses the embedded stores now. The caller holds the home's lock `stack`."""
    with _uses_file(home).open("a") as uses:
        try:
            fcntl.flock(uses, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def stack_is_up(home: Home) -> bool:
    """Whether one of Airflow's programs runs for this home."""
    record = Record.load(home)
    return any(record.running(name) for name in AIRFLOW)


def _uses_file(home: Home) -> Path:
    return home.root / "uses.lock"


def _engine(home: Home, given: Mapping[str, str]) -> str:
    record = Record.load(home)
    if record.running(ENGINE):
        return f"http://{ports.HOST}:{record.ports[ENGINE]}"
    port = ports.choose(ENGINE, home, given, record.ports)
    engine = dynamodb.ministack(port, home.dynamodb, home.logs / f"{ENGINE}.log")
    record.adding(Daemon.of(ENGINE, engine.process.pid, engine.log), port).save(home)
    return engine.endpoint
