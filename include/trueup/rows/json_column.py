"""Values of a store brought into canonical form, a column at a time; one that has none does not stop the others.

A value without canonical form (`values.UnreadableValueError`) is null in its column, and stands in the row's `_mistyped`
as an object of the one member `UNREADABLE`: why, and what the value was, by its length and its hash, so that two rows
are still equal only if these values are. The engine makes a reject of a source row that has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import orjson
import pyarrow as pa

from ..errors import UnreadableValueError
from .values import canonical_bytes, canonical_json

UNREADABLE = "_unreadable"
"""Member of a `_mistyped` value that stands for one without canonical form."""


def canonical_column(texts: pa.Array) -> pa.Array:
    """A column of JSON texts in canonical form (`values.canonical_json`); nulls stay null.

    Raises `UnreadableValueError` for a text that has none.
    """
    return _column(texts, canonical_bytes)


def readable_column(
    texts: pa.Array, canonical: Callable[[str], bytes | str] = canonical_bytes
) -> tuple[pa.Array, dict[int, str]]:
    """A column of texts in canonical form, null where a text has none; and of these, by their place, why not."""
    try:
        return _column(texts, canonical), {}
    except UnreadableValueError:
        pass
    written: list[bytes | str | None] = []
    reasons: dict[int, str] = {}
    for place, text in enumerate(texts.to_pylist()):
        try:
            written.append(None if text is None else canonical(text))
        except UnreadableValueError as error:
            written.append(None)
            reasons[place] = str(error)
    return pa.array(written, pa.string()), reasons


def unreadable(content: bytes, reason: str) -> bytes:
    """What stands in `_mistyped` for a value without canonical form: JSON."""
    was = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "why": reason}
    return orjson.dumps({UNREADABLE: was}, option=orjson.OPT_SORT_KEYS)


def readable_text(texts: pa.Array, *, key: bool) -> tuple[pa.Array, dict[int, str]]:
    """A column of text whose every value is Unicode, null where one is not (a database of encoding SQL_ASCII checks
    nothing); and of these, by their place, why. In a `key` such bytes are written `\\x…`, so that the row has a name."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        pass
    else:
        return texts, {}
    written: list[str | None] = []
    reasons: dict[int, str] = {}
    for place, content in enumerate(texts.cast(pa.binary()).to_pylist()):
        try:
            written.append(None if content is None else content.decode())
        except UnicodeDecodeError as error:
            written.append(content.decode(errors="backslashreplace") if key else None)
            reasons[place] = f"its bytes are not Unicode (UTF-8) from byte {error.start} on"
    return pa.array(written, pa.string()), reasons


def say_unreadable(mistyped: pa.Array, raw: pa.Array, column: str, reasons: Mapping[int, str]) -> pa.Array:
    """The column `_mistyped` with what stands for the values of `column` (as they were: `raw`) that have no form."""
    texts = mistyped.to_pylist()
    contents = raw.cast(pa.binary())
    for place, reason in reasons.items():
        entry = orjson.dumps(column).decode() + ":" + unreadable(contents[place].as_py(), reason).decode()
        others = "" if texts[place] is None else f"{texts[place][1:-1]},"
        texts[place] = canonical_json(f"{{{others}{entry}}}")
    return pa.array(texts, pa.string())


def _column(texts: pa.Array, canonical: Callable[[str], bytes | str]) -> pa.Array:
    if texts.null_count == len(texts):
        return texts
    present = texts.to_pylist()
    return pa.array([None if text is None else canonical(text) for text in present], pa.string())
