"""The migrations of this project, found by their folders: whoever deals with all of them names none."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from . import migrations
from .trueup.declare.migration import Migration
from .trueup.errors import DeclarationError
from .trueup.schema import SchemaMigration


def migration_ids() -> list[str]:
    """The ids of all migrations of this project: the folders of include/migrations with a migration.py."""
    return _with("migration.py")


def load_migration(migration_id: str) -> Migration | SchemaMigration:
    """The declaration of that migration. Raises `DeclarationError` if its module declares none, or more than one."""
    module = _load(migration_id, "migration")
    declared = [value for value in vars(module).values() if isinstance(value, Migration | SchemaMigration)]
    if len(declared) != 1:
        raise DeclarationError(f"{module.__name__} declares {len(declared)} migrations; declare exactly one")
    return declared[0]


def with_routes() -> list[str]:
    """The ids of those migrations that serve what they moved: they have a routes.py."""
    return sorted({*migration_ids()} & {*_with("routes.py")})


def load_routes(migration_id: str) -> ModuleType:
    """The routes.py of that migration. Raises whatever it raises."""
    return _load(migration_id, "routes")


def load_expectations() -> None:
    """Make the expectations of all migrations known to Great Expectations: those that have an expectations.py."""
    for migration_id in _with("expectations.py"):
        _load(migration_id, "expectations")


def _with(name: str) -> list[str]:
    return sorted(file.parent.name for path in migrations.__path__ for file in Path(path).glob(f"*/{name}"))


def _load(migration_id: str, module: str) -> ModuleType:
    return importlib.import_module(f"{migrations.__name__}.{migration_id}.{module}")
