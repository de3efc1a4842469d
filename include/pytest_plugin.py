"""A plugin of pytest for the authors of migrations: `check` and `there_and_back` (`trueup.testing`) as fixtures, the second
over real embedded stores of the whole session; and a test of each migration that there is, which is red until somebody has
written one of those for it.

Registered by `pytest_plugins` in tests/conftest.py. `include/migrations` has to be among the paths that are collected.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import migrations, project
from .trueup.declare import Migration

if TYPE_CHECKING:
    from .embedded.dynamodb import Engine
    from .embedded.postgres import Server
    from .trueup.stores import Store
    from .trueup.testing import Made, Stage

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
USED = {"check", "there_and_back"}
"""What a test of a migration calls."""
_names = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server for the whole session."""
    from .embedded.forgetful import forgetful_server

    with forgetful_server() as server:
        yield server


@pytest.fixture(scope="session")
def ledger_template(postgres_server: Server) -> str:
    """The name of a database with an empty ledger: to copy it takes less time than to make one."""
    from .trueup.ledger import Ledger

    name = "ledger_template"
    postgres_server.create_database(name)
    made = Ledger(postgres_server.uri(name))
    made.upgrade()
    made.close()
    return name


@pytest.fixture(scope="session")
def dynamodb_engine() -> Iterator[Engine]:
    """A DynamoDB engine for the whole session."""
    from .embedded.forgetful import fastest_engine

    with fastest_engine() as engine:
        yield engine


@pytest.fixture
def check() -> Callable[..., Made]:
    """What a migration makes of a few rows, in memory: `trueup.testing.check`."""
    from .trueup.testing import check

    return check


@pytest.fixture
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Empty stores, a ledger and a workspace: a database behind each connection, but those with dynamodb in their name."""
    from .trueup.ledger import Ledger
    from .trueup.run.workspace import Workspace
    from .trueup.stores.postgres import PostgresStore
    from .trueup.testing import Stage

    server: Server = request.getfixturevalue("postgres_server")
    name = f"stage_{next(_names)}"
    server.create_database(name, like=request.getfixturevalue("ledger_template"))
    ledger = Ledger(server.uri(name))

    @cache
    def dynamodb() -> Store:
        return _empty(request.getfixturevalue("dynamodb_engine"))

    @cache
    def postgres(connection: str) -> Store:
        server.create_database(f"{name}_{connection}")
        return PostgresStore(server.uri(f"{name}_{connection}"))

    yield Stage(
        store=lambda connection: dynamodb() if "dynamodb" in connection else postgres(connection),
        ledger=ledger,
        workspace=Workspace(str(tmp_path / "workspace")),
    )
    ledger.close()


@pytest.fixture
def there_and_back(stage: Stage) -> Callable[..., None]:
    """All of a run of a migration and its rollback, on an empty stage: `trueup.testing.there_and_back`."""
    from .trueup.testing import there_and_back

    return lambda migration, **given: there_and_back(migration, stage, **given)


def _empty(engine: Engine) -> Store:
    """A store on the engine, without the tables of another test."""
    from .trueup.stores.dynamodb import DynamoDBStore, client

    made = client(
        endpoint_url=engine.endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    for table in made.list_tables()["TableNames"]:
        made.update_table(TableName=table, DeletionProtectionEnabled=False)
        made.delete_table(TableName=table)
    return DynamoDBStore(made)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Every migration of this project is something to be tested."""
    places = [Path(path).resolve() for path in migrations.__path__]
    if file_path.name == "migration.py" and file_path.parent.parent.resolve() in places:
        made: pytest.Collector = MigrationFile.from_parent(parent, path=file_path)
        return made
    return None


class MigrationFile(pytest.File):
    """The declaration of a migration."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test: that it has tests."""
        yield HasTests.from_parent(self, name="has_tests")


class UntestedError(Exception):
    """No test is about a migration."""


class HasTests(pytest.Item):
    """Whether somebody has tested a migration by `check` or `there_and_back`."""

    def runtest(self) -> None:
        """Raise `UntestedError` where nobody has."""
        folder = self.path.parent
        of_rows = isinstance(project.load_migration(folder.name), Migration)
        files = (file.read_text(encoding="utf-8") for file in sorted(TESTS.rglob("test_*.py")))
        if not any(is_about(text, folder.name, of_rows=of_rows) for text in files):
            raise UntestedError(
                f"migration {folder.name!r} has no test: no file of tests/ imports include.migrations.{folder.name}.migration and"
                f" calls check or there_and_back. Write tests/migrations/test_{folder.name}.py, as `make new` does: some rows"
                " by hand, what they give, and which are rejected (docs/authors.md has an example)"
            )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is missing, without a traceback."""
        if isinstance(excinfo.value, UntestedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The declaration, as that which is tested."""
        return self.path, None, f"{self.path.parent.name} has tests"


def is_about(text: str, migration_id: str, *, of_rows: bool = True) -> bool:
    """Whether the text of a file imports that migration and has a test that calls `check` or `there_and_back`; of a migration
    of schemas, which has no rows, any test."""
    module = f"include.migrations.{migration_id}"
    if module not in text:
        return False
    tree = ast.parse(text)
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    if not {f"{node.module}.{alias.name}" for node in imports for alias in node.names} & {
        f"{module}.migration",
        f"{module}.migration.migration",
    }:
        return False
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test"))
    calls = (call for function in functions for call in ast.walk(function) if isinstance(call, ast.Call))
    return not of_rows or any(isinstance(call.func, ast.Name) and call.func.id in USED for call in calls)
