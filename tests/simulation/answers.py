"""What DuckDB answers, remembered while one process plays histories.

DuckDB computes: of the same statements over the same rows it makes the same. Each statement has a name: the hash of its text, and of
what the relations and files that it reads were made of (`lineage.py`). Under it its answer is kept: rows, or the files that it
wrote. What has an answer is not computed. For the first statement of a connection that has none the database is opened; what it
reads is made there first, from what was not computed before. The engine knows nothing of it: what it asks, what it does with an
answer, and every effect, is its own code.
"""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from include.trueup.rows import duck

from .hashes import NONE, Stamp, file_hash, files_below, rows_hash, size_of, stamp_of, table_hash
from .lineage import Lineage, Relation, Statement, digest, statement

MOST_BYTES = 300_000_000
"""What answers may take, about; then all are forgotten."""
_COPY = re.compile(r"COPY \(.*\) TO '([^']+)' \(FORMAT[^']*", re.DOTALL)
Open = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


@dataclass
class Memory:
    """Answers by name. `code`: what of the code that answers depend on is another than at the beginning, as where a mutant has
    patched it; all names begin by it. `on`: whether anything is remembered now."""

    on: bool = False
    code: bytes = b""
    answers: dict[bytes, Any] = field(default_factory=dict)
    columns: dict[bytes, bytes] = field(default_factory=dict)
    taken: int = 0

    def name(self, *of: Any) -> bytes:
        """The name of what depends on this, and on the code. Raises what `pickle` does where it has none."""
        return hashlib.blake2b(self.code + pickle.dumps(of), digest_size=16).digest()

    def keep(self, name: bytes, answer: Any, size: int) -> None:
        """Keep an answer, of about so many bytes."""
        self.taken += 200 + size
        if self.taken > MOST_BYTES:
            self.answers.clear()
            self.taken = 0
        self.answers[name] = answer


class Database:
    """Stands for a database that connections share. `code`: see `Memory`."""

    def __init__(
        self, memory: Memory, folder: Path, real: duckdb.DuckDBPyConnection, code: Callable[[], bytes]
    ) -> None:
        self._memory, self._folder, self._real, self._code = memory, folder, real, code

    @contextmanager
    def playing(self) -> Iterator[None]:
        """A history is played with it."""
        self._memory.on, self._memory.code = True, self._code()
        try:
            yield
        finally:
            self._memory.on = False

    def cursor(self) -> Connection:
        """A further connection."""
        return Connection(self._memory, self._folder, "shared", lambda: duck.connect_to(self._real))


@dataclass(frozen=True, kw_only=True)
class _Due:
    """A statement that was not computed. It reads and makes or changes these relations (None: any), and these files were so."""

    compute: Callable[[duckdb.DuckDBPyConnection], Any]
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] | None = frozenset()
    files: tuple[tuple[str, bytes], ...] = ()


@lru_cache(maxsize=4_000)
def parsed(text: str) -> list[duckdb.Statement | str]:
    """The statements of a text: to parse one takes a third of what it takes in all, and each history asks the same. What cannot be
    parsed is what it was."""
    try:
        return [*_PARSER.extract_statements(text)] or [text]
    except duckdb.Error:
        return [text]


_PARSER = duckdb.connect()


