"""One row of a run, whole: beside the source row that it comes from, with the others that come from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from ...declare.names import BEFORE, KEY, NUMBER, SOURCE_KEY, VERB
from ...ledger import Ledger
from ...plan.files import KEEP
from ...rows import duck
from .browse import differs
from .fates import Made, Sought
from .fates import made as _made
from .findings import Finding, findings_of
from .legacy import Behind, SourceRow, behind
from .rows import EXTRA, REJECTED, SKIPPED, Looked, Shape, Stack, own_columns, text

BYTES = 1_000_000
"""About what one side of a row may have: of a wide one, each value is cut shorter."""
LONGEST, SHORTEST = 20_000, 200
"""Characters of a value; the rest is cut off, and `…` stands for it."""
NOTHING = Made(sources=(), targets=())


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A row. `row` are its values that are not null, as text; `before` those that the target has now (None: there is no such
    row), and `changed` the columns in which they differ. `legacy` are the source rows behind it; `made` is what the run
    made of these and of it. `not_looked`: what could not be looked at, in words."""

    at: str
    verb: str
    phase: str
    table: str
    key: str | None
    source_table: str
    source: str | None
    row: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] | None = None
    changed: tuple[str, ...] = ()
    code: str | None = None
    message: str | None = None
    legacy: tuple[SourceRow, ...] = ()
    made: Made = NOTHING
    findings: tuple[Finding, ...] = ()
    not_looked: tuple[str, ...] = ()


def one(looked: Looked, ledger: Ledger, at: str) -> Whole | None:
    """The row at a place (`Stack.at`); None if the run has none there. Raises `ArtifactError` for files that are missing or
    changed."""
    position = looked.stack(at)
    if position is None:
        return None
    with looked.folder.workspace.scratch() as scratch, duck.connect(scratch) as connection:
        stack, number = position
        if stack.shape in (Shape.REJECTS, Shape.FATES):
            return _of_source(connection, looked, ledger, stack, number)
        return _planned(connection, looked, ledger, stack, number)


def _length(columns: int) -> int:
    return max(SHORTEST, min(LONGEST, BYTES // max(columns, 1)))


def _planned(connection: duckdb.DuckDBPyConnection, looked: Looked, ledger: Ledger, stack: Stack, number: int) -> Whole:
    file = looked.path(stack.artifact)
    columns = own_columns(duck.columns_of(file))
    length = _length(len(columns))
    now = ", ".join(text(name, length) for name in columns)
    head = f"'{EXTRA}', {KEY}, NULL, NULL, NULL"
    if stack.shape is Shape.PLAN:
        before = ", ".join(text(name, length, BEFORE) for name in columns)
        was = f"CASE WHEN {BEFORE} IS NOT NULL THEN [{before}] END"
        head = f"{VERB}, {KEY}, {SOURCE_KEY}, {was}, [{', '.join(map(differs, columns))}]"
    ((verb, key, source, was, differ, row),) = connection.execute(
        f"SELECT {head}, [{now}] FROM ({duck.numbered([file])}) WHERE {NUMBER} = {number}"
    ).fetchall()
    known = Behind()
    if source is not None:
        known = behind(connection, looked, stack.phase, source, length)
    sought = Sought(keys=(key,), phases=frozenset(), outputs=frozenset({stack.name}))
    made = _made(connection, looked, ledger, sought) if stack.shape is Shape.PLAN else NOTHING
    keys = [k for k in dict.fromkeys((source, key)) if k is not None]
    return Whole(
        at=stack.at(number), verb=verb, phase=stack.phase, table=stack.table, key=key,
        source_table=looked.source_table(stack.phase) if source is not None else "", source=source,
        row=_filled(columns, row),
        before=None if was is None else _filled(columns, was),
        changed=tuple(name for name, other in zip(columns, differ or [], strict=False) if other),
        legacy=known.rows, made=made, not_looked=known.not_looked,
        findings=findings_of(connection, looked, ledger, keys),
    )  # fmt: skip


def _filled(columns: list[str], values: list[str | None]) -> dict[str, str]:
    return {name: value for name, value in zip(columns, values, strict=True) if value is not None}


def _of_source(
    connection: duckdb.DuckDBPyConnection, looked: Looked, ledger: Ledger, stack: Stack, number: int
) -> Whole:
    columns = "key, code, message, 'reject'" if stack.shape is Shape.REJECTS else "key, code, NULL, fate"
    rows = duck.numbered([looked.path(stack.artifact)])
    ((key, code, message, fate),) = connection.execute(
        f"SELECT {columns} FROM ({rows}) WHERE {NUMBER} = {number}"
    ).fetchall()
    known = behind(connection, looked, stack.phase, key, LONGEST)
    sought = Sought(keys=(key,), phases=frozenset({stack.phase}), outputs=frozenset())
    return Whole(
        at=stack.at(number), verb={"reject": REJECTED, "skip": SKIPPED}.get(fate, KEEP), phase=stack.phase, table="",
        key=None, source_table=looked.source_table(stack.phase), source=key, code=code or None, message=message,
        legacy=known.rows, not_looked=known.not_looked, made=_made(connection, looked, ledger, sought),
        findings=findings_of(connection, looked, ledger, [key]),
    )  # fmt: skip
