"""Who may import whom: dags → plugins → include; inside, migrations → trueup, and stores know nothing of verbs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.project import migration_ids

ROOT = Path(__file__).parent.parent.parent
VERBS = {
    "preflight",
    "snapshot",
    "transform",
    "plan",
    "gate",
    "apply",
    "verify",
    "prove",
    "rollback",
    "report",
    "steps",
    "run",
    "ledger",
    "workspace",
}
DRIVERS = {"boto3", "botocore", "psycopg", "psycopg2", "adbc_driver_postgresql", "adbc_driver_manager", "asyncpg"}


def modules(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


def imports(file: Path) -> Iterator[str]:
    """Absolute names of everything that the file imports, wherever in it."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            module = f"{base}{node.module}" if node.module else base.rstrip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def starts(name: str, *packages: str) -> bool:
    return any(name == p or name.startswith(f"{p}.") for p in packages)


def offenders(folder: str, *forbidden: str, except_in: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules(folder)
        if not any(str(file.relative_to(ROOT)).startswith(prefix) for prefix in except_in)
        for name in imports(file)
        if starts(name, *forbidden)
    ]


def test_only_plugins_and_dags_import_airflow() -> None:
    assert offenders("include", "airflow", "trueup_airflow") == []


def test_nothing_imports_dags() -> None:
    assert offenders("include", "dags") + offenders("plugins", "dags") == []


def test_only_stores_import_drivers() -> None:
    assert offenders("include/trueup", *DRIVERS, except_in=("include/trueup/stores/",)) == []
    assert offenders("include/migrations", *DRIVERS) == []


@pytest.mark.parametrize(("store", "other"), [("dynamodb", "postgres"), ("postgres", "dynamodb")])
def test_stores_know_nothing_of_verbs_nor_of_each_other(store: str, other: str) -> None:
    verbs = [f"include.trueup.{verb}" for verb in VERBS]
    assert (
        offenders(f"include/trueup/stores/{store}", *verbs, f"include.trueup.stores.{other}", "include.migrations")
        == []
    )


def test_the_engine_knows_no_migration_and_no_embedded_store() -> None:
    assert offenders("include/trueup", "include.migrations", "include.embedded") == []


def test_a_migration_knows_no_other() -> None:
    for folder in (p for p in (ROOT / "include/migrations").iterdir() if (p / "migration.py").is_file()):
        others = [f"include.migrations.{p.name}" for p in folder.parent.iterdir() if p.is_dir() and p != folder]
        assert offenders(f"include/migrations/{folder.name}", *others, "include.embedded") == []


def test_the_plugin_knows_no_migration_by_name_and_no_embedded_store() -> None:
    assert offenders("plugins", "include.migrations", "include.embedded") == []


def test_a_web_framework_is_for_routes_alone() -> None:
    found = offenders("include", "fastapi", "starlette", "include.routes", "pydantic")
    own = ("include/routes.py", "include/migrations/")
    assert [each for each in found if not each.startswith(own)] == []
    declarations = {f"include/migrations/{name}/migration.py" for name in migration_ids()}
    assert not declarations & {each.split()[0] for each in found}  # DAG files are parsed again and again


def test_a_dag_file_imports_its_migration_and_the_builder_only() -> None:
    for file in modules("dags"):
        own = [name for name in imports(file) if not starts(name, "trueup_airflow")]
        folders = {tuple(name.split(".")[:3]) for name in own}
        assert len(folders) == 1, file
        ((*place, migration),) = folders
        assert place == ["include", "migrations"], file
        assert f"{file.stem}_".startswith(f"{migration}_"), file


def test_the_reader_of_imports_sees_what_it_must() -> None:
    file = ROOT / "include" / "trueup" / "ledger" / "__init__.py"
    found = set(imports(file))
    assert "include.trueup.errors.StatusError" in found
    assert "sqlalchemy" in found
    assert "alembic.command" in found
