"""`make demo`: a migration's sample in its legacy tables, one run over Airflow's REST API, and its outcome."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .. import migrations, project
from ..console import outcome
from ..console.progress import Instance, Progress
from ..trueup.declare.migration import Migration
from ..trueup.errors import OptionsError, StoreUnavailableError
from . import connections, stack
from .airflow_api import AirflowApi
from .home import Home
from .settings import connection_variable
from .stack import Say, Stack

if TYPE_CHECKING:
    from ..trueup.stores import Store

PARSED_SECONDS = 60.0
POLL_SECONDS = 0.5


Fill = Callable[[Callable[[str], "Store"]], Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A demo of some migrations: the function that fills each one's sample, and the connections that they use.

    They always lead to embedded stores here: a sample is never put into a store of the environment's."""

    fills: Mapping[str, Fill]
    conn_ids: frozenset[str]

    @classmethod
    def of(cls, migration_ids: Sequence[str]) -> Demo:
        """Raises `OptionsError` for a migration that does not exist or has no sample."""
        samples = {migration_id: _sample_of(migration_id) for migration_id in migration_ids}
        # a sample may need what another migration makes: `AFTER` names those that go first, if they are asked for
        before = {id: {*getattr(sample, "AFTER", ())} & samples.keys() for id, sample in samples.items()}
        fills = {migration_id: samples[migration_id].fill for migration_id in TopologicalSorter(before).static_order()}
        return cls(fills=fills, conn_ids=frozenset().union(*(connections.needed(m) for m in migration_ids)))

    def run(self, home: Home, running: Stack, given: Mapping[str, str], say: Say) -> bool:
        """Fill the samples and run the migrations, one after the other; whether all passed."""
        if elsewhere := sorted(self.conn_ids - running.embedded):
            raise OptionsError(
                f"in the stack that is up, {', '.join(elsewhere)} leads to no embedded store, and the demo puts its "
                "sample nowhere else: run `make down`, then `make demo`"
            )
        stores = stack.embedded_connections(home, given, self.conn_ids)
        passed = True
        for migration_id, fill in self.fills.items():
            began = time.monotonic()
            filled = fill(lambda conn_id: _store(stores[connection_variable(conn_id)]))
            rows = f"{sum(filled.values()):,} rows in {len(filled)} tables"
            say(f"sample     {time.monotonic() - began:5.1f} s   {rows}")
            passed &= _run(running, migration_id, say)
        return passed


def _sample_of(migration_id: str) -> Any:
    if migration_id not in project.migration_ids():
        known = ", ".join(project.migration_ids()) or "none"
        raise OptionsError(f"there is no migration {migration_id!r}; this project has: {known}")
    name = f"{migrations.__name__}.{migration_id}.sample"
    if find_spec(name) is None:
        raise OptionsError(
            f"migration {migration_id!r} has no sample: write {name.replace('.', '/')}.py, function fill"
        )
    return importlib.import_module(name)


def _store(connection: str) -> Store:
    """The store behind a connection that `settings` wrote, as JSON."""
    described = json.loads(connection)
    if described["conn_type"] == "aws":
        from ..trueup.stores.dynamodb import DynamoDBStore, client

        keys = {"aws_access_key_id": described["login"], "aws_secret_access_key": described["password"]}
        return DynamoDBStore(client(**described["extra"], **keys))
    from ..trueup.stores.postgres import PostgresStore

    return PostgresStore(f"postgresql://{described['login']}@/{described['schema']}?host={described['host']}")


def _run(running: Stack, dag_id: str, say: Say) -> bool:
    api = running.api
    _wait_until_parsed(api, dag_id)
    # whoever typed `make demo` wants to see it done; the form in the UI asks for approval
    asks = isinstance(project.load_migration(dag_id), Migration)
    run_id = api.trigger(dag_id, {"approval": False} if asks else {})
    say(f"\n{dag_id}: {running.url}/dags/{dag_id}/runs/{run_id}")
    began = time.monotonic()
    progress = Progress(lambda part: api.returned(dag_id, run_id, part.step, part.part))
    while True:
        state = api.run_state(dag_id, run_id)
        progress.update(_instance(described) for described in api.task_instances(dag_id, run_id))
        if state in ("success", "failed"):
            break
        time.sleep(POLL_SECONDS)
    from ..trueup.run.workspace import Workspace

    found = outcome.read(Workspace(running.workspace), dag_id, run_id)
    say("")
    for line in found.lines() if found else [f"The run ended as {state} and left no report."]:
        say(line)
    say(f"The run took {time.monotonic() - began:.0f} s")
    return state == "success" and found is not None and found.passed


def _wait_until_parsed(api: AirflowApi, dag_id: str) -> None:
    deadline = time.monotonic() + PARSED_SECONDS
    while not api.has_dag(dag_id):
        if errors := api.import_errors():
            raise OptionsError("Airflow could not import a DAG file:\n" + "\n".join(errors))
        if time.monotonic() > deadline:
            raise StoreUnavailableError(f"Airflow did not find a DAG {dag_id!r} in {PARSED_SECONDS:.0f} s; see dags/")
        time.sleep(POLL_SECONDS)


def _instance(described: Mapping[str, Any]) -> Instance:
    return Instance(
        step=described["task_id"],
        part=described["map_index"],
        state=described["state"],
        started=_time(described["start_date"]),
        ended=_time(described["end_date"]),
        attempt=described["try_number"],
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
