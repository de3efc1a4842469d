"""Tries of tasks, each in a process of its own: `python -m tests.simulation.real.trying <socket>` has all imported that they
need, and makes one by a fork whenever the parent asks for it, since an import takes seconds.

A child is told what it is to do (`Task`) by the parent, does it as a task of Airflow does, says what came of it, and ends.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Client
from typing import Any

from include.trueup.run import Run
from include.trueup.stores.dynamodb import client

from ..history import History, Setup
from ..playing import play
from ..tries import Job, carry
from ..twins import WorkspaceTwin
from ..world import folder
from .machine import Machine
from .stores import ToldDynamoDB, ToldLedger, ToldPostgres, tell_commits


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a child does: a job of a run, which is given without what it reaches: that is made here, at these addresses. `stores`:
    of each connection its kind, where it is, and what it is called in effects."""

    name: str
    job: Job
    given: dict[str, Any]
    ledger: str
    workspace: str
    stores: dict[str, tuple[str, str, str]]
    batch_rows: int


def dynamodb_client(endpoint: str) -> Any:
    """A client of an engine on this machine, which tries once: the store's own wire tries again."""
    return client(
        endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
    )


def run_of(task: Task, machine: Machine) -> Run:
    """The run, with what it reaches."""
    effects = machine.effects()
    made: dict[str, Any] = {}

    def store(connection: str) -> Any:
        if connection not in made:
            kind, address, name = task.stores[connection]
            made[connection] = (
                ToldPostgres(address, machine, name)
                if kind == "postgres"
                else ToldDynamoDB(dynamodb_client(address), machine, name)
            )
            made[connection].batch_rows = task.batch_rows
        return made[connection]

    return Run(
        **task.given,
        ledger=ToldLedger(task.ledger, machine),
        workspace=WorkspaceTwin(task.workspace, effects, machine.hook),  # type: ignore[arg-type]
        store=store,
        effects=effects,
    )


def _child(address: str, token: int) -> None:
    machine = Machine(address, token)
    task: Task = machine.connect(0)
    machine.name = task.name
    tell_commits(machine)
    try:
        said = carry(task.job, run_of(task, machine))
    except Exception as error:
        held_by = getattr(error, "held_by", None)
        machine.say("raised", type(error).__module__, type(error).__qualname__, str(error), held_by)
    else:
        machine.say("said", said)


def _warm() -> None:
    """Play a history in which nothing happens, over the twins: what is made ready at its first use is ready in every child."""
    with folder() as place:
        play(History(seed=-1, setup=Setup(rows=1)), place)


def main(address: str) -> None:
    """Fork whenever the parent asks for it."""
    warnings.simplefilter("ignore")
    logging.getLogger("include.trueup").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    _warm()
    gc.freeze()  # what all children have from here on, none of them copies to count references
    asking = Client(address)
    asking.send((-1, 0, os.getpid()))
    while True:
        try:
            token = asking.recv()
        except EOFError:
            os._exit(0)  # what is imported has nothing to tidy up
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _child(address, token)
            except (EOFError, ConnectionError):
                pass  # the parent wants no more of it
            finally:
                sys.stdout.flush()
                os._exit(0)


def given_of(run: Run) -> dict[str, Any]:
    """A run without what it reaches, to be sent."""
    names = ("id", "dag_id", "airflow_run_id", "migration", "options", "holder", "undoes")
    return {name: getattr(run, name) for name in names}


if __name__ == "__main__":
    main(sys.argv[1])
