"""What gives another value each time it is asked, in an author's SQL: a clock, a lot, a sequence.

What is made of a view that says `uuid()` is another each time the view is read: of two outputs that both read it, what belongs
together would not, and a proof, which is about the rows as they were planned, would not see it. And a plan that is made again of
the same rows has to be the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path

import duckdb

from ..declare import Migration
from ..declare.names import fold
from ..errors import DeclarationError

KEYWORDS = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
"""Clocks that are written without brackets."""
_CLOCKS = frozenset({"now", "today", "get_current_time", "get_current_timestamp", "transaction_timestamp"})
_NO_LOTS = frozenset({"error", "stats", "vector_type", "write_log", "sleep_ms"})
"""Functions that DuckDB calls volatile, and that give no value of their own."""
SAMPLES = ("using sample", "tablesample")
"""Lots that are written without brackets: other rows each time."""
_WORD = re.compile(rb'"\w+"|\w+')
_SAMPLE = re.compile(rb"sample\b", re.IGNORECASE)
_TAKEN = re.compile(rb"\s*(\w+\s*\(|\(|[0-9.])")
_CALLED = re.compile(rb"\s*\(")


@cache
def functions() -> frozenset[str]:
    """The names of DuckDB's functions that give another value each time."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'"
        ).fetchall()
    return frozenset(name for (name,) in rows) - _NO_LOTS | _CLOCKS


def changing(text: str, columns: Collection[str] = ()) -> Iterator[tuple[int, str]]:
    """What of an author's SQL gives another value each time, with its line; `columns`: names that may be read without brackets."""
    yield from _places(text, KEYWORDS - {*map(fold, columns)})


@lru_cache(maxsize=256)
def _places(text: str, keywords: frozenset[str]) -> tuple[tuple[int, str], ...]:
    """The same, of texts that every partition and every neighbour of a number asks about."""
    places, written = [], text.encode()
    tokens = [(at, kind) for at, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    ends = [at for at, _ in tokens[1:]] + [len(written)]  # a place is a number of bytes
    code = [written[at:end] for (at, _), end in zip(tokens, ends, strict=True)]
    for place, (at, kind) in enumerate(tokens):
        word = _WORD.match(written, at)
        if word is None or kind not in (duckdb.token_type.identifier, duckdb.token_type.keyword):
            continue
        name, after = fold(word[0].decode(errors="replace").strip('"')), code[place + 1 : place + 2] or [b""]
        if _CALLED.match(written, word.end()):
            changes = name in functions() or (name == "age" and _of_one(code[place + 1 :]))
        elif name == "using" and _SAMPLE.match(after[0]):
            changes, name = True, SAMPLES[0]
        elif name == SAMPLES[1] and _TAKEN.match(written, word.end()):
            changes = True
        else:
            changes = name in keywords and word[0][:1] != b'"' and not written[:at].rstrip().endswith(b".")
        if changes:
            places.append((written.count(b"\n", 0, at) + 1, name))
    return tuple(places)


def _of_one(code: Sequence[bytes]) -> bool:
    """Whether a call, of which these tokens are what comes behind its name, has one argument only: `age(t)` goes by today."""
    depth = 0
    for token in code:
        if token[:1] in b"'\"":
            continue
        for sign in token.decode(errors="replace"):
            depth += (sign in "([{") - (sign in ")]}")
            if sign == "," and depth == 1:
                return False
            if not depth and sign in ")]}":
                return True
    return False


def refuse(what: str, path: Path, migration: Migration) -> None:
    """Raise `DeclarationError` where a script or query of the migration says what gives another value each time."""
    read = [*(s.columns for s in migration.sources), *(d.columns for d in migration.derived)]
    columns = {name for each in (*read, *(t.table.columns for t in migration.targets)) for name in each}
    for line, name in changing(path.read_text(encoding="utf-8"), columns):
        called = name if name in KEYWORDS else name.upper() if name in SAMPLES else f"{name}()"
        raise DeclarationError(
            f"{what}: line {line} of {path.name}: {called} gives another value each time it is asked, so rows that belong together"
            " would not, and a plan that is made again of the same rows would be another; give the transform what it needs as a "
            "relation (a param, a constant, a source), and make ids of what is there (uuid5_url(…), sha256(…))"
        )
