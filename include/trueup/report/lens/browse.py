"""The rows of a run, a page at a time, in the order of its files: filtered, searched by key and by text.

A page is looked for at most `SECONDS`: what was found by then is given, with the place from which to go on. So the first
rows of a search come at once, however many rows there are, and nothing says that there are no more before all were seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import duckdb

from ...declare.names import BEFORE, KEY, MISTYPED, NUMBER, SOURCE_KEY, VERB, WITHOUT_NULLS
from ...errors import ArtifactError
from ...ledger import Ledger
from ...plan.files import KEEP
from ...rows import duck
from .rows import EXTRA, REJECTED, SKIPPED, Looked, Shape, Stack, own_columns, text
from .search import Asked, connected, found_at, may_hold, of_source, slices, wanted

SECONDS = 0.6
"""How long a page is looked for."""
COUNTED = 20.0
"""How long rows are counted."""
COUNTED_ROWS = 1_000_000
"""Rows that are counted at once."""
CHUNK = 102_400
"""Rows in which a text is searched at once: five row groups of a plan."""
LENGTH = 200
"""Characters of a value in a list."""
CELLS = 8
"""Values of a row in a list."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value of a row as text, None for null; of a row that changes, what it is `before`."""

    name: str
    value: str | None
    before: str | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row in a list: its place (`at`), its `verb` or kind, its `phase`, the `source` row's table and key, and the target's
    `table` and `key`, each empty or None where there is none. `cells` are the values that change, or the first ones; of
    `columns` there are so many. `code` and `message` say why it is rejected, or by which rule it is skipped."""

    at: str
    verb: str
    phase: str
    source_table: str
    source: str | None
    table: str
    key: str | None
    cells: tuple[Cell, ...] = ()
    columns: int = 0
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of rows. `next` is where to go on; None: all have been seen. `full`: the page has as many as were asked for;
    else it was given up for its time, after `looked` of the `of` rows that may be so."""

    rows: tuple[Line, ...]
    next: str | None
    full: bool
    looked: int
    of: int


def page(
    looked: Looked, ledger: Ledger, asked: Asked, *, after: str | None = None, size: int = 25, seconds: float = SECONDS
) -> Page:
    """The next page of rows behind the place `after` (None: the first). Raises `ArtifactError` for a place that the run
    does not have, or no more, and for files that are missing or changed."""
    stacks = [stack for stack in looked.stacks if stack.rows and may_hold(stack, asked)]
    before = {stack.artifact.path: sum(s.rows for s in stacks[:n]) for n, stack in enumerate(stacks)}
    of = sum(stack.rows for stack in stacks)
    first, start = _begin(looked, stacks, after)
    until = ledger.effects.monotonic() + seconds
    rows: list[Line] = []
    with connected(looked, ledger, asked) as connection:
        for part in slices(stacks[first:], start, CHUNK if asked.text else None):
            places = found_at(connection, looked, part, asked, size - len(rows))
            rows += _lines(connection, looked, places)
            stack, number = places[-1] if len(rows) == size else part.last
            seen = before[stack.artifact.path] + number + 1
            if seen < of and (len(rows) == size or ledger.effects.monotonic() > until):
                full = len(rows) == size
                return Page(rows=tuple(rows), next=stack.at(number), full=full, looked=seen, of=of)
    return Page(rows=tuple(rows), next=None, full=True, looked=of, of=of)


@dataclass(frozen=True, kw_only=True)
class Total:
    """How many rows are so; at least so many, where counting was given up for its time (`whole` is false then)."""

    rows: int
    whole: bool


def total(looked: Looked, ledger: Ledger, asked: Asked, seconds: float = COUNTED) -> Total:
    """How many rows are so, over all pages."""
    rows_so_far, until = 0, ledger.effects.monotonic() + seconds
    stacks = [stack for stack in looked.stacks if stack.rows and may_hold(stack, asked)]
    with connected(looked, ledger, asked) as connection:
        for part in slices(stacks, 0, COUNTED_ROWS):
            if ledger.effects.monotonic() > until:
                return Total(rows=rows_so_far, whole=False)
            rows, values = wanted(looked, part, asked)
            rows_so_far += int(connection.execute(f"SELECT count(*) {rows}", values).fetchall()[0][0])
    return Total(rows=rows_so_far, whole=True)


