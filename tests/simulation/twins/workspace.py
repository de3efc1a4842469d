"""The engine's own workspace, in a folder in memory where the machine has one. DuckDB reads files by their path, so a folder it
is; what it holds is gone with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from include.trueup.run.workspace import Stamp, Workspace
from include.trueup.stores.effects import REAL, Effects

from .hook import Doing, Effect, Hook, nothing


class WorkspaceTwin(Workspace):
    """A workspace in a folder. Its effects are `publish`, `copy` and `remove`, of paths below it."""

    def __init__(self, folder: Path, effects: Effects = REAL, hook: Hook = nothing, name: str = "workspace") -> None:
        super().__init__(str(folder), effects=effects)
        self._hook, self._name = hook, name

    @contextmanager
    def _doing(self, kind: str, path: str) -> Iterator[None]:
        doing = Doing(hook=self._hook, effect=Effect(kind=kind, place=self._name, target=path))
        doing.before()
        yield
        doing.after()

    def publish(self, local: Path, path: str) -> tuple[int, str]:
        """Make the local file the content of `path`."""
        with self._doing("publish", path):
            return super().publish(local, path)

    def write(self, content: bytes, path: str) -> tuple[int, str]:
        """Make these bytes the content of `path`, as `publish` does of a file."""
        with self._doing("publish", path):
            return super().write(content, path)

    def copy(self, path: str, to: str) -> None:
        """Make a file available under another name, too."""
        with self._doing("copy", to):
            super().copy(path, to)

    def remove(self, folder: str, listed: Mapping[str, Stamp]) -> None:
        """Remove a folder, and what was listed."""
        with self._doing("remove", folder):
            super().remove(folder, listed)
