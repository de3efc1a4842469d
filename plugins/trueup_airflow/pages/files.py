"""The files of a run that the pages may show: names of a fixed list below the run's own folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.trueup.run import Files
from include.trueup.run.report_files import FORMS, REPORT
from include.trueup.run.workspace import RunFolder

from .. import connections

TEXT = 2_000
"""Characters of a value that a page gets at once."""
SQL = 20_000
"""The same, of what a person has to read before it is run."""


def folder(id: str) -> RunFolder:
    """The run's folder. `id` is as `scheduled.ledger_id` makes it, so that it is one folder's name and nothing else."""
    return connections.workspace().run(id)


def local(id: str, name: str, scratch: Path) -> Path:
    """A file of the run as a local path, copied to `scratch` if it must be. Raises `ArtifactError` if there is none."""
    run = folder(id)
    return run.published(Files(run).report_at(name) if name in FORMS else name, scratch)


def reported(id: str) -> Any:
    """The run's report as JSON values; None before it is written."""
    content = Files(folder(id)).reported(REPORT)
    return None if content is None else json.loads(content)


def present(id: str) -> set[str]:
    """Names of the files of the run's folder, and of its gates and proofs with their folder."""
    return Files(folder(id)).names()


def cut(value: Any, most: int = TEXT) -> Any:
    """The same JSON value with every text in it no longer than `most`; `…` stands for the rest."""
    cutting: dict[type, Callable[[Any], Any]] = {
        str: lambda text: text if len(text) <= most else f"{text[:most]}…",
        list: lambda items: [cut(item, most) for item in items],
        tuple: lambda items: [cut(item, most) for item in items],
        dict: lambda items: {name: cut(item, most) for name, item in items.items()},
    }
    return cutting.get(type(value), lambda same: same)(value)
