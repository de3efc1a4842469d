"""The source rows behind a planned row, as the run's snapshot has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import duckdb

from ...declare.migration import Derived, Source
from ...declare.names import FILE, KEY, NUMBER
from ...errors import ArtifactError
from ...rows import duck
from ...run.files import SNAPSHOT_FILES
from ...run.workspace import Artifact
from .rows import Looked, own_columns, text

MOST = 20
"""Source rows of one table that are shown."""


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """A row as it was read: its `table`, its key and, as text, its values that are not null."""

    table: str
    key: str
    row: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Behind:
    """The source rows behind a planned row, and what could not be looked at, in words."""

    rows: tuple[SourceRow, ...] = ()
    not_looked: tuple[str, ...] = ()


def behind(connection: duckdb.DuckDBPyConnection, looked: Looked, phase: str, key: str, length: int) -> Behind:
    """The source row of that key that the phase accounts for. Of a derived one: the rows of every source that name it by
    the same columns. Values are no longer than `length`."""
    driver = looked.driver(phase)
    if looked.undoes:
        return Behind()  # a rollback reads no source
    if driver is None:
        return Behind(not_looked=(f"phase {phase!r} is not declared any more, so its source is not known",))
    try:
        if isinstance(driver, Source):
            return _of_source(connection, looked, driver, key, length)
        return _of_derived(connection, looked, driver, key, length)
    except ArtifactError as error:
        return Behind(not_looked=(str(error),))


def _of_source(connection: duckdb.DuckDBPyConnection, looked: Looked, source: Source, key: str, length: int) -> Behind:
    files = _files(looked, source)
    if not files:
        return Behind(not_looked=(f"the run has no snapshot of {source.name}",))
    sources = tuple(_rows(connection, looked, source, files, f"{KEY} = ?", [key], length))
    if not sources:
        return Behind(not_looked=(f"{source.name} as the run read it has no row {key!r}",))
    return Behind(rows=sources)


def _of_derived(
    connection: duckdb.DuckDBPyConnection, looked: Looked, derived: Derived, key: str, length: int
) -> Behind:
    parts = [key] if len(derived.key) == 1 else json.loads(key)
    rows: list[SourceRow] = []
    without = []
    for source in looked.migration.sources:
        files = _files(looked, source)
        if not {*derived.key} <= {*source.columns} or not files:
            without.append(source.name)
            continue
        same = " AND ".join(f"CAST({duck.identifier(column)} AS VARCHAR) = ?" for column in derived.key)
        rows += _rows(connection, looked, source, files, same, parts, length)
    reason = (
        f"{derived.name} are made of several tables; these do not name {', '.join(derived.key)}: {', '.join(without)}"
    )
    return Behind(rows=tuple(rows), not_looked=(reason,) if without else ())


def _files(looked: Looked, source: Source) -> list[Artifact]:
    return [f for f in SNAPSHOT_FILES.among(looked.manifests("snapshot"), source.id) if f.rows]


def is_there(connection: duckdb.DuckDBPyConnection, looked: Looked, source: Source, keys: tuple[str, ...]) -> list[str]:
    """Which of these keys the source had when the run read it."""
    files = _files(looked, source)
    if not files:
        return []
    rows = duck.numbered([looked.path(f) for f in files])
    marks = ", ".join("?" for _ in keys)
    keys_read = connection.execute(f"SELECT DISTINCT {KEY} FROM ({rows}) WHERE {KEY} IN ({marks})", keys).fetchall()
    return [key for (key,) in keys_read]


def _rows(
    connection: duckdb.DuckDBPyConnection,
    looked: Looked,
    source: Source,
    files: list[Artifact],
    same: str,
    values: list[str],
    length: int,
) -> Iterator[SourceRow]:
    paths = [looked.path(file) for file in files]
    # where they are first, from one column alone; then these rows, of which the files are many and wide
    places = connection.execute(
        f"SELECT {FILE}, {NUMBER} FROM ({duck.numbered(paths)}) WHERE {same} ORDER BY ALL LIMIT {MOST}", values
    ).fetchall()
    columns = own_columns(duck.columns_of(paths[0]))
    shown = ", ".join(text(name, length) for name in columns)
    for file, number in places:
        ((key, row),) = connection.execute(
            f"SELECT {KEY}, [{shown}] FROM ({duck.numbered([paths[file]])}) WHERE {NUMBER} = {number}"
        ).fetchall()
        filled = {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        yield SourceRow(table=source.name, key=key, row=filled)
