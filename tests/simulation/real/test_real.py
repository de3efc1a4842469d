"""Histories against real servers, with processes that are stopped and killed, and connections that are cut: no law is broken, and
each effect is that of the same history over the twins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ..answers import Database
from ..history import KINDS, History, Setup
from ..playing import play
from ..remembered import remembering
from ..world import folder
from .comparing import ends, first_difference
from .servers import Servers, servers
from .world import RealWorld

pytestmark = pytest.mark.slow

Bench = tuple[Path, Database, Servers]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A folder, a database of DuckDB for the twins, and the servers."""
    with folder() as place, remembering(place) as database, servers() as running:
        yield place, database, running


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
