"""Files of runs as local paths, each checked against its manifest once, and not again while it stays the same."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from ...run.workspace import Artifact, Manifest, RunFolder, Workspace

COPIES = 4 << 30
"""Bytes of copies that are kept of the files of a workspace that is not a folder."""
REMEMBERED = 400
"""Answers that are remembered, such as the manifests of a step."""
CHECKED = 20_000
"""Files that are known to be what their manifests name."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Checked:
    path: Path
    state: tuple[int, int, int]


class Shelf:
    """The files of a workspace's runs. A file of a folder is read where it lies; one of an object store is copied to this
    machine, at most `copies` bytes of them: those that were asked for longest ago go first. Safe for several threads."""

    def __init__(self, workspace: Workspace, copies: int = COPIES) -> None:
        self.workspace = workspace
        self._copies = copies
        self._scratch = tempfile.TemporaryDirectory(prefix="trueup-shelf-", ignore_cleanup_errors=True)
        self._checked: OrderedDict[tuple[str, str, str], _Checked] = OrderedDict()
        self._answers: OrderedDict[tuple[Hashable, ...], object] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, folder: RunFolder, artifact: Artifact) -> Path:
        """The file as a local path. Raises `ArtifactError` if it is missing, or is not what its manifest names."""
        key = (artifact.run or folder.run_id, artifact.path, artifact.sha256)
        with self._lock:
            known = self._checked.get(key)
            if known is not None and _state(known.path) == known.state:
                self._checked.move_to_end(key)
                return known.path
            # a file that was made again has another hash, so no copy is taken for another
            scratch = Path(self._scratch.name) / artifact.sha256
            scratch.mkdir(exist_ok=True)
            path = folder.fetch(artifact, scratch)
            state = _state(path)
            if state is not None:
                self._checked[key] = _Checked(path, state)
            self._make_room(key)
            return path

    def manifests(self, folder: RunFolder, step: str, version: Hashable) -> list[Manifest]:
        """The manifests of a step, read again when `version` is another: what says that the run went on or ended. With
        None they are read every time."""
        if version is None:
            return folder.manifests(step)
        return self.once(("manifests", folder.run_id, step, version), lambda: folder.manifests(step))

    def once(self, key: tuple[Hashable, ...], make: Callable[[], Answer]) -> Answer:
        """What `make` gives, remembered under this key."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return cast("Answer", self._answers[key])
        made = make()
        with self._lock:
            self._answers[key] = made
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return made

    def _make_room(self, but: tuple[str, str, str]) -> None:
        while len(self._checked) > CHECKED:
            self._checked.popitem(last=False)
        mine = Path(self._scratch.name)
        copies = {key: one for key, one in self._checked.items() if one.path.is_relative_to(mine)}
        held = sum(one.state[0] for one in copies.values())
        for key, one in copies.items():
            if held <= self._copies:
                return
            if key != but:
                one.path.unlink(missing_ok=True)
                del self._checked[key]
                held -= one.state[0]


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
