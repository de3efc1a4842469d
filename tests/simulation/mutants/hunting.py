"""Plays the histories of seeds until each mutant is found. A history of the engine as it is says which mutants would do otherwise
in it (`differing.py`), and of these alone it is played."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from ..laws import Breach
from .differing import Mutant, Probing
from .results import Result, Results

Play = Callable[[int], list[Breach]]


class Hunt:
    """The hunt for these mutants: `play` gives what the history of a seed breaks. `plays`: how many histories were played."""

    def __init__(self, mutants: dict[str, Mutant], kept: Results, play: Play) -> None:
        self._mutants, self._kept, self._play = mutants, kept, play
        self.plays = 0

    def missing(self) -> list[str]:
        """The mutants that are not found."""
        return [name for name in self._mutants if (known := self._kept.known.get(name)) is None or known.law is None]

    def go_through(self, seeds: Iterable[int]) -> None:
        """Go through the histories of these seeds, the first of them being the first of all, until all mutants are found."""
        for number, seed in enumerate(seeds, 1):
            wanted = [n for n in self.missing() if (k := self._kept.known.get(n)) is None or k.played < number]
            if not self.missing():
                return
            differing = self._differing(seed) if wanted else ()
            for name in wanted:
                self._kept.note(name, self._hunted(name, seed, number) if name in differing else Result(played=number))
            self._kept.keep()

    def _differing(self, seed: int) -> list[str]:
        if (known := self._kept.differing.get(str(seed))) is not None:
            return known
        with pytest.MonkeyPatch.context() as patch:
            probing = Probing(patch)
            probing.watch(self._mutants)
            found = self._played(seed)
        if found:
            print(f"seed {seed} breaks law {found[0].law} without any mutant: {found[0].why}"[:240], flush=True)
        self._kept.note_differing(seed, () if found else probing.differing)
        return self._kept.differing[str(seed)]

    def _hunted(self, name: str, seed: int, number: int) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            self._mutants[name](patch)
            found = self._played(seed)
        if not found:
            return Result(played=number)
        print(f"{name}: after {number}, law {found[0].law}: {found[0].why}"[:240], flush=True)
        return Result(played=number, law=found[0].law, why=found[0].why[:300])

    def _played(self, seed: int) -> list[Breach]:
        self.plays += 1
        return self._play(seed)
