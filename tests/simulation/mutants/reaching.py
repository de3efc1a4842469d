"""Whether what a mutant puts in the place of something is ever reached: it counts. `Watching` leaves the engine as it is, and
counts for all mutants at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, MutableMapping
from functools import wraps
from string import Template
from typing import Any

import pytest

Mutant = Callable[[pytest.MonkeyPatch], None]


class _Ways(frozenset[Any]):
    """A set that counts when it is asked."""

    count: Callable[[], None]

    def __contains__(self, asked: object) -> bool:
        self.count()
        return super().__contains__(asked)


class _Sql(Template):
    """A statement that counts when it is filled in."""

    count: Callable[[], None]

    def substitute(self, *given: Any, **more: Any) -> str:
        self.count()
        return super().substitute(*given, **more)


class Watching:
    """In place of pytest's MonkeyPatch: each thing that a mutant would patch is counted, and stays as it is."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch, self._mutant = patch, ""
        self._seen: dict[tuple[int, str], str] = {}
        self._of: dict[str, set[str]] = {}
        self.reached: Counter[str] = Counter()

    def watch(self, mutants: dict[str, Mutant]) -> None:
        """Watch what these patch."""
        for self._mutant, mutant in mutants.items():
            given: Any = self
            mutant(given)

    def never(self) -> dict[str, list[str]]:
        """What was never reached, by mutant."""
        missed = {
            mutant: sorted(name for name in names if not self.reached[name]) for mutant, names in self._of.items()
        }
        return {mutant: names for mutant, names in missed.items() if names}

    def setattr(self, owner: Any, name: str, _: object) -> None:
        """Watch an attribute; it has to be there. What is no function is not counted."""
        real = vars(owner)[name] if isinstance(owner, type) else getattr(owner, name)
        if (counted := self._once(owner, f"{owner.__name__}.{name}", real)) is not None:
            self._patch.setattr(owner, name, counted)

    def setitem(self, mapping: MutableMapping[Any, Any], name: Any, _: object) -> None:
        """Watch an entry; it has to be there."""
        if (counted := self._once(mapping, f"{name!s}", mapping[name])) is not None:
            self._patch.setitem(mapping, name, counted)

    def _once(self, owner: object, name: str, real: Any) -> Any:
        watched = (id(owner), name)
        key = self._seen.setdefault(watched, name if name not in self._seen.values() else f"{name} {len(self._seen)}")
        again = any(key in names for names in self._of.values())
        if not isinstance(real, Template | frozenset | property) and not callable(real):
            del self._seen[watched]
            return None
        self._of.setdefault(self._mutant, set()).add(key)
        return None if again else self._counted(key, real)

    def _counted(self, key: str, real: Any) -> Any:
        def count() -> None:
            self.reached[key] += 1

        if isinstance(real, property):
            get: Any = real.fget
            return property(self._counted(key, get))
        if isinstance(real, Template):
            made: Any = _Sql(real.template)
            made.count = count
            return made
        if isinstance(real, frozenset):
            made = _Ways(real)
            made.count = count
            return made

        @wraps(real)
        def counted(*given: Any, **more: Any) -> Any:
            count()
            return real(*given, **more)

        return counted


def never_reached(watching: Watching, play: Callable[[int], object], seeds: Iterable[int]) -> dict[str, list[str]]:
    """Play these seeds until everything was reached; what was not."""
    for seed in seeds:
        play(seed)
        if not watching.never():
            break
    return watching.never()
