"""What one run made of a key: of the source row that has it, and of the target rows that have it or come from that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

from ...declare.migration import Source
from ...declare.names import FILE, KEY, NUMBER, SOURCE_KEY, VERB
from ...ledger import Ledger
from ...plan.fates import OUTSIDE_WINDOW
from ...plan.files import DRIFT, WRITTEN
from ...rows import duck
from ...run.files import FATE_FILES
from ...write.numbers import batch_of
from . import legacy
from .outcome import NotWritten, Planned, Proofs, Proven
from .rows import EXTRA, Looked, Shape, Stack

MOST = 100
"""Target rows of a run that are shown."""
_PARTITION = re.compile(r"/p(\d+)\.parquet$")


@dataclass(frozen=True, kw_only=True)
class Sought:
    """What is looked for: `keys`, forms of one key, as those of source rows of these `phases` and of target rows of these
    `outputs` (None: of all)."""

    keys: tuple[str, ...]
    phases: frozenset[str] | None = None
    outputs: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class TargetRow:
    """A planned row: its place in the run, what was planned, and what came of it. `written_at` is None where it is not
    written (yet), or where nothing was to be; `not_written` says why the store or the run left it as it was; `proof` is
    None where it was not read back."""

    at: str
    phase: str
    output: str
    table: str
    key: str
    verb: str
    source: str | None
    written_at: datetime | None = None
    not_written: str | None = None
    proof: Proven | None = None


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """A source row in a phase, and what became of it: `fate` is written, kept, rejected or skipped (None: the run does not
    say which), by `rule`, with the `message` of its finding. `at` is its place, where it is in a list."""

    phase: str
    table: str
    key: str
    fate: str | None
    rule: str | None = None
    message: str | None = None
    at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Made:
    """All that a run has of what was sought. `beyond`: target rows that are too many to be shown; of them it was not looked
    up when they were written and what reading them back has shown."""

    sources: tuple[SourceRow, ...]
    targets: tuple[TargetRow, ...]
    beyond: tuple[TargetRow, ...] = ()


def made(connection: duckdb.DuckDBPyConnection, looked: Looked, ledger: Ledger, sought: Sought) -> Made:
    """What the run made of it. Raises `ArtifactError` for files that are missing or changed."""
    planned = _planned(connection, looked, sought)
    proofs = Proofs(connection, looked, ledger)
    alone = NotWritten(ledger, looked.folder.run_id)
    # what was asked for, and what says that something was written, is among those that are shown
    ranked = sorted(
        planned.values(), key=lambda row: (row.key not in sought.keys, row.verb not in WRITTEN, _order(row))
    )
    shown = [_described(connection, looked, ledger, each, proofs, alone) for each in sorted(ranked[:MOST], key=_order)]
    beyond = [_row(each, alone) for each in sorted(ranked[MOST:], key=_order)]
    sources = [*_sources(connection, looked, sought, [*shown, *beyond])]
    return Made(sources=tuple(sources), targets=tuple(shown), beyond=tuple(beyond))


def _order(row: Planned) -> tuple[str, int]:
    return row.stack.artifact.path, row.number


def _planned(connection: duckdb.DuckDBPyConnection, looked: Looked, sought: Sought) -> dict[tuple[str, int], Planned]:
    """The planned rows with such a key, and those that come of the same source rows."""
    outputs: dict[str, list[Stack]] = {}
    for stack in looked.stacks:
        if stack.shape in (Shape.PLAN, Shape.REST) and stack.rows:
            outputs.setdefault(stack.name, []).append(stack)
    planned: dict[tuple[str, int], Planned] = {}
    sources: dict[str, set[str]] = {}
    for name, stacks in outputs.items():
        phase, rest = stacks[0].phase, stacks[0].shape is Shape.REST
        if sought.outputs is None or {name, *(_written_by(looked, name) if rest else ())} & sought.outputs:
            for row in _with(connection, looked, stacks, KEY, sought.keys):
                planned[_order(row)] = row
                if row.source is not None:
                    sources.setdefault(phase, set()).add(row.source)
        if not rest and (sought.phases is None or phase in sought.phases):
            sources.setdefault(phase, set()).update(sought.keys)
    for stacks in (s for s in outputs.values() if s[0].shape is Shape.PLAN):
        for row in _with(connection, looked, stacks, SOURCE_KEY, sorted(sources.get(stacks[0].phase, ()))):
            planned[_order(row)] = row
    return planned


def _written_by(looked: Looked, target: str) -> set[str]:
    return {output.name for output in looked.migration.outputs(target)}


def _with(
    connection: duckdb.DuckDBPyConnection, looked: Looked, stacks: Sequence[Stack], column: str, keys: Sequence[str]
) -> Iterator[Planned]:
    if not keys:
        return
    rows = duck.numbered([looked.path(stack.artifact) for stack in stacks])
    marks = ", ".join("?" for _ in keys)
    columns = f"'{EXTRA}', {KEY}, NULL" if stacks[0].shape is Shape.REST else f"{VERB}, {KEY}, {SOURCE_KEY}"
    query = f"SELECT {FILE}, {NUMBER}, {columns} FROM ({rows}) WHERE {column} IN ({marks}) ORDER BY ALL"
    for file, number, verb, key, source in connection.execute(query, [*keys]).fetchall():
        yield Planned(stack=stacks[file], number=number, verb=verb, key=key, source=source)


def _described(
    connection: duckdb.DuckDBPyConnection,
    looked: Looked,
    ledger: Ledger,
    row: Planned,
    proofs: Proofs,
    alone: NotWritten,
) -> TargetRow:
    planned = _row(row, alone)
    match = _PARTITION.search(row.stack.artifact.path)
    partition = int(match[1]) if match else -1
    written = None if planned.not_written else _written(connection, looked, ledger, row, partition)
    return replace(planned, written_at=written, proof=proofs.of(row, partition))


def _row(row: Planned, alone: NotWritten) -> TargetRow:
    stack = row.stack
    return TargetRow(
        at=stack.at(row.number),
        phase=stack.phase,
        output=stack.name,
        table=stack.table,
        key=row.key,
        verb=row.verb,
        source=row.source,
        not_written=alone.of(stack.name, row.key),
    )


def _written(
    connection: duckdb.DuckDBPyConnection, looked: Looked, ledger: Ledger, row: Planned, partition: int
) -> datetime | None:
    phase = next((p for p in looked.migration.phases if p.id == row.stack.phase), None)
    if row.verb not in WRITTEN or phase is None or looked.start is None:
        return None
    beside = {
        stack.name: looked.path(stack.artifact)
        for stack in looked.stacks
        if stack.shape is Shape.PLAN
        and stack.phase == phase.id
        and stack.artifact.path.endswith(f"/p{partition:03}.parquet")
    }
    batch = batch_of(connection, phase, looked.start.batch_rows, beside, row.stack.name, row.number)
    return None if batch is None else ledger.written_at(looked.folder.run_id, row.stack.name, partition, batch)


def _sources(
    connection: duckdb.DuckDBPyConnection, looked: Looked, sought: Sought, targets: Sequence[TargetRow]
) -> Iterator[SourceRow]:
    """The source rows that were sought, and those that the target rows come from, phase by phase."""
    if looked.undoes:
        return
    for phase in looked.phases:
        table = looked.source_table(phase.id)
        mine = [t for t in targets if t.phase == phase.id and t.source is not None]
        keys = {t.source for t in mine if t.source is not None}
        if sought.phases is None or phase.id in sought.phases:
            keys |= {*sought.keys}
        listed = {s.key: s for s in _listed(connection, looked, phase.id, table, keys)}
        rest = keys - listed.keys() - {t.source for t in mine}
        driver = looked.driver(phase.id)
        present = (
            legacy.is_there(connection, looked, driver, tuple(sorted(rest)))
            if rest and isinstance(driver, Source)
            else []
        )
        for key in sorted(keys):
            made_of_it = [t for t in mine if t.source == key]
            if key in listed:
                yield listed[key]
            elif made_of_it:
                yield _made(phase.id, table, key, made_of_it)
            elif key in present:
                yield _left_out(looked, phase.id, table, key)


def _listed(
    connection: duckdb.DuckDBPyConnection, looked: Looked, phase: str, table: str, keys: Iterable[str]
) -> Iterator[SourceRow]:
    """Those that are rejected, skipped, or kept by what a finding says."""
    wanted = sorted(keys)
    marks = ", ".join("?" for _ in wanted)
    for stack in looked.stacks:
        if stack.phase != phase or stack.shape not in (Shape.REJECTS, Shape.FATES) or not wanted:
            continue
        columns = "'rejected', code, message" if stack.shape is Shape.REJECTS else "fate, code, NULL"
        rows = duck.numbered([looked.path(stack.artifact)])
        query = f"SELECT {NUMBER}, key, {columns} FROM ({rows}) WHERE key IN ({marks})"
        for number, key, fate, code, message in connection.execute(query, wanted).fetchall():
            fate_in_words = {"keep": "kept", "skip": "skipped"}.get(fate, fate)
            place = {"phase": phase, "table": table, "key": key, "fate": fate_in_words, "message": message}
            yield SourceRow(rule=code or None, at=stack.at(number), **place)


def _made(phase: str, table: str, key: str, rows: Sequence[TargetRow]) -> SourceRow:
    written = [row for row in rows if row.verb in WRITTEN and row.not_written is None]
    left = next((row.not_written for row in rows if row.not_written), None)
    rule = None
    if not written:
        rule = DRIFT if any(row.verb == DRIFT for row in rows) else None
        if left is not None:
            rule = "refused" if left.startswith("refused") else "conflict"
    elif all(row.written_at is None for row in written):
        rule = "planned"
    return SourceRow(phase=phase, table=table, key=key, fate="written" if written else "kept", rule=rule, message=left)


def _left_out(looked: Looked, phase: str, table: str, key: str) -> SourceRow:
    """A source row that is in no file but the snapshot. Since the fates of rows are noted, it can only be outside the
    window."""
    noted = any(FATE_FILES.among(looked.manifests("transform"), phase))
    windowed = looked.start is not None and looked.start.row_options.window is not None
    if noted and windowed:
        return SourceRow(phase=phase, table=table, key=key, fate="skipped", rule=OUTSIDE_WINDOW)
    why = "the run read this row, and its files do not say what became of it"
    if not noted:
        why += ": the release that made it noted no row that a rule skips or keeps"
    return SourceRow(phase=phase, table=table, key=key, fate=None, message=why)
