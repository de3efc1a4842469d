"""What is wrong with the scripts that a run sends to PostgreSQL: they are parsed here, and none is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..trueup.declare import Migration, Target
from ..trueup.schema.squawk import unparsed
from .problem import Problem, line_of, unreadable

_FOUND = re.compile(r"(?:, )?(?:found|got) (\w+)$")
_KEYWORD = re.compile(r"\b([A-Z_]+)_KW\b")
_SIGNS = {
    "L_PAREN": "(", "R_PAREN": ")", "COMMA": ",", "SEMICOLON": ";", "EQ": "=", "L_BRACK": "[", "R_BRACK": "]", "DOT": ".",
    "IDENT": "a name", "BACKTICK": "`",
}  # fmt: skip
_SIGN = re.compile(rf"\b({'|'.join(_SIGNS)})\b")
_NEAR = 40


def store_scripts(migration: Migration, declaration: Path) -> Iterator[Problem]:
    """The problems of the scripts of its targets and of those that phases finish with, the first of each script."""
    refused: set[Path] = set()
    for path, role in _all(migration).items():
        for problem in _of_script(migration, path, role, declaration):
            refused.add(path)
            yield problem
    for target in migration.targets:
        yield from _of_target(target, refused, declaration)


def _of_script(migration: Migration, path: Path, role: _Role, declaration: Path) -> Iterator[Problem]:
    from ..trueup.testing.literal import is_dynamodb  # with what reads and writes stores
    from .harmful import harmful

    if is_dynamodb(migration.target(role.target).table, None):
        message = f"target {role.target!r} lies in DynamoDB, which has no scripts; leave {role.keyword} out"
        yield Problem(declaration, line_of(declaration, path.name), message)
    elif (problem := unreadable(path) or _marked(path) or _misspelt(path)) is not None:
        yield problem
    else:
        for line, words in harmful(migration, path.read_text(encoding="utf-8")):
            yield Problem(path, line, words)


def _of_target(target: Target, refused: set[Path], declaration: Path) -> Iterator[Problem]:
    from .impossible import impossible
    from .made_tables import unlike

    if isinstance(target.create, Path) and target.create not in refused:
        script = target.create.read_text(encoding="utf-8")
        for line, words in (*unlike(target, script), *impossible(target, script)):
            yield Problem(target.create, line, words)
    if target.adds and not isinstance(target.prepare, Path):
        message = f"target {target.id!r} says adds={list(target.adds)}, and has no prepare script that adds them"
        yield Problem(declaration, line_of(declaration, "adds="), message)
    if isinstance(target.prepare, Path) and target.prepare not in refused:
        script = target.prepare.read_text(encoding="utf-8")
        for name in target.adds:
            if name not in script:
                message = f"target {target.id!r} says that this script adds {name!r}, which it never names"
                yield Problem(target.prepare, None, message)


class _Role(NamedTuple):
    """Where a script is said: the target before which it runs, and the keyword."""

    target: str
    keyword: str


def _all(migration: Migration) -> dict[Path, _Role]:
    scripts = {
        path: _Role(target.id, name)
        for target in migration.targets
        for name in ("create", "prepare", "undo")
        if isinstance(path := getattr(target, name), Path)
    }
    return scripts | {path: _Role(phase.target, "finish") for phase in migration.phases for path in phase.finish}


def _marked(path: Path) -> Problem | None:
    if path.read_bytes().startswith(b"\xef\xbb\xbf"):
        return Problem(path, 1, "begins with a byte order mark, which PostgreSQL refuses; save it as UTF-8 without")
    return None


def _misspelt(path: Path) -> Problem | None:
    """The first place where it is no SQL of PostgreSQL."""
    text = path.read_bytes().decode()
    fault = unparsed(text)
    if fault is None:
        return None
    line, column, message = fault
    lines = text.split("\n")
    # what is found missing at the end of a line is seen at the next word
    rest = lines[line].encode()[column:].decode(errors="replace").strip()
    while not rest and line + 1 < len(lines):
        line += 1
        rest = lines[line].strip()
    near = f'at "{rest[:_NEAR]}"' if rest else "at its end"
    before = "\n".join([*lines[:line], lines[line].partition(rest)[0]]).rstrip()
    reserved = _reserved(rest) if before.endswith(("(", ",")) else ""
    return Problem(path, line + 1, f"is not SQL of PostgreSQL {near}: {_in_words(message)}{reserved}")


def _in_words(message: str) -> str:
    plain = _FOUND.sub("", _KEYWORD.sub(r"\1", message).replace("expected command", "a statement begins otherwise"))
    return _SIGN.sub(lambda match: _SIGNS[match[1]], plain)


def _reserved(rest: str) -> str:
    word = re.match(r"\w+", rest)
    if word is None or word[0].upper() not in _RESERVED:
        return ""
    return f'; {word[0]} is a reserved word: as a name it stands in double quotes, "{word[0].lower()}"'


_RESERVED_WORDS = (
    "ALL ANALYSE ANALYZE AND ANY ARRAY AS ASC ASYMMETRIC BOTH CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE "
    "CURRENT_CATALOG CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DEFAULT DEFERRABLE DESC DISTINCT "
    "DO ELSE END EXCEPT FALSE FETCH FOR FOREIGN FROM GRANT GROUP HAVING IN INITIALLY INTERSECT INTO LATERAL LEADING LIMIT "
    "LOCALTIME LOCALTIMESTAMP NOT NULL OFFSET ON ONLY OR ORDER PLACING PRIMARY REFERENCES RETURNING SELECT SESSION_USER "
    "SOME SYMMETRIC SYSTEM_USER TABLE THEN TO TRAILING TRUE UNION UNIQUE USER USING VARIADIC WHEN WHERE WINDOW WITH"
)
_RESERVED = frozenset(_RESERVED_WORDS.split())
"""Words that are no name of a column in PostgreSQL (its key words of category R)."""
