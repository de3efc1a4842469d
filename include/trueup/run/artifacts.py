"""What a part of a step publishes, as its manifest names it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A published file: `path` is relative to the run's folder; `rows` is None for what has no rows. `run` is the run
    whose file it is, where that is another than the one whose manifest names it."""

    path: str
    rows: int | None
    bytes: int
    sha256: str
    run: str | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What one part of a step made: its files, and facts about them (counts); at which try of it, by the ledger (None: an older
    release did not say)."""

    step: str
    part: str
    files: tuple[Artifact, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    tries: int | None = None


def sha256_of(path: Path) -> str:
    """Of a local file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
