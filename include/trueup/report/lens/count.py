"""How many rows of each kind a run has, and how many target rows its source rows make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from ...declare.names import SOURCE_KEY, VERB
from ...ledger import Ledger
from ...plan.fates import OUTSIDE_WINDOW
from ...plan.files import FINDINGS, KEEP
from ...rows import duck
from ...run.files import FINDING_FILES
from .rows import EXTRA, REJECTED, SKIPPED, Looked, Shape, Stack
from .search import CONFLICT


@dataclass(frozen=True, kw_only=True)
class Kind:
    """So many rows of a verb or kind that an output has."""

    phase: str
    output: str
    source_table: str
    table: str
    verb: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Each:
    """So many source rows that make `rows` target rows each."""

    rows: int
    sources: int


@dataclass(frozen=True, kw_only=True)
class FanOut:
    """What the source rows of a phase make: `sources` of them `rows` target rows, `several` of them more than one, at most
    `most`; `each` says it by number."""

    phase: str
    source_table: str
    table: str
    sources: int
    rows: int
    several: int
    most: int
    each: tuple[Each, ...]


@dataclass(frozen=True, kw_only=True)
class Code:
    """So many findings of a code."""

    code: str
    severity: str
    phase: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What rows a run has to be looked at. `unlisted`: which of its source rows are in no list, and why."""

    kinds: tuple[Kind, ...]
    fan_out: tuple[FanOut, ...]
    codes: tuple[Code, ...]
    unlisted: tuple[str, ...]


def summary(looked: Looked, ledger: Ledger) -> Summary:
    """What rows the run has. Raises `ArtifactError` for files that are missing or changed."""
    files = tuple(stack.artifact.sha256 for stack in looked.stacks)
    key = ("summary", looked.folder.run_id, files, looked.plan is not None)
    counted = looked.shelf.once(key, lambda: _summary(looked))
    alone = len(ledger.conflicts(looked.folder.run_id))
    more = (Code(code=CONFLICT, severity="warning", phase="", rows=alone),) if alone else ()
    return Summary(
        kinds=counted.kinds, fan_out=counted.fan_out, codes=(*counted.codes, *more), unlisted=counted.unlisted
    )


def _summary(looked: Looked) -> Summary:
    with looked.folder.workspace.scratch() as scratch, duck.connect(scratch) as connection:
        return Summary(
            kinds=tuple(_kinds(connection, looked)),
            fan_out=tuple(_fan_out(connection, looked)),
            codes=tuple(_codes(connection, looked)),
            unlisted=tuple(_unlisted(looked)),
        )


def _groups(looked: Looked, shape: Shape) -> dict[str, list[Stack]]:
    groups: dict[str, list[Stack]] = {}
    for stack in looked.stacks:
        if stack.shape is shape and stack.rows:
            groups.setdefault(stack.name, []).append(stack)
    return groups


def _kinds(connection: duckdb.DuckDBPyConnection, looked: Looked) -> Iterator[Kind]:
    column = {Shape.PLAN: VERB, Shape.FATES: f"CASE fate WHEN 'skip' THEN '{SKIPPED}' ELSE '{KEEP}' END"}
    fixed = {Shape.REST: EXTRA, Shape.REJECTS: REJECTED}
    for shape in Shape:
        for name, stacks in _groups(looked, shape).items():
            first = stacks[0]
            by_verb = [(fixed.get(shape, ""), sum(s.rows for s in stacks))]
            if shape in column:
                rows = duck.numbered([looked.path(s.artifact) for s in stacks])
                by_verb = connection.execute(
                    f"SELECT {column[shape]} AS verb, count(*) FROM ({rows}) GROUP BY 1 ORDER BY 1"
                ).fetchall()
            source = looked.source_table(first.phase) if first.phase else ""
            place = {"phase": first.phase, "output": name, "source_table": source, "table": first.table}
            yield from (Kind(verb=verb, rows=rows, **place) for verb, rows in by_verb)


def _fan_out(connection: duckdb.DuckDBPyConnection, looked: Looked) -> Iterator[FanOut]:
    if looked.undoes:
        return  # what it accounts for are the rows that the other run wrote, one by one
    planned = _groups(looked, Shape.PLAN)
    for phase in looked.phases:
        names = [output.name for output in phase.outputs if output.name in planned]
        if not names:
            continue
        rows = " UNION ALL ".join(
            f"SELECT {SOURCE_KEY} FROM ({duck.numbered([looked.path(s.artifact) for s in planned[name]])})"
            for name in names
        )
        by_number = connection.execute(
            f"SELECT n, count(*) FROM (SELECT count(*) AS n FROM ({rows}) WHERE {SOURCE_KEY} IS NOT NULL "
            f"GROUP BY {SOURCE_KEY}) GROUP BY 1 ORDER BY 1"
        ).fetchall()
        if by_number:
            yield FanOut(
                phase=phase.id,
                source_table=looked.source_table(phase.id),
                table=looked.table(names[0]),
                sources=sum(sources for _, sources in by_number),
                rows=sum(n * sources for n, sources in by_number),
                several=sum(sources for n, sources in by_number if n > 1),
                most=by_number[-1][0],
                each=tuple(Each(rows=n, sources=sources) for n, sources in by_number[:10]),
            )


def _codes(connection: duckdb.DuckDBPyConnection, looked: Looked) -> Iterator[Code]:
    made = [*looked.manifests("transform"), *looked.manifests("plan")]
    phases = dict.fromkeys(stack.phase for stack in looked.stacks if stack.phase)
    for phase in phases:
        files = [looked.path(f) for f in FINDING_FILES.among(made, phase) if f.rows]
        if files:
            counted = connection.execute(
                f"SELECT code, severity, count(*) FROM (SELECT DISTINCT ON (key, code) * FROM "
                f"({duck.parquet(files, FINDINGS)}) ORDER BY key, code) GROUP BY ALL ORDER BY severity, code"
            ).fetchall()
            yield from (Code(code=code, severity=severity, phase=phase, rows=rows) for code, severity, rows in counted)


def _unlisted(looked: Looked) -> Iterator[str]:
    listed = {stack.phase for stack in looked.stacks if stack.shape is Shape.FATES}
    for counted in looked.plan.phases if looked.plan else ():
        outside = counted.skipped.get(OUTSIDE_WINDOW, 0)
        if outside:
            yield f"{counted.title}: {outside:,} source rows lie outside the run's window, and are in no list."
        others = sum(counted.skipped.values()) - outside
        if others and counted.phase not in listed:
            yield (
                f"{counted.title}: {others:,} source rows that a rule skips are in no list, since the release that made "
                "this run kept none."
            )
