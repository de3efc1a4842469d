"""`make run`: one run in a process of its own, in its own right or beside another, and gone without a trace if killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import great_expectations.expectations as gxe
import pandas as pd
import psutil
import pytest

from include.embedded import postgres
from include.embedded.home import Home
from include.trueup.gate import evaluate
from include.trueup.run import Files
from include.trueup.run.workspace import Workspace

from .conftest import Command

Running = Callable[[], list[psutil.Process]]


@pytest.mark.slow
def test_runs_at_once_do_not_disturb_each_other_and_the_last_one_stops_the_stores(
    home: Home, launch: Command, running: Running
) -> None:
    runs = [launch("run", "stub", conf) for conf in ("{}", '{"fail": true}')]
    passed, failed = (run.communicate(timeout=240)[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 1], (passed, failed)
    work = next(line for line in passed.splitlines() if line.split()[:1] == ["work"])
    assert work.split()[1:3] == ["2", "parts"]
    assert work.endswith("rows 30")
    assert "FAILED" in failed
    assert "(2 of 2 parts)" in failed
    log = next(word.rstrip(")") for word in failed.split() if word.startswith(str(home.logs)))
    assert "ValueError: as asked" in Path(log).read_text()
    assert running() == []
    assert [file.suffix for file in (home.airflow / "in-process").iterdir()] == [".db"]


@pytest.mark.slow
def test_a_killed_run_takes_all_its_processes_with_it_and_the_next_one_goes_on(
    home: Home, launch: Command, running: Running
) -> None:
    run = launch("run", "stub", '{"seconds": 60}')
    _wait_until(lambda: any("trueup_airflow.process.one_run" in " ".join(process.cmdline()) for process in running()))
    run.send_signal(signal.SIGKILL)
    run.wait()
    _wait_until(lambda: {process.name() for process in running()} == {"postgres"})  # nobody was left to stop it
    server = postgres.find(home.postgres)
    assert server
    psutil.Process(server.pid).kill()  # and now that is dead as well
    said, _ = (after := launch("run", "stub", "{}")).communicate(timeout=180)
    assert after.returncode == 0, said
    assert running() == []


@pytest.mark.slow
def test_sigterm_ends_a_run_and_stops_the_stores(launch: Command, running: Running) -> None:
    run = launch("run", "stub", '{"seconds": 60}')
    _wait_until(lambda: any("trueup_airflow.process.one_run" in " ".join(process.cmdline()) for process in running()))
    run.terminate()
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM
    assert "the same command goes on" in said
    assert running() == []


@pytest.mark.slow
def test_what_cannot_be_run_is_refused_in_a_sentence(launch: Command) -> None:
    refused = {
        ("stub", "{"): "CONF is not JSON",
        ("stub", "[]"): "must be a JSON object",
        ("stub", '{"seconds": -1}'): "CONF does not fit stub: seconds is -1; it is a number from 0\n",
        ("stub", '{"secnods": 1}'): "there is no param 'secnods'; did you mean 'seconds'? There are: fail, seconds\n",
        ("stab", "{}"): "there is no DAG 'stab'; did you mean 'stub'? There are: stub\n",
    }
    runs = {asked: launch("run", *asked) for asked in refused}
    for asked, message in refused.items():
        said, _ = runs[asked].communicate(timeout=240)
        assert runs[asked].returncode == 2, said
        assert message in said


@pytest.mark.slow
def test_data_docs_are_built_where_the_workspace_is_and_what_cannot_be_is_told(
    launch: Command, workspace: Workspace
) -> None:
    suite = [gxe.ExpectTableRowCountToEqual(value=1)]
    result = evaluate(lambda: [*suite], [pd.DataFrame({"_key": ["k"]})], gate="rows")
    Files(workspace.run("run-1")).write_gate("plan", [result])
    asked = {"run-1": (0, "Data Docs: "), "run-2": (1, "no gate of a run 'run-2'"), "../run-1": (2, "say which run")}
    commands = {id: launch("data-docs", id, TRUEUP_WORKSPACE=workspace.uri) for id in asked}
    for id, (status, message) in asked.items():
        said, _ = commands[id].communicate(timeout=240)
        assert (commands[id].returncode, message in said) == (status, True), said
    assert Files(workspace.run("run-1")).has_docs()


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow  # what keeps them from it is held by `tests/dags/test_mappers.py`
def test_two_threads_that_need_airflows_models_at_once_do_not_wait_for_each_other(launch: Command) -> None:
    run = launch("run", "stub", "{}", TRUEUP_DAGS_FOLDER=str(Path(__file__).parent / "slow_models"))
    said, _ = run.communicate(timeout=90)
    assert run.returncode == 0, said
