"""The whole stack of a home: the embedded stores and Airflow's four programs, started together and ended together.

Not `airflow standalone`: ended by a signal, it leaves its programs behind.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ..trueup.errors import StoreUnavailableError
from . import connections, daemons, metadata, ports, postgres, servers, settings
from .airflow_api import AirflowApi
from .daemons import Daemon
from .home import PROJECT, Home, StartError
from .record import Record
from .servers import AIRFLOW

HEALTHY_SECONDS = 180.0
STOP_SECONDS = 5.0
# --skip-serve-logs: see settings.server_settings.
_COMMANDS = {
    "api-server": ["airflow", "api-server"],
    "scheduler": ["trueup_airflow.process.scheduler", "--skip-serve-logs"],
    "dag-processor": ["airflow", "dag-processor"],
    "triggerer": ["airflow", "triggerer", "--skip-serve-logs"],
}
_COMPONENTS = {"metadatabase", "scheduler", "triggerer", "dag_processor"}
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack that is up. `embedded`: the connections that lead to an embedded store; `workspace`: where its runs
    leave their artifacts; `started_here`: whether this process started it, or found it up."""

    url: str
    api: AirflowApi
    embedded: frozenset[str]
    workspace: str
    started_here: bool


def start(home: Home, given: Mapping[str, str], conn_ids: Collection[str], say: Say) -> Stack:
    """Start what does not run yet, and wait until all of Airflow is healthy.

    `conn_ids` are the connections to lead to embedded stores. If the stack is up already, what of it has died is
    started again, and the stack is described. Raises `StartError`; whatever was started is ended again.
    """
    home.make()
    with home.lock("stack"):
        record = Record.load(home)
        # Airflow's own database is in PostgreSQL: without it, its programs end one by one, or wait for ever
        if all(record.running(name) for name in AIRFLOW) and postgres.find(home.postgres):
            _heal(home, given, record, say)
            return _describe(home, Record.load(home), started_here=False)
        try:
            return _start(home, given, conn_ids, say)
        except BaseException:
            _stop(home)
            raise


def embedded_connections(home: Home, given: Mapping[str, str], conn_ids: Collection[str]) -> dict[str, str]:
    """The environment variables for those connections in a stack that is up."""
    with home.lock("stack"):
        stores = servers.start(home, given, need_postgres=True, need_dynamodb=connections.needs_dynamodb(conn_ids))
        return connections.embedded(conn_ids, stores)


class Stopped(StrEnum):
    """What `stop` found, as a sentence."""

    NOTHING = "Nothing was running."
    ALL = "Everything is stopped."
    AIRFLOW = "Airflow is stopped. A run in progress uses the stores, and stops them when it ends."


def stop(home: Home) -> Stopped:
    """End everything that runs for this home. No process is left when it returns, but for stores that a run uses."""
    if not home.root.exists():
        return Stopped.NOTHING
    with home.lock("stack"):
        return _stop(home)


def _start(home: Home, given: Mapping[str, str], conn_ids: Collection[str], say: Say) -> Stack:
    daemons.stop(_airflow(Record.load(home)), patience=STOP_SECONDS)  # what is left of a stack that broke
    began = time.monotonic()
    stores = servers.start(home, given, need_postgres=True, need_dynamodb=connections.needs_dynamodb(conn_ids))
    assert stores.postgres is not None
    variables = connections.embedded(conn_ids, stores)
    say(f"stores     {_seconds(began)}   PostgreSQL{' and DynamoDB (ministack)' if stores.dynamodb else ''}")

    def environment_for(metadata_url: str) -> dict[str, str]:
        return settings.environment(home, {**given, **variables}, metadata_url=metadata_url)

    began = time.monotonic()
    if metadata.prepare_postgres(home, stores.postgres, environment_for):
        say(f"database   {_seconds(began)}   Airflow's tables")

    began = time.monotonic()
    port = ports.choose("api-server", home, given, Record.load(home).ports)
    environment = environment_for(metadata.postgres_url(stores.postgres)) | settings.server_settings(port)
    home.passwords()
    record = Record.load(home)
    record = replace(record, embedded=tuple(sorted(conn_ids)), workspace=environment["TRUEUP_WORKSPACE"])
    for name in AIRFLOW:
        log = home.logs / f"{name}.log"
        started = Daemon.start(name, [sys.executable, "-m", *_COMMANDS[name]], environment, cwd=PROJECT, log=log)
        record = record.adding(started, port if name == "api-server" else None)
        record.save(home)
    stack = _describe(home, record, started_here=True)
    _wait_until_healthy(stack.api, record)
    say(f"Airflow    {_seconds(began)}   {', '.join(AIRFLOW)}")
    return stack


def _heal(home: Home, given: Mapping[str, str], record: Record, say: Say) -> None:
    """Start the DynamoDB engine of a stack that is up again, if it has died. Airflow knows it by its port."""
    if not connections.needs_dynamodb(record.embedded) or record.running(servers.ENGINE):
        return
    if not ports.is_free(record.ports[servers.ENGINE]):
        raise StartError(
            f"the DynamoDB engine of this stack has died, and port {record.ports[servers.ENGINE]}, where Airflow expects it, "
            "is taken by another program: run `make down`, then `make up`"
        )
    began = time.monotonic()
    servers.start(home, given, need_postgres=True, need_dynamodb=True)
    say(f"stores     {_seconds(began)}   DynamoDB had ended, and runs again")


def _describe(home: Home, record: Record, *, started_here: bool) -> Stack:
    port = record.ports["api-server"]
    api = AirflowApi(f"http://{ports.HOST}:{port}", password=home.passwords()["admin"])
    return Stack(
        url=f"http://localhost:{port}",
        api=api,
        embedded=frozenset(record.embedded),
        workspace=record.workspace,
        started_here=started_here,
    )


def _stop(home: Home) -> Stopped:
    record = Record.load(home)
    anything = bool(record.daemons) or (home.postgres.exists() and postgres.find(home.postgres) is not None)
    daemons.stop(_airflow(record), patience=STOP_SECONDS)
    record.without(AIRFLOW).save(home)
    if servers.used(home):
        return Stopped.AIRFLOW
    servers.stop(home)
    return Stopped.ALL if anything else Stopped.NOTHING


def _airflow(record: Record) -> list[Daemon]:
    return [daemon for name, daemon in record.daemons.items() if name in AIRFLOW]


def _wait_until_healthy(api: AirflowApi, record: Record) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    state, warm = "does not answer", False
    while time.monotonic() < deadline:
        for daemon in _airflow(record):
            if not daemon.running():
                raise StartError(f"{daemon.name} ended while it was starting. {daemons.log_tail(daemon.log)}")
        try:
            health = api.health()
            if not warm:
                api.warm_up()
                warm = True
            sick = sorted(name for name in _COMPONENTS if health.get(name) != "healthy")
            if not sick:
                return
            state = f"says that {', '.join(sick)} is not healthy"
        except StoreUnavailableError:
            pass  # not listening yet
        time.sleep(0.2)
    raise StartError(
        f"Airflow did not become healthy in {HEALTHY_SECONDS:.0f} s: it {state}. "
        f"The logs of its programs are in {record.daemons['api-server'].log.parent}"
    )


def _seconds(began: float) -> str:
    return f"{time.monotonic() - began:5.1f} s"
