"""Hashes of rows, tables and files: by what they hold."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from include.trueup.rows import duck

from .lineage import digest

Stamp = tuple[int, int, int] | None
NONE = b"none"


def table_hash(real: duckdb.DuckDBPyConnection, table: str) -> bytes:
    """A hash of what a table holds, and of its columns."""
    read = real.execute(f"SELECT * FROM {duck.identifier(table)}")
    return digest(repr(read.description), repr(read.fetchall()))


def rows_hash(rows: Any) -> bytes:
    """A hash of the rows of a table."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return hashlib.blake2b(sink.getvalue(), digest_size=16).digest()


def stamp_of(path: str) -> Stamp:
    """By what is told that a file is the same as before."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def file_hash(path: str) -> tuple[Stamp, bytes, bytes]:
    """By what it is told, a hash of what it holds, and that."""
    try:
        seen, read = stamp_of(path), Path(path).read_bytes()
    except OSError:
        return None, NONE, b""
    return seen, hashlib.blake2b(read, digest_size=16).digest(), read


def files_below(at: Path) -> dict[str, bytes]:
    """A file, or those below a folder."""
    return (
        {"": at.read_bytes()}
        if at.is_file()
        else {str(file.relative_to(at)): file.read_bytes() for file in sorted(at.rglob("*")) if file.is_file()}
    )


def size_of(answer: Any) -> int:
    """About how many bytes an answer takes."""
    if isinstance(answer, tuple) and isinstance(answer[1], dict):
        return sum(map(len, answer[1].values()))
    return 100 * len(answer) if isinstance(answer, list) else getattr(answer, "nbytes", 2_000)
