"""`make check ID=people`: whatever is wrong with a migration that can be known without a store, each with its file and line."""

from __future__ import annotations

import inspect
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from .. import migrations, project
from ..trueup import declare
from ..trueup.declare import Migration
from ..trueup.declare.names import one_of
from ..trueup.errors import DeclarationError
from ..trueup.schema import SchemaMigration
from .dag_file import dag_file
from .placing import former, within
from .problem import ROOT, TO_FILL, Problem, line_of
from .scripts import scripts
from .store_scripts import store_scripts

_NAME = re.compile(r'Referenced column "([^"]+)" not found')
_KEYWORD = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")
_FORM = {"approval", "plan", "window_start", "window_end"}
"""Fields of every DAG's form beside the options of a run."""
_TO_FILL = re.compile(rf"\s*{TO_FILL} AS (.+?)(?:, -- .*)?$")
_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)


def check(migration_id: str) -> list[Problem]:
    """The problems of that migration: its declaration, its scripts bound against the declared relations, its suites, and its
    DAG file. Raises `DeclarationError` where there is no such migration."""
    if migration_id not in project.migration_ids():
        raise DeclarationError(
            f"there is no migration {migration_id!r}; {one_of(migration_id, project.migration_ids())}"
        )
    folder = Path(migrations.__path__[0]) / migration_id
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # `former` says them with their lines
            migration = project.load_migration(migration_id)
    except Exception as error:  # noqa: BLE001 - whatever an author's module raises is the problem
        return [_raised(error, folder, folder / "migration.py")]
    file = ROOT / "dags" / f"{migration_id}.py"
    dag = dag_file(file, migration_id, rows=isinstance(migration, Migration))
    spelt = [*_named(migration, folder), *former(folder)]
    return [*(spelt or problems(migration, folder)), *dag]  # what needs no store's code is said at once


def notes(migration_id: str) -> list[Problem]:
    """What its author may not mean, of a migration in which nothing is wrong."""
    from .bare_texts import bare_texts  # with DuckDB

    migration = project.load_migration(migration_id)
    return [*bare_texts(migration)] if isinstance(migration, Migration) else []


def placed(migration_id: str, name: str, message: str) -> Problem:
    """A problem of the declaration, at the first line that has that name in quotes."""
    file = Path(migrations.__path__[0]) / migration_id / "migration.py"
    return Problem(file, line_of(file, f'"{name}"') or line_of(file, f"'{name}'"), message)


def problems(migration: Migration | SchemaMigration, folder: Path) -> list[Problem]:
    """The problems of a migration that could be declared, whose files lie in the folder."""
    if isinstance(migration, SchemaMigration):
        return []  # its revisions are linted and rehearsed by each run's plan
    from ..trueup.testing import make_of  # Great Expectations and DuckDB: a second or two
    from ..trueup.testing.statements import unanswerable
    from .constants import constants

    where = folder / "migration.py"
    if broken := [*_names(migration, where)]:
        return broken
    if broken := [
        *_params(migration, where),
        *scripts(migration),
        *store_scripts(migration, where),
        *_suites(migration, folder),
    ]:
        return broken
    try:
        made = make_of(migration, {}, judged=_has_suites(migration))
    except DeclarationError as error:
        return [*_to_fill(migration, error)] or [_of_script(migration, error, where)]
    try:
        broken = [*constants(migration)]
    except DeclarationError as error:
        return [_of_script(migration, error, where)]
    broken += [*(Problem(where, None, message) for message in made.broken)]
    for statement, why in unanswerable(migration):
        at = line_of(where, f'"{statement.title}"') or line_of(where, statement.title)
        broken.append(Problem(where, at, f"statement {statement.title!r} {why}"))
    return broken


def _named(migration: Migration | SchemaMigration, folder: Path) -> Iterator[Problem]:
    if migration.id != folder.name:
        where = folder / "migration.py"
        message = f"migration {migration.id!r} lies in the folder {folder.name}; did you mean id={folder.name!r}?"
        yield Problem(where, line_of(where, f'"{migration.id}"'), message)


def _params(migration: Migration, where: Path) -> Iterator[Problem]:
    from ..trueup.run import Options

    for param in migration.params:
        if param.id in _FORM | {each.name for each in fields(Options)}:
            message = f"param {param.id!r} is a field of every DAG's form already; give it another id"
            yield Problem(where, line_of(where, f'"{param.id}"'), message)


def _names(migration: Migration, where: Path) -> Iterator[Problem]:
    """Tables that no store can have, and rules that no script says."""
    from ..trueup.stores.dynamodb.items import Layout
    from ..trueup.stores.postgres.catalog import schema_and_name
    from ..trueup.testing.literal import is_dynamodb

    tables = [*(source.table for source in migration.sources), *(target.table for target in migration.targets)]
    for table in tables:
        try:
            _ = Layout(table) if is_dynamodb(table, None) else schema_and_name(table)
        except DeclarationError as error:
            yield Problem(where, line_of(where, f'"{table.name}"'), str(error))
    for phase in migration.phases:
        text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in phase.code)
        for code in phase.expected_skips:
            if code not in text:
                message = f"phase {phase.id!r} expects skips by {code!r}, which {phase.code[0].name} never says"
                yield Problem(where, line_of(where, f'"{code}"'), message)


