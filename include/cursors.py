"""Cursors of lists: where a page ends, bound to what its list was asked for. A page is found by the last key of the one before,
not by an offset: rows may come meanwhile."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import TypeVar

from .routes import ProblemError
from .trueup.rows.values import json_text

T = TypeVar("T")


def written(last: str, *asked: str | None) -> str:
    """The cursor after the row with the key `last`, in the list that was `asked` for."""
    return urlsafe_b64encode(json_text([last, *asked]).encode()).decode().rstrip("=")


def read(cursor: str, key: Callable[[str], T], *asked: str | None) -> T:
    """The key in the cursor, made by `key` from its text. Raises `ProblemError` (422) for one that is of another list, or
    none."""
    try:
        last, *of = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(last, str) and of == [*asked]:
            return key(last)
    except (binascii.Error, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        pass
    raise ProblemError(
        422,
        "cursor-of-another-list",
        "The cursor does not belong to this list",
        "Give a next_cursor as it was, with the parameters of the page that it came with; or begin without.",
    )
