"""The folder of one run in the workspace: its files by the names that a run gives them, and the manifests of its steps' parts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArtifactError
from . import newest
from .artifacts import Artifact, Manifest, sha256_of

if TYPE_CHECKING:
    from .workspace import Workspace

MANIFESTS = "manifests"
_FORMER_STEPS = {"shared": "look_ups"}
"""What the first release called a step, and the folder of its manifests."""


class RunFolder:
    """The files of one run: `runs/<run id>/…` in the workspace."""

    def __init__(self, workspace: Workspace, run_id: str) -> None:
        self.workspace = workspace
        self.run_id = run_id
        self._base = f"runs/{run_id}"

    def location(self, path: str) -> str:
        """Where a file of the run lies, for people."""
        return self.workspace.location(f"{self._base}/{path}")

    def publish(self, local: Path, path: str, rows: int | None = None) -> Artifact:
        """Publish a local file (moved) under the run's folder; an older try of what is done here may not (`newest.asking`)."""
        newest.ask(self.run_id)
        size, digest = self.workspace.publish(local, f"{self._base}/{path}")
        return Artifact(path=path, rows=rows, bytes=size, sha256=digest)

    def write(self, path: str, content: str | bytes) -> Artifact:
        """Publish text (UTF-8) or bytes; an older try may not."""
        newest.ask(self.run_id)
        written = content.encode() if isinstance(content, str) else content
        size, digest = self.workspace.write(written, f"{self._base}/{path}")
        return Artifact(path=path, rows=None, bytes=size, sha256=digest)

    def read(self, path: str) -> bytes | None:
        """The content of a small published file, or None if there is none."""
        return self.workspace.read(f"{self._base}/{path}")

    def read_json(self, path: str) -> Any:
        """A published JSON file, or None if there is none. Raises `ArtifactError` for one that is no JSON."""
        content = self.read(path)
        if content is None:
            return None
        try:
            return json.loads(content)
        except ValueError as error:
            raise self.unreadable(path, error) from error

    def unreadable(self, path: str, error: ValueError) -> ArtifactError:
        """What is said of a file that is not what was written: a disk that lost its power, or was full, has kept half of it."""
        return ArtifactError(
            f"{self.location(path)} is not what was written there ({str(error).splitlines()[0][:200]}): bring it back from a backup of "
            "the workspace, or trigger the DAG again, which makes a new plan"
        )

    def published(self, path: str, scratch: Path) -> Path:
        """A file as a local path, unchecked: for people, or one that no manifest names. Raises `ArtifactError` if it is
        missing."""
        return self.workspace.fetch(f"{self._base}/{path}", scratch)

    def seal(self, manifest: Manifest) -> None:
        """Publish the manifest of a step's part; from now on the part counts as done."""
        self.write(f"{MANIFESTS}/{manifest.step}/{manifest.part}.json", json.dumps(asdict(manifest), indent=1))

    def manifests(self, step: str, expected: int | None = None) -> list[Manifest]:
        """The manifests of a step's parts, sorted by part. Raises `ArtifactError` if not `expected` many are there."""
        folder = f"{MANIFESTS}/{step}"
        if step in _FORMER_STEPS and not self.names(folder):
            folder = f"{MANIFESTS}/{_FORMER_STEPS[step]}"
        each = (self._manifest(f"{folder}/{name}") for name in self.names(folder))
        manifests = [manifest for manifest in each if manifest is not None]
        if expected is not None and len(manifests) != expected:
            raise ArtifactError(
                f"run {self.run_id}: {len(manifests)} of {expected} parts of {step!r} are in the workspace; run the missing ones again"
            )
        return manifests

    def manifest(self, step: str, part: str) -> Manifest | None:
        """The manifest of one part of a step; None where it has sealed none."""
        return self._manifest(f"{MANIFESTS}/{step}/{part}.json")

    def _manifest(self, path: str) -> Manifest | None:
        content = self.read_json(path)
        if content is None:
            return None
        files = tuple(Artifact(**file) for file in content["files"])
        facts, tries = content["facts"], content.get("tries")
        return Manifest(step=content["step"], part=content["part"], files=files, facts=facts, tries=tries)

    def names(self, folder: str) -> list[str]:
        """Names of the published files directly in one of its folders, sorted; none if there is no such folder."""
        return self.workspace.names(f"{self._base}/{folder}")

    def folders(self, folder: str) -> list[str]:
        """Every folder below one of its folders, at any depth, that holds a file; relative to it, sorted."""
        return self.workspace.folders(f"{self._base}/{folder}")

    def copy(self, path: str, to: str) -> None:
        """Make a published file available under another name in the run's folder, too."""
        newest.ask(self.run_id)
        self.workspace.copy(f"{self._base}/{path}", f"{self._base}/{to}")

    def remove(self, folder: str) -> None:
        """Remove one of its folders and all that is in it, if it is there."""
        listed = self.workspace.files(f"{self._base}/{folder}")  # before it asks: what comes later is another try's
        newest.ask(self.run_id)
        self.workspace.remove(f"{self._base}/{folder}", listed)

    def steps(self) -> list[str]:
        """Every step that sealed a part, sorted."""
        return self.folders(MANIFESTS)

    def fetch(self, artifact: Artifact, scratch: Path) -> Path:
        """A published file as a local path, checked against its manifest. Raises `ArtifactError` if it is not the same."""
        base = self._base if artifact.run is None else self.workspace.run(artifact.run)._base
        local = self.workspace.fetch(f"{base}/{artifact.path}", scratch)
        location = self.workspace.location(f"{base}/{artifact.path}")
        try:
            same = local.stat().st_size == artifact.bytes and sha256_of(local) == artifact.sha256
        except FileNotFoundError as error:
            raise ArtifactError(
                f"{location} is missing from the workspace; run the step that makes it again"
            ) from error
        if not same:
            raise ArtifactError(
                f"{location} is not the file that its manifest names (SHA-256 differs); "
                "somebody changed the workspace: run again from the snapshot"
            )
        return local
