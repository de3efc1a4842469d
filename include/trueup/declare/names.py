"""Names: those of the columns that Trueup adds to every row, and what a declaration may have for an id.

In DuckDB a name has no case, and an alias, a column and the field of a struct can all be meant by one. So whatever is
the engine's own and appears next to an author's columns, as a column, as a relation or as an alias, begins with `PREFIX`,
which no declaration may use, and an author's column is only ever read through such an alias."""

from __future__ import annotations

import difflib
import re
import string
from collections.abc import Iterable, Sequence

from ..errors import DeclarationError

EXTRA = "_extra"
"""Column of every row: what the store holds in addition to the declared columns, as canonical JSON; null if nothing."""
MISTYPED = "_mistyped"
"""Column of every row: declared columns that the store holds in another type, as canonical JSON; null if none."""
NULLS = ""
"""Member of `_mistyped`, which no column and no attribute can be called: the names, sorted, of the attributes that are
DynamoDB's NULL. Null is what they are in every comparison, and to a transform; a row put back has them again."""
KEY = "_key"
"""Column of every planned row: the target key as text (`key_text`)."""
SOURCE_KEY = "_source"
"""Column of every row a transform makes: the key (as text) of the source row it accounts for."""
RESERVED = (EXTRA, MISTYPED, KEY, SOURCE_KEY)
"""What an author may use in a transform and a suite, and may not declare."""

PREFIX = "__trueup_"
"""What the engine's own names in DuckDB begin with."""


def own(name: str) -> str:
    """A name of the engine's own, which no author's can meet."""
    return PREFIX + name


WITHOUT_NULLS = own("without_nulls")
"""Macro: `_mistyped` without its member `NULLS`, as it is compared and as scripts see it."""
VERB = own("verb")
"""Column of every planned row: what is to be done (`plan/files.py`)."""
BEFORE = own("before")
"""Column of every planned row: the full row as it is, a struct; null where there is none."""
IN_WINDOW = own("in_window")
"""Column of every row that should be: whether the run is about it."""
GONE = own("gone")
"""Column of every row that is expected: whether it is to be absent."""
PLACE = own("place")
"""Column: the number that decides a row's partition."""
PART = own("part")
"""Column that a row's partition is written by; not in any file."""
ROW_ID = own("row_id")
"""Column of every row that a transform makes: its number."""
FAULT = own("fault")
"""Column of every such row: why a value of it has no canonical form; null where each has one."""
UNIT = own("unit")
"""Column of every row that is written in a transaction with others: the number of that unit."""
FILE, NUMBER = own("file"), own("number")
"""Columns of a row as it is looked at: which of several files it is in, and its number there."""
MADE_BY = own("made_by")
"""Column of every such row: what it is a unit by."""

SHOULD, IS, KNOWN, PLANNED = own("s"), own("i"), own("k"), own("p")
"""Aliases of a row that should be, that is, that earlier runs are known to have written, and that is planned."""
WROTE, EXPECTED, FOUND, NOW, ASKED = own("w"), own("e"), own("f"), own("n"), own("a")
"""Aliases of a row that a run wrote, that is expected, that was read back, that was read again, that was asked for."""
MADE, UNWRITABLE_ROW = own("m"), own("u")
"""Aliases of a row that a transform makes, and of one that its store could not hold."""

RELATIONS = ("rows", "rows_also", "findings", "figures", "params", "undeclared")
"""The relations of a transform that belong to no declaration: what it makes, and what it is given."""

_ANOTHER_NAME = "read it through a view in which it has another name, or leave it out"
_CASE = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_ID = re.compile(r"^[a-z][a-z0-9_]{0,62}$")


def one_of(name: str, names: Iterable[str]) -> str:
    """What there is in place of a name that there is not, in words to go on with: `did you mean 'customers'? There are:
    customers, kpis`, or, where none is like it, `there are: customers, kpis`."""
    known = sorted(names)
    folded = {fold(each): each for each in known}
    near = difflib.get_close_matches(fold(name), folded, n=1)
    if near:
        return f"did you mean {folded[near[0]]!r}? There are: {', '.join(known)}"
    return f"there are: {', '.join(known)}" if known else "there is none"


def check_tuple(what: str, value: object) -> None:
    """Raise `DeclarationError` where one thing was given in place of several."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise DeclarationError(f"{what} are several: write them in brackets, with a comma after one alone: (…,)")


def check_id(kind: str, value: str) -> None:
    """Raise `DeclarationError` where `value` may not be the id of a `kind` of declaration."""
    given: object = value
    if not isinstance(given, str) or not _ID.match(given):
        raise DeclarationError(f"{kind} id {value!r}: use lower-case letters, digits and _, starting with a letter")


def phase_of(output: str) -> str:
    """The id of the phase whose output has that name: the name is the id, or begins with the id and `-`."""
    return output.partition("-")[0]


def fold(name: str) -> str:
    """What DuckDB takes a name for: two names with the same are one to it. Letters beyond ASCII keep their case."""
    return name.translate(_CASE)


def check_columns(what: str, columns: Iterable[str], reserved: Iterable[str] = RESERVED) -> None:
    """Raise `DeclarationError` where the columns of `what` could not be distinguished from the engine's own, or from each other."""
    seen: dict[str, str] = {}
    for column in columns:
        if fold(column) in reserved:
            raise DeclarationError(f"{what}: column name {column!r} is reserved by Trueup: {_ANOTHER_NAME}")
        if fold(column).startswith(PREFIX):
            raise DeclarationError(
                f"{what}: column name {column!r} begins with {PREFIX}, which is reserved by Trueup: {_ANOTHER_NAME}"
            )
        other = seen.setdefault(fold(column), column)
        if other != column:
            raise DeclarationError(
                f"{what}: the columns {other!r} and {column!r} differ by case only, and DuckDB, where rows are compared, "
                "cannot tell them apart. Declare one of them; read the other under another name, such as through a view"
            )


def check_relations(what: str, names: Iterable[str], reserved: Iterable[str] = RELATIONS) -> None:
    """Raise `DeclarationError` where a relation of a transform has the name of another, or one of the engine's own."""
    seen: set[str] = set()
    for name in names:
        if fold(name) in reserved or fold(name).startswith(PREFIX):
            raise DeclarationError(f"{what}: {name!r} is the name of a relation of Trueup's own; give it another id")
        if fold(name) in seen:
            raise DeclarationError(
                f"{what}: {name!r} is named twice among sources, derived, targets, shared and constants; give one an id of its own: "
                f"id='{name}_2'"
            )
        seen.add(fold(name))
