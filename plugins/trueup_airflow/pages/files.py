"""The files of a run that the pages may show: names of a fixed list below the run's own folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from include.trueup.run.workspace import RunFolder

from .. import connections

File = Literal["report.html", "report.json", "report.md", "findings.csv", "rejects.jsonl"]
"""The files of a run that may be asked for."""
TEXT = 2_000
"""Characters of a value that a page gets at once."""


def folder(id: str) -> RunFolder:
    """The run's folder. `id` is as `scheduled.ledger_id` makes it, so that it is one folder's name and nothing else."""
    return connections.workspace().run(id)


def local(id: str, name: File, scratch: Path) -> Path:
    """A file of the run as a local path, copied to `scratch` if it must be. Raises `ArtifactError` if there is none."""
    return connections.workspace().fetch(f"runs/{id}/{name}", scratch)


def there(id: str) -> set[str]:
    """Names of the files of the run's folder, and of its gates and proofs with their folder."""
    at = {"": f"runs/{id}", "gates/": f"runs/{id}/gates", "proof/": f"runs/{id}/proof"}
    return {prefix + name for prefix, folder in at.items() for name in connections.workspace().names(folder)}


def cut(value: Any) -> Any:
    """The same JSON value with every text in it no longer than `TEXT`; `…` stands for the rest."""
    cutting: dict[type, Callable[[Any], Any]] = {
        str: lambda text: text if len(text) <= TEXT else f"{text[:TEXT]}…",
        list: lambda items: [cut(item) for item in items],
        tuple: lambda items: [cut(item) for item in items],
        dict: lambda items: {name: cut(item) for name, item in items.items()},
    }
    return cutting.get(type(value), lambda same: same)(value)
