"""What is wrong with the DAG file of a migration, as it is written: nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .problem import Problem

_REMEDY = "build_dag(migration) and build_rollback(migration), as in dags/scoring_models.py"


def dag_file(file: Path, migration_id: str, *, rows: bool) -> Iterator[Problem]:
    """Its problems; `rows`: whether the migration moves rows, rather than a schema."""
    if not file.is_file():
        yield Problem(file, None, f"there is no such file, so Airflow shows no DAG for it: {_REMEDY}")
        return
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError as error:
        yield Problem(file, error.lineno, f"{error.msg}: {(error.text or '').strip()}")
        return
    named = [
        (node.lineno, parts[2])
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and len(parts := (node.module or "").split(".")) > 2
        if parts[:2] == ["include", "migrations"]
    ]
    for line, other in named:
        if other != migration_id:
            yield Problem(file, line, f"it imports migration {other!r}; did you mean {migration_id!r}?")
    if not named:
        yield Problem(file, None, f"it does not import the migration: {_REMEDY}")
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    for builder in ("build_dag", "build_rollback") if rows else ():
        if builder not in called:
            yield Problem(file, None, f"it does not call {builder}: {_REMEDY}")
