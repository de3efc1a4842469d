"""Records as they are read from a run's folder."""

from __future__ import annotations

from typing import TypeVar

from .records import from_json
from .run_folder import RunFolder

R = TypeVar("R")


def recorded(folder: RunFolder, kind: type[R], path: str) -> R | None:
    """The record in a file of a run; None if there is none. Raises `ArtifactError` for one that nobody reads."""
    content = folder.read(path)
    if content is None:
        return None
    try:
        return from_json(kind, content)
    except ValueError as error:
        raise folder.unreadable(path, error) from error
