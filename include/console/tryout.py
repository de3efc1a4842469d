"""`make try ID=people ROWS=20`: what a few real rows become, in the terminal. Nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from ..trueup.declare import Migration, Source, Table
from ..trueup.declare.names import MISTYPED, NULLS
from ..trueup.errors import SourceError
from ..trueup.rows.duck import connect
from ..trueup.stores import Store, arrow_schema, key_text

BESIDE = 10_000
"""Rows that are read of each of several sources, though fewer are shown, so that joins find their partners."""
_CUT, _SHOWN = 60, 12


def read(store: Store, source: Source, rows: int) -> pa.Table:
    """The first rows of a source, at most so many, as the store gives them."""
    batches, left = [], rows
    with store.reading() as reading:
        pages = reading.read(source.table, 0, 1)
        for batch in pages:
            batches.append(batch.slice(0, left))
            left -= batches[-1].num_rows
            if left <= 0:
                break
        if (close := getattr(pages, "close", None)) is not None:
            close()
    return (
        pa.Table.from_batches(batches, schema=batches[0].schema)
        if batches
        else arrow_schema(source.table).empty_table()
    )


def lines(migration: Migration, tables: dict[str, pa.Table], asked: int, *, whole: bool = False) -> Iterator[str]:
    """The first source rows that a phase accounts for, so many as are asked for, what is planned from each, and what is said
    of it; `whole`: with all their columns, and no value cut."""
    from ..trueup.testing import make_of, parted
    from ..trueup.testing.literal import in_python

    made = make_of(migration, tables)
    cut = False

    def shown(row: dict[str, Any]) -> str:
        nonlocal cut
        text = _shown(row, whole=True)
        if whole or (short := _shown(row)) == text:
            return text
        cut = True
        return short

    findings: dict[tuple[str, str | None], list[str]] = {}
    for each in made.findings:  # a key is of a source: those of another phase may have the same
        findings.setdefault((each.phase, each.key), []).append(
            f"{each.severity} {each.code}: {each.message}".rstrip(": ")
        )
    become: dict[tuple[str, str], list[str]] = {}
    for row in made.planned:
        name = migration.target(row.target).table.name
        become.setdefault((row.phase, row.key), []).append(f"{name}: {shown(row.row)}")
    for phase in migration.phases:
        driver = migration.driver(phase)
        first = tables[driver.id].slice(0, asked) if driver.id in tables else None
        rows = [] if first is None else in_python(first)
        yield f"{phase.title}: {len(rows) or made.counts[phase.id]['source_rows']:,} source rows"
        for key, values in zip(_keys(driver.key, first), rows, strict=True):
            values[MISTYPED] = _without_nulls(values.get(MISTYPED))
            yield f"  {key}  {shown(values)}"
            yield from (f"    -> {each}" for each in become.get((phase.id, key), []))
            yield from (f"    !! {each}" for each in findings.get((phase.id, key), []))
    if cut:
        yield "… stands for what is cut; WHOLE=1 shows it"
    yield from (f"!! {each}" for each in made.broken)
    yield from (f"!! {each}" for each in parted(migration, tables, made))


def try_out(migration: Migration, stores: dict[str, Store], asked: int, *, whole: bool = False) -> Iterator[str]:
    """Read the rows and say what they become; see `lines`. Raises `SourceError` for a source that is not there, or not as
    declared; a target that is not is said at the end."""
    for source in migration.sources:
        if (
            fault := _unlike(stores, source.table, absent="does not exist; check its name and the connection")
        ) is not None:
            raise SourceError(f"source {source.id!r}: {fault}")
    rows = asked if len(migration.sources) == 1 else max(asked, BESIDE)
    tables = {s.id: read(stores[s.table.connection], s, rows) for s in migration.sources}
    faults = ((target.id, _unlike(stores, target.table)) for target in migration.targets)
    return chain(
        lines(migration, tables, asked, whole=whole),
        (f"!! target {id}: {fault}" for id, fault in faults if fault is not None),
    )


def _unlike(stores: dict[str, Store], table: Table, *, absent: str | None = None) -> str | None:
    """What of a table is not as declared."""
    description = stores[table.connection].describe(table)
    if description is None:
        return absent and f"table {table.name!r} of connection {table.connection!r} {absent}"
    if not description.misfits:
        return None
    return (
        f"table {table.name!r} of connection {table.connection!r} is not as declared: {'; '.join(description.misfits)}"
    )


def _keys(key: tuple[str, ...], rows: pa.Table | None) -> list[str]:
    """The keys of rows as text, as a run has them."""
    if rows is None:
        return []
    with TemporaryDirectory() as scratch, connect(Path(scratch)) as connection:
        connection.register("first_rows", rows.select([*dict.fromkeys(key)]))
        return [text for (text,) in connection.execute(f"SELECT {key_text(key)} FROM first_rows").fetchall()]


def _without_nulls(mistyped: str | None) -> str | None:
    """What a transform sees of it, which is not the names of the attributes that are NULL."""
    left = {name: value for name, value in json.loads(mistyped or "{}").items() if name != NULLS}
    return json.dumps(left, ensure_ascii=False, separators=(",", ":")) if left else None


def _shown(row: dict[str, Any], *, whole: bool = False) -> str:
    """The first columns that hold something, each on one line and cut; how many more there are. `whole`: all of it."""
    values = [(name, _on_one_line(str(value))) for name, value in row.items() if value is not None]
    if whole:
        return ", ".join(f"{name}={value}" for name, value in values)
    cut = [f"{name}={value if len(value) <= _CUT else value[:_CUT] + '…'}" for name, value in values[:_SHOWN]]
    return ", ".join([*cut, f"… and {len(values) - _SHOWN} more columns"] if len(values) > _SHOWN else cut)


def _on_one_line(value: str) -> str:
    """A text without what a terminal would act on: a line break as \\n."""
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in value)
