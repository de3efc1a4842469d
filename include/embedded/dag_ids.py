"""Which DAGs the DAG files make, as their text says: nothing of Airflow is imported, and none of them is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..trueup.declare.names import one_of
from ..trueup.errors import OptionsError
from .home import PROJECT

_BESIDE = {"build_rollback": "_rollback", "build_cutover": "_cutover", "build_schema_restore": "_restore"}
"""Functions that make a DAG beside the migration's own, and what its id has after the migration's."""


def check_dag(dag_id: str, given: Mapping[str, str]) -> None:
    """Raise `OptionsError` for a DAG that no file can be about: none has a name like it, none has its id in its text."""
    folder = Path(given.get("TRUEUP_DAGS_FOLDER") or PROJECT / "dags")
    ids: set[str] = set()
    for file in sorted(folder.rglob("*.py")):
        text = file.read_text(encoding="utf-8", errors="replace")
        if re.search(rf"\b{re.escape(dag_id)}\b", text):
            return
        ids |= {file.stem, *(file.stem + ending for function, ending in _BESIDE.items() if function in text)}
    if dag_id not in ids:
        raise OptionsError(_added(dag_id, folder) or f"there is no DAG {dag_id!r}; {one_of(dag_id, ids)}")


def files_of(dag_id: str, folder: Path) -> list[Path]:
    """The files that may make the DAG, by their names and texts, the likeliest first; another may, too, and none need."""
    named = [file for file in sorted(folder.rglob("*.py")) if f"{dag_id}_".startswith(f"{file.stem}_")]
    named.sort(key=lambda file: -len(file.stem))
    word = re.compile(rf"\b{re.escape(dag_id)}\b")
    every = (file for file in sorted(folder.rglob("*.py")) if file not in named)
    return [*named, *(file for file in every if word.search(file.read_text(encoding="utf-8", errors="replace")))]


def _added(dag_id: str, folder: Path) -> str | None:
    """How the DAG is made, where it is one beside a migration whose file does not build it."""
    for name in ("rollback", "cutover"):
        file = folder / f"{dag_id.removesuffix(f'_{name}')}.py"
        if dag_id.endswith(f"_{name}") and file.exists() and "build_dag(" in file.read_text(encoding="utf-8"):
            line = f"{name} = build_{name}(migration)"
            return f"there is no DAG {dag_id!r}: dags/{file.name} does not build it. Add {line} there, as in section 8 of docs/tutorial.md"
    return None
