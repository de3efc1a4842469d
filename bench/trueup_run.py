"""(c) Trueup's engine: the whole run, from preflight to report, and what each of its steps took."""

from __future__ import annotations

import time
from typing import Any

import psutil

IMPORT = "import Great Expectations"


class Laps:
    """Times steps that follow one another; the first one began when this process did."""

    def __init__(self) -> None:
        self.done: list[dict[str, Any]] = []
        """Of each step: `name`, and in seconds `wall` and `cpu` (of this process and of those that it waited for)."""
        self._began: float = psutil.Process().create_time()
        self._cpu = 0.0

    def end(self, step: str) -> None:
        """The step that was running is over."""
        now, cpu = time.time(), sum(psutil.Process().cpu_times()[:4])
        self.done.append({"name": step, "wall": now - self._began, "cpu": cpu - self._cpu})
        self._began, self._cpu = now, cpu


def trueup(endpoint: str, ledger_uri: str, workspace: str) -> dict[str, Any]:
    """Plan, apply and prove KPI linking, with partitions and segments as preflight chooses them.

    `steps`: see `Laps.done`, the imports among them; `rows`: target rows written; `parts`: into how many it went.
    """
    laps = Laps()
    from include.migrations.kpi_linking.migration import migration
    from include.trueup.ledger import Ledger, this_process
    from include.trueup.run import Options, Run
    from include.trueup.run.workspace import Workspace
    from include.trueup.steps import Step
    from include.trueup.stores.dynamodb import DynamoDBStore
    from include.trueup.walk import walk

    from . import data

    laps.end("start Python and import the engine")
    from include.trueup.gate import suites, tally  # noqa: F401  what the plan gate would import

    laps.end(IMPORT)
    store = DynamoDBStore(data.client(endpoint))
    ledger = Ledger(ledger_uri)
    run = Run(
        id="bench",
        dag_id=migration.id,
        migration=migration,
        options=Options(),
        ledger=ledger,
        workspace=Workspace(workspace),
        store=lambda _: store,
        holder=this_process(),
    )
    running = ["preflight"]

    def seen(step: Step) -> None:
        laps.end(running[0])
        running[0] = f"{step.phase.id}: {step.id}" if step.phase else step.id

    walk(run, seen=seen)
    laps.end(f"{running[0]}, report")
    rows = sum(phase.written for phase in ledger.applied(run.id).values())
    chosen = run.chosen().options
    ledger.close()
    parts = f"{chosen.partitions} partitions and {chosen.segments} segments"
    return {"steps": laps.done, "rows": rows, "parts": parts}
