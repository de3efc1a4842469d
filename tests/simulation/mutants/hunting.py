"""Plays the histories of seeds until each mutant is found. A history of the engine as it is says which mutants would do otherwise
in it (`differing.py`), and of these alone it is played."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import pytest

from ..laws import Breach
from ..playing import Played, from_seed, play
from ..remembered import shared
from ..world import folder
from .differing import Mutant, Probing
from .results import Result, Results

Play = Callable[[int], Played]


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of the history of a seed: which mutants do otherwise in it, what it breaks without any, and what it breaks with
    each of those that were to be found and do otherwise; how often it was played, and what was met without any."""

    differing: tuple[str, ...]
    broken: list[Breach]
    found: dict[str, list[Breach]]
    plays: int
    met: Counter[str] = field(default_factory=Counter)


class Player:
    """Plays the history of a seed with mutants; `play` gives what it breaks."""

    def __init__(self, mutants: dict[str, Mutant], play: Play) -> None:
        self._mutants, self._play = mutants, play

    def play(self, seed: int, wanted: Sequence[str], differing: Sequence[str] | None) -> Came:
        """With those that are wanted and do otherwise, which `differing` says where it is known."""
        broken: list[Breach] = []
        met = Counter[str]()
        known = differing is not None
        if differing is None:
            with pytest.MonkeyPatch.context() as patch:
                probing = Probing(patch)
                probing.watch(self._mutants)
                played = self._play(seed)
            broken, met = played.breaches, played.met
            differing = () if broken else sorted(probing.differing)
        found = {name: self._with(name, seed) for name in wanted if name in differing}
        return Came(
            differing=tuple(differing), broken=broken, found=found, plays=len(found) + (not known), met=met
        )  # fmt: skip

    def _with(self, name: str, seed: int) -> list[Breach]:
        with pytest.MonkeyPatch.context() as patch:
            self._mutants[name](patch)
            return self._play(seed).breaches


Asking = Callable[[Sequence[str], "Sequence[str] | None", int], "Callable[[], Came]"]


class Hunt:
    """The hunt for these mutants. `plays`: how many histories were played."""

    def __init__(self, names: Iterable[str], kept: Results) -> None:
        self._names, self._kept = list(names), kept
        self.plays = 0

    def missing(self) -> list[str]:
        """The mutants that are not found."""
        return [name for name in self._names if (known := self._kept.known.get(name)) is None or known.law is None]

    def go_through(self, seeds: Iterable[int], ask: Asking, ahead: int = 1) -> None:
        """Go through the histories of these seeds, the first of them being the first of all, until all mutants are found; so many
        are asked for before the first has come."""
        asked: deque[tuple[int, int, Callable[[], Came]]] = deque()
        for number, seed in enumerate(seeds, 1):
            if not self.missing():
                break
            if wanted := self._wanted(number):
                asked.append((number, seed, ask(wanted, self._kept.differing.get(str(seed)), seed)))
            while len(asked) >= ahead:
                self._came(*asked.popleft())
        while asked:
            self._came(*asked.popleft())

    def _wanted(self, number: int) -> list[str]:
        known = self._kept.known
        return [name for name in self.missing() if name not in known or known[name].played < number]

    def _came(self, number: int, seed: int, came: Callable[[], Came]) -> None:
        given = came()
        self.plays += given.plays
        if given.broken:
            print(
                f"seed {seed} breaks law {given.broken[0].law} without any mutant: {given.broken[0].why}"[:240],
                flush=True,
            )
        self._kept.note_differing(seed, given.differing, given.met)
        for name in self._wanted(number):
            broke = given.found.get(name)
            if broke:
                print(f"{name}: after {number}, law {broke[0].law}: {broke[0].why}"[:240], flush=True)
            result = Result(played=number, law=broke[0].law, why=broke[0].why[:300]) if broke else Result(played=number)
            self._kept.note(name, result)
        self._kept.keep()


@contextmanager
def _player(mutants: dict[str, Mutant], *, plain: bool) -> Iterator[Player]:
    with folder() as place, shared(place, plain=plain) as database:
        yield Player(mutants, lambda seed: play(from_seed(seed), place, database))


_of_process: list[Player] = []


def _begin(names: Sequence[str], plain: bool) -> None:
    """In a process that plays a share of the histories."""
    import warnings
    from multiprocessing.util import Finalize

    from . import MUTANTS

    warnings.simplefilter("ignore")  # of pydantic, about what is played and not what is tested
    opened = ExitStack()
    _of_process.append(opened.enter_context(_player({name: MUTANTS[name] for name in names}, plain=plain)))
    Finalize(None, opened.close, exitpriority=1)


def _play(*given: Any) -> Came:
    return _of_process[0].play(*given)


@contextmanager
def players(mutants: dict[str, Mutant], *, plain: bool = False, processes: int = 1) -> Iterator[Asking]:
    """What plays histories, on so many processes."""
    if processes == 1:
        with _player(mutants, plain=plain) as here:
            yield lambda wanted, differing, seed: lambda: here.play(seed, wanted, differing)
        return
    with get_context("spawn").Pool(processes, _begin, ([*mutants], plain)) as pool:
        yield lambda wanted, differing, seed: pool.apply_async(_play, (seed, wanted, differing)).get