class Connection:
    """Stands for a connection to DuckDB. What it does not know is handed on, and from then on nothing is remembered."""

    def __init__(self, memory: Memory, folder: Path, kind: str, opening: Open) -> None:
        self._memory, self._opening, self.opened = memory, opening, ExitStack()
        self._paths = re.compile(re.escape(str(folder)) + "[^']*")
        self._state = self._began = memory.code + kind.encode()
        self._known = memory.on
        self._streams: dict[str, pa.RecordBatchReader] = {}
        self._files: dict[str, tuple[Stamp, bytes]] = {}
        self._bytes: dict[bytes, bytes] = {}
        self._lineage = Lineage(self._content, self._columns)
        self._before: list[_Due] = []
        self._real: duckdb.DuckDBPyConnection | None = None

    def execute(self, query: str, parameters: Any = None) -> _Rows:
        """Run it."""

        def compute(real: duckdb.DuckDBPyConnection) -> Any:
            *before, last = parsed(query)
            for each in before:
                real.execute(each)
            done = real.execute(last) if parameters is None else real.execute(last, parameters)
            return done.fetchall() if done.description else []

        return _Rows(self._do(compute, query, repr(parameters)))

    def executemany(self, query: str, rows: Any) -> None:
        """Run it for each."""
        self._do(lambda real: _done(real.executemany(query, rows)), query, repr(rows))

    def sql(self, query: str) -> _Relation:
        """A query, to be run when its rows are asked for."""

        def rows(form: str, *size: int) -> Any:
            def compute(real: duckdb.DuckDBPyConnection) -> Any:
                given = getattr(real.sql(parsed(query)[-1]), form)(*size)
                return (given.schema, [*given]) if isinstance(given, pa.RecordBatchReader) else given

            return self._do(compute, query, f"{form}{size}")

        return _Relation(rows)

    def register(self, name: str, rows: Any) -> None:
        """Give rows a name."""
        if isinstance(rows, pa.RecordBatchReader):
            self._streams[name] = rows  # it is read when it is asked for
            return
        given = Relation(content=rows_hash(rows), shape=str(rows.schema).encode()) if self._known else None
        self._put(name, given, lambda real: _done(real.register(name, rows)))

    def unregister(self, name: str) -> None:
        """Take the name away."""
        if self._streams.pop(name, None) is None:
            self._put(name, None, lambda real: _done(real.unregister(name)))

    def close(self) -> None:
        """The end."""
        self.opened.close()

    @property
    def as_it_began(self) -> bool:
        """Whether nothing was done but to make relations and to look at them."""
        return self._known and self._state == self._began

    def __getattr__(self, name: str) -> Any:
        self._known = False
        return getattr(self._present(), name)

    # ── remembering ──────────────────────────────────────────────────────────────────────────────────────────────

    def _put(self, name: str, given: Relation | None, compute: Callable[[duckdb.DuckDBPyConnection], Any]) -> None:
        if not self._known:
            compute(self._present())
            return
        self._lineage.put(name.lower(), given)
        self._before.append(_Due(compute=compute, writes=frozenset([name.lower()])))

    def _do(self, compute: Callable[[duckdb.DuckDBPyConnection], Any], text: str, more: str = "") -> Any:
        for stream in [name for name in self._streams if name in text]:
            self.register(stream, self._streams.pop(stream).read_all())
        to = _COPY.fullmatch(text)
        bare, files = self._without_paths(text, to and to[1])
        if not self._known:
            return compute(self._present())
        asked = statement(bare)
        name = self._name(asked, bare, more, files, to and Path(to[1]).name)
        due = self._due(asked, compute, files)
        if name not in self._memory.answers:
            everything = asked.of_all or due.writes is None
            real = self._present(None if everything else {*due.reads, *(due.writes or ())}, due.writes or frozenset())
            try:
                answer = compute(real)
            except BaseException:
                self._known &= asked.looks  # else nobody knows what was done
                raise
            if to:
                answer = answer, files_below(Path(to[1]))
            elif asked.tables:
                there = {*self._lineage.held, *(each.name for each in asked.made)}
                answer = answer, {table: table_hash(real, table) for table in asked.tables if table in there}
            self._memory.keep(name, answer, size_of(answer))
        else:
            answer = self._memory.answers[name]
            if not asked.looks:
                self._before.append(due)
            if to:
                for below, content in answer[1].items():
                    file = Path(to[1]) / below
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(content)
        self._note(asked, name, bare, more, files, answer[1] if asked.tables and not to else {})
        return answer[0] if to or asked.tables else answer

    def _without_paths(self, text: str, to: str | None) -> tuple[str, tuple[str, ...]]:
        """The text with a NUL for each path, and the paths of what is read."""
        if "/" not in text:
            return text, ()
        files = tuple(path for path in self._paths.findall(text) if path != to)
        bare = self._paths.sub("\0", text)
        if "'/" in bare or any(self._content(path) == NONE for path in files):
            self._known = False  # a file elsewhere, a folder, or more files than one
        return bare, files

    def _name(self, asked: Statement, bare: str, more: str, files: tuple[str, ...], to: str | None) -> bytes:
        """The name of what is asked now."""
        if asked.only_defines:
            of = [*map(self._columns, files), b"", *self._lineage.shapes(asked.words)]
        elif asked.of_all:
            of = [each.encode() for each in self._lineage.held] + self._lineage.shapes(self._lineage.held)
        elif not asked.looks and not asked.made and asked.changes is None:
            of = [*map(self._content, files), b"", *self._lineage.contents(self._lineage.held)]
        else:
            of = [*map(self._content, files), b"", *self._lineage.contents(asked.words)]
        return digest(self._state, bare, more, to or "", *of)

    def _due(
        self, asked: Statement, compute: Callable[[duckdb.DuckDBPyConnection], Any], files: tuple[str, ...]
    ) -> _Due:
        reads = frozenset(self._lineage.read_by(asked.words))
        writes: frozenset[str] | None = frozenset(each.name for each in asked.made)
        if asked.changes is not None:
            writes = frozenset([asked.changes])
        elif not asked.looks and not asked.made:
            writes = None
        every = [*files, *(file for name in reads for file in self._lineage.held[name].files)]
        return _Due(compute=compute, reads=reads, writes=writes, files=tuple((f, self._content(f)) for f in every))

    def _note(
        self, asked: Statement, name: bytes, bare: str, more: str, files: tuple[str, ...], holds: dict[str, bytes]
    ) -> None:
        """What is there after it, and what its tables hold."""
        if asked.looks:
            return
        if asked.changes is not None and asked.changes in self._lineage.held:
            table = self._lineage.held[asked.changes]
            table.content = digest(table.shape, holds[asked.changes]) if table.shape else name
        elif asked.made:
            shape = digest(bare, more, *map(self._columns, files), b"", *self._lineage.shapes(asked.words))
            for each in asked.made:
                late = Relation(late=True, text=each.text, files=files, words=each.words)
                table = Relation(content=digest(shape, holds.get(each.name, name)), shape=shape)
                self._lineage.put(each.name, late if each.late else table)
        else:
            self._state = name

    def _present(
        self, needs: set[str] | None = None, touched: frozenset[str] = frozenset()
    ) -> duckdb.DuckDBPyConnection:
        """The connection, with what was asked so far, as far as these relations need it (None: all of it), and what reads those
        that are to be changed now."""
        if self._real is None:
            self._real = self.opened.enter_context(self._opening())
        due, later, changed = list[_Due](), list[_Due](), {*touched}
        everything = needs is None or any(each.writes is None for each in self._before)
        needed = needs or set()
        for each in reversed(self._before):
            if everything or (each.writes or set()) & needed or each.reads & changed:
                due.append(each)
                needed = needed | each.reads | (each.writes or set())
                changed |= each.writes or set()
            else:
                later.append(each)
        self._before = later[::-1]
        for each in reversed(due):
            with ExitStack() as files:
                for path, content in each.files:
                    files.enter_context(self._as_then(path, content))
                each.compute(self._real)
        return self._real

    @contextmanager
    def _as_then(self, path: str, content: bytes) -> Iterator[None]:
        """The file is, while the block runs, what it was when a statement was asked that is computed now."""
        if file_hash(path)[1] == content:
            yield
            return
        file, aside = Path(path), Path(f"{path}.aside")
        there = file.exists()
        if there:
            file.rename(aside)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._bytes[content])
            yield
        finally:
            file.unlink()
            if there:
                aside.rename(file)

    def _content(self, path: str) -> bytes:
        """A hash of what a file holds now."""
        known = self._files.get(path)
        if known is None or known[0] is None or stamp_of(path) != known[0]:
            stamp, name, read = file_hash(path)
            known = self._files[path] = stamp, name
            self._bytes[name] = read
        return known[1]

    def _columns(self, path: str) -> bytes:
        """A hash of the columns of a Parquet file; of another, of what it holds."""
        content = self._content(path)
        if content not in self._memory.columns:
            try:
                columns = str(pq.read_schema(path)).encode()
            except (OSError, pa.ArrowException):
                columns = content
            self._memory.columns[content] = columns
        return self._memory.columns[content]


class _Rows:
    """What a statement gave."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def fetchall(self) -> list[Any]:
        """All of it."""
        return [*self._rows]


class _Relation:
    """A query that is run for its rows."""

    def __init__(self, rows: Callable[..., Any]) -> None:
        self._rows = rows

    def to_arrow_table(self) -> pa.Table:
        """As Arrow has them."""
        return self._rows("to_arrow_table")

    def to_arrow_reader(self, batch_size: int) -> pa.RecordBatchReader:
        """As Arrow has them, batch by batch."""
        schema, batches = self._rows("to_arrow_reader", batch_size)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def df(self) -> Any:
        """As Pandas has them."""
        return self._rows("df").copy()


def _done(_: object) -> None:
    """It gives nothing."""
