"""Histories against real servers, with processes that are stopped and killed, and connections that are cut: no law is broken, and
each effect is that of the same history over the twins."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest

from include.trueup.ledger import Ledger
from include.trueup.prove import verify

from ..answers import Database
from ..history import KINDS, Event, History, Setup
from ..playing import play
from ..remembered import remembering
from ..world import World, folder
from .comparing import ends, first_difference
from .servers import Servers, servers
from .world import RealWorld

pytestmark = pytest.mark.slow

Bench = tuple[Path, Database, Servers]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A folder, a database of DuckDB for the twins, and the servers."""
    with pytest.MonkeyPatch.context() as patch, folder() as place, remembering(place) as database, servers() as running:
        # processes of their own look again as late as ever, and not at once as in other tests
        patch.setattr(verify, "REREAD_AFTER", tuple(round(pause * 100, 6) for pause in verify.REREAD_AFTER))
        yield place, database, running


Worlds = Callable[[History, Path, Any], World]


def noted(worlds: list[World], of: Worlds) -> Worlds:
    """Makes a world, which is added to these."""

    def make(*given: Any) -> World:
        worlds.append(of(*given))
        return worlds[-1]

    return make


OF_TARGET = {
    -1: Event(what="write target", a=19, b=4, seconds=7.0),  # in a transaction that stays open
    -2: Event(what="write target", a=4, b=2),  # of a number that the table gives
    -3: Event(what="write target", a=2, b=1),  # or that another row refers to
    -4: Event(what="write source", a=1, b=46),
    -5: Event(what="trigger", b=3),
}
OF_DAYS = {-1: Event(what="trigger", a=32, b=2, seconds=12.0)}
OF_TWO = {
    -1: Event(what="write target", a=10, b=1),  # a row of the second target
    -2: Event(what="restore", b=1),  # the second
    -3: Event(what="restore", b=0),  # the first, with its trigger
    -4: Event(what="write source", a=1, b=44),  # of a number that the trigger alters
    -5: Event(what="trigger", b=3),
    -6: Event(what="roll back", a=0),
}
TARGETS = (
    (
        Setup(numbered=True, trigger="touches", referred="NO ACTION", held_open=True, extra="remove"),
        OF_TARGET,
        "insert",
    ),
    (Setup(unfit=True, trigger="alters", held_open=True), OF_TARGET, "keep open"),
    (Setup(windows=True, ranged=True), OF_DAYS, "with its range"),
    (Setup(second=True, trigger="alters", referred="CASCADE", batch_rows=1), OF_TWO, "roll back"),
)
"""What only some histories have; what happens, and what of it is met."""


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize(("setup", "events", "met"), TARGETS)
def test_a_target_does_by_itself_there_what_its_twin_does(
    setup: Setup, events: dict[int, Event], met: str, bench: Bench
) -> None:
    place, database, running = bench
    made = replace(setup, rows=4, there=1, approval=setup.ranged, late=len(events))
    history, worlds = History(seed=-1, setup=made, events=events), list[World]()
    twin = play(history, place, database, noted(worlds, World))
    real = play(history, place, None, noted(worlds, partial(RealWorld, running)))
    assert real.breaches == twin.breaches == []
    assert first_difference(twin, real) is None
    assert ends(twin, real) == []
    assert real.met[f"event {met}"] > 0
    by_twin, by_real = (
        [(c.key, sorted(c.numbers.values())) for c in world.oracle.changes if c.run] for world in worlds
    )
    assert by_twin == by_real
    assert all(numbers for _, numbers in by_real)  # law 4 goes by them; what they are on is called by its address


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize(("kind", "seed"), [*zip(KINDS, (3, 6), strict=True)])
def test_real_servers_and_processes_answer_as_the_twins(kind: str, seed: int, bench: Bench) -> None:
    place, database, running = bench
    faults = ("error", "kill", "lie", "outage", "pause", "write target")
    setup = Setup(kind=kind, rows=4, there=1, batch_rows=1, partitions=2, approval=False, rate=0.05, only=faults)
    before = running.counted
    twin = play(History(seed=seed, setup=setup), place, database)
    real = play(History(seed=seed, setup=setup), place, None, partial(RealWorld, running))
    assert real.breaches == []
    assert first_difference(twin, real) is None
    assert ends(twin, real) == []
    met = {name for name, count in running.counted.items() if count > before[name]}
    assert met >= {"killed", "stopped", "held", "lost"}
    assert met & {"refused", "cut off"}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_an_outage_meets_a_session_that_was_kept_for_the_next_call(bench: Bench) -> None:
    place, database, running = bench
    setup = Setup(rows=2, batch_rows=1, approval=False)
    calm = play(History(seed=-1, setup=setup), place, database)
    adds = [line for line in calm.log if "copy.apply" in line and "before store add" in line]
    history = History(seed=-1, setup=setup, events={int(adds[1].split()[0]) + 1: Event(what="error")})
    twin = play(history, place, database)
    real = play(history, place, None, partial(RealWorld, running))
    assert real.breaches == twin.breaches == []
    assert real.met["event error"] == 1
    assert first_difference(twin, real) is None


def test_the_answer_that_is_held_is_that_of_the_ledgers_own_transaction(bench: Bench) -> None:
    running, there = bench[2], "SELECT extract(year FROM at)::int FROM simulated.clock"
    ledger, seen = Ledger(running.uri("ledger", "new")), list[int]()

    def write() -> None:
        with ledger._begin() as connection:
            connection.exec_driver_sql("UPDATE simulated.clock SET at = '2031-01-01'")

    def look() -> bool:
        seen.extend(*running.database["ledger"].execute(there.encode()).fetchall())
        return True

    running.held.waited("ledger")
    with ThreadPoolExecutor(1) as threads:
        written = threads.submit(write)
        assert wait([running.held.reader], 60)
        running.held.decide(look)
        written.result()
    ledger.close()
    assert seen == [2031]


def test_whoever_is_to_end_ends_the_servers_first(bench: Bench) -> None:
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
