"""One run of a DAG in this process (`dag.test()`), with calm output: `make run` starts it, by include/embedded.

`python -m trueup_airflow.process.one_run <dag id> <conf as JSON> <log file> <fd>`. Airflow's own output goes to the log file. When
the other end of the pipe `fd` is closed, whoever started this is gone, and this process ends at once.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import JsonValue

from include.console import outcome
from include.console.progress import Instance, Progress
from include.embedded.dag_ids import files_of
from include.project import migration_ids
from include.trueup.declare.names import one_of
from include.trueup.errors import OptionsError
from include.trueup.ledger import this_process

from . import mappers
from .conf import check_conf

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

    from include.trueup.run.workspace import Workspace

POLL_SECONDS = 0.3


def main(dag_id: str, conf: str, log: str, fd: str) -> int:
    """Run it; the exit status: 0 if the run passed, 1 if it failed, 2 if it could not be started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the starter as well, and it ends us
    threading.Thread(target=_end_with_starter, args=(int(fd),), daemon=True).start()
    out = _move_output(log)
    os.environ["TRUEUP_HOLDER"] = this_process()
    print(f"{dag_id}   (Airflow's log: {log})", file=out, flush=True)  # before Airflow is imported, which takes seconds
    try:
        dag = _find(dag_id)
        chosen = _unattended(dag, json.loads(conf))
        check_conf(dag, chosen)
    except OptionsError as error:
        print(error, file=out, flush=True)
        return 2
    try:
        return _run(dag, chosen, out)
    except Exception as error:  # noqa: BLE001 - whatever it was, a person must see that there was something
        traceback.print_exc()
        print(f"\nThe run broke off: {error}\nThe log has the details.", file=out, flush=True)
        return 1


def _run(dag: DAG, conf: dict[str, JsonValue], out: TextIO) -> int:
    began = time.monotonic()
    mappers.configure()
    progress = Progress(_returned, out)
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(progress, stop), daemon=True)
    watcher.start()
    try:
        dag_run = dag.test(run_conf=conf, logical_date=None)
    finally:
        stop.set()
        watcher.join()
    progress.update(_instances())
    ended = _outcome(dag_run)
    passed = dag_run.state == "success" and (ended.passed if ended else dag.dag_id not in migration_ids())
    without = [f"The run ended as {dag_run.state} and left no report{'' if passed else '; the log says why'}."]
    lines = ended.lines() if ended else outcome.without_report(_workspace(), dag_run.dag_id, dag_run.run_id) or without
    for line in ["", *lines]:
        progress.say(line)
    progress.say(f"The run took {time.monotonic() - began:.0f} s")
    return 0 if passed else 1


def _end_with_starter(fd: int) -> None:
    os.read(fd, 1)
    os._exit(1)


def _move_output(log: str) -> TextIO:
    """Send all that is printed from now on, by whatever library or child process, to the log; the real output."""
    out = os.fdopen(os.dup(1), "w")
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    return out


def _find(dag_id: str) -> DAG:
    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag

    folder = Path(conf.get("core", "dags_folder"))
    for place in (*files_of(dag_id, folder), folder):  # each file imports a migration, which takes its time
        bag = DagBag(str(place))
        if dag_id in bag.dags:
            break
    if dag_id in bag.dags:
        dag: DAG = bag.dags[dag_id]
        return dag
    errors = "".join(f"\n{file}: {error}" for file, error in bag.import_errors.items())
    raise OptionsError(f"there is no DAG {dag_id!r}; {one_of(dag_id, bag.dags)}{errors}")


def _unattended(dag: DAG, conf: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The conf of a run that nobody can be asked in: whoever started it here has approved it. Raises `OptionsError` for
    a conf that asks for approval."""
    if "approval" not in dag.params:
        return conf
    if conf.get("approval"):
        raise OptionsError(
            f"a run of {dag.dag_id} in this process cannot ask anybody for approval: trigger it in Airflow (make up)"
        )
    return {**conf, "approval": False}


def _watch(progress: Progress, stop: threading.Event) -> None:
    while not stop.wait(POLL_SECONDS):
        progress.update(_instances())


def _instances() -> list[Instance]:
    """The tasks of the one run in this process's database."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        columns = (
            TaskInstance.task_id,
            TaskInstance.map_index,
            TaskInstance.state,
            TaskInstance.start_date,
            TaskInstance.end_date,
            TaskInstance.try_number,
        )
        rows = session.execute(select(*columns)).all()
    return [
        Instance(
            step=row.task_id,
            part=row.map_index,
            state=row.state,
            started=row.start_date,
            ended=row.end_date,
            attempt=row.try_number,
        )
        for row in rows
    ]


def _returned(part: Instance) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(XComModel.value).where(
            XComModel.task_id == part.step, XComModel.map_index == part.part, XComModel.key == "return_value"
        )
        value = session.scalar(query)
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:  # a text that a task returned, which Airflow keeps as it is
        return value


def _outcome(dag_run: DagRun) -> outcome.Outcome | None:
    return outcome.read(_workspace(), dag_run.dag_id, dag_run.run_id)


def _workspace() -> Workspace:
    from .. import connections

    return connections.workspace()


def _end(status: int) -> None:
    """End this process at once: to take down all that Airflow has imported would take seconds, and change nothing."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    _end(main(*sys.argv[1:]))
