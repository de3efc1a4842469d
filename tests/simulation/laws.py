"""The laws of a proof, each judged by itself from what the oracle knows. A breach has the law's number and says shortly what
broke it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from include.trueup.ledger import RunRow, Status
from include.trueup.ledger.tables import leases, transitions
from include.trueup.plan.files import WRITTEN
from include.trueup.run.files import REPORT, Files

from . import accounts, right, told
from .databases import Row
from .declared import by_trigger, day, should
from .history import Setup
from .scheduling import BEGINNING
from .second import label, label_of

if TYPE_CHECKING:
    from .oracle import Change, Seen
    from .world import World


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A law that was broken: its number (0: the engine raised what it never should), and how."""

    law: int
    why: str


def judge(world: World) -> list[Breach]:
    """Every breach of every law."""
    with world.looking():
        rows = {row.run_id: row for row in world.places.ledger.runs()}
        return [Breach(law=law, why=why) for law, each in LAWS for why in each(world, rows)]


def _errors(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    for kind, run, what in world.oracle.errors:
        yield f"{kind} {run}: {what}"


def _proven(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """1. Proven is about the rows that should be."""
    for id, seen in world.oracle.runs.items():
        row = rows.get(id)
        if row is None or row.undoes is not None or row.status not in _ENDED or not seen.gated:
            continue
        plan = next((p for p in seen.gated[::-1] if p.sha256 == row.plan_sha256), seen.gated[-1])
        written = seen.report or Files(world.places.workspace.run(id)).reported(REPORT)
        report = json.loads(written) if written else None
        if report is None:
            if row.status == Status.PROVEN:  # one that is rolled back may not even have been
                yield f"{id} is proven and has no report"
            continue
        if report["run"]["status"] != Status.PROVEN:
            continue  # the try that had it proven was killed before it said so
        exceptions = {e["key"] for e in report.get("exceptions", [])}
        clean = report["verdict"].get("proof") == "proven"
        most = next(run.given for run in world.runs if run.id == id).max_left_alone
        if most is not None and len(exceptions) > most:
            yield f"{id} is proven, and left {len(exceptions)} rows alone; {most} were allowed"
        wanted = expected(world, id)
        for key in sorted({*wanted, *plan.rows}):
            verb, _, new = plan.rows.get(key, ("", None, None))
            if (allowed := wanted.get(key)) is not None:
                yield from _planned(id, key, verb, new, allowed | _not_unique(world, seen, key, wanted))
            yield from _found(id, key, verb, new, seen, clean=clean, listed=key in exceptions)


def _not_unique(world: World, seen: Seen, key: str, wanted: dict[str, set[Row | None]]) -> set[Row | None]:
    """Where no two rows may have one name: nothing, if another row may have this one's."""
    names = {row[1] for row in wanted[key] if row is not None and row[1] is not None}
    others = {row for other, rows in wanted.items() if other != key for row in rows}
    others |= {row for state in seen.targets for other, row in state.items() if other != key}
    meets = world.setup.unique and any(row is not None and row[1] in names for row in others)
    return {None} if meets else set()


def _planned(id: str, key: str, verb: str, new: Row | None, allowed: set[Row | None]) -> Iterator[str]:
    if verb in ("add", "change", "keep") and new not in allowed:
        yield f"{id} is proven, and its plan says of {key} {new}, which should be {allowed}"
    if None not in allowed and not verb:
        yield f"{id} is proven, and its plan says nothing of {key}, which should be {allowed}"


def _found(id: str, key: str, verb: str, new: Row | None, seen: Seen, *, clean: bool, listed: bool) -> Iterator[str]:
    states = seen.read(key)
    excepted = listed and not clean
    if verb in ("add", "change") and states and set(states) == {None}:
        yield f"{id} is proven, and {key} was not there whenever it was read back"
    if verb in ("add", "change") and new not in states and not excepted:
        yield f"{id} is proven, and {key} was never {new} when it was read back, but {states[-1:]}"
    if verb == "remove" and None not in states and not excepted and key not in seen.hidden:
        yield f"{id} is proven, and {key} was there when it was read back, which was to be removed"
    if verb == "drift" and clean:
        yield f"{id} is proven without exceptions, and left {key} alone"
    if verb == "keep" and clean and new is not None and new not in [state.get(key) for state in seen.targets]:
        yield f"{id} is proven, and keeps {key} as {new}, which it never was when it was read"


def expected(world: World, run: str) -> dict[str, set[Row | None]]:
    """What the target may hold for each key, by the states of the source that the run may have read."""
    sources, found = world.oracle.sources_of(run), dict[str, set[Row | None]]()
    options = next(each.given.options for each in world.runs if each.id == run)
    versions = world.versions_used()
    ways = [world.setup, replace(world.setup, unfit=False)] if world.oracle.seen(run).blind else [world.setup]

    def wanted(row: Row | None, version: int, way: Setup) -> Row | None:
        outside = options.window is not None and day(row) != options.window.start.day
        return None if outside else should(row, version, way)

    for key in {key for state in sources for key in state}:
        found[key] = {wanted(state.get(key), version, way) for state in sources for version in versions for way in ways}
    if world.setup.second:
        found |= {label_of(key): {label(row) for row in rows} for key, rows in found.items()}
    return found


def _as_approved(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """3. What was gated is what was shown, approved and applied."""
    for change in world.oracle.changes:
        if not change.run or _under_way(world, change):
            continue
        plan = change.approved
        if plan is None:
            yield f"{change.process} wrote {change.key}, and nobody had approved a plan of {change.run}"
            continue
        verb, old, new = plan.rows.get(change.key, ("nothing", None, None))
        if by_trigger(world.setup, new, change.new):
            continue
        if verb not in ("add", "change", "remove") or new != change.new:
            yield f"{change.process} wrote {change.key} as {change.new}; approved was {verb} {new}"
        elif old != change.old:
            yield f"{change.process} wrote over {change.key}, which was {change.old}; the plan was made for {old}"
        yield from _drift(world, change)
    yield from world.oracle.unasked
    for id, seen in world.oracle.runs.items():
        gated = [p.rows for p in seen.gated]
        yield from _own(world, id, rows.get(id))
        for plan in seen.approved:
            if plan.rows not in gated:
                yield f"{id}: a plan was approved that had not passed its gate"


def _under_way(world: World, change: Change) -> bool:
    """Whether it is what a former plan of the run said that was approved, and the last one does not. DynamoDB takes a request of
    a process that stood still as it sent it: whether it may, and of how many, law 4 says."""
    if change.approved is None or world.setup.kind != "dynamodb":
        return False
    plans = (*world.oracle.seen(change.run).approved, change.approved)
    said = [plan.rows.get(change.key, ("nothing", None, None)) for plan in plans]
    does = [row[0] in WRITTEN and row[1:] == (change.old, change.new) for row in said]
    return any(does) and not does[-1]


def _drift(world: World, change: Change) -> Iterator[str]:
    """A row that an application has changed since a run wrote it is not written over, unless that was asked for."""
    run = next(each for each in world.runs if each.id == change.run)
    options = run.given.options
    if run.given.undoes is not None or options.overwrite_drift or options.allow_lost_baseline or change.old is None:
        return
    before = [c for c in world.oracle.changes if c.key == change.key and c.point < change.point]
    if any(run.given.undoes is not None for run in world.runs) or not before or before[-1].run:
        return
    written = {c.new for c in before if c.run} | {c.old for c in before if c.run}
    kept = [plan.rows.get(change.key) for seen in world.oracle.runs.values() for plan in seen.gated]
    written |= {row[2] for row in kept if row is not None and row[0] == "keep"}  # it was as it should be
    if any(c.run for c in before) and change.old not in written:
        yield f"{change.process} wrote over {change.key}, which an application had made {change.old}"


def _own(world: World, id: str, row: RunRow | None) -> Iterator[str]:
    """What a run, or its earlier plan, wrote is told from what others wrote."""
    seen = world.oracle.runs[id]
    if row is None or row.undoes is not None or world.oracle.pruned:
        return
    if any(run.given.undoes is not None for run in world.runs):
        return
    for plan in seen.gated:
        for key, (verb, old, _) in plan.rows.items():
            before = [c for c in world.oracle.changes if c.key == key and c.point < plan.point]
            ours = key not in seen.misread  # else its earlier plan knew of no such row
            if ours and verb == "drift" and before and before[-1].run and before[-1].new == old:
                yield f"{id} takes {key} for somebody else's work, which {before[-1].process} wrote"


def _since(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """4. Nothing of a plan is written any more once another run has written since it was made."""
    mine = [
        c for c in world.oracle.changes if c.run and c.held == c.run and not c.late
    ]  # others are judged by their right
    for n, change in enumerate(mine):
        if change.approved is None:
            continue
        since = (c for c in mine[:n] if c.run != change.run and c.point > change.approved.point)
        if (other := next(since, None)) is not None:
            yield f"{change.process} wrote {change.key} of a plan since which {other.process} had written"


def _claims(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """4. The right to write is taken for no plan since whose approval another run has taken it."""
    with world.places.ledger._begin() as connection:
        taken = connection.execute(leases.select().where(leases.c.right_at.is_not(None))).mappings().all()
    rights = sorted((row["right_at"].timestamp() - BEGINNING, row["run_id"]) for row in taken)
    for at, run in rights:
        plans = [plan.at for plan in world.oracle.seen(run).approved if plan.at < at]
        if not plans:
            yield f"{run} took the right to write, and nobody had approved a plan of it"
        others = [other for then, other in rights if plans and max(plans) < then < at and other != run]
        if others:
            yield f"{run} took the right to write of a plan since which {others[-1]} had taken it"


_OVER = (Status.PROVEN, Status.ROLLED_BACK, Status.PLANNED)
_ENDED = {Status.PROVEN: {Status.PROVEN, Status.ROLLED_BACK}, Status.ROLLED_BACK: {Status.ROLLED_BACK}}


def _ended(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """5. A run that ended stays ended."""
    with world.places.ledger._begin() as connection:
        moves = connection.execute(transitions.select().order_by(transitions.c.id)).mappings().all()
    for move in moves:
        was = None if move["from_status"] is None else Status(move["from_status"])
        if was in _ENDED and Status(move["to_status"]) not in _ENDED[was]:
            yield f"{move['run_id']} was {was} and became {move['to_status']}: {move['reason']}"
    with world.places.ledger._begin() as connection:
        taken = connection.execute(leases.select().order_by(leases.c.epoch)).mappings().all()
    for lease in taken:
        before = [m for m in moves if m["run_id"] == lease["run_id"] and m["at"] <= lease["taken_at"]]
        if before and Status(before[-1]["to_status"]) in _OVER:
            yield f"{lease['run_id']} was {before[-1]['to_status']}, and took {lease['target']} (lease {lease['epoch']})"
    yield from world.oracle.evidence.broken()
    for run in world.runs:
        seen = world.oracle.runs.get(run.id)
        if seen is not None and seen.report not in (None, run.given.files.reported(REPORT)):
            yield f"the report of {run.id} was written again after it was proven"


def _budgets(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """6. Everything that can lose rows has a budget."""
    for run in world.runs:
        removed = {
            c.key for c in world.oracle.changes if c.run == run.id and c.new is None and run.given.undoes is None
        }
        seen = world.oracle.runs.get(run.id)
        if not removed or seen is None:
            continue
        there = seen.most
        most = run.given.options.max_remove_share
        if len(removed) > most * max(there, 1) + 1e-9:
            yield f"{run.id} removed {len(removed)} of {there} rows, and may remove {most:.0%}"
        if str(run.given.options.extra) != "remove":
            yield f"{run.id} removed {sorted(removed)}, and was to report what is too much"
        written = {c.key for c in world.oracle.changes if c.run and c.new is not None}
        for key in sorted(removed - written):
            yield f"{run.id} removed {key}, which no run ever wrote"


def _rolled_back(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """7. What is put back is as it was, and takes nothing else along."""
    yield from world.oracle.taken
    for id, row in rows.items():
        if row.undoes is None:
            continue
        yield from _touched(world, id)
        seen = world.oracle.runs.get(id)
        if seen is None or seen.proven_at is None or row.status != Status.PROVEN:
            continue
        undone = [c for c in world.oracle.changes if c.run == row.undoes and c.point < seen.proven_at]
        for key in sorted({c.key for c in undone}):
            mine = [c for c in undone if c.key == key]
            others = [
                c
                for c in world.oracle.changes
                if c.key == key and mine[0].point < c.point < seen.proven_at and c.run not in (row.undoes, id)
            ]
            states = seen.read(key)
            hidden = mine[0].old is None and key in (seen.hidden | world.oracle.referred)
            if not others and states and mine[0].old not in states and not hidden:
                yield f"{id} is proven, and {key} is {states[-1]}; before {row.undoes} it was {mine[0].old}"


def _touched(world: World, id: str) -> Iterator[str]:
    """What others have changed since is neither taken back nor written over."""
    for change in (c for c in world.oracle.changes if c.run == id):
        before = [c for c in world.oracle.changes if c.key == change.key and c.point < change.point]
        if before and not before[-1].run and change.old not in {c.new for c in before if c.run}:
            yield f"{change.process} made {change.key} {change.new}, which an application had made {change.old} since"


def _in_order(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """3. Phases are written in their order, and taken back in the opposite one."""
    yield from world.oracle.early


def _turned(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """1, of a switch: it is turned forward on a proof that still holds."""
    for was, to, proof, writers in world.oracle.turns:
        row = rows.get(proof or "")
        if to == "legacy" or was == "new":
            continue
        if row is None or row.status not in _ENDED:
            yield f"the switch was turned to {to} on the proof of {proof}, which is {row and row.status}"
        elif writers:
            yield f"the switch was turned to {to} on the proof of {proof}, since which {writers} has written"
        elif next(run for run in world.runs if run.id == proof).given.options.window is not None:
            yield f"the switch was turned to {to} on the proof of {proof}, which is of a window"


def _looked_at(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """10. What was not looked at is never reported as fine."""
    for id, seen in world.oracle.runs.items():
        row = rows.get(id)
        if seen.report is None or row is None or row.undoes is not None:
            continue
        report = json.loads(seen.report)
        for table in {*world.places.targets} - {table for table, _ in seen.proofs}:
            yield f"{id} is proven, and {table} was not read"
        told = [p.get("source_rows", 0) for p in report["plan"]["phases"]]
        if len({*told}) > 1 or len(told) != len(world.places.targets):
            yield f"{id} is proven, and says of its phases that they had {told} source rows"
        counted = told[0]
        sizes = {len(state) for state in world.oracle.sources_of(id)}
        if sizes and counted not in range(min(sizes), max(sizes) + 1):
            yield f"{id} is proven over {counted} source rows; there were {sorted(sizes)}"
        if report["verdict"]["status"] != "passed":
            yield f"{id} is proven, and its verdict is {report['verdict']['status']}"


def _all_done(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """10. A step that was not done is not reported as done."""
    yield from world.oracle.not_done
    yield from world.oracle.unknown


LAWS: tuple[tuple[int, Callable[[World, dict[str, RunRow]], Iterator[str]]], ...] = (
    (0, _errors),
    (1, _proven),
    (1, _turned),
    (3, _as_approved),
    (3, _in_order),
    (4, right.judge),
    (4, _since),
    (4, _claims),
    (5, _ended),
    (6, _budgets),
    (7, _rolled_back),
    (10, _looked_at),
    (10, _all_done),
    *accounts.LAWS,
    *told.LAWS,
)
