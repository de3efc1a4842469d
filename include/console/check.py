"""`make check ID=people`: whatever is wrong with a migration that can be known without a store, each with its file and line."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from .. import migrations, project
from ..trueup.declare import Migration
from ..trueup.declare.names import one_of
from ..trueup.errors import DeclarationError
from ..trueup.schema import SchemaMigration

ROOT = Path(__file__).parent.parent.parent
_NAME = re.compile(r'Referenced column "([^"]+)" not found')
_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)


@dataclass(frozen=True)
class Problem:
    """What is wrong, in words, and where: a file, and a line in it where that is known."""

    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        """As compilers say it: `file:line: message`."""
        file = self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file
        return f"{file}{f':{self.line}' if self.line else ''}: {self.message}"


def check(migration_id: str) -> list[Problem]:
    """The problems of that migration: its declaration, its scripts bound against the declared relations, its suites, and its
    DAG file. Raises `DeclarationError` where there is no such migration."""
    if migration_id not in project.migration_ids():
        raise DeclarationError(
            f"there is no migration {migration_id!r}; {one_of(migration_id, project.migration_ids())}"
        )
    folder = Path(migrations.__path__[0]) / migration_id
    try:
        migration = project.load_migration(migration_id)
    except Exception as error:  # noqa: BLE001 - whatever an author's module raises is the problem
        return [_raised(error, folder, folder / "migration.py")]
    return [*problems(migration, folder), *_dag(migration_id)]


def problems(migration: Migration | SchemaMigration, folder: Path) -> list[Problem]:
    """The problems of a migration that could be declared, whose files lie in the folder."""
    if isinstance(migration, SchemaMigration):
        return []  # its revisions are linted and rehearsed by each run's plan
    from ..trueup.testing import make  # Great Expectations and DuckDB: a second or two

    where = folder / "migration.py"
    if broken := list(_suites(migration, folder)):
        return broken
    try:
        made = make(migration, {})
    except DeclarationError as error:
        return [_of_script(migration, error, where)]
    return [Problem(where, None, message) for message in made.broken]


def _suites(migration: Migration, folder: Path) -> Iterator[Problem]:
    """Suites that cannot be built, or name columns that their rows have not."""
    from ..trueup.declare.names import KEY, SOURCE_KEY
    from ..trueup.gate import evaluation

    for phase in migration.phases:
        for output in phase.outputs:
            there = {*migration.target(output.target).table.columns, KEY, SOURCE_KEY, "_verb"}
            if output.suite is None:
                continue
            at = _defined(output.suite, folder / "migration.py")
            try:
                named = evaluation.columns(output.suite)
            except DeclarationError as error:
                yield Problem(*at, f"phase {phase.id!r}: {error}")
                continue
            for name in sorted(named - there):
                yield Problem(
                    *at,
                    f"phase {phase.id!r}: the suite names column {name!r} of {output.target}; {one_of(name, there)}",
                )
    if migration.suite is not None:
        try:
            evaluation.columns(migration.suite)
        except DeclarationError as error:
            yield Problem(*_defined(migration.suite, folder / "migration.py"), str(error))


def _dag(migration_id: str) -> list[Problem]:
    file = ROOT / "dags" / f"{migration_id}.py"
    if file.is_file():
        return []
    return [
        Problem(
            file, None, "there is no such file, so Airflow shows no DAG for it: build_dag(migration) and "
            "build_rollback(migration), as in dags/scoring_models.py",
        )
    ]  # fmt: skip


def _raised(error: Exception, folder: Path, otherwise: Path) -> Problem:
    """Where an exception came through the author's files, the innermost place."""
    places = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(folder)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        return Problem(Path(error.filename), error.lineno, f"{error.msg}: {(error.text or '').strip()}")
    kind = "" if isinstance(error, DeclarationError) else f"{type(error).__name__}: "
    file, line = (Path(places[-1].filename), places[-1].lineno) if places else (otherwise, None)
    return Problem(file, line, f"{kind}{error}")


def _of_script(migration: Migration, error: DeclarationError, otherwise: Path) -> Problem:
    """The script that an error is about, by its name in the words, and the line that DuckDB says, which counts from the
    script's first."""
    paths: list[Path] = [path for phase in migration.phases for path in phase.code]
    paths += [*migration.shared.values(), *(derived.query for derived in migration.derived)]
    text = str(error)
    file = next((path for path in paths if path.name in text), None)
    if file is None:  # what a phase made is not what its target needs
        meant = (each for each in migration.phases if repr(each.target) in text or repr(each.id) in text)
        at = next((path for each in meant for path in each.code), otherwise)
        return Problem(at, None, text)
    if line := _LINE.search(text):
        return Problem(file, int(line[1]), text)
    if name := _NAME.search(text):  # DuckDB says no line for what is in a view
        for number, line_ in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(rf"\b{re.escape(name[1])}\b", line_):
                return Problem(file, number, text)
    return Problem(file, None, text)


def _defined(suite: Callable[..., Any], otherwise: Path) -> tuple[Path, int | None]:
    function = inspect.unwrap(getattr(suite, "func", suite))
    code = getattr(function, "__code__", None)
    return (Path(code.co_filename), code.co_firstlineno) if isinstance(code, CodeType) else (otherwise, None)
