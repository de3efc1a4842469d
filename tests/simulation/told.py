"""Laws of names and numbers: a plan's name is that of one plan, a run of the engine is one of Airflow, and what a report counts is
what there was, and it calls proven what the ledger does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from include.trueup.ledger import RunRow, Status
from include.trueup.plan.files import VERBS, WRITTEN
from include.trueup.run.files import REPORT

if TYPE_CHECKING:
    from .seen import Plan
    from .world import World


def _named(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """3. Two plans that would write otherwise have two names."""
    first: dict[str, tuple[str, Plan]] = {}
    for id, seen in world.oracle.runs.items():
        for plan in seen.gated:
            if plan.sha256 is None or not plan.sure:
                continue
            run, former = first.setdefault(plan.sha256, (id, plan))
            if former.written != plan.written:
                yield f"{id} has a plan of the name of one of {run}, and it would write {plan.written}, not {former.written}"


def _one_run(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """5. Two runs of Airflow are never one run here."""
    for change in (*world.oracle.changes, *world.oracle.vain):
        row = rows.get(change.run)
        if row is not None and change.process.partition("/")[0] != row.airflow_run_id:
            yield f"{change.process} wrote {change.key} for {change.run}, which is Airflow's run {row.airflow_run_id}"


def _one_place(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """10. A run that is proven has read its source where that was when it began, and nowhere else."""
    for id, seen in world.oracle.runs.items():
        row = rows.get(id)
        newest = {name.partition("#")[0]: at for name, at in sorted(seen.led.items(), key=lambda each: _try(each[0]))}
        led = sorted({*newest.values()})
        if seen.report is not None and row is not None and row.status == Status.PROVEN and len(led) > 1:
            yield f"{id} is proven, and has found its source in {' and '.join(led)}"


def _try(process: str) -> int:
    return int(process.partition("#")[2].partition(" ")[0])


def _counted(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """10. A report counts the rows of its plan, says of each that is to be written what became of it, and lists those that were
    left alone."""
    for id, seen in world.oracle.runs.items():
        row = rows.get(id)
        plan = seen.named(row.plan_sha256) if row is not None else None
        if seen.report is None or plan is None or not plan.sure:
            continue
        report = json.loads(seen.report)
        verbs, told = Counter(verb for verb, _, _ in plan.rows.values()), Counter[str]()
        for phase in report["plan"]["phases"]:
            told.update({verb: phase["rows"].get(verb, 0) for verb in VERBS})
        if +told != verbs:
            yield f"{id} is proven, and tells of {dict(+told)}; its plan has {dict(verbs)}"
        compared = sum(proof[name] for proof in report["proof"] for name in ("compared", "left_alone", "moved_on"))
        if compared != len(plan.rows):
            yield f"{id} is proven, and has compared {compared} rows; its plan has {len(plan.rows)}"
        done = Counter[str]()
        for applied in report["applied"]:
            done.update({name: applied[name] for name in ("rows", "written", "conflicts", "refused")})
        wanted = sum(verbs[verb] for verb in WRITTEN)
        if report["run"]["mode"] == "apply" and {done["rows"], done.total() - done["rows"]} != {wanted}:
            yield f"{id} is proven, and tells of {dict(done)}; {wanted} rows were to be written"
        if report["verdict"]["exceptions"] != len(report["exceptions"]):
            yield f"{id} is proven with {report['verdict']['exceptions']} exceptions, and lists {len(report['exceptions'])}"


def _moved_on(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """1. A row that a plan leaves as it is, and that somebody changes before it is read back, has moved on, and is counted."""
    for id, seen in world.oracle.runs.items() if not world.setup.trigger else ():
        row = rows.get(id)
        plan = seen.named(row.plan_sha256) if row is not None and row.undoes is None else None
        if seen.report is None or plan is None or not plan.sure or seen.hidden:
            continue
        others = [
            [state != new for state in seen.read(key)] for key, (verb, _, new) in plan.rows.items() if verb == "keep"
        ]
        least, most = sum(bool(each) and all(each) for each in others), sum(any(each) for each in others)
        told = sum(proof["moved_on"] for proof in json.loads(seen.report)["proof"])
        if not least <= told <= most:
            yield f"{id} is proven, and tells of {told} rows that have moved on; there were {least} to {most}"


def _as_the_ledger_has(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """5. No report says that a run is proven which the ledger does not have as that, or has forgotten."""
    for run in world.runs:
        row, written = rows.get(run.id), run.given.files.reported(REPORT)
        status = json.loads(written)["run"]["status"] if written else None
        if status == Status.PROVEN and (row is None or row.status not in (Status.PROVEN, Status.ROLLED_BACK)):
            yield f"the report of {run.id} says that it is proven, and by the ledger it is {row and row.status}"


LAWS: tuple[tuple[int, Callable[[World, dict[str, RunRow]], Iterator[str]]], ...] = (
    (1, _moved_on),
    (3, _named),
    (5, _one_run),
    (5, _as_the_ledger_has),
    (10, _counted),
    (10, _one_place),
)
