"""Where rows and evidence lie between the steps: a local folder or `s3://bucket/prefix`, through one interface.

Every file is written whole and then published under its name, so that a name is either absent or complete. Each
step's part ends by publishing a manifest that names its files with rows, bytes and SHA-256; a file is read through
its manifest and checked against it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from ..errors import ArtifactError, OptionsError, StoreRejectedError, StoreUnavailableError
from ..stores.effects import REAL, Effects
from . import newest
from .artifacts import Artifact as Artifact
from .artifacts import Manifest as Manifest

_TERMINAL = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|NO_SUCH_BUCKET|INVALID_CLIENT_TOKEN"
)
"""What the store of the workspace says where another try ends the same way."""
MANIFESTS = "manifests"
_FORMER_STEPS = {"shared": "look_ups"}
"""What the first release called a step, and the folder of its manifests."""


class Workspace:
    """A folder for all runs. `uri` is a local path, or `s3://bucket/prefix`; `s3` are pyarrow's S3FileSystem options
    (access_key, secret_key, endpoint_override, region, scheme) for the latter. Raises `OptionsError` for another scheme."""

    def __init__(self, uri: str, s3: Mapping[str, Any] | None = None, effects: Effects = REAL) -> None:
        self._effects = effects
        self.uri = uri.rstrip("/")
        self._local = "://" not in uri
        if self._local:
            self._root = str(Path(self.uri).absolute())
            self._files: pafs.FileSystem = pafs.LocalFileSystem()
            self._files.create_dir(self._root, recursive=True)
        elif uri.startswith("s3://"):
            self._root = self.uri.removeprefix("s3://")
            self._files = pafs.S3FileSystem(**dict(s3 or {}))
        else:
            raise OptionsError(f"workspace {uri!r}: use a folder or s3://bucket/prefix")

    def run(self, run_id: str) -> RunFolder:
        """The folder of one run."""
        return RunFolder(self, run_id)

    def location(self, path: str) -> str:
        """Where a file lies, for people: a path or an s3:// address."""
        return f"{self._root}/{path}" if self._local else f"s3://{self._root}/{path}"

    @contextmanager
    def _reaching(self, path: str, doing: str) -> Iterator[None]:
        """What the file system or S3 raises, as an error that says whether another try may help."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            message = f"the workspace could not {doing} {self.location(path)}: {error}."
            if self._local or _TERMINAL.search(str(error)):
                raise StoreRejectedError(
                    f"{message} Check the workspace's address, its rights and its free space."
                ) from error
            raise StoreUnavailableError(
                f"{message} What is published stays; run it again once the store answers."
            ) from error

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A private local folder for spilling and for files before they are published; gone afterwards."""
        base = Path(self._root) / ".scratch" if self._local else None
        if base:
            base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="trueup-", dir=base) as folder:
            yield Path(folder)

    def publish(self, local: Path, path: str) -> tuple[int, str]:
        """Make the local file the content of `path` (moving it); its size in bytes and SHA-256."""
        size, digest = local.stat().st_size, _sha256(local)
        destination = f"{self._root}/{path}"
        with self._reaching(path, "write"):
            if self._local:
                os.makedirs(os.path.dirname(destination), exist_ok=True)
                aside = f"{destination}.{self._effects.unique()}.part"
                shutil.move(local, aside)
                os.replace(aside, destination)
            else:
                pafs.copy_files(
                    str(local),
                    destination,
                    source_filesystem=pafs.LocalFileSystem(),
                    destination_filesystem=self._files,
                )
                local.unlink()
        return size, digest

    def write(self, content: bytes, path: str) -> tuple[int, str]:
        """Make these bytes the content of `path`; how many they are, and their SHA-256."""
        if not self._local:
            with self.scratch() as scratch:
                (scratch / "content").write_bytes(content)
                return self.publish(scratch / "content", path)
        aside = Path(self._root) / ".scratch" / f"{self._effects.unique()}.part"
        destination = f"{self._root}/{path}"
        with self._reaching(path, "write"):
            for folder in (aside.parent, os.path.dirname(destination)):
                os.makedirs(folder, exist_ok=True)
            try:
                aside.write_bytes(content)
                os.replace(aside, destination)
            except OSError:
                aside.unlink(missing_ok=True)
                raise
        return len(content), hashlib.sha256(content).hexdigest()

    def fetch(self, path: str, scratch: Path) -> Path:
        """The file as a local path: itself where the workspace is a folder, a copy in `scratch` otherwise.

        Raises `ArtifactError` when there is no such file."""
        if self._local:
            local = Path(self._root) / path
            if not local.is_file():
                raise ArtifactError(
                    f"{self.location(path)} is missing from the workspace; run the step that makes it again"
                )
            return local
        local = scratch / hashlib.sha256(path.encode()).hexdigest()
        if not local.exists():
            try:
                with self._reaching(path, "read"):
                    pafs.copy_files(
                        f"{self._root}/{path}",
                        str(local),
                        source_filesystem=self._files,
                        destination_filesystem=pafs.LocalFileSystem(),
                    )
            except FileNotFoundError as error:
                message = f"{self.location(path)} is missing from the workspace; run the step that makes it again"
                raise ArtifactError(message) from error
        return local

    def copy(self, path: str, to: str) -> None:
        """Make a file, as it is now, available under another name, too. Raises `ArtifactError` where it is not there."""
        source, destination = f"{self._root}/{path}", f"{self._root}/{to}"
        with self._reaching(path, "copy"):
            if self._files.get_file_info(source).type == pafs.FileType.NotFound:
                raise ArtifactError(f"{self.location(path)} is missing: bring it back, or trigger the DAG again")
            if not self._local:
                self._files.copy_file(source, destination)
                return
            os.makedirs(os.path.dirname(destination), exist_ok=True)
            aside = f"{destination}.{self._effects.unique()}.part"
            try:
                os.link(source, aside)  # a published file is never changed, only replaced
            except OSError:
                shutil.copyfile(source, aside)
            os.replace(aside, destination)

    def remove(self, folder: str) -> None:
        """Remove a folder and all that is in it, if it is there."""
        self._files.delete_dir_contents(f"{self._root}/{folder}", missing_dir_ok=True)

    def read(self, path: str) -> bytes | None:
        """The content of a small file, or None if there is none."""
        try:
            with self._reaching(path, "read"), self._files.open_input_stream(f"{self._root}/{path}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """Names of the files directly in a folder, sorted; none if there is no such folder."""
        selector = pafs.FileSelector(f"{self._root}/{folder}", allow_not_found=True)
        with self._reaching(folder, "list"):
            infos = self._files.get_file_info(selector)
        return sorted(f.base_name for f in infos if f.type == pafs.FileType.File)

    def folders(self, folder: str) -> list[str]:
        """Every folder below this one, at any depth, that holds a file; relative to it, sorted."""
        prefix = f"{self._root}/{folder}/"
        with self._reaching(folder, "list"):
            infos = self._files.get_file_info(pafs.FileSelector(prefix, allow_not_found=True, recursive=True))
        return sorted({os.path.dirname(i.path.removeprefix(prefix)) for i in infos if i.type == pafs.FileType.File})


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
        """A published JSON file, or None if there is none."""
        content = self.read(path)
        return None if content is None else json.loads(content)

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
        return Manifest(step=content["step"], part=content["part"], files=files, facts=content["facts"])

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
        newest.ask(self.run_id)
        self.workspace.remove(f"{self._base}/{folder}")

    def steps(self) -> list[str]:
        """Every step that sealed a part, sorted."""
        return self.folders(MANIFESTS)

    def fetch(self, artifact: Artifact, scratch: Path) -> Path:
        """A published file as a local path, checked against its manifest. Raises `ArtifactError` if it is not the same."""
        base = self._base if artifact.run is None else self.workspace.run(artifact.run)._base
        local = self.workspace.fetch(f"{base}/{artifact.path}", scratch)
        location = self.workspace.location(f"{base}/{artifact.path}")
        try:
            same = local.stat().st_size == artifact.bytes and _sha256(local) == artifact.sha256
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


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