def _has_suites(migration: Migration) -> bool:
    """Whether it has suites of its own: without, no row is judged, and importing Great Expectations takes most of a check."""
    return migration.suite is not None or any(o.suite for phase in migration.phases for o in phase.outputs)


def _suites(migration: Migration, folder: Path) -> Iterator[Problem]:
    """Suites that cannot be built, or name columns that their rows have not."""
    from ..trueup.declare.names import KEY, SOURCE_KEY
    from ..trueup.gate import evaluation

    for phase in migration.phases:
        for output in phase.outputs:
            columns = {*migration.target(output.target).table.columns, KEY, SOURCE_KEY, "_verb"}
            if output.suite is None:
                continue
            at = _defined(output.suite, folder / "migration.py")
            try:
                named = evaluation.columns(output.suite)
            except DeclarationError as error:
                yield Problem(*at, f"phase {phase.id!r}: {error}")
                continue
            for name in sorted(named - columns):
                yield Problem(
                    *at,
                    f"phase {phase.id!r}: the suite names column {name!r} of {output.target}; {one_of(name, columns)}",
                )
    if migration.suite is not None:
        try:
            evaluation.columns(migration.suite)
        except DeclarationError as error:
            yield Problem(*_defined(migration.suite, folder / "migration.py"), str(error))


def _raised(error: Exception, folder: Path, otherwise: Path) -> Problem:
    """Where an exception came through the author's files, the innermost place."""
    places = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(folder)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        return Problem(Path(error.filename), error.lineno, f"{error.msg}: {(error.text or '').strip()}")
    kind = "" if isinstance(error, DeclarationError) else f"{type(error).__name__}: "
    file, line = (Path(places[-1].filename), places[-1].lineno) if places else (otherwise, None)
    if line is not None and isinstance(error, DeclarationError):
        line = within(file, line, str(error))
    return Problem(file, line, f"{kind}{error}{_meant(error)}")


def _meant(error: Exception) -> str:
    """Of a keyword that there is not: what there is."""
    keyword = _KEYWORD.search(str(error)) if isinstance(error, TypeError) else None
    declared = getattr(declare, keyword[1], None) if keyword else None
    if not keyword or not isinstance(declared, type) or not is_dataclass(declared):
        return ""
    return f"; {one_of(keyword[2], (each.name for each in fields(declared)))}"


def _to_fill(migration: Migration, error: DeclarationError) -> Iterator[Problem]:
    """The lines of `make new` in which nobody has said yet what a column is made from, where they are the error."""
    if (name := _NAME.search(str(error))) is None or name[1] != TO_FILL:
        return
    for path in dict.fromkeys(path for phase in migration.phases for path in phase.code):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if column := _TO_FILL.match(line):
                yield Problem(path, number, f"say what {column[1]} is made from, in place of {TO_FILL}")


def _of_script(migration: Migration, error: DeclarationError, otherwise: Path) -> Problem:
    """The script that an error is about, by its name in the words, and the line that DuckDB says, which counts from the
    script's first."""
    from .constants import failing_line

    paths: list[Path] = [path for phase in migration.phases for path in phase.code]
    paths += [*migration.shared.values(), *(derived.query for derived in migration.derived)]
    paths += [*migration.audit.values(), *(migration.cost.scripts if migration.cost else ())]
    text = str(error)
    file = next((path for path in paths if path.name in text), None)
    if file is None:  # what a phase made is not what its target needs
        meant = (each for each in migration.phases if repr(each.target) in text or repr(each.id) in text)
        at = next((path for each in meant for path in each.code), otherwise)
        return Problem(at, None if at == otherwise else _of_view(migration, at, text), text)
    if line := _LINE.search(text):
        return Problem(file, int(line[1]), text)
    if name := _NAME.search(text):  # DuckDB says no line for what is in a view
        for number, line_ in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(rf"\b{re.escape(name[1])}\b", line_):
                return Problem(file, number, text)
    return Problem(file, _of_view(migration, file, text) or failing_line(migration, file), text)


def _of_view(migration: Migration, file: Path, text: str) -> int | None:
    """The line of the column, or of the view, that an error is about which DuckDB does not know of."""
    from ..trueup.rows.wording import line_of as made_on

    views = [o.view for phase in migration.phases if file in phase.scripts for o in phase.outputs]
    named = re.search(r"(\w+) (?:lack|have) (?:the )?columns", text) or re.search(r"transform's (\w+) is ", text)
    column = re.search(r"column '([^']+)' of the transform's", text) or re.search(r"they have '([^']+)'", text)
    column = column or re.search(r"have columns \['([^']+)'", text)
    script = file.read_text(encoding="utf-8")
    if named is None or named[1] not in views:
        return made_on(script, "findings") if re.search(r'Column "(_source|key|severity|code|message)"', text) else None
    return made_on(script, named[1], column[1] if column else "")


def _defined(suite: Callable[..., Any], otherwise: Path) -> tuple[Path, int | None]:
    function = inspect.unwrap(getattr(suite, "func", suite))
    code = getattr(function, "__code__", None)
    return (Path(code.co_filename), code.co_firstlineno) if isinstance(code, CodeType) else (otherwise, None)
