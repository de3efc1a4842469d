"""Law 4: whoever writes has the right to. What is judged is each request that writes, whether it changes a row or none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from include.trueup.ledger import RunRow, Status
from include.trueup.ledger.tables import leases, transitions
from include.trueup.stores import RELIED_SECONDS, Fence
from include.trueup.stores.postgres.locks import numbers

from .scheduling import BEGINNING

if TYPE_CHECKING:
    from .oracle import Change
    from .world import World

NEVER = float("-inf")


def judge(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """4. Nothing is written without the right to write, but by a transaction, or a request, that was under way when it was
    lost; and of a transaction nothing once whoever is newer has gone on."""
    with world.places.ledger._begin() as connection:
        taken = connection.execute(leases.select().order_by(leases.c.epoch)).mappings().all()
        moves = connection.execute(transitions.select().order_by(transitions.c.id)).mappings().all()
    yield from _requests(world, taken, moves)
    for before, after in pairwise(taken):
        if after["taken_at"] < before["taken_at"]:
            yield f"the lease {after['epoch']} was taken before {before['epoch']}"
    open_ = [row["target"] for row in taken if row["ended_at"] is None]
    if len(open_) != len(set(open_)):
        yield "two leases of one target are open"


def _requests(world: World, taken: Any, moves: Any) -> Iterator[str]:
    in_flight: dict[tuple[str, int], set[int]] = {}
    newest: dict[str, tuple[int, float]] = {}
    relied = 0.0 if world.setup.kind == "postgres" else RELIED_SECONDS
    every = sorted([*world.oracle.changes, *world.oracle.vain], key=lambda change: change.point)
    for change in (each for each in every if each.run):
        part, _, number = change.process.partition("#")
        tried, (latest, since) = int(number.split()[0]), newest.get(part, (0, NEVER))
        if tried > latest:
            newest[part] = tried, change.at
        newer = next(
            (each for each in world.oracle.passed if each.point < change.point and _older(change, each.numbers)), None
        )
        if newer is not None and world.setup.kind == "postgres":
            yield f"{change.process} wrote {change.key} after {newer.process}, which is newer, had gone on"
        stale = tried < latest
        if change.late or (
            newer is None and change.held == change.run and change.status == Status.RUNNING and not stale
        ):
            continue
        lost = _lost(change, taken, moves)
        lost = min([lost, *([since] if stale else []), *([newer.at] if newer is not None else [])])
        said = f"while {'a newer try' if stale else change.held or 'no run'} had the right to, and {change.run} was {change.status}"
        if change.asked > lost + relied:
            yield f"{change.process} wrote {change.key} {said}; that was so when it asked the ledger last"
        elif relied and change.at <= lost + relied and newer is None:
            continue  # whoever is newer waits for so long before it goes on
        requests = in_flight.setdefault((change.process, change.fibre), set())
        requests.add(change.point)
        if len(requests) > 1:
            yield f"{change.process} wrote {change.key} {said}"


def _lost(change: Change, taken: Any, moves: Any) -> float:
    """When the run had the right to write last, by the ledger."""

    def seconds(at: Any) -> float:
        return float(at.timestamp()) - BEGINNING

    had = [
        row
        for row in taken
        if row["run_id"] == change.run and row["right_at"] and seconds(row["right_at"]) <= change.at
    ]
    ends = [min(seconds(row["ended_at"] or row["expires_at"]), seconds(row["expires_at"])) for row in had]
    mine = [move for move in moves if move["run_id"] == change.run and seconds(move["at"]) <= change.at]
    if mine and mine[-1]["to_status"] != Status.RUNNING:
        ends = [min(end, seconds(mine[-1]["at"])) for end in ends]
    return min(max(ends, default=NEVER), change.at)


def _older(change: Change, by: dict[int, int]) -> bool:
    return any(number > change.numbers.get(of, number) for of, number in by.items())


def by_lease(target: str, epoch: int) -> dict[int, int]:
    """By which number a lease on a target is newer than others."""

    def never(*_: object) -> None:
        raise AssertionError

    return dict(numbers(Fence(check=never, confirm=never, epochs={target: epoch}, part="", tries=0, lasts=0.0)))
