"""What a statement to DuckDB reads and makes, and what the relations of a connection were made of.

A relation goes by its content: a table's is what it holds, however it came to it; a view's, or a macro's, is
its text, the files that it names and the relations that it reads, as they are when it is read. It goes by its shape where only
columns matter: then a file is its columns. What a statement reads are all relations whose names are words in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_LOOKS = re.compile(r"(SELECT|FROM|WITH|DESCRIBE|COPY)\b[^;]*;?", re.IGNORECASE)
_COPY = re.compile(r"COPY \(.*\) TO '\0' \(FORMAT[^';]*", re.DOTALL)
_MAKES = re.compile(
    r'CREATE (?:OR REPLACE )?((?:TEMP )?VIEW|TEMP TABLE|TEMP MACRO) "?(\w+)"?\s*(?:\(|AS\b)[^;]*',
    re.IGNORECASE | re.DOTALL,
)
_CHANGES = re.compile(r'(?:INSERT INTO|DELETE FROM|UPDATE) "?(\w+)"?\s[^;]*', re.IGNORECASE | re.DOTALL)
_WORD = re.compile(r"\w+")
_CATALOGUE = re.compile(r"(duckdb|pragma|sqlite|information|query)_\w+|show|summarize", re.IGNORECASE)
_RELATIONS = {"duckdb_views", "duckdb_tables"}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A relation that a statement makes. `late`: a view or a macro, read when it is used; `words` of its own text."""

    name: str
    late: bool
    text: str
    words: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a statement does: it `looks` only, makes relations, or `changes` one; else nothing is known of it. `words`: its words,
    small; `of_all`: whether it asks what relations there are."""

    words: frozenset[str]
    looks: bool = False
    made: tuple[Made, ...] = ()
    changes: str | None = None
    of_all: bool = False

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose rows it makes or changes."""
        return (self.changes,) if self.changes else tuple(each.name for each in self.made if not each.late)

    @property
    def only_defines(self) -> bool:
        """Whether all that it makes is read later."""
        return bool(self.made) and all(each.late for each in self.made)


@lru_cache(maxsize=20_000)
def statement(text: str) -> Statement:
    """What a statement does, whose paths are each a NUL."""
    bare = _COMMENT.sub("", text).strip()
    words = _words(bare)
    if asked := {word for word in words if _CATALOGUE.fullmatch(word)}:
        known = asked <= _RELATIONS and _LOOKS.fullmatch(bare)
        return Statement(words=words, looks=bool(known), of_all=bool(known))
    if _LOOKS.fullmatch(bare) or _COPY.fullmatch(bare):
        return Statement(words=words, looks=True)
    if changed := _CHANGES.fullmatch(bare):
        return Statement(words=words, changes=changed[1].lower())
    pieces = [piece.strip() for piece in bare.split(";") if piece.strip()]
    if all(piece.count("'") % 2 == 0 and _MAKES.fullmatch(piece) for piece in pieces):
        return Statement(words=words, made=tuple(map(_made, pieces)))
    return Statement(words=words)


def _made(piece: str) -> Made:
    found = _MAKES.fullmatch(piece)
    assert found is not None
    name = found[2].lower()
    return Made(name=name, late=not found[1].upper().endswith("TABLE"), text=piece, words=_words(piece) - {name})


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text))


@dataclass(kw_only=True)
class Relation:
    """A relation of a connection. `late`: see `Made`, then by `text`, `files` and `words`; else by `content` and `shape`."""

    late: bool = False
    text: str = ""
    files: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    content: bytes = b""
    shape: bytes = b""


def digest(*parts: bytes | str) -> bytes:
    """A hash of these, one after the other."""
    name = hashlib.blake2b(digest_size=16)
    for part in parts:
        value = part.encode() if isinstance(part, str) else part
        name.update(b"%d " % len(value))
        name.update(value)
    return name.digest()


@dataclass
class Lineage:
    """The relations of a connection. `content` and `columns` of a file are asked for by its path."""

    content: Callable[[str], bytes]
    columns: Callable[[str], bytes]
    held: dict[str, Relation] = field(default_factory=dict)

    def read_by(self, words: Iterable[str]) -> set[str]:
        """The relations that are read where these words stand, with those behind views."""
        found: set[str] = set()
        further = [*words]
        while further:
            word = further.pop()
            if word in self.held and word not in found:
                found.add(word)
                further += self.held[word].words
        return found

    def contents(self, words: Iterable[str]) -> list[bytes]:
        """The names and contents of what is read where these words stand."""
        return self._of(words, shapes=False, seen=frozenset())

    def shapes(self, words: Iterable[str]) -> list[bytes]:
        """The names and shapes of what is read where these words stand."""
        return self._of(words, shapes=True, seen=frozenset())

    def _of(self, words: Iterable[str], *, shapes: bool, seen: frozenset[str]) -> list[bytes]:
        parts: list[bytes] = []
        for name in sorted(self.held.keys() & words):
            relation = self.held[name]
            parts.append(name.encode())
            if not relation.late:
                parts.append(relation.shape if shapes else relation.content)
            elif name not in seen:
                of_file = self.columns if shapes else self.content
                further = self._of(relation.words, shapes=shapes, seen=seen | {name})
                parts.append(digest(relation.text, *map(of_file, relation.files), b"", *further))
        return parts

    def put(self, name: str, relation: Relation | None) -> None:
        """A relation is there now, as the last one; None: it is gone."""
        self.held.pop(name, None)
        if relation is not None:
            self.held[name] = relation
