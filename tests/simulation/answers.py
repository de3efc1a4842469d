"""What DuckDB answers, remembered while one process plays histories.

DuckDB computes: of the same statements over the same rows it makes the same. Each statement has a name: the hash of all that its
connection was given before, of its text, and of the bytes of every file that was named so far. Under it its answer is kept: rows,
or the files that it wrote. What has an answer is not computed; for the first statement of a connection that has none the
database is opened, and what it was given before is done there. The engine knows nothing of it: what it asks, what it does with an
answer, and every effect, is its own code.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from include.trueup.rows import duck

MOST_BYTES = 300_000_000
"""What answers may take, about; then all are forgotten."""
_LOOKS = re.compile(r"\s*(SELECT|FROM|WITH|DESCRIBE|COPY)\b[^;]*;?\s*", re.IGNORECASE)
_COPY = re.compile(r"COPY \(.*\) TO '([^']+)' \(FORMAT[^']*", re.DOTALL)
Open = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
Stamp = tuple[int, int, int] | None


class ChangedError(BaseException):
    """A file has changed since a statement that was not computed then, and would have to be now: play the history again, with
    nothing remembered."""


@dataclass
class Memory:
    """Answers by name. `code`: what of the code that answers depend on is another than at the beginning, as where a mutant has
    patched it; all names begin by it. `on`: whether anything is remembered now."""

    on: bool = False
    code: bytes = b""
    answers: dict[bytes, Any] = field(default_factory=dict)
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
    def playing(self, *, plain: bool = False) -> Iterator[None]:
        """A history is played with it; `plain`: with nothing remembered."""
        self._memory.on, self._memory.code = not plain, self._code()
        try:
            yield
        finally:
            self._memory.on = False

    def cursor(self) -> Connection:
        """A further connection."""
        return Connection(self._memory, self._folder, "shared", lambda: duck.connect_to(self._real))


class Connection:
    """Stands for a connection to DuckDB. What it does not know is handed on, and from then on nothing is remembered."""

    def __init__(self, memory: Memory, folder: Path, kind: str, opening: Open) -> None:
        self._memory, self._opening, self.opened = memory, opening, ExitStack()
        self._paths = re.compile(re.escape(str(folder)) + "[^']*")
        self._name = memory.code + kind.encode()
        self._known = memory.on
        self._streams: dict[str, pa.RecordBatchReader] = {}
        self._files: dict[str, tuple[Stamp, bytes]] = {}
        self._before: list[tuple[Callable[[duckdb.DuckDBPyConnection], Any], list[bytes]]] = []
        self._real: duckdb.DuckDBPyConnection | None = None

    def execute(self, query: str, parameters: Any = None) -> _Rows:
        """Run it."""

        def compute(real: duckdb.DuckDBPyConnection) -> Any:
            done = real.execute(query) if parameters is None else real.execute(query, parameters)
            return done.fetchall() if done.description else []

        return _Rows(self._do(compute, query, repr(parameters), looks=bool(_LOOKS.fullmatch(query))))

    def executemany(self, query: str, rows: Any) -> None:
        """Run it for each."""
        self._do(lambda real: _done(real.executemany(query, rows)), query, repr(rows))

    def sql(self, query: str) -> _Relation:
        """A query, to be run when its rows are asked for."""

        def rows(form: str, *size: int) -> Any:
            def compute(real: duckdb.DuckDBPyConnection) -> Any:
                given = getattr(real.sql(query), form)(*size)
                return (given.schema, [*given]) if isinstance(given, pa.RecordBatchReader) else given

            return self._do(compute, query, f"{form}{size}", looks=True)

        return _Relation(rows)

    def register(self, name: str, rows: Any) -> None:
        """Give rows a name."""
        if isinstance(rows, pa.RecordBatchReader):
            self._streams[name] = rows  # it is read when it is asked for
        else:
            self._do(lambda real: _done(real.register(name, rows)), f"register {name}", _content(rows))

    def unregister(self, name: str) -> None:
        """Take the name away."""
        if self._streams.pop(name, None) is None:
            self._do(lambda real: _done(real.unregister(name)), f"unregister {name}")

    def close(self) -> None:
        """The end."""
        self.opened.close()

    def __getattr__(self, name: str) -> Any:
        self._known = False
        return getattr(self._present(), name)

    # ── remembering ──────────────────────────────────────────────────────────────────────────────────────────────

    def _do(
        self,
        compute: Callable[[duckdb.DuckDBPyConnection], Any],
        text: str,
        more: str | bytes = "",
        *,
        looks: bool = False,
    ) -> Any:
        """`looks`: it leaves the connection as it was."""
        for stream in [name for name in self._streams if name in text]:
            self.register(stream, self._streams.pop(stream).read_all())
        to = _COPY.fullmatch(text)
        self._rename(text, more, to and to[1])
        memory = self._memory
        if not self._known or self._name not in memory.answers:
            answer = compute(self._present())
            if to:
                answer = answer, _files(Path(to[1]))
            if self._known:
                memory.keep(self._name, answer, _size(answer))
            return answer[0] if to else answer
        answer = memory.answers[self._name]
        if not looks:
            self._before.append((compute, [sha256 for _, sha256 in self._files.values()]))
        if to:
            answer, files = answer
            for below, content in files.items():
                file = Path(to[1]) / below
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        return answer

    def _rename(self, text: str, more: str | bytes, to: str | None) -> None:
        """The name of what is asked now."""
        name = hashlib.blake2b(self._name, digest_size=16)
        for number, (path, (stamp, _)) in enumerate(self._files.items()):
            if _stamp(path) != stamp:
                self._files[path] = _file(path)
                name.update(b"%d %b" % (number, self._files[path][1]))

        def content(found: re.Match[str]) -> str:
            path = found[0]
            if path == to:
                return Path(path).name
            if path not in self._files:
                self._files[path] = _file(path)
            if self._files[path][0] is None:
                self._known = False  # a folder, or more files than one
            return self._files[path][1].hex()

        if "/" in text:
            text = self._paths.sub(content, text)
            if "'/" in text:
                self._known = False  # a file elsewhere, of which nothing is known
        name.update(text.encode())
        name.update(b"\0")
        name.update(more if isinstance(more, bytes) else more.encode())
        self._name = name.digest()

    def _present(self) -> duckdb.DuckDBPyConnection:
        """The connection, as what was asked so far has left it."""
        if self._real is None:
            self._real = self.opened.enter_context(self._opening())
        for compute, files in self._before:
            if files != [_file(path)[1] for path in [*self._files][: len(files)]]:
                raise ChangedError
            compute(self._real)
        self._before.clear()
        return self._real


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


def _content(rows: Any) -> bytes:
    """A hash of the rows of a table."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return hashlib.blake2b(sink.getvalue(), digest_size=16).digest()


def _stamp(path: str) -> Stamp:
    """By what is told that a file is the same as before."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _file(path: str) -> tuple[Stamp, bytes]:
    try:
        return _stamp(path), hashlib.blake2b(Path(path).read_bytes(), digest_size=16).digest()
    except OSError:
        return None, b"none"


def _files(at: Path) -> dict[str, bytes]:
    """A file, or those below a folder."""
    return (
        {"": at.read_bytes()}
        if at.is_file()
        else {str(file.relative_to(at)): file.read_bytes() for file in sorted(at.rglob("*")) if file.is_file()}
    )


def _size(answer: Any) -> int:
    if isinstance(answer, tuple) and isinstance(answer[1], dict):
        return sum(map(len, answer[1].values()))
    return 100 * len(answer) if isinstance(answer, list) else getattr(answer, "nbytes", 2_000)


@contextmanager
def remembered(memory: Memory, folder: Path, connect: Callable[..., Any], *given: Any) -> Iterator[Connection]:
    """In place of `duck.connect`: a connection to a database of its own."""
    connection = Connection(memory, folder, "alone", lambda: connect(*given))
    with connection.opened:  # an error passes through the real one, which says in the engine's words what it is
        yield connection
