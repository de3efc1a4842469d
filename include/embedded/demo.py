"""`make demo`: a migration's sample in its legacy tables, one run over Airflow's REST API, and its outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from .. import project
from ..console import outcome
from ..console.progress import Instance, Progress
from ..trueup.declare.migration import Migration
from ..trueup.errors import OptionsError, StoreUnavailableError
from . import samples, stack
from .airflow_api import AirflowApi
from .home import Home
from .samples import Samples
from .stack import Say, Stack

PARSED_SECONDS = 60.0
POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A demo of some migrations, over their samples in embedded stores."""

    samples: Samples

    @classmethod
    def of(cls, migration_ids: Sequence[str]) -> Demo:
        """Raises `OptionsError` for a migration that does not exist or has no sample."""
        return cls(samples=Samples.of(migration_ids))

    def run(self, home: Home, running: Stack, given: Mapping[str, str], say: Say) -> bool:
        """Fill the samples and run the migrations, one after the other; whether all passed."""
        samples.elsewhere(running.embedded, self.samples.conn_ids)
        variables = stack.embedded_connections(home, given, self.samples.conn_ids)
        passed, page = True, ""
        for migration_id in self.samples.modules:
            self.samples.fill(migration_id, variables, say)
            its_own, page = _run(running, migration_id, say)
            passed &= its_own
            last = migration_id
        for line in to_try(last, page) if passed else ():
            say(line)
        return passed


def to_try(migration_id: str, page: str) -> list[str]:
    """What to do next with the migration that was run last, whose run has that page."""
    of_rows = isinstance(project.load_migration(migration_id), Migration)
    again = f"Trigger {migration_id} again in the UI: there is nothing to do, and that is proven, too."
    if of_rows:
        second = f"Trigger {migration_id}_rollback: read what would be taken back, and approve or reject it."
    else:
        second = (
            f"Trigger {migration_id} with the phase before: read what would be taken back, and approve or reject it."
        )
    third = f"Read the report, and download it: {page}, then “Report”."
    return [
        "",
        f"The run’s page: {page}",
        "Three things to try there:",
        *(f"  {n}. {t}" for n, t in enumerate((again, second, third), 1)),
    ]


def _run(running: Stack, dag_id: str, say: Say) -> tuple[bool, str]:
    """Whether the run passed, and its page."""
    api = running.api
    _wait_until_parsed(api, dag_id)
    # whoever typed `make demo` wants to see it done; the form in the UI asks for approval
    asks = isinstance(project.load_migration(dag_id), Migration)
    run_id = api.trigger(dag_id, {"approval": False} if asks else {})
    page = f"{running.url}/dags/{dag_id}/runs/{quote(run_id, safe='')}/plugin/migration"
    say(f"\n{dag_id}: {page}")
    began = time.monotonic()
    progress = Progress(lambda part: api.returned(dag_id, run_id, part.step, part.part))
    while True:
        state = api.run_state(dag_id, run_id)
        progress.update(_instance(described) for described in api.task_instances(dag_id, run_id))
        if state in ("success", "failed"):
            break
        time.sleep(POLL_SECONDS)
    from ..trueup.run.workspace import Workspace

    result = outcome.read(Workspace(running.workspace), dag_id, run_id)
    say("")
    for line in result.lines() if result else [f"The run ended as {state} and left no report."]:
        say(line)
    say(f"The run took {time.monotonic() - began:.0f} s")
    return state == "success" and result is not None and result.passed, page


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
