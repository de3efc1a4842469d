"""Laws of what is told: each source row that is not written has a finding that says why, and nothing is written over that could not
be put back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from include.trueup.ledger import RunRow
from include.trueup.ledger.tables import transitions
from include.trueup.run import Run, Window
from include.trueup.steps import StepName, entered

from .databases import Row
from .declared import BENDS, by_trigger, day, rejected
from .scheduling import BEGINNING
from .second import table_of

if TYPE_CHECKING:
    from .world import World


def not_done(run: Run, plan: str | None) -> list[str]:
    """The steps of a run that is proven, from the gate on, that were not done for its plan, by the ledger. One that is tried once more
    meanwhile was done, as was the approval once the plan is approved, whatever became of its try."""
    rows = {(row.step, row.part): row for row in run.ledger.steps(run.id)}
    decided = plan is not None and run.ledger.approvals.of(run.id, plan)
    ids, missing = [step.id for step in run.steps], list[str]()
    for step in run.steps[ids.index(StepName.PLAN_GATE) :]:
        name = entered(step.id, step.phase.id if step.phase else None)
        for part in () if step.skipped(run.options.mode) else run.parts(step):
            row = rows.get((name, str(part)))
            done = row is not None and row.error is None and row.plan_sha256 == plan
            if not done and not (step.id == StepName.APPROVE and decided and decided.decision != "rejected"):
                missing.append(f"{run.id} is proven, and {name}[{part}] was not done for its plan")
    return missing


def _rejects(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """10. What is rejected is counted, and has a finding with its code."""
    for id, seen in world.oracle.runs.items():
        row = rows.get(id)
        if seen.report is None or row is None or row.undoes is not None:
            continue
        report = json.loads(seen.report)
        told = Counter[str]()
        for finding in report["findings"]:
            told[finding["code"]] += finding["count"] if finding["severity"] == "reject" else 0
        counted = sum(phase["rejected"] for phase in report["plan"]["phases"])
        sources, versions = world.oracle.sources_of(id), world.versions_used()
        window = next(run.given.options.window for run in world.runs if run.id == id)
        ways = [Counter(_codes(world, state, version, window)) for state in sources for version in versions]
        for code in sorted({code for way in ways for code in way}):
            least, most = min(way[code] for way in ways), max(way[code] for way in ways)
            if not (0 if seen.blind and code == "unwritable" else least) <= told[code] <= most:
                yield f"{id} is proven, and tells of {told[code]} rows that are {code}; there were {least} to {most}"
        if counted != sum(told.values()):
            yield f"{id} is proven, counts {counted} rows as rejected, and tells of {sum(told.values())}"


def _codes(world: World, state: dict[str, Row], version: int, window: Window | None) -> Iterator[str]:
    for row in state.values():
        if (window is None or day(row) == window.start.day) and (code := rejected(row, version, world.setup)):
            yield code


def _unread(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """10. A row that is in no window is told of by each run that has one."""
    for run in world.runs:
        seen, row = world.oracle.runs.get(run.id), rows.get(run.id)
        if seen is None or seen.report is None or row is None or run.given.options.window is None:
            continue
        told = [f["count"] for f in json.loads(seen.report)["findings"] if f["code"] == "unreadable_window"]
        phases = len(world.places.targets)  # each accounts for its rows
        states = world.oracle.sources_of(run.id)
        none = [phases * sum(day(each) is None for each in state.values()) for state in states]
        if none and not min(none) <= sum(told) <= max(none):
            yield f"{run.id} is proven, and tells of {sum(told)} rows in no window; there were {min(none)} to {max(none)}"


def _outside(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """6. What lies outside of a run's window is neither written nor removed."""
    yield from world.oracle.outside


def _waiting(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """4. A run that waits for a person keeps its place as long as its plan may be approved."""
    with world.places.ledger._begin() as connection:
        moves = (
            connection.execute(transitions.select().where(transitions.c.to_status == "interrupted")).mappings().all()
        )
    for move in moves:
        at = move["at"].timestamp() - BEGINNING
        run = next(each for each in world.runs if each.id == move["run_id"])
        for since, until in run.waited:
            if since < at < until:
                yield f"{run.id} waited for a person since {since:.0f} s, and at {at:.0f} s {move['reason']}"


def _numbers(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """10. What a run writes is no number that the target gives to others afterwards."""
    yield from world.oracle.taken_again
    for run in world.runs if world.setup.numbered else ():
        row, wrote = (
            rows.get(run.id),
            [c.point for c in world.oracle.changes if c.run == run.id and table_of(c.key) == "persons"],
        )
        if row is None or row.undoes is not None or row.status != "proven" or not wrote:
            continue
        if world.oracle.advanced.get(run.id, 0) < wrote[-1]:
            yield f"{run.id} is proven, and the target may give the numbers again that it wrote"


def _set_off(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """1. What a trigger makes of other rows when a run writes is not proven, and the proof that fails names the trigger."""
    yield from world.oracle.unnamed
    for id, seen in world.oracle.runs.items() if world.setup.trigger else ():
        if seen.proven_at is None or not seen.gated:
            continue
        read_at = seen.last_read_at or 0
        plan, row = seen.gated[-1], rows.get(id)
        plan = next((p for p in seen.gated[::-1] if row is not None and p.sha256 == row.plan_sha256), plan)
        for key in {change.key for change in world.oracle.changes if change.run == id}:
            last = [c for c in world.oracle.changes if c.key == key and plan.point < c.point < read_at][-1:]
            verb, _, new = plan.rows.get(key, ("nothing", None, None))
            if last and last[0].run == id and verb not in ("add", "change", "remove") and last[0].new != new:
                yield f"{id} is proven, and its writing made {key} {last[0].new}; its plan said {verb} {new}"


def unnamed(world: World, error: Exception, run: str) -> Iterator[str]:
    """The proof of a run that found the target with its trigger, which altered what it wrote, says so."""
    changes = [(c, c.approved) for c in world.oracle.changes if c.run == run]
    rows = [(c, plan.rows.get(c.key, ("", None, None))[2]) for c, plan in changes if plan]
    if not any(c.new != new and by_trigger(world.setup, new, c.new) for c, new in rows):
        return
    with world.looking():
        begun = next(each.given for each in world.runs if each.id == run).files.begun
    if begun is not None and "persons" in begun.targets_present and BENDS not in str(error):
        yield f"{run} finds rows otherwise than planned, and does not name {BENDS}: {error}"[:300]


def _for_good(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """7. Nothing is written over that no rollback could put back."""
    for change in world.oracle.changes:
        if not change.run or world.setup.kind != "postgres" or change.old is None or change.old[-1] is None:
            continue
        run = next(each for each in world.runs if each.id == change.run)
        if run.given.undoes is None:
            yield f"{change.process} wrote over {change.key}, which held {change.old[-1]}: no rollback puts that back"


LAWS: tuple[tuple[int, Callable[[World, dict[str, RunRow]], Iterator[str]]], ...] = (
    (10, _rejects),
    (10, _unread),
    (10, _numbers),
    (1, _set_off),
    (6, _outside),
    (4, _waiting),
    (7, _for_good),
)
