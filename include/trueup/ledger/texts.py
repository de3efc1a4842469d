"""Texts that PostgreSQL does not hold as they are: one with the character NUL, which DynamoDB has in keys and values."""

from __future__ import annotations

_ESCAPE, _AS_ESCAPE, _AS_NUL = "\x10", "\x101", "\x100"


def kept(text: str | None) -> str | None:
    """The text as the ledger keeps it; `as_it_was` gives it back."""
    return text if text is None else text.replace(_ESCAPE, _AS_ESCAPE).replace("\0", _AS_NUL)


def as_it_was(text: str | None) -> str | None:
    """The text that was kept."""
    return text if text is None else text.replace(_AS_NUL, "\0").replace(_AS_ESCAPE, _ESCAPE)


def to_be_read(text: str) -> str:
    """A text for people: a character that PostgreSQL has no place for is spelled out."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
