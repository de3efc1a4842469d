"""Histories of many seeds, one after the other or on several processes: what came of each, in the order of the seeds."""

from __future__ import annotations

import json
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from .history import History
from .playing import Played, from_seed, play, shrink
from .remembered import shared
from .world import folder


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How histories are played. `plain`: nothing is remembered; `keep`: a folder for what breaks a law, shrunk; `log`: every
    effect is told."""

    plain: bool = False
    keep: Path | None = None
    log: bool = False


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of a history: a hash of its effects, what it met, what is to be said of it, whether it broke a law, and the
    seconds of computing that it took."""

    digest: str
    met: Counter[str]
    said: list[str] = field(default_factory=list)
    broken: bool
    seconds: float


class Player:
    """Plays the histories of seeds, in a folder and with a database."""

    def __init__(self, asked: Asked, place: Path, database: Any) -> None:
        self._asked, self._place, self._database = asked, place, database

    def play(self, seed: int) -> Came:
        """Play the history of a seed."""
        began = time.process_time()
        played = play(from_seed(seed), self._place, self._database)
        said = [*played.log] if self._asked.log else []
        if played.breaches:
            said.append(f"seed {seed}, {len(played.history.events)} events, {played.points} points:")
            said += [f"    law {breach.law}: {breach.why}" for breach in played.breaches[:6]]
            if self._asked.keep is not None:
                said.append(self._kept(played, self._asked.keep / f"seed{seed}.json"))
        seconds, broken = time.process_time() - began, bool(played.breaches)
        return Came(digest=played.digest, met=played.met, said=said, broken=broken, seconds=seconds)

    def _kept(self, played: Played, file: Path) -> str:
        law = played.breaches[0].law

        def fails(history: History) -> bool:
            return any(breach.law == law for breach in play(history, self._place, self._database).breaches)

        if not fails(played.history):
            return "    it is another history when it is played from its events"
        shrunk = shrink(played.history, fails)
        again = play(shrunk, self._place, self._database)
        values = {"law": law, "why": again.breaches[0].why, **shrunk.to_json()}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values, indent=1) + "\n")
        return f"    {file}: {len(shrunk.events)} events: {again.breaches[0].why}"


@contextmanager
def player(asked: Asked) -> Iterator[Player]:
    """What plays histories, in a folder of its own."""
    warnings.simplefilter("ignore")  # of pydantic, about what is played and not what is tested
    with folder() as place, shared(place, plain=asked.plain) as database:
        yield Player(asked, place, database)


_of_process: list[Player] = []


def _begin(asked: Asked) -> None:
    """In a process that plays a share of the histories."""
    from multiprocessing.util import Finalize

    opened = ExitStack()
    _of_process.append(opened.enter_context(player(asked)))
    Finalize(None, opened.close, exitpriority=1)


def _play(seed: int) -> Came:
    return _of_process[0].play(seed)


def each(seeds: Iterable[int], asked: Asked, processes: int = 1) -> Iterator[Came]:
    """What came of the history of each seed, in their order, on so many processes."""
    if processes == 1:
        with player(asked) as here:
            yield from map(here.play, seeds)
        return
    pool = get_context("spawn").Pool(processes, _begin, (asked,))
    with pool:
        yield from pool.imap(_play, seeds)
        pool.close()
        pool.join()
