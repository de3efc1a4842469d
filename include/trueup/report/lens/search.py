"""Which rows of a run are asked for: SQL over its files, a slice of them at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from ...declare.names import BEFORE, FILE, KEY, NUMBER, SOURCE_KEY, VERB, own
from ...ledger import Ledger
from ...plan.files import FINDINGS, KEEP
from ...rows import duck
from ...run.files import FINDING_FILES
from .rows import EXTRA, REJECTED, SKIPPED, Looked, Shape, Stack, keys_of

CONFLICT = "conflict"
"""Code of a row that apply left alone, since somebody else had changed it: known to the ledger."""
_CODED = own("coded")
_TEXTS = pa.schema([pa.field("phase", pa.string()), pa.field("key", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which rows are asked for: of a verb or kind (`rows.KINDS`), of a phase, with this key as source row or target row,
    with this text in any value (in either case), with a finding of this code."""

    verb: str = ""
    phase: str = ""
    key: str = ""
    text: str = ""
    code: str = ""


@dataclass(frozen=True)
class Slice:
    """Some files of one output, phase or target, from row `start` of the first and, where it is one alone, below row `end`."""

    stacks: Sequence[Stack]
    start: int
    end: int | None

    @property
    def last(self) -> tuple[Stack, int]:
        """The last row that it has."""
        stack = self.stacks[-1]
        return stack, (stack.rows if self.end is None else self.end) - 1


def slices(stacks: Sequence[Stack], start: int, most: int | None) -> Iterator[Slice]:
    """The files in slices of `most` rows, where files allow it (None: as large as can be), from row `start` of the first."""
    mine: list[Stack] = []
    rows = begin = 0
    for n, stack in enumerate(stacks):
        here = start if n == 0 else 0
        alone = most is not None and stack.rows - here > most
        same = bool(mine) and (mine[0].shape, mine[0].name) == (stack.shape, stack.name)
        if mine and (alone or not same or (most is not None and rows + stack.rows - here > most)):
            yield Slice(tuple(mine), begin, None)
            mine, rows = [], 0
        if alone and most is not None:
            for low in range(here, stack.rows, most):
                yield Slice((stack,), low, min(low + most, stack.rows))
        elif here < stack.rows:
            begin = begin if mine else here
            mine.append(stack)
            rows += stack.rows - here
    if mine:
        yield Slice(tuple(mine), begin, None)


def may_hold(stack: Stack, asked: Asked) -> bool:
    """Whether the file may hold such rows."""
    if asked.phase and asked.phase not in (stack.phase, stack.name):
        return False
    if not asked.verb:
        return True
    of = {Shape.REST: (EXTRA,), Shape.REJECTS: (REJECTED,), Shape.FATES: (SKIPPED, KEEP)}
    if stack.shape in of:
        return asked.verb in of[stack.shape]
    return asked.verb not in (EXTRA, REJECTED, SKIPPED)


@contextmanager
def connected(looked: Looked, ledger: Ledger, asked: Asked) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the table `_CODED` of the keys, by phase, that have a finding of the code that is asked for."""
    with looked.folder.workspace.scratch() as scratch, duck.connect(scratch) as connection:
        if asked.code:
            connection.execute(f"CREATE TEMP TABLE {_CODED} (phase VARCHAR, key VARCHAR)")
            _relate_coded(connection, looked, ledger, asked.code)
        yield connection


def _relate_coded(connection: duckdb.DuckDBPyConnection, looked: Looked, ledger: Ledger, code: str) -> None:
    if code == CONFLICT:
        alone = [(looked.phase_of(c.output), c.key) for c in ledger.conflicts(looked.folder.run_id)]
        given = pa.table({"phase": [p for p, _ in alone], "key": [k for _, k in alone]}, _TEXTS)
        connection.register(own("alone"), given)
        connection.execute(f"INSERT INTO {_CODED} FROM {own('alone')}")
    made = [*looked.manifests("transform"), *looked.manifests("plan")]
    for phase in dict.fromkeys(stack.phase for stack in looked.stacks if stack.phase):
        files = [looked.path(f) for f in FINDING_FILES.among(made, phase) if f.rows]
        if files:
            connection.execute(
                f"INSERT INTO {_CODED} SELECT DISTINCT {duck.literal(phase)}, key FROM ({duck.parquet(files, FINDINGS)}) "
                "WHERE code = ?",
                [code],
            )


def wanted(looked: Looked, part: Slice, asked: Asked) -> tuple[str, list[str]]:
    """SQL: FROM the rows of some files WHERE they are as asked; with the values that it is about."""
    files = [looked.path(stack.artifact) for stack in part.stacks]
    schema, stack = duck.columns_of(files[0]), part.stacks[0]
    keys = [name for name in (KEY, SOURCE_KEY, "key") if name in schema.names and (name != "key" or of_source(stack))]
    conditions, values = [], list[str]()
    if part.start:
        behind = f"{NUMBER} >= {part.start}"
        conditions.append(behind if len(files) == 1 else f"({FILE} > 0 OR {behind})")
    if part.end is not None:
        conditions.append(f"{NUMBER} < {part.end}")
    if asked.verb and stack.shape is Shape.PLAN:
        conditions.append(f"{VERB} = ?")
        values.append(asked.verb)
    if asked.verb and stack.shape is Shape.FATES:
        conditions.append("fate = ?")
        values.append("keep" if asked.verb == KEEP else "skip")
    if asked.key:
        given = keys_of(asked.key)
        marks = ", ".join("?" for _ in given)
        conditions.append(f"({' OR '.join(f'{name} IN ({marks})' for name in keys)})")
        values += [key for _ in keys for key in given]
    if asked.code:
        coded = f"(SELECT key FROM {_CODED} WHERE phase = {duck.literal(stack.phase)})"
        by_key = [f"{name} IN {coded}" for name in keys]
        if of_source(stack):
            by_key.append("code = ?")
            values.append(asked.code)
        conditions.append(f"({' OR '.join(by_key)})")
    if asked.text:
        searched = [f"CAST({column} AS VARCHAR)" for column in _searched(schema)]
        conditions.append(f"({' OR '.join(f'contains(lower({column}), lower(?))' for column in searched)})")
        values += [asked.text] * len(searched)
    return f"FROM ({duck.numbered(files)}) WHERE {' AND '.join(conditions) or 'true'}", values


def of_source(stack: Stack) -> bool:
    """Whether the rows are source rows, each with its key, and what is said of it."""
    return stack.shape in (Shape.REJECTS, Shape.FATES)


def _searched(schema: pa.Schema) -> list[str]:
    """SQL: the columns that a text is searched in, those of the row before among them."""
    columns = [duck.identifier(name) for name in schema.names if name not in (VERB, BEFORE)]
    if BEFORE in schema.names:
        columns += [f"{BEFORE}.{duck.identifier(field.name)}" for field in schema.field(BEFORE).type]
    return columns


def found_at(
    connection: duckdb.DuckDBPyConnection, looked: Looked, part: Slice, asked: Asked, most: int
) -> list[tuple[Stack, int]]:
    """The first rows of a slice that are as asked, `most` of them: their files, and their numbers there. From those columns
    alone that it takes: rows are wide, and few of them are shown."""
    rows, values = wanted(looked, part, asked)
    # DuckDB gives files, and a file's rows, in their order, and stops when it has enough
    places = connection.execute(f"SELECT {FILE}, {NUMBER} {rows} LIMIT {most}", values).fetchall()
    return [(part.stacks[file], number) for file, number in places]
