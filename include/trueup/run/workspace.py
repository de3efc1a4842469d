"""Where rows and evidence lie between the steps: a local folder or `s3://bucket/prefix`, through one interface.

Every file is written whole and then published under its name, so that a name is either absent or complete. Each
step's part ends by publishing a manifest that names its files with rows, bytes and SHA-256; a file is read through
its manifest and checked against it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from ..errors import ArtifactError, OptionsError, StoreRejectedError, StoreUnavailableError
from ..stores.effects import REAL, Effects
from .artifacts import Artifact as Artifact
from .artifacts import Manifest as Manifest
from .artifacts import sha256_of
from .run_folder import MANIFESTS as MANIFESTS
from .run_folder import RunFolder as RunFolder

Stamp = tuple[int, int, int]
"""When a file was published, in ns, its size, and its number in a file system."""
_TERMINAL = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|NO_SUCH_BUCKET|INVALID_CLIENT_TOKEN"
)
"""What the store of the workspace says where another try ends the same way."""


class Workspace:
    """A folder for all runs. `uri` is a local path, or `s3://bucket/prefix`; `s3` are pyarrow's S3FileSystem options
    (access_key, secret_key, endpoint_override, region, scheme) for the latter. Raises `OptionsError` for another
    scheme, `StoreRejectedError` for a folder that cannot be made."""

    def __init__(self, uri: str, s3: Mapping[str, Any] | None = None, effects: Effects = REAL) -> None:
        self._effects = effects
        self.uri = uri.rstrip("/")
        self._local = "://" not in uri
        if self._local:
            self._root = str(Path(self.uri).absolute())
            self._files: pafs.FileSystem = pafs.LocalFileSystem()
            with self._reaching("", "make"):
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
        with ExitStack() as opened:
            with self._reaching(".scratch", "write") if base else nullcontext():
                if base:
                    base.mkdir(parents=True, exist_ok=True)
                folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="trueup-", dir=base))
            yield Path(folder)

    def publish(self, local: Path, path: str) -> tuple[int, str]:
        """Make the local file the content of `path` (moving it); its size in bytes and SHA-256."""
        size, digest = local.stat().st_size, sha256_of(local)
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

    def files(self, folder: str) -> dict[str, Stamp]:
        """Every file below a folder, at any depth, by its path in it, with what tells it from one that takes its place."""
        base = f"{self._root}/{folder}"
        with self._reaching(folder, "list"):
            infos = self._files.get_file_info(pafs.FileSelector(base, allow_not_found=True, recursive=True))
            files = [info for info in infos if info.type == pafs.FileType.File]
            return {i.path.removeprefix(f"{base}/"): (i.mtime_ns, i.size, self._number(i.path)) for i in files}

    def _number(self, path: str) -> int:
        try:
            return os.stat(path).st_ino if self._local else 0
        except FileNotFoundError:
            return 0

    def remove(self, folder: str, listed: Mapping[str, Stamp]) -> None:
        """Remove a folder and what was `listed` (`files`). What has taken the place of a file since, or came since, stays: a newer
        try has published it while this one stood still."""
        now = self.files(folder)
        with self._reaching(folder, "remove"):
            if now.items() <= listed.items():
                self._files.delete_dir_contents(f"{self._root}/{folder}", missing_dir_ok=True)
                return
            for name in [name for name, stamp in now.items() if listed.get(name) == stamp]:
                with suppress(FileNotFoundError):
                    self._files.delete_file(f"{self._root}/{folder}/{name}")

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
