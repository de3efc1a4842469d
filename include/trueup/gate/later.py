"""Libraries that Great Expectations imports and a suite hardly ever uses: they are loaded when something of them is used, so
that importing it takes a third less."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

LATER = ("altair", "scipy.stats")
"""Charts, and tests of distributions (Kolmogorov-Smirnov, Kullback-Leibler)."""


class _Later(MetaPathFinder):
    """Finds each of these modules once, and lets it be loaded at the first use of what is in it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = {*names}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._names:
            return None
        self._names.discard(fullname)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, Loader):
            spec.loader = LazyLoader(spec.loader)
        return spec


def load_later(names: Sequence[str] = LATER) -> None:
    """Let the modules be loaded at their first use; nothing is imported here. Called once in a process."""
    sys.meta_path.insert(0, _Later(names))
