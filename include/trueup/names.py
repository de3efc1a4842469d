"""Names: those of the columns that Trueup adds to every row, and what a declaration may have for an id."""

from __future__ import annotations

import re

from .errors import DeclarationError

EXTRA = "_extra"
"""Column of every row: what the store holds beside the declared columns, as canonical JSON; null if nothing."""
MISTYPED = "_mistyped"
"""Column of every row: declared columns that the store holds in another type, as canonical JSON; null if none."""
KEY = "_key"
"""Column of every planned row: the target key as text (`key_text`)."""
SOURCE_KEY = "_source"
"""Column of every row a transform makes: the key (as text) of the source row it accounts for."""
RESERVED = (EXTRA, MISTYPED, KEY, SOURCE_KEY)

_ID = re.compile(r"^[a-z][a-z0-9_]{0,62}$")


def check_id(kind: str, value: str) -> None:
    """Raise `DeclarationError` where `value` may not be the id of a `kind` of declaration."""
    if not _ID.match(value):
        raise DeclarationError(f"{kind} id {value!r}: use lower-case letters, digits and _, starting with a letter")
