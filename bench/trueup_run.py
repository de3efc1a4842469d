"""(c) Trueup's engine: the whole run, from preflight to report, and what each of its steps took."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import psutil

IMPORT = "import Great Expectations"


@dataclass(frozen=True, kw_only=True)
class Lap:
    """What a step took: wall seconds, and CPU seconds of this process and of those that it started and waited for."""

    step: str
    seconds: float
    cpu: float


class Laps:
    """Times steps that follow one another; the first one began when this process did."""

    def __init__(self) -> None:
        self.done: list[Lap] = []
        self._began = psutil.Process().create_time()
        self._cpu = 0.0

    def end(self, step: str) -> None:
        """The step that was running is over."""
        now, cpu = time.time(), sum(psutil.Process().cpu_times()[:4])
        self.done.append(Lap(step=step, seconds=now - self._began, cpu=cpu - self._cpu))
        self._began, self._cpu = now, cpu


def trueup(endpoint: str, ledger_uri: str, workspace: str) -> dict[str, Any]:
    """Plan, apply and prove KPI linking, with partitions and segments as preflight chooses them.

    `steps`: its `Lap`s, with the imports among them; `rows`: target rows written; `headline`: the report's verdict.
    """
    laps = Laps()
    from include.migrations.kpi_linking.migration import migration
    from include.trueup.ledger import Ledger, this_process
    from include.trueup.run import Options, Run
    from include.trueup.steps import Step, walk
    from include.trueup.stores.dynamodb import DynamoDBStore, client
    from include.trueup.workspace import Workspace

    from .data import ACCESS

    laps.end("start Python and import the engine")
    from include.trueup import gate_suites, gate_tally  # noqa: F401  what the plan gate would import

    laps.end(IMPORT)
    store = DynamoDBStore(client(endpoint_url=endpoint, **ACCESS))
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

    verdict = walk(run, seen=seen)
    laps.end(f"{running[0]}, report")
    applied = ledger.applied(run.id)
    chosen = run.folder.read_json("run.json")["options"]
    ledger.close()
    return {
        "steps": [asdict(lap) for lap in laps.done],
        "rows": sum(phase["written"] for phase in applied.values()),
        "headline": verdict["headline"],
        "partitions": chosen["partitions"],
        "segments": chosen["segments"],
    }
