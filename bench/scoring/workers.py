"""Trueup as (e): in one process, or as Airflow runs it, each part of a step in one of several worker processes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.contestant import peak_bytes
from include.migrations.scoring_results.migration import migration
from include.trueup.ledger import Ledger, this_process
from include.trueup.report import report
from include.trueup.rows import duck
from include.trueup.run import Options, Run
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step, steps
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import carry_out, preflight, walk

Seen = Callable[[Step], None]


def trueup(uri: str, ledger_uri: str, workspace: str, workers: int) -> dict[str, Any]:
    """Plan, apply and prove every row; `steps` with the seconds of each, and the most memory that a process had."""
    run = run_of(uri, ledger_uri, workspace)
    laps, began, running = [], time.monotonic(), "preflight"

    def seen(step: Step) -> None:
        nonlocal began, running
        laps.append((running, time.monotonic() - began))
        began, running = time.monotonic(), f"{step.phase.id}: {step.id}" if step.phase else step.id

    if workers == 1:
        walk(replace(run, holder=this_process()), seen=seen)
        peak = peak_bytes()
    else:
        peak = _walk(run, workers, seen, (uri, ledger_uri, workspace))
    laps.append((f"{running}, report", time.monotonic() - began))
    rows = sum(phase.written for phase in run.ledger.applied(run.id).values())
    return {"rows": rows, "steps": laps, "partitions": run.chosen().partitions, "peak_bytes": peak}


def run_of(uri: str, ledger_uri: str, workspace: str) -> Run:
    """The run; the same from whichever process."""
    store = PostgresStore(uri)
    return Run(
        id="bench",
        dag_id=migration.id,
        migration=migration,
        options=Options(),
        ledger=Ledger(ledger_uri),
        workspace=Workspace(workspace),
        store=lambda _: store,
    )


def _walk(run: Run, workers: int, seen: Seen, given: tuple[str, str, str]) -> int:
    """What `steps.walk` does, the parts of a step in processes of their own; the most memory that one of them had."""
    preflight.preflight(run, None)
    run = run.chosen()
    peaks = [0]
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, given) as pool:
        for number, step in enumerate(steps(migration)):
            if not step.skipped(run.options.mode):
                seen(step)
                peaks += pool.map(_part, *zip(*((number, part) for part in run.parts(step)), strict=True))
    report(run)
    return max(peaks)


_worker: tuple[Run, ExitStack]
"""Of a worker process: the run, and what it keeps open for its parts."""


def _begin(*given: str) -> None:
    global _worker
    opened = ExitStack()
    scratch = opened.enter_context(tempfile.TemporaryDirectory(prefix="trueup-bench-"))
    database = opened.enter_context(duck.connect(Path(scratch)))
    _worker = replace(run_of(*given).chosen(), database=database), opened


def _part(step: int, part: int) -> int:
    run, _ = _worker
    carry_out(steps(migration)[step], run, part)
    return peak_bytes()