def _begin(looked: Looked, stacks: Sequence[Stack], after: str | None) -> tuple[int, int]:
    """Which of the files to begin with, and at which row."""
    if not after:
        return 0, 0
    position = looked.stack(after)
    if position is None or position[0] not in stacks:
        raise ArtifactError(f"the run has no row {after!r} to go on from: it was planned again meanwhile; begin again")
    return stacks.index(position[0]), position[1] + 1


def _lines(
    connection: duckdb.DuckDBPyConnection, looked: Looked, places: Sequence[tuple[Stack, int]]
) -> Iterator[Line]:
    """The rows at these places."""
    for stack, group in groupby(places, key=lambda place: place[0]):
        numbers = [number for _, number in group]
        rows = (
            f"FROM ({duck.numbered([looked.path(stack.artifact)])}) WHERE {NUMBER} BETWEEN {numbers[0]} AND {numbers[-1]} "
            f"AND {NUMBER} IN ({', '.join(map(str, numbers))}) ORDER BY {NUMBER}"
        )
        yield from (_of_sources if of_source(stack) else _of_targets)(connection, looked, stack, rows)


def _of_targets(connection: duckdb.DuckDBPyConnection, looked: Looked, stack: Stack, rows: str) -> list[Line]:
    columns = own_columns(duck.columns_of(looked.path(stack.artifact)))
    now = ", ".join(text(name, LENGTH) for name in columns)
    head = f"'{EXTRA}', {KEY}, NULL, false, [], []"
    if stack.shape is Shape.PLAN:
        before = ", ".join(text(name, LENGTH, BEFORE) for name in columns)
        head = f"{VERB}, {KEY}, {SOURCE_KEY}, {BEFORE} IS NOT NULL, [{before}], [{', '.join(map(differs, columns))}]"
    lines = connection.execute(f"SELECT {NUMBER}, {head}, [{now}] {rows}").fetchall()
    return [
        Line(
            at=stack.at(number),
            verb=verb,
            phase=stack.phase,
            source_table=looked.source_table(stack.phase) if source is not None else "",
            source=source,
            table=stack.table,
            key=key,
            cells=_cells(key, columns, row, before if exists else None, differ),
            columns=len(columns),
        )
        for number, verb, key, source, exists, before, differ, row in lines
    ]


def differs(name: str) -> str:
    """SQL: whether a planned row has another value in this column than the row before; false where there is none."""
    sides = [f"CAST({f'{WITHOUT_NULLS}({v})' if name == MISTYPED else v} AS VARCHAR)" for v in _sides(name)]
    return f"({BEFORE} IS NOT NULL AND {sides[0]} IS DISTINCT FROM {sides[1]})"


def _sides(name: str) -> tuple[str, str]:
    return duck.identifier(name), f"{BEFORE}.{duck.identifier(name)}"


def _cells(
    key: str | None,
    columns: Sequence[str],
    row: Sequence[str | None],
    before: Sequence[str | None] | None,
    differ: Sequence[bool],
) -> tuple[Cell, ...]:
    if before is not None and any(differ):
        changed = [n for n, other in enumerate(differ) if other]
        return tuple(Cell(name=columns[n], value=row[n], before=before[n]) for n in changed[:CELLS])
    filled = [n for n, value in enumerate(row) if value is not None and value != key]
    return tuple(Cell(name=columns[n], value=row[n]) for n in filled[:CELLS])


def _of_sources(connection: duckdb.DuckDBPyConnection, looked: Looked, stack: Stack, rows: str) -> list[Line]:
    kind, message = f"'{REJECTED}'", text("message", 2_000)
    if stack.shape is Shape.FATES:
        kind, message = f"CASE fate WHEN 'skip' THEN '{SKIPPED}' ELSE '{KEEP}' END", "NULL"
    lines = connection.execute(f"SELECT {NUMBER}, {kind}, {text('key', 2_000)}, code, {message} {rows}")
    table = looked.source_table(stack.phase)
    return [
        Line(
            at=stack.at(number), verb=verb, phase=stack.phase, source_table=table, source=key, table="", key=None,
            code=code or None, message=words,
        )
        for number, verb, key, code, words in lines.fetchall()
    ]  # fmt: skip
