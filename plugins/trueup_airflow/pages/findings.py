"""A run's findings, a page of them at a time: DuckDB over its findings.csv and over the conflicts in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from include.trueup.declare.names import phase_of
from include.trueup.errors import ArtifactError
from include.trueup.rows import duck
from include.trueup.run.files import FINDINGS_CSV

from .. import connections
from .files import TEXT, local

COLUMNS = ("phase", "table", "key", "severity", "code", "message")
FILTERS = ("severity", "code", "phase")
LONGEST = 64 * 1024 * 1024
"""Bytes of a finding or a rejected row that can still be read; DynamoDB's rows have at most 400 KB, Postgres' may have more."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding by its number; `cut` says that its texts are longer than what is here."""

    number: int
    phase: str | None
    table: str | None
    key: str | None
    severity: str | None
    code: str | None
    message: str | None
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many findings there are of a severity, code and phase."""

    severity: str | None
    code: str | None
    phase: str | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of findings: its `rows`, the `total` of those asked for, and `counts` of all. Not `there` until they are
    published."""

    there: bool = False
    rows: tuple[Finding, ...] = ()
    total: int = 0
    counts: tuple[Count, ...] = ()


def page(id: str, *, number: int, size: int, search: str | None, **filters: str | None) -> Page:
    """Findings that have all these values and the text in key or message, of that page (from 1). Long texts are cut."""
    asked = {name: value for name, value in filters.items() if value}
    conditions = [f"{duck.identifier(name)} = ?" for name in FILTERS if name in asked]
    values = [asked[name] for name in FILTERS if name in asked]
    if search:
        conditions.append("(contains(lower(key), lower(?)) OR contains(lower(message), lower(?)))")
        values += [search, search]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    with opened(id) as connection:
        if connection is None:
            return Page()
        total = connection.execute(f"SELECT count(*) FROM findings {where}", values).fetchall()[0][0]
        shown = ", ".join(f"left({duck.identifier(c)}, {TEXT})" for c in COLUMNS)
        long = f"greatest(length(key), length(message)) > {TEXT}"
        rows = connection.execute(
            f"SELECT number, {shown}, {long} FROM findings {where} ORDER BY number LIMIT ? OFFSET ?",
            [*values, size, (number - 1) * size],
        ).fetchall()
        names = ("number", *COLUMNS, "cut")
        return Page(
            there=True,
            rows=tuple(Finding(**dict(zip(names, row, strict=True))) for row in rows),
            total=total,
            counts=_counts(connection),
        )


def one(id: str, number: int) -> Finding | None:
    """A finding, whole; None if there is none of that number."""
    with opened(id) as connection:
        if connection is None:
            return None
        columns = ", ".join(duck.identifier(c) for c in COLUMNS)
        row = connection.execute(f"SELECT {columns} FROM findings WHERE number = ?", [number]).fetchone()
        return None if row is None else Finding(number=number, **dict(zip(COLUMNS, row, strict=True)))


def counted(id: str) -> tuple[Count, ...] | None:
    """How many findings of each severity, code and phase the run has; None if it has not got as far."""
    with opened(id) as connection:
        return None if connection is None else _counts(connection)


def by_severity(counts: Iterable[Count]) -> dict[str, int]:
    """The same, of each severity."""
    by_name = {"reject": 0, "warning": 0}
    for one in counts:
        by_name[str(one.severity)] = by_name.get(str(one.severity), 0) + one.count
    return by_name


def _counts(connection: duckdb.DuckDBPyConnection) -> tuple[Count, ...]:
    query = "SELECT severity, code, phase, count(*) FROM findings GROUP BY ALL ORDER BY severity, code, min(number)"
    rows = connection.execute(query).fetchall()
    return tuple(Count(severity=severity, code=code, phase=phase, count=n) for severity, code, phase, n in rows)


@contextmanager
def opened(id: str) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """A connection with the relation `findings`, numbered; None if the run has none published. A conflict's number is
    below zero, so that a later one changes no other's."""
    with TemporaryDirectory(prefix="trueup-page-") as folder:
        try:
            path = local(id, FINDINGS_CSV, Path(folder))
        except ArtifactError:
            yield None
            return
        with duck.connect(Path(folder)) as connection:
            connection.register("conflicts", _conflicts(id))
            connection.execute(
                f"CREATE TEMP VIEW findings AS SELECT row_number() OVER () AS number, * FROM {csv(path)} "
                "UNION ALL SELECT * FROM conflicts"
            )
            yield connection


def _conflicts(id: str) -> pa.Table:
    """The rows that apply left alone, as findings."""
    book = connections.book()
    alone = book.conflicts(id) if book else []
    constants = {"table": "", "severity": "warning", "code": "conflict"}
    texts = {name: [constants.get(name) for _ in alone] for name in COLUMNS} | {
        "phase": [phase_of(c.output) for c in alone],
        "key": [c.key for c in alone],
        "message": [c.reason for c in alone],
    }
    numbers = pa.array(range(-1, -len(alone) - 1, -1), pa.int64())
    return pa.table({"number": numbers, **{name: pa.array(values, pa.string()) for name, values in texts.items()}})


def csv(path: Path) -> str:
    """SQL: findings.csv as the engine writes it, every value as text, nothing guessed."""
    columns = ", ".join(f"{duck.literal(c)}: 'VARCHAR'" for c in COLUMNS)
    return (
        f"read_csv({duck.path(path)}, hive_partitioning = false, auto_detect = false, header = true, delim = ',', "
        f"quote = '\"', escape = '\"', "
        f"columns = {{{columns}}}, max_line_size = {LONGEST}, buffer_size = {2 * LONGEST}, parallel = false)"
    )
